//! Which records have a result of their own, counted while results come: each topic is read once, from where the last
//! look ended.

use std::collections::BTreeSet;

use anyhow::Result;
use auscult_schemas::topics::{AUDIT, DEAD_LETTERS, SCORES};
use auscult_schemas::{Audit, AuditAction, DeadLetter, Score};

use super::{Offsets, TopicRecord};
use crate::Kcat;

/// Records that are answered, each by what names it in its answer.
#[derive(Debug)]
pub(super) struct Answered {
    read_to: Offsets,
    records: BTreeSet<String>,
}

impl Answered {
    pub fn since(since: &Offsets) -> Self {
        Self { read_to: since.clone(), records: BTreeSet::new() }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// Reads what has come since the last look.
    pub fn read_on(&mut self, kcat: &Kcat) -> Result<()> {
        for topic in [SCORES, AUDIT, DEAD_LETTERS] {
            for record in self.read_to.records_since(kcat, topic)? {
                self.records.extend(answered(topic, &record));
                self.read_to.pass(&record);
            }
        }
        Ok(())
    }
}

/// What the result is of. `None`: of no record that was sent, as what a state comes to by itself.
fn answered(topic: &str, record: &TopicRecord) -> Option<String> {
    let value = record.value.as_deref().unwrap_or_default();
    match topic {
        SCORES => serde_json::from_slice::<Score>(value).ok().map(|score| score.chunk.to_string()),
        AUDIT => {
            let audit = serde_json::from_slice::<Audit>(value).ok()?;
            matches!(audit.action, AuditAction::Control(_)).then_some(audit.id)
        }
        _ => DeadLetter::read(&record.headers).ok().map(|letter| letter.source.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use auscult_schemas::{ControlAction, Headers, Judging, MachineId, MachineState, RecordCoordinates};
    use bytes::Bytes;

    use super::*;

    fn record(value: serde_json::Value) -> TopicRecord {
        TopicRecord {
            coordinates: RecordCoordinates { topic: AUDIT.to_owned(), partition: 0, offset: 7 },
            timestamp_ms: 0,
            key: None,
            value: Some(Bytes::from(value.to_string())),
            headers: Headers::default(),
        }
    }

    /// The run waited for these as though they were results, and looked for losses by judging everything again and
    /// again.
    #[test]
    fn only_what_was_asked_for_answers_a_record() {
        let judging = Judging {
            state: MachineState::Alarm,
            threshold: 1.0,
            threshold_by: None,
            muted: false,
            muted_until: None,
            maintenance_until: None,
            idle: false,
            idle_until: None,
        };
        let audit = |action: AuditAction| {
            let message = Audit {
                id: "fan/3/7/x".to_owned(),
                machine: MachineId::new("fan").unwrap(),
                time: "2026-11-30T12:00:00Z".parse().unwrap(),
                by: "ada".to_owned(),
                control_id: None,
                action,
                before: judging.clone(),
                after: judging.clone(),
                model: None,
            };
            answered(AUDIT, &record(serde_json::to_value(message).unwrap()))
        };
        assert_eq!(audit(AuditAction::Control(ControlAction::Acknowledge)).as_deref(), Some("fan/3/7/x"));
        assert_eq!(audit(AuditAction::DropThreshold), None);
        assert_eq!(audit(AuditAction::AdjustThreshold { offset: 0.1, factor: 1.0 }), None);
        assert_eq!(answered(SCORES, &record(serde_json::json!({"no": "score"}))), None);
    }
}
