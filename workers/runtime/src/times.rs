//! Checks whether the recording time of a record is plausible.
//!
//! Faulty gateways write seconds instead of milliseconds (1970), microseconds (a year beyond 50,000), −1, or the time
//! of a clock that was never set. An implausible time is replaced by the time of arrival before the record is
//! processed, because silence, drift and environment changes depend on these times.

use std::time::Duration;

use jiff::Timestamp;

use crate::record::Record;

const CE_TIME: &str = "ce_time";

/// The earliest plausible time: 2001-01-01T00:00:00Z, ms since the epoch. Clocks that were never set start in 1970,
/// 1980 (GPS) or 2000.
const EARLIEST_MS: i64 = 978_307_200_000;

/// Why a time is implausible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimeDoubt {
    /// `ce_time` is no time.
    Unreadable,
    /// Before 2001, or none at all.
    Past,
    /// Further ahead of its arrival than clocks may be.
    Future,
}

impl TimeDoubt {
    /// All reasons, for metrics that must exist at zero.
    pub const ALL: [Self; 3] = [Self::Unreadable, Self::Past, Self::Future];

    /// The reason's name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Past => "past",
            Self::Future => "future",
        }
    }
}

/// A record with an implausible time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubtfulTime {
    /// What is wrong.
    pub doubt: TimeDoubt,
    /// The machine, if the key is one.
    pub machine: String,
    /// The time as it came, from `ce_time` or from the record.
    pub told: String,
    /// Which record, in words.
    pub record: String,
}

/// Judges times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// How far a time may be ahead of its arrival.
    pub max_ahead: Duration,
}

impl Times {
    /// Checks the time used for scoring: `ce_time`, or the record's own timestamp if there is none.
    pub fn doubt(self, record: &Record, arrival: Timestamp) -> Option<DoubtfulTime> {
        let doubtful = |doubt: TimeDoubt, told: String| DoubtfulTime {
            doubt,
            machine: crate::dead_letters::shortened(&record.key_text()),
            told: crate::dead_letters::shortened(&told),
            record: record.coordinates.to_string(),
        };
        if let Some(bytes) = record.headers.get(CE_TIME) {
            let told = String::from_utf8_lossy(bytes).into_owned();
            return match told.parse::<Timestamp>() {
                Ok(time) => self.judge(time.as_millisecond(), arrival).map(|doubt| doubtful(doubt, told)),
                Err(_) => Some(doubtful(TimeDoubt::Unreadable, told)),
            };
        }
        let told_ms = record.timestamp_ms.unwrap_or(-1);
        self.judge(told_ms, arrival).map(|doubt| doubtful(doubt, format!("{told_ms} ms since 1970")))
    }

    fn judge(self, time_ms: i64, arrival: Timestamp) -> Option<TimeDoubt> {
        let ahead_ms = i64::try_from(self.max_ahead.as_millis()).unwrap_or(i64::MAX);
        if time_ms < EARLIEST_MS {
            Some(TimeDoubt::Past)
        } else if time_ms > arrival.as_millisecond().saturating_add(ahead_ms) {
            Some(TimeDoubt::Future)
        } else {
            None
        }
    }

    /// The record with its time replaced by the time of arrival: by its timestamp if only `ce_time` is implausible,
    /// otherwise by now.
    pub fn arrived(self, record: &Record, now: Timestamp) -> Record {
        let believed = record.timestamp_ms.filter(|ms| self.judge(*ms, now).is_none());
        let arrival = believed.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(now);
        let mut record = record.clone();
        record.headers.set(CE_TIME, arrival.to_string());
        record.timestamp_ms = Some(arrival.as_millisecond());
        record
    }
}

#[cfg(test)]
mod tests {
    use auscult_schemas::{Headers, RecordCoordinates};
    use bytes::Bytes;

    use super::*;

    const NOW_MS: i64 = 1_790_000_000_000;

    fn now() -> Timestamp {
        Timestamp::from_millisecond(NOW_MS).unwrap()
    }

    fn doubt_of(timestamp_ms: Option<i64>, ce_time: Option<&str>) -> Option<TimeDoubt> {
        let mut headers = Headers::default();
        if let Some(text) = ce_time {
            headers.push("ce_time", text.to_owned());
        }
        let record = Record {
            coordinates: RecordCoordinates { topic: "t".to_owned(), partition: 0, offset: 7 },
            key: Some(Bytes::from_static(b"fan-1")),
            value: None,
            headers,
            timestamp_ms,
        };
        let times = Times { max_ahead: Duration::from_secs(3600) };
        let doubt = times.doubt(&record, now());
        if doubt.is_some() {
            let judged = times.arrived(&record, now());
            assert_eq!(times.doubt(&judged, now()), None);
            assert_eq!(judged.headers.text("ce_time").unwrap(), Some(now().to_string().as_str()));
        }
        doubt.map(|doubtful| doubtful.doubt)
    }

    #[test]
    fn times_that_gateways_write_by_mistake_are_doubted() {
        let seconds_for_milliseconds = NOW_MS / 1000;
        let microseconds = NOW_MS * 1000;
        for past in [-1, 0, 1, seconds_for_milliseconds, i64::MIN, 946_684_800_000] {
            assert_eq!(doubt_of(Some(past), None), Some(TimeDoubt::Past), "{past}");
        }
        for future in [microseconds, i64::MAX, NOW_MS + 3_600_001] {
            assert_eq!(doubt_of(Some(future), None), Some(TimeDoubt::Future), "{future}");
        }
        assert_eq!(doubt_of(None, None), Some(TimeDoubt::Past));
        for garbage in ["yesterday", "", "1790000000", "NaN", "\u{1b}[2J"] {
            assert_eq!(doubt_of(Some(NOW_MS), Some(garbage)), Some(TimeDoubt::Unreadable), "{garbage:?}");
        }
        assert_eq!(doubt_of(Some(NOW_MS), Some("1970-01-21T17:13:20Z")), Some(TimeDoubt::Past));
        assert_eq!(doubt_of(Some(NOW_MS), Some("9998-01-01T00:00:00Z")), Some(TimeDoubt::Future));
    }

    #[test]
    fn a_recording_of_last_year_and_a_clock_that_is_minutes_ahead_are_believed() {
        assert_eq!(doubt_of(Some(NOW_MS - 365 * 86_400_000), None), None);
        assert_eq!(doubt_of(Some(NOW_MS + 3_599_000), None), None);
        // What `ce_time` says counts, whatever the record's own time is.
        assert_eq!(doubt_of(Some(-1), Some("2019-05-04T10:00:00+02:00")), None);
    }
}
