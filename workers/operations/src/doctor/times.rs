//! Check of record timestamps, which Kafka uses for deletion: who sets them, and how retention applies to them.

use std::collections::BTreeMap;

use auscult_runtime::kafka::survey::{Glimpse, Settings};
use auscult_schemas::topics::{ALL, CHUNKS};

use super::{Finding, Findings};

const CHECK: &str = "times";
/// Healthy clocks differ by less than this, and a record is delivered within it, ms.
const NARROW_MS: i64 = 60_000;

/// Checks the timestamp settings, and the newest records of `audio.chunks`.
pub(super) fn judge(
    settings: &BTreeMap<&'static str, Result<Settings, String>>,
    newest: &[Glimpse],
    now_ms: i64,
) -> Vec<Finding> {
    let mut findings = Findings::of("topics");
    for topic in ALL {
        let Some(Ok(settings)) = settings.get(topic.name) else { continue };
        for setting in ["message.timestamp.before.max.ms", "message.timestamp.after.max.ms"] {
            let Some(allowed) = settings.number(setting).filter(|allowed| *allowed < NARROW_MS) else { continue };
            let name = topic.name;
            findings.warning(
                CHECK,
                format!("{name} refuses records whose time is {allowed} ms from the broker's ({setting}): no worker's clock is as near all the time"),
                format!("`kafka-configs.sh --alter --topic {name} --delete-config {setting}`"),
            );
        }
    }
    if let Some(Ok(chunks)) = settings.get(CHUNKS) {
        let todo =
            format!("`kafka-configs.sh --alter --topic {CHUNKS} --add-config message.timestamp.type=LogAppendTime`");
        let kept_ms = chunks.number("retention.ms").filter(|kept| *kept >= 0);
        let is_producers = chunks.0.get("message.timestamp.type").is_some_and(|kind| kind == "CreateTime");
        let too_old = newest.iter().filter(|glimpse| !glimpse.is_broker_time).filter(|glimpse| {
            let made_ms = glimpse.timestamp_ms.unwrap_or(-1);
            kept_ms.is_some_and(|kept| made_ms < now_ms.saturating_sub(kept))
        });
        let machines: Vec<String> = too_old
            .map(|glimpse| String::from_utf8_lossy(glimpse.key.as_deref().unwrap_or_default()).into_owned())
            .collect();
        if let (Some(machine), true) = (machines.first(), is_producers) {
            findings.wrong(
                CHECK,
                format!(
                    "{} of the newest records of {CHUNKS} (the first of {machine:?}) have times older than the topic keeps: Kafka deletes them at its next clean-up, \
                     read or not",
                    machines.len()
                ),
                todo,
            );
        } else if is_producers && kept_ms.is_some() {
            findings.warning(
                CHECK,
                format!("{CHUNKS} keeps the times that gateways write, and Kafka deletes by them: a record that says 1970 is gone at the next clean-up"),
                todo,
            );
        } else {
            findings
                .ok_if_sound(CHECK, format!("no time that a gateway writes has a record of {CHUNKS} deleted early"));
        }
    }
    findings.list
}

#[cfg(test)]
mod tests {
    use auscult_schemas::Headers;

    use super::super::Outcome;
    use super::*;

    const NOW_MS: i64 = 1_790_000_000_000;

    fn judged(kind: &str, retention_ms: &str, made_ms: i64, is_broker_time: bool) -> Vec<(Outcome, String)> {
        let pairs = [
            ("message.timestamp.type", kind),
            ("retention.ms", retention_ms),
            ("message.timestamp.before.max.ms", "9223372036854775807"),
            ("message.timestamp.after.max.ms", "3600000"),
        ];
        let settings = Settings(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        let glimpse = Glimpse {
            partition: 0,
            key: Some(bytes::Bytes::from_static(b"fan-1")),
            value: None,
            headers: Headers::default(),
            timestamp_ms: Some(made_ms),
            is_broker_time,
        };
        let found = judge(&BTreeMap::from([(CHUNKS, Ok(settings))]), &[glimpse], NOW_MS);
        found.into_iter().map(|finding| (finding.outcome, finding.says)).collect()
    }

    #[test]
    fn times_of_producers_are_a_warning_and_those_that_have_records_deleted_are_wrong() {
        let day = "86400000";
        assert_eq!(judged("LogAppendTime", day, NOW_MS, true)[0].0, Outcome::Ok);
        assert_eq!(judged("CreateTime", day, NOW_MS, false)[0].0, Outcome::Warning);
        for eaten in [-1, 0, NOW_MS / 1000, NOW_MS - 86_400_001] {
            let found = judged("CreateTime", day, eaten, false);
            assert!(found[0].0 == Outcome::Wrong && found[0].1.contains("fan-1"), "{eaten}: {found:?}");
        }
        assert_eq!(judged("CreateTime", "-1", 0, false)[0].0, Outcome::Ok, "nothing is ever deleted");
    }

    #[test]
    fn a_topic_that_takes_only_its_own_time_is_told() {
        let settings = Settings(BTreeMap::from([("message.timestamp.after.max.ms".to_owned(), "1000".to_owned())]));
        let found = judge(&BTreeMap::from([("audio.scores", Ok(settings))]), &[], NOW_MS);
        assert_eq!(found[0].outcome, Outcome::Warning);
        assert!(found[0].says.contains("audio.scores refuses"));
    }
}
