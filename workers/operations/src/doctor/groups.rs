//! Check of consumer groups: are there workers, and do they keep up?

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_runtime::config::GroupProtocol;
use auscult_runtime::kafka::survey::{GroupFacts, Waiting};

use super::{Finding, Findings};

const GROUP: &str = "groups";

/// One consumer group to check.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    /// Its name in Kafka.
    pub group: &'a str,
    /// Its input.
    pub topic: &'a str,
    /// The command of its workers.
    pub command: &'a str,
    /// The check's name.
    pub check: &'static str,
}

/// Checks members and lag.
pub(super) fn judge(
    job: Job<'_>,
    facts: &GroupFacts,
    protocol: GroupProtocol,
    lag: Duration,
    now_ms: i64,
) -> Vec<Finding> {
    let mut findings = Findings::of(GROUP);
    members(&mut findings, job, facts, protocol);
    behind(&mut findings, job, &facts.waiting, lag, now_ms);
    findings.list
}

fn members(findings: &mut Findings, job: Job<'_>, facts: &GroupFacts, protocol: GroupProtocol) {
    let Job { group, topic, command, check } = job;
    let start = format!("start workers: `auscult {command}`; their log and /readyz say why they do not join");
    let is_known = facts.waiting.iter().any(|waiting| waiting.is_known);
    let state = match facts.state.as_deref() {
        Some(state) => state,
        // librdkafka cannot describe such a group.
        None if protocol == GroupProtocol::Consumer && is_known => {
            findings.unknown(
                check,
                format!("{group}: members of a KIP-848 group cannot be asked for from here; see /readyz"),
            );
            return;
        }
        None if is_known => "Empty",
        None => {
            findings.wrong(check, format!("{group} does not exist: no worker has ever read {topic}"), start);
            return;
        }
    };
    let names: Vec<&str> = facts.members.iter().map(|member| member.client_id.as_str()).collect();
    let partitions = facts.waiting.len();
    match (state, names.len()) {
        ("Stable", count) if count > partitions => findings.warning(
            check,
            format!(
                "{group}: {count} workers share {partitions} partitions: {} have nothing to do",
                count - partitions
            ),
            "fewer workers, or more partitions: `auscult topics grow`",
        ),
        ("Stable", count) => {
            let workers = if count == 1 { "worker" } else { "workers" };
            findings.ok(check, format!("{group}: {count} {workers} ({})", names.join(", ")));
        }
        ("Empty", _) => findings.wrong(check, format!("{group} has no member: nobody reads {topic}"), start),
        (state, count) => findings.warning(
            check,
            format!("{group} is in {state} with {count} members: partitions are being shared out"),
            "look again in a minute; where that stays, a worker comes and goes: see the workers' logs",
        ),
    }
}

fn behind(findings: &mut Findings, job: Job<'_>, waiting: &[Waiting], lag: Duration, now_ms: i64) {
    const CHECK: &str = "lag";
    let Job { group, topic, .. } = job;
    for partition in waiting.iter().filter(|waiting| waiting.deleted > 0) {
        findings.wrong(
            CHECK,
            format!("{group}: {} offsets of {topic}/{} were deleted before they were read", partition.deleted, partition.partition),
            "they have no result; keep the topic for longer than workers are away (docs/runbooks/AuscultChunksExpired.md)",
        );
    }
    let late = |waiting: &&Waiting| {
        let age_ms = waiting.oldest_ms.map(|oldest| now_ms.saturating_sub(oldest));
        age_ms.is_some_and(|age| age > i64::try_from(lag.as_millis()).unwrap_or(i64::MAX))
    };
    let late: Vec<&Waiting> = waiting.iter().filter(late).collect();
    if !late.is_empty() {
        let records: i64 = late.iter().map(|waiting| waiting.offsets).sum();
        let oldest = late.iter().filter_map(|waiting| waiting.oldest_ms).min().unwrap_or(now_ms);
        let places: Vec<String> =
            late.iter().map(|waiting| format!("{}: {}", waiting.partition, waiting.offsets)).collect();
        findings.wrong(
            CHECK,
            format!(
                "{group}: up to {records} records wait in {topic}, the first for {} (partition: offsets; {})",
                age((now_ms - oldest) / 1000),
                places.join(", ")
            ),
            "more workers up to the number of partitions, or see why they stand still (docs/runbooks/AuscultBacklog.md)",
        );
    }
    let unread: Vec<String> = waiting.iter().filter(|one| one.is_unread).map(|one| one.partition.to_string()).collect();
    if !unread.is_empty() {
        findings.unknown(
            CHECK,
            format!("{group}: what waits in {topic}, partitions {}, could not be read in time", unread.join(", ")),
        );
    }
    let records: i64 = waiting.iter().filter(|one| one.oldest_ms.is_some()).map(|one| one.offsets).sum();
    let words = match records {
        0 => format!("{group}: nothing waits in {topic}, markers of transactions aside"),
        _ => format!(
            "{group}: up to {records} records wait in {topic}, none for more than {}",
            age(lag.as_secs() as i64)
        ),
    };
    let is_said = findings.list.iter().any(|finding| finding.check == CHECK);
    if !is_said {
        findings.ok(CHECK, words);
    }
}

/// Formats a duration.
pub(super) fn age(secs: i64) -> String {
    match secs {
        ..120 => format!("{secs} s"),
        120..7_200 => format!("{} minutes", secs / 60),
        7_200..172_800 => format!("{} hours", secs / 3600),
        _ => format!("{} days", secs / 86_400),
    }
}

/// Compares the positions in the state with the ends of the input. A worker skips records before its position, because
/// they have been scored. If the input topic was recreated, the worker would never continue; the finding reports this.
pub(super) fn positions(next: &BTreeMap<i32, i64>, ends: &BTreeMap<i32, i64>, topic: &str) -> Vec<Finding> {
    const CHECK: &str = "positions";
    let mut findings = Findings::of(GROUP);
    let beyond = next.iter().filter_map(|(partition, next)| {
        let end = *ends.get(partition)?;
        (*next > end).then(|| format!("{partition} ({next}, and it ends at {end})"))
    });
    let beyond: Vec<String> = beyond.collect();
    if !beyond.is_empty() {
        findings.wrong(
            CHECK,
            format!("audio.scorer-state goes on behind the end of {topic}, partitions {}: workers wait there", beyond.join(", ")),
            format!(
                "{topic} was made anew, or comes from another cluster: make audio.scorer-state anew, too, with the scoring workers stopped \
                 (docs/operations/recovery.md)"
            ),
        );
    } else if !next.is_empty() {
        findings.ok(CHECK, format!("the state goes on within {topic}"));
    }
    findings.list
}

/// Partitions whose readers are blocked by a hanging transaction.
pub(super) fn transactions(held: &[(String, i32, i64)], patience: Duration) -> Vec<Finding> {
    let mut findings = Findings::of(GROUP);
    for (topic, partition, offset) in held {
        findings.wrong(
            "open transactions",
            format!(
                "{topic}/{partition}: a transaction at offset {offset} has been open for more than {} s, and holds up whoever reads",
                patience.as_secs()
            ),
            "`kafka-transactions.sh find-hanging --broker-id …` finds it, `abort` ends it (docs/delivery.md, \"Partitions without any leader\")",
        );
    }
    findings.ok_if_sound("open transactions", "no transaction holds up readers");
    findings.list
}

/// Share groups read records of aborted transactions, unless the group's own setting prevents it. A consumer's
/// `isolation.level` has no effect in share groups.
pub(super) fn sharing(groups: &[String], own: &[&str]) -> Vec<Finding> {
    const CHECK: &str = "share groups";
    const NAMED: usize = 5;
    let mut findings = Findings::of(GROUP);
    let others: Vec<&str> = groups.iter().map(String::as_str).filter(|group| !own.contains(group)).collect();
    if !others.is_empty() {
        let named = others.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let more = if others.len() > NAMED { ", …" } else { "" };
        findings.unknown(
            CHECK,
            format!(
                "{named}{more} may be share groups, which see aborted results of audio.* unless the group's share.isolation.level is read_committed: \
                 `kafka-share-groups.sh --list` tells, `kafka-configs.sh --alter --group … --add-config share.isolation.level=read_committed` sets it \
                 (docs/delivery.md, \"Share groups\")"
            ),
        );
    }
    findings.ok_if_sound(
        CHECK,
        "there is none that has not committed offsets: whoever reads results can be told to read only committed ones",
    );
    findings.list
}

#[cfg(test)]
mod tests {
    use auscult_runtime::kafka::survey::Member;

    use super::super::Outcome;
    use super::*;

    const NOW_MS: i64 = 1_000_000_000;
    const NONE: Waiting =
        Waiting { partition: 0, is_known: true, deleted: 0, offsets: 0, oldest_ms: None, is_unread: false };

    fn facts(state: Option<&str>, members: usize, waiting: Waiting) -> GroupFacts {
        let member = |number| Member { client_id: format!("w-{number}"), host: "/127.0.0.1".to_owned() };
        GroupFacts {
            state: state.map(str::to_owned),
            members: (0..members).map(member).collect(),
            waiting: vec![waiting],
        }
    }

    fn judged(facts: &GroupFacts, protocol: GroupProtocol) -> Vec<(Outcome, String)> {
        let job = Job { group: "g", topic: "t", command: "feature-worker", check: "feature workers" };
        let found = judge(job, facts, protocol, Duration::from_secs(60), NOW_MS);
        found.into_iter().map(|finding| (finding.outcome, finding.says)).collect()
    }

    fn outcomes(facts: &GroupFacts) -> Vec<Outcome> {
        judged(facts, GroupProtocol::Classic).into_iter().map(|(outcome, _)| outcome).collect()
    }

    #[test]
    fn a_group_must_have_members_and_no_more_than_partitions() {
        assert_eq!(outcomes(&facts(Some("Stable"), 1, NONE)), [Outcome::Ok, Outcome::Ok]);
        assert_eq!(outcomes(&facts(Some("Stable"), 2, NONE)), [Outcome::Warning, Outcome::Ok]);
        assert_eq!(outcomes(&facts(Some("Empty"), 0, NONE)), [Outcome::Wrong, Outcome::Ok]);
        assert_eq!(outcomes(&facts(Some("PreparingRebalance"), 1, NONE)), [Outcome::Warning, Outcome::Ok]);
        assert_eq!(outcomes(&facts(None, 0, NONE)), [Outcome::Wrong, Outcome::Ok]);
        let never = facts(None, 0, Waiting { is_known: false, ..NONE });
        assert!(judged(&never, GroupProtocol::Consumer)[0].1.contains("does not exist"));
        assert_eq!(judged(&facts(None, 0, NONE), GroupProtocol::Consumer)[0].0, Outcome::Unknown);
    }

    #[test]
    fn a_share_group_is_named_with_the_setting_that_it_needs() {
        assert_eq!(sharing(&[], &[])[0].outcome, Outcome::Ok);
        assert_eq!(
            sharing(&["auscult-scoring-worker".to_owned()], &["auscult-scoring-worker"])[0].outcome,
            Outcome::Ok
        );
        let found = sharing(&["dashboards".to_owned()], &["auscult-scoring-worker"]);
        assert_eq!(found[0].outcome, Outcome::Unknown);
        assert!(
            found[0].says.contains("dashboards may be")
                && found[0].says.contains("share.isolation.level=read_committed")
        );
    }

    #[test]
    fn a_marker_is_no_lag_and_a_record_is_none_before_its_time() {
        let of = |offsets, age_ms: Option<i64>| {
            let waiting = Waiting { offsets, oldest_ms: age_ms.map(|age| NOW_MS - age), ..NONE };
            judged(&facts(Some("Stable"), 1, waiting), GroupProtocol::Classic)[1].clone()
        };
        let (outcome, words) = of(1, None);
        assert!(outcome == Outcome::Ok && words.contains("nothing waits"), "{words}");
        let (outcome, words) = of(7, Some(5_000));
        assert!(outcome == Outcome::Ok && words.contains("up to 7 records"), "{words}");
        let (outcome, words) = of(7, Some(300_000));
        assert!(outcome == Outcome::Wrong && words.contains("for 5 minutes") && words.contains("0: 7"), "{words}");
    }

    #[test]
    fn what_was_deleted_unread_or_not_read_is_told() {
        let deleted = facts(Some("Stable"), 1, Waiting { deleted: 3, ..NONE });
        assert_eq!(outcomes(&deleted), [Outcome::Ok, Outcome::Wrong]);
        let unread = facts(Some("Stable"), 1, Waiting { is_unread: true, offsets: 9, ..NONE });
        assert_eq!(outcomes(&unread), [Outcome::Ok, Outcome::Unknown]);
    }

    #[test]
    fn state_of_an_input_that_was_made_anew_is_told() {
        let ends = BTreeMap::from([(0, 10), (1, 26)]);
        let found = positions(&BTreeMap::from([(0, 10), (1, 2029)]), &ends, "t");
        assert!(
            found[0].outcome == Outcome::Wrong && found[0].says.contains("1 (2029, and it ends at 26)"),
            "{found:?}"
        );
        assert_eq!(positions(&BTreeMap::from([(0, 10)]), &ends, "t")[0].outcome, Outcome::Ok);
        assert!(positions(&BTreeMap::new(), &ends, "t").is_empty());
    }

    #[test]
    fn a_transaction_that_does_not_end_is_told_with_its_place() {
        let patience = Duration::from_secs(16);
        let found = transactions(&[("audio.scores".to_owned(), 3, 41)], patience);
        assert!(found.len() == 1 && found[0].outcome == Outcome::Wrong && found[0].says.contains("audio.scores/3"));
        assert_eq!(transactions(&[], patience)[0].outcome, Outcome::Ok);
    }
}
