//! Text that came over a topic, made harmless for a terminal.

use std::borrow::Cow;

/// The text with every character written out that a terminal would obey rather than show: control characters (escape
/// sequences begin with one), and those that turn the direction of writing. `\u{1b}[31m` becomes `\\u{1b}[31m`, ten
/// visible characters. Line ends and tabs are among them: a key is one line.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed, |character| character.escape_default().to_string())
}

/// As [`printable`], of text that has lines: line ends and tabs stay.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    let is_obeyed = |character| is_obeyed(character) && !matches!(character, '\n' | '\t');
    escaped(text, is_obeyed, |character| character.escape_default().to_string())
}

/// JSON with the same characters escaped as JSON does it: what it says stays the same. Writers of JSON escape only
/// those below U+0020.
#[must_use]
pub fn printable_json(json: &str) -> Cow<'_, str> {
    // Between strings JSON has no such character but line ends.
    let is_obeyed = |character| is_obeyed(character) && character >= ' ';
    escaped(json, is_obeyed, |character| format!("\\u{:04x}", u32::from(character)))
}

/// A terminal's control characters, C0 and C1 (U+009B alone begins an escape sequence), and Unicode's marks and
/// overrides of direction.
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_obeyed: impl Fn(char) -> bool, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.chars().any(&is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_obeyed(character) {
            harmless.push_str(&escape(character));
        } else {
            harmless.push(character);
        }
    }
    Cow::Owned(harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out_and_all_else_stays() {
        assert!(matches!(printable("plant/hall-2/Lüfter 7 – 風"), Cow::Borrowed(_)));
        assert_eq!(printable("fan\u{1b}[2J\u{1b}]0;title\u{7}"), "fan\\u{1b}[2J\\u{1b}]0;title\\u{7}");
        // CSI as one character, delete, a line end that would forge a line, a direction that would turn it round.
        assert_eq!(printable("a\u{9b}31m\u{7f}\r\nb\u{202e}c"), "a\\u{9b}31m\\u{7f}\\r\\nb\\u{202e}c");
        assert_eq!(printable_lines("one\n\ttwo\u{1b}c"), "one\n\ttwo\\u{1b}c");
    }

    #[test]
    fn json_says_the_same_when_it_is_printable() {
        let value = serde_json::json!({ "key": "a\u{9b}31m\u{1b}\u{7f}\u{202e}", "ü": "ö" });
        let text = value.to_string();
        let harmless = printable_json(&text);
        assert!(harmless.chars().all(|character| !is_obeyed(character)), "{harmless:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&harmless).unwrap(), value);
        let pretty = format!("{value:#}");
        assert_eq!(printable_json(&pretty).lines().count(), pretty.lines().count());
    }
}
