//! The report as text and as JSON.

use auscult_schemas::printable_lines;
use serde_json::{Value, json};

use super::{Outcome, Report};

/// Text lines: each check with its outcome, and the fix below it.
#[must_use]
pub fn lines(report: &Report, is_coloured: bool) -> String {
    let paint =
        |text: &str, code: &str| if is_coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let mut text = String::new();
    let mut group = "";
    for finding in &report.findings {
        if finding.group != group {
            group = finding.group;
            text += &format!("{}\n", paint(group, "1"));
        }
        let code = match finding.outcome {
            Outcome::Ok => "32",
            Outcome::Warning => "33",
            Outcome::Wrong => "31;1",
            Outcome::Unknown => "2",
        };
        let word = paint(&format!("{:<8}", finding.outcome.as_str()), code);
        text += &format!("  {word} {:<17} {}\n", finding.check, printable_lines(&finding.says));
        if !finding.todo.is_empty() {
            text += &format!("{:29}→ {}\n", "", printable_lines(&finding.todo));
        }
    }
    let count = |outcome| report.count(outcome);
    text += &format!(
        "{} ok, {} warnings, {} wrong, {} could not be told\n",
        count(Outcome::Ok),
        count(Outcome::Warning),
        count(Outcome::Wrong),
        count(Outcome::Unknown)
    );
    text
}

/// One JSON object: `{"sound", "checks": [{"group", "check", "outcome", "says", "todo"}]}`.
#[must_use]
pub fn json(report: &Report, strict: bool) -> Value {
    let checks = report.findings.iter().map(|finding| {
        json!({
            "group": finding.group,
            "check": finding.check,
            "outcome": finding.outcome.as_str(),
            "says": finding.says,
            "todo": finding.todo,
        })
    });
    json!({ "sound": report.is_sound(strict), "checks": checks.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::super::Finding;
    use super::*;

    fn report(outcome: Outcome) -> Report {
        let finding = Finding {
            group: "topics",
            check: "copies",
            outcome,
            says: "one copy".to_owned(),
            todo: "add some".to_owned(),
        };
        Report { findings: vec![finding] }
    }

    #[test]
    fn colours_are_for_terminals() {
        let plain = lines(&report(Outcome::Warning), false);
        assert!(
            plain.contains("topics\n  warning  copies            one copy\n") && !plain.contains('\x1b'),
            "{plain}"
        );
        assert!(plain.contains("→ add some") && plain.ends_with("0 ok, 1 warnings, 0 wrong, 0 could not be told\n"));
        assert!(lines(&report(Outcome::Wrong), true).contains("\x1b[31;1mwrong"));
    }

    #[test]
    fn what_came_over_a_topic_does_nothing_to_the_terminal() {
        let mut found = report(Outcome::Wrong);
        found.findings[0].says = "machine fan\u{1b}[2J has no model".to_owned();
        found.findings[0].todo = "train \u{9b}31m".to_owned();
        let text = lines(&found, false);
        assert!(text.contains("fan\\u{1b}[2J") && !text.contains(['\u{1b}', '\u{9b}']), "{text}");
    }

    #[test]
    fn warnings_count_only_where_that_was_asked_for() {
        assert!(report(Outcome::Warning).is_sound(false) && !report(Outcome::Warning).is_sound(true));
        assert!(!report(Outcome::Wrong).is_sound(false));
        assert!(report(Outcome::Unknown).is_sound(true));
        assert_eq!(json(&report(Outcome::Warning), true)["sound"], false);
        assert_eq!(json(&report(Outcome::Warning), false)["checks"][0]["outcome"], "warning");
    }
}
