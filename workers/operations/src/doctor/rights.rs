//! Check of permissions: which permissions of workers this client has, as far as they can be tested without side
//! effects.

use std::collections::BTreeMap;

use auscult_runtime::kafka::survey::{Placement, Settings, trial::Trial};

use super::{Finding, Findings};

const GROUP: &str = "rights";

/// Results of the read tests by topic: success, or the missing permission. Only topics that this kind of worker reads,
/// `own`, can fail.
pub(super) fn reading(tried: &BTreeMap<&str, Result<(), String>>, own: &[&str]) -> Vec<Finding> {
    let mut findings = Findings::of(GROUP);
    for (topic, outcome) in tried {
        match outcome {
            Err(reason) if own.contains(topic) => findings.wrong("read", format!("{topic} cannot be read"), reason),
            _ => {}
        }
    }
    let readable: Vec<&str> = tried.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(topic, _)| *topic).collect();
    if !readable.is_empty() {
        findings.ok_if_sound("read", format!("may describe and read {}", readable.join(", ")));
    }
    findings.list
}

/// Results of the write tests, if they were requested.
pub(super) fn writing(tried: &BTreeMap<&str, Trial>) -> Vec<Finding> {
    let mut findings = Findings::of(GROUP);
    for (topic, trial) in tried {
        match trial {
            Trial::May => {}
            Trial::MayNot(reason) => findings.wrong("write", format!("{topic} cannot be written to"), reason),
            Trial::Unclear(reason) => findings.unknown("write", format!("{topic}: {reason}")),
        }
    }
    if tried.is_empty() {
        findings.unknown(
            "write",
            "not tried; --try-writing sends each topic a record that the broker has to refuse for its size",
        );
    } else {
        let names: Vec<&str> = tried.keys().copied().collect();
        findings.ok_if_sound("write", format!("may write to {}", names.join(", ")));
    }
    findings.list
}

/// Permissions that cannot be tested, and where a failure would show.
pub(super) fn unknown() -> Vec<Finding> {
    let mut findings = Findings::of(GROUP);
    findings.unknown(
        "join and commit",
        "Read group and Write transactional id: whoever tried would push a live worker out; a worker that lacks one says so in its log and in /readyz",
    );
    findings.list
}

/// Record size for the write test of a topic.
pub(super) fn trial_size(placement: Option<&Placement>, settings: Option<&Result<Settings, String>>) -> Option<usize> {
    let is_there = matches!(placement, Some(Placement::Partitions(_)));
    let largest = settings?.as_ref().ok()?.number("max.message.bytes")?;
    // The broker closes the connection on larger requests (socket.request.max.bytes, 100 MiB).
    const MOST: usize = 64 * 1024 * 1024;
    usize::try_from(largest).ok().filter(|largest| is_there && *largest <= MOST)
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn each_right_that_is_missing_is_told_with_its_topic() {
        let tried = BTreeMap::from([("a", Ok(())), ("b", Err("lacks the right to Read topic b".to_owned()))]);
        assert_eq!(reading(&tried, &["a"])[0].outcome, Outcome::Ok);
        let found = reading(&tried, &["a", "b"]);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].outcome == Outcome::Wrong
                && found[0].says.starts_with("b ")
                && found[0].todo.contains("Read topic b")
        );
        let found = writing(&BTreeMap::from([("a", Trial::May), ("b", Trial::MayNot("lacks".to_owned()))]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].outcome, Outcome::Wrong);
        assert_eq!(writing(&BTreeMap::from([("a", Trial::May)]))[0].outcome, Outcome::Ok);
        assert_eq!(writing(&BTreeMap::new())[0].outcome, Outcome::Unknown);
    }

    #[test]
    fn a_topic_whose_largest_record_is_not_known_is_not_tried() {
        let there = Placement::Partitions(Vec::new());
        let settings = Ok(Settings([("max.message.bytes".to_owned(), "100".to_owned())].into()));
        assert_eq!(trial_size(Some(&there), Some(&settings)), Some(100));
        assert_eq!(trial_size(Some(&Placement::Absent), Some(&settings)), None);
        assert_eq!(trial_size(Some(&there), Some(&Err("denied".to_owned()))), None);
    }
}
