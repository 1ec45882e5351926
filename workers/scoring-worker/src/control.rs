//! Reads control messages, applies them in the order of the machine's chunks, and records them.

use auscult_detection::{AppliedControl, ControlRequest, apply_control};
use auscult_runtime::processor::{Output, Rejection};
use auscult_runtime::record::Record;
use auscult_schemas::{Alert, Control, DeadLetterCode, Envelope, JsonMessage, topics};
use bytes::Bytes;

use crate::ScoringStage;
use crate::event::ScoringEvent;
use crate::stage::{RecordContext, ScoredChunk, ScoringInput, json, result};

/// Reads a control message from a record whose envelope declares one.
///
/// # Errors
/// [`DeadLetterCode::InvalidControl`] if the value is not a valid message, or is about another machine than the
/// record's key.
pub fn read_control(record: &Record, envelope: Envelope) -> ScoredChunk {
    let control = Control::decode(record.value.as_deref().unwrap_or_default()).map_err(|error| {
        invalid(format!("{error}; schemas/json/control.schema.json says what a control message is"))
    })?;
    if control.machine != envelope.machine {
        let detail = format!("the message is about {}, the record's key is {}", control.machine, envelope.machine);
        return Err(invalid(detail));
    }
    Ok(ScoringInput::Control(envelope, control))
}

fn invalid(detail: String) -> Rejection {
    Rejection { code: DeadLetterCode::InvalidControl, detail }
}

impl ScoringStage {
    /// Applies the request: writes an audit record, and an alert if the machine's state changes.
    pub(crate) fn control(
        &self,
        envelope: &Envelope,
        control: &Control,
        context: RecordContext<'_, '_>,
    ) -> Result<Vec<Output>, Rejection> {
        let RecordContext { partition, memory, machines } = context;
        let model = self.library.find(&envelope.machine).map_err(|(code, detail)| Rejection { code, detail })?;
        let key = Bytes::from(envelope.machine.as_str().to_owned());
        // Uses the message's own id, so that a message delivered twice has one audit id.
        let id = format!("{}/{}/control", envelope.machine, envelope.id);
        let asked = ControlRequest {
            id: &id,
            control,
            record_id: &envelope.id,
            record_time: envelope.time,
            model: &model.model,
            manifest: &model.manifest,
        };
        let applied = apply_control(memory.get(partition, &key), &asked, &self.policy.alert)
            .map_err(|error| invalid(error.to_string()))?;
        let AppliedControl { state, audit, alert } = applied;
        let mut outputs = vec![result(envelope, &audit.id, topics::AUDIT, Envelope::AUDIT, json(&audit)?)];
        if let Some(alert) = &alert {
            outputs.push(result(envelope, &alert.id, topics::ALERTS, Envelope::ALERT, json(alert)?));
            self.count_alert(alert);
        }
        ScoringEvent::Controlled { machine: &envelope.machine, control }.report(&self.scoring_metrics);
        machines.partition(partition).put(&state);
        memory.put(partition, key, state);
        Ok(outputs)
    }

    pub(crate) fn count_alert(&self, alert: &Alert) {
        self.scoring_metrics.alerts.with_label_values(&[alert.state.as_str(), alert.kind.as_str()]).inc();
    }
}
