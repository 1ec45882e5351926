//! Check of topics: existence, replicas and retention.

use std::collections::BTreeMap;

use auscult_runtime::config::LimitsConfig;
use auscult_runtime::kafka::survey::{Placement, Replicas, Settings};
use auscult_runtime::kafka::topics::Examined;
use auscult_schemas::topics::{ALL, CHUNKS, DEAD_LETTERS, FEATURES, MAX_MESSAGE_BYTES, Topic};

use super::{Finding, Findings};

const GROUP: &str = "topics";
const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The checks that workers make at start: missing topics, unequal partition counts, size limits, clean-up policies.
///
/// `own` are the topics that this client must see. A worker's principal may have no access to the others.
pub(super) fn contract(
    examined: &Examined,
    placements: &BTreeMap<&str, Placement>,
    own: &[&str],
    partitions: Option<i32>,
) -> Vec<Finding> {
    let mut findings = Findings::of(GROUP);
    for problem in &examined.problems {
        let topic = problem.topic.as_str();
        if placements.get(topic) == Some(&Placement::Hidden) && !own.contains(&topic) {
            findings
                .unknown("contract", format!("{topic}: it cannot be seen from here, and this kind of worker need not"));
            continue;
        }
        findings.wrong("contract", format!("{}: {}", problem.topic, problem.problem), &problem.remedy);
    }
    for reason in &examined.unchecked {
        findings.unknown("contract", format!("settings of {reason}"));
    }
    let each = partitions.map(|count| format!(" with {count} partitions each")).unwrap_or_default();
    findings.ok_if_sound(
        "contract",
        format!("all {} are there{each}, take records of 8 MiB, and are compacted where they must be", ALL.len()),
    );
    findings.list
}

/// Compares the replicas of a topic's partitions with the number that must be in sync for writes.
pub(super) fn copies(
    placements: &BTreeMap<&str, Placement>,
    settings: &BTreeMap<&str, Result<Settings, String>>,
    brokers: usize,
) -> Vec<Finding> {
    let mut findings = Findings::of(GROUP);
    let mut single = Vec::new();
    let mut rigid = Vec::new();
    let mut lax = Vec::new();
    for (topic, placement) in placements {
        let Placement::Partitions(partitions) = placement else { continue };
        let leaderless = numbers(partitions, |replicas| !replicas.has_leader);
        if !leaderless.is_empty() {
            findings.wrong(
                "leaders",
                format!(
                    "{topic}: partitions {} have no leader: nothing can be read from them or written to them",
                    list(&leaderless)
                ),
                "start the brokers that hold them; `kafka-topics.sh --describe --unavailable-partitions` names them",
            );
        }
        let behind = numbers(partitions, |replicas| replicas.has_leader && replicas.in_sync < replicas.all);
        if !behind.is_empty() {
            findings.warning(
                "replicas",
                format!("{topic}: of partitions {} not all replicas are in sync", list(&behind)),
                "is a broker down or slow? `kafka-topics.sh --describe --under-replicated-partitions` names them",
            );
        }
        let all = partitions.iter().map(|replicas| replicas.all).min().unwrap_or_default();
        let needed = settings.get(topic).and_then(|settings| settings.as_ref().ok()?.number("min.insync.replicas"));
        match (all, needed) {
            (0 | 1, _) => single.push(*topic),
            (all, Some(needed)) if usize::try_from(needed).is_ok_and(|needed| needed >= all) => rigid.push(*topic),
            (_, Some(1)) => lax.push(*topic),
            _ => {}
        }
    }
    if !single.is_empty() {
        let todo = match brokers {
            0..3 => "for production, three brokers or more and `auscult topics create --replication 3`",
            _ => "`kafka-reassign-partitions.sh` adds replicas to topics that are there",
        };
        findings.warning(
            "copies",
            format!("{} have one copy: it is gone with its broker's disk", all_or(&single)),
            todo,
        );
    }
    if !rigid.is_empty() {
        findings.warning(
            "copies",
            format!("min.insync.replicas of {} is as many as there are copies: one broker away, and nothing is taken", all_or(&rigid)),
            "one less than there are copies, with three copies 2: `kafka-configs.sh --alter --topic … --add-config min.insync.replicas=2`",
        );
    }
    if !lax.is_empty() {
        findings.warning(
            "copies",
            format!("min.insync.replicas of {} is 1: what one broker took alone is gone with its disk", all_or(&lax)),
            "`kafka-configs.sh --alter --topic … --add-config min.insync.replicas=2`",
        );
    }
    let has_any = placements.values().any(|placement| matches!(placement, Placement::Partitions(_)));
    if has_any {
        findings.ok_if_sound("copies", "one broker may be lost, and nothing with it");
        findings.ok_if_sound("leaders", "every partition has a leader");
        findings.ok_if_sound("replicas", "all replicas are in sync");
    }
    findings.list
}

fn numbers(partitions: &[Replicas], is_meant: impl Fn(&Replicas) -> bool) -> Vec<usize> {
    partitions.iter().enumerate().filter(|(_, replicas)| is_meant(replicas)).map(|(number, _)| number).collect()
}

fn list(numbers: &[usize]) -> String {
    let words: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    words.join(", ")
}

fn all_or(topics: &[&str]) -> String {
    if topics.len() == ALL.len() { "all topics".to_owned() } else { topics.join(", ") }
}

/// Minimum retention, ms: below the first value it is wrong, below the second a warning.
fn least_retention(topic: &Topic) -> Option<(i64, i64)> {
    match topic.name {
        // A record that is deleted before it is read has no result.
        CHUNKS | FEATURES => Some((HOUR_MS, DAY_MS)),
        // Operators need time to look at dead letters.
        DEAD_LETTERS => Some((0, 7 * DAY_MS)),
        _ if topic.compacted => None,
        _ => Some((0, DAY_MS)),
    }
}

/// Checks how long records are retained.
pub(super) fn retention(settings: &BTreeMap<&str, Result<Settings, String>>) -> Vec<Finding> {
    let mut findings = Findings::of(GROUP);
    for topic in ALL {
        let Some(Ok(settings)) = settings.get(topic.name) else { continue };
        let Some((wrong_below, warn_below)) = least_retention(&topic) else { continue };
        let name = topic.name;
        let is_input = matches!(name, CHUNKS | FEATURES);
        let todo = format!(
            "`kafka-configs.sh --alter --topic {name} --add-config retention.ms={}`",
            topic.retention_ms.max(warn_below)
        );
        let kept = settings.number("retention.ms").filter(|kept| *kept >= 0);
        match kept {
            Some(kept) if kept < wrong_below => findings.wrong(
                "retention",
                format!("{name} is kept for {}: workers that are away for longer lose what came meanwhile", span(kept)),
                todo,
            ),
            Some(kept) if kept < warn_below => {
                findings.warning(
                    "retention",
                    format!("{name} is kept for {}, less than {}", span(kept), span(warn_below)),
                    todo,
                );
            }
            _ => {}
        }
        if let Some(bytes) = settings.number("retention.bytes").filter(|bytes| is_input && *bytes >= 0) {
            findings.warning(
                "retention",
                format!("{name} keeps {bytes} bytes a partition: under load that may be less than a worker's absence"),
                format!("know that it is enough, or `kafka-configs.sh --alter --topic {name} --delete-config retention.bytes`"),
            );
        }
    }
    let kept = |name| Some(settings.get(name)?.as_ref().ok()?.number("retention.ms").map_or_else(String::new, span));
    if let (Some(chunks), Some(letters)) = (kept(CHUNKS), kept(DEAD_LETTERS)) {
        findings.ok_if_sound("retention", format!("sound is kept for {chunks}, dead letters for {letters}"));
    }
    findings.list
}

/// Checks size limits not covered by [`contract`]: the workers' limits against those of the topics.
pub(super) fn sizes(settings: &BTreeMap<&str, Result<Settings, String>>, limits: &LimitsConfig) -> Vec<Finding> {
    // Maximum answer to a worker's fetch; larger records cannot be received.
    const RECEIVED: i64 = 2 * MAX_MESSAGE_BYTES as i64;
    let mut findings = Findings::of(GROUP);
    let largest_chunk = i64::try_from(limits.max_chunk_bytes).unwrap_or(i64::MAX);
    for name in [CHUNKS, FEATURES] {
        let Some(Ok(settings)) = settings.get(name) else { continue };
        let Some(taken) = settings.number("max.message.bytes") else { continue };
        if taken < largest_chunk {
            findings.wrong(
                "sizes",
                format!("{name} takes {taken} bytes, and limits.max_chunk_bytes promises {largest_chunk}"),
                format!("`kafka-configs.sh --alter --topic {name} --add-config max.message.bytes={MAX_MESSAGE_BYTES}`"),
            );
        } else if taken > RECEIVED {
            findings.warning(
                "sizes",
                format!("{name} takes {taken} bytes, more than workers can receive ({RECEIVED}): such a record would stop its partition"),
                format!("`kafka-configs.sh --alter --topic {name} --add-config max.message.bytes={MAX_MESSAGE_BYTES}`"),
            );
        }
    }
    if matches!(settings.get(CHUNKS), Some(Ok(_))) {
        findings.ok_if_sound("sizes", format!("a chunk of limits.max_chunk_bytes, {largest_chunk}, fits its topic"));
    }
    findings.list
}

fn span(ms: i64) -> String {
    match ms {
        ..0 => "ever".to_owned(),
        0..120_000 => format!("{} s", ms / 1000),
        120_000..7_200_000 => format!("{} minutes", ms / 60_000),
        7_200_000..172_800_000 => format!("{} hours", ms / HOUR_MS),
        _ => format!("{} days", ms / DAY_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    const SOUND: Replicas = Replicas { all: 3, in_sync: 3, has_leader: true };

    fn set(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        Ok(Settings(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()))
    }

    fn of(findings: &[Finding], check: &str) -> Vec<Outcome> {
        findings.iter().filter(|finding| finding.check == check).map(|finding| finding.outcome).collect()
    }

    fn judged(replicas: Replicas, needed: &str) -> Vec<Finding> {
        let placements = BTreeMap::from([("t", Placement::Partitions(vec![SOUND, replicas]))]);
        copies(&placements, &BTreeMap::from([("t", set(&[("min.insync.replicas", needed)]))]), 3)
    }

    #[test]
    fn copies_must_outlive_a_broker_and_writing_must_too() {
        assert_eq!(of(&judged(SOUND, "2"), "copies"), [Outcome::Ok]);
        assert_eq!(of(&judged(SOUND, "3"), "copies"), [Outcome::Warning]);
        assert_eq!(of(&judged(SOUND, "1"), "copies"), [Outcome::Warning]);
        assert_eq!(of(&judged(Replicas { all: 1, in_sync: 1, ..SOUND }, "1"), "copies"), [Outcome::Warning]);
        assert_eq!(of(&judged(Replicas { in_sync: 2, ..SOUND }, "2"), "replicas"), [Outcome::Warning]);
        let lost = judged(Replicas { in_sync: 0, has_leader: false, ..SOUND }, "2");
        assert_eq!(of(&lost, "leaders"), [Outcome::Wrong]);
        assert!(lost.iter().any(|finding| finding.says.contains("partitions 1 have no leader")));
    }

    #[test]
    fn sound_must_outlast_an_hour_and_should_outlast_a_day() {
        let judged = |ms: &str| {
            let settings = BTreeMap::from([
                (CHUNKS, set(&[("retention.ms", ms), ("retention.bytes", "-1")])),
                (DEAD_LETTERS, set(&[("retention.ms", "1209600000")])),
            ]);
            of(&retention(&settings), "retention")
        };
        assert_eq!(judged("60000"), [Outcome::Wrong]);
        assert_eq!(judged("3600000"), [Outcome::Warning]);
        assert_eq!(judged("86400000"), [Outcome::Ok]);
        assert_eq!(judged("-1"), [Outcome::Ok]);
    }

    #[test]
    fn a_bound_in_bytes_is_told() {
        let settings = BTreeMap::from([(FEATURES, set(&[("retention.ms", "-1"), ("retention.bytes", "1000")]))]);
        let found = retention(&settings);
        assert_eq!(of(&found, "retention"), [Outcome::Warning]);
        assert!(found[0].says.contains("1000 bytes"));
    }

    #[test]
    fn a_topic_takes_what_workers_promise_and_no_more_than_they_can_receive() {
        let judged = |taken: &str| {
            let settings = BTreeMap::from([(CHUNKS, set(&[("max.message.bytes", taken)]))]);
            of(&sizes(&settings, &LimitsConfig::default()), "sizes")
        };
        assert_eq!(judged("1048588"), [Outcome::Wrong]);
        assert_eq!(judged("8388608"), [Outcome::Ok]);
        assert_eq!(judged("104857600"), [Outcome::Warning]);
    }

    #[test]
    fn spans_are_told_in_the_largest_unit_that_says_it() {
        let told = [-1, 59_000, 3_600_000, 86_400_000, 1_209_600_000].map(span);
        assert_eq!(told, ["ever", "59 s", "60 minutes", "24 hours", "14 days"]);
    }
}
