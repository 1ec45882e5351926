//! Check of clocks, from the timestamps in records, because Kafka's protocol has no clock of its own.
//!
//! A clock that is ahead is detected directly: its timestamps are in the future. A clock that is behind looks like an
//! old record, and is detected only if an effect seems older than its cause: features computed before their chunk was
//! recorded.

use std::time::Duration;

use auscult_runtime::kafka::survey::Glimpse;
use jiff::Timestamp;

use super::{Finding, Findings};

/// The newest records of a topic, and whose clock set their times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newest<'a> {
    pub topic: &'a str,
    /// Who set the records' timestamps.
    pub writer: &'a str,
    pub glimpses: &'a [Glimpse],
}

/// Compares the times in the newest records with this host's clock, and with each other.
pub(super) fn judge(newest: &[Newest<'_>], skew: Duration, now_ms: i64) -> Vec<Finding> {
    const CHECK: &str = "clocks";
    let mut findings = Findings::of("clocks");
    let allowed_ms = i64::try_from(skew.as_millis()).unwrap_or(i64::MAX);
    let ntp = "have both machines' clocks set by NTP; ages, silences and drift windows are judged by these times";
    let mut seen = 0;
    for Newest { topic, writer, glimpses } in newest {
        let mut ahead_ms = 0;
        let mut events_ahead: Option<(i64, String)> = None;
        let mut before_cause_ms = 0;
        for glimpse in *glimpses {
            let Some(made_ms) = glimpse.timestamp_ms else { continue };
            seen += 1;
            ahead_ms = ahead_ms.max(made_ms - now_ms);
            let Some(event_ms) = event_ms(glimpse) else { continue };
            let by = event_ms - now_ms;
            if events_ahead.as_ref().is_none_or(|(most, _)| by > *most) {
                let key = glimpse.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                events_ahead = Some((by, key.into_owned()));
            }
            before_cause_ms = before_cause_ms.max(event_ms - made_ms);
        }
        let whose = if glimpses.iter().any(|glimpse| glimpse.is_broker_time) { "a broker" } else { writer };
        if ahead_ms > allowed_ms {
            findings.wrong(
                CHECK,
                format!("{topic}: {whose} has written a time that is {} ahead of this machine's clock", secs(ahead_ms)),
                ntp,
            );
        }
        match events_ahead {
            Some((by, machine)) if by > allowed_ms => findings.wrong(
                CHECK,
                format!("{topic}: sound of {machine} was recorded {} from now, by this machine's clock", secs(by)),
                ntp,
            ),
            _ if before_cause_ms > allowed_ms => findings.wrong(
                CHECK,
                format!("{topic}: {whose} made a record {} before its sound was recorded", secs(before_cause_ms)),
                ntp,
            ),
            _ => {}
        }
    }
    if seen == 0 {
        findings.unknown(CHECK, "there is no record whose times could tell");
    }
    findings.ok_if_sound(CHECK, format!("no time of the newest {seen} records is ahead of this machine's clock"));
    findings.list
}

/// Event time of a record, ms since the epoch, if it has one.
fn event_ms(glimpse: &Glimpse) -> Option<i64> {
    let text = glimpse.headers.text("ce_time").ok()??;
    Some(text.parse::<Timestamp>().ok()?.as_millisecond())
}

fn secs(ms: i64) -> String {
    format!("{:.1} s", ms as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use auscult_schemas::Headers;

    use super::super::Outcome;
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn judged(made_ms: i64, event_ms: Option<i64>) -> Finding {
        let mut headers = Headers::default();
        if let Some(event_ms) = event_ms {
            headers.push("ce_time", Timestamp::from_millisecond(event_ms).unwrap().to_string());
        }
        let key = Some(bytes::Bytes::from_static(b"fan-1"));
        let glimpse =
            Glimpse { partition: 0, key, value: None, headers, timestamp_ms: Some(made_ms), is_broker_time: false };
        let newest = Newest { topic: "t", writer: "a feature worker", glimpses: &[glimpse] };
        let mut found = judge(&[newest], Duration::from_secs(5), NOW_MS);
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    #[test]
    fn a_time_that_has_not_come_yet_tells_a_clock_that_is_ahead() {
        assert_eq!(judged(NOW_MS - 1_000, Some(NOW_MS - 2_000)).outcome, Outcome::Ok);
        assert_eq!(judged(NOW_MS + 4_000, None).outcome, Outcome::Ok);
        let writer = judged(NOW_MS + 6_000, None);
        assert!(writer.outcome == Outcome::Wrong && writer.says.contains("a feature worker has written"), "{writer:?}");
        let gateway = judged(NOW_MS, Some(NOW_MS + 60_000));
        assert!(gateway.outcome == Outcome::Wrong && gateway.says.contains("sound of fan-1"), "{gateway:?}");
    }

    #[test]
    fn an_effect_before_its_cause_tells_a_clock_that_is_behind() {
        let behind = judged(NOW_MS - 60_000, Some(NOW_MS - 1_000));
        assert!(behind.outcome == Outcome::Wrong && behind.says.contains("59.0 s before"), "{behind:?}");
    }

    #[test]
    fn no_records_tell_nothing() {
        let newest = Newest { topic: "t", writer: "w", glimpses: &[] };
        assert_eq!(judge(&[newest], Duration::from_secs(5), NOW_MS)[0].outcome, Outcome::Unknown);
    }
}
