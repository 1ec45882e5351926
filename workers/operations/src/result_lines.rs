//! Records of the result topics as single lines, as text or as JSON.

use auscult_detection::words;
use auscult_runtime::record::Record;
use auscult_schemas::topics::{ALERTS, AUDIT, DEAD_LETTERS, DRIFT, SCORES};
use auscult_schemas::{
    Alert, AlertKind, Audit, AuditAction, DeadLetter, Drift, MachineState, Score, printable, printable_json,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A record as one JSON object.
#[must_use]
pub fn json_line(record: &Record, key: &str) -> String {
    let message = if record.coordinates.topic == DEAD_LETTERS {
        match DeadLetter::read(&record.headers) {
            Ok(letter) => serde_json::to_value(letter).unwrap_or(Value::Null),
            Err(error) => json!({ "unreadable": error.to_string() }),
        }
    } else {
        let value = record.value.as_deref().unwrap_or_default();
        serde_json::from_slice(value).unwrap_or_else(|error| json!({ "unreadable": error.to_string() }))
    };
    let line = json!({
        "topic": record.coordinates.topic,
        "partition": record.coordinates.partition,
        "offset": record.coordinates.offset,
        "timestamp_ms": record.timestamp_ms,
        "key": key,
        "message": message,
    });
    printable_json(&line.to_string()).into_owned()
}

/// A line of the table; text from a topic is kept separate from colour codes.
pub struct Line {
    /// Time and machine.
    before: String,
    what: &'static str,
    /// The colour code, if any.
    colour: Option<&'static str>,
    after: String,
}

impl Line {
    /// The line of a record of a result topic.
    #[must_use]
    pub fn of(record: &Record, key: &str) -> Self {
        let value = record.value.as_deref().unwrap_or_default();
        let described = match record.coordinates.topic.as_str() {
            SCORES => serde_json::from_slice(value).map(|score: Score| score_line(&score)),
            ALERTS => serde_json::from_slice(value).map(|alert: Alert| alert_line(&alert)),
            DRIFT => serde_json::from_slice(value).map(|drift: Drift| drift_line(&drift)),
            AUDIT => serde_json::from_slice(value).map(|audit: Audit| audit_line(&audit)),
            _ => Ok(dead_letter_line(record, key)),
        };
        described.unwrap_or_else(|error| Self::unreadable(format!("{} is unreadable: {error}", record.coordinates)))
    }

    fn new(time: Timestamp, machine: &str, what: &'static str, after: String) -> Self {
        Self { before: format!("{:<20.19} {machine:<16}", time.to_string()), what, colour: None, after }
    }

    fn unreadable(words: String) -> Self {
        Self { before: words, what: "", colour: None, after: String::new() }
    }

    fn painted(self, colour: &'static str) -> Self {
        Self { colour: Some(colour), ..self }
    }

    /// As text, optionally with escape sequences for colours.
    #[must_use]
    pub fn text(&self, is_coloured: bool) -> String {
        let (before, what, after) = (printable(&self.before), self.what, printable(&self.after));
        if what.is_empty() {
            return before.into_owned();
        }
        match self.colour.filter(|_| is_coloured) {
            Some(colour) => format!("{before} \x1b[{colour}m{what:<10}\x1b[0m {after}"),
            None => format!("{before} {what:<10} {after}"),
        }
    }
}

fn score_line(score: &Score) -> Line {
    // Messages of earlier versions have no explanation; it is made from the score.
    let explanation = score.explanation.clone().or_else(|| words::score(score)).unwrap_or_default();
    let after = format!("{:>9.3} {:>9.3} {:>9.2e}  {explanation}", score.score, score.threshold, score.p_value);
    let line = |what| Line::new(score.time, score.machine.as_str(), what, after);
    match score.state {
        MachineState::SensorFault => line("sensor").painted("35"),
        MachineState::SetupFault => line("setup").painted("35"),
        MachineState::Idle => line("idle").painted("36"),
        _ if score.anomalous => line("anomalous").painted("33"),
        _ => line("normal"),
    }
}

fn alert_line(alert: &Alert) -> Line {
    let (what, colour) = match alert.state {
        _ if alert.kind == AlertKind::Sensor => ("SENSOR", Some("35")),
        _ if alert.kind == AlertKind::Setup => ("SETUP", Some("35")),
        _ if alert.kind == AlertKind::Environment => ("PLACE", Some("33")),
        MachineState::Alarm => ("ALARM", Some("1;31")),
        MachineState::Healthy => ("HEALTHY", Some("32")),
        MachineState::Warning => ("WARNING", Some("33")),
        MachineState::Acknowledged => ("ACK", Some("36")),
        MachineState::Maintenance => ("MAINTAINED", Some("36")),
        MachineState::Silent => ("SILENT", Some("35")),
        MachineState::Learning => ("LEARNING", None),
        MachineState::SensorFault => ("SENSOR", Some("35")),
        MachineState::SetupFault => ("SETUP", Some("35")),
        MachineState::Idle => ("IDLE", Some("36")),
    };
    let score = alert.score.map_or("–".to_owned(), |score| format!("{score:.3}"));
    let p_value = alert.p_value.map_or("–".to_owned(), |p_value| format!("{p_value:.2e}"));
    let words = alert.explanation.clone().unwrap_or_else(|| words::alert(alert));
    let muted = if alert.muted { " (muted)" } else { "" };
    let after = format!("{score:>9} {:>9.3} {p_value:>9}  {words}{muted}", alert.threshold);
    Line { colour, ..Line::new(alert.time, alert.machine.as_str(), what, after) }
}

fn drift_line(drift: &Drift) -> Line {
    let after = format!(
        "psi {:.2}, ks {:.2} (p {:.1e}), level {:+.1} dB, {:+.1} dB at {:.0} Hz over {} chunks{}",
        drift.score_psi,
        drift.score_ks,
        drift.score_ks_p_value,
        drift.level_shift_db,
        drift.max_band_shift_db,
        drift.max_band_shift_hz,
        drift.chunks,
        drift.explanation.as_ref().map(|words| format!("  {words}")).unwrap_or_default()
    );
    Line::new(drift.window_end, drift.machine.as_str(), "drift", after)
}

fn audit_line(audit: &Audit) -> Line {
    Line::new(audit.time, audit.machine.as_str(), "audit", audit_words(audit))
}

/// Describes an audit record: what was done, by whom, and what changed.
#[must_use]
pub fn audit_words(audit: &Audit) -> String {
    let what = match &audit.action {
        AuditAction::Control(action) => action.as_str().to_owned(),
        AuditAction::AdjustThreshold { .. } => "adjusted the threshold".to_owned(),
        AuditAction::DropThreshold => "another model: the threshold that was set has ended".to_owned(),
    };
    let (before, after) = (&audit.before, &audit.after);
    let mut changes = Vec::new();
    if before.state != after.state {
        changes.push(format!("{} to {}", before.state.as_str(), after.state.as_str()));
    }
    if before.threshold_by != after.threshold_by || before.threshold.to_bits() != after.threshold.to_bits() {
        changes.push(format!("threshold {:.3} to {:.3}", before.threshold, after.threshold));
    }
    if before.muted != after.muted {
        changes.push(if after.muted { "muted" } else { "no longer muted" }.to_owned());
    }
    if before.idle != after.idle {
        changes.push(if after.idle { "at rest" } else { "no longer at rest" }.to_owned());
    }
    let changes = if changes.is_empty() { "nothing changes".to_owned() } else { changes.join(", ") };
    format!("{what} by {}: {changes}", audit.by)
}

fn dead_letter_line(record: &Record, key: &str) -> Line {
    match DeadLetter::read(&record.headers) {
        Ok(letter) => {
            let after = format!("{} from {}: {}", letter.code.as_str(), letter.source, letter.detail);
            Line::new(letter.time, key, "dead", after)
        }
        Err(error) => Line::unreadable(format!("{} is no dead letter of ours: {error}", record.coordinates)),
    }
}

#[cfg(test)]
mod tests {
    use auscult_schemas::{Headers, RecordCoordinates};

    use super::*;

    fn record(topic: &str, headers: Headers, value: &str) -> Record {
        Record {
            coordinates: RecordCoordinates { topic: topic.to_owned(), partition: 0, offset: 1 },
            key: None,
            value: Some(value.as_bytes().to_vec().into()),
            headers,
            timestamp_ms: None,
        }
    }

    #[test]
    fn escape_sequences_that_came_over_a_topic_do_nothing_to_the_terminal() {
        let mut headers = Headers::default();
        let letter = DeadLetter {
            code: auscult_schemas::DeadLetterCode::InvalidEnvelope,
            detail: "header ce_id\u{1b}]0;owned\u{7}\nforged line".to_owned(),
            source: RecordCoordinates { topic: "audio.chunks".to_owned(), partition: 0, offset: 7 },
            worker: "w".to_owned(),
            time: Timestamp::UNIX_EPOCH,
            value_omitted: false,
            timestamp_ms: None,
            value_bytes: None,
            value_sha256: None,
            omitted: None,
            trace_id: None,
        };
        letter.append_to(&mut headers);
        let strange = record(DEAD_LETTERS, Headers::default(), "x");
        for (record, key) in [(record(DEAD_LETTERS, headers, "x"), "fan\u{1b}[2J\u{9b}31m"), (strange, "k")] {
            for is_coloured in [false, true] {
                let text = Line::of(&record, key).text(is_coloured);
                assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\n']), "{text:?}");
            }
            let json = json_line(&record, key);
            assert!(!json.contains(['\u{1b}', '\u{9b}']), "{json:?}");
            assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["key"], key);
        }
    }
}
