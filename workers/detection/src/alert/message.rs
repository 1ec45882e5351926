//! Builds the alert about a change.

use auscult_schemas::{Alert, AlertKind, ChunkId, MachineState, Quantity, ScorerState};
use jiff::Timestamp;

use crate::words;

/// The cause of a change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause<'a> {
    /// The alert's id.
    pub id: &'a str,
    /// The chunk or the control message.
    pub chunk_id: &'a ChunkId,
    /// Its time.
    pub time: Timestamp,
    /// The current threshold.
    pub threshold: f64,
    /// What the machine's sensors measure.
    pub quantity: Option<Quantity>,
}

/// A machine's state before an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Before {
    pub state: MachineState,
    pub since: Option<Timestamp>,
}

impl Before {
    pub fn of(state: Option<&ScorerState>) -> Self {
        let alert = state.map(|state| &state.alert);
        Self {
            state: alert.map_or_else(Default::default, |alert| alert.state),
            since: alert.and_then(|alert| alert.since),
        }
    }
}

/// The alert about a machine's change, without the text; `None` if nothing has changed.
pub(crate) fn of_change(before: Before, state: &ScorerState, cause: Cause<'_>) -> Option<Alert> {
    if before.state == state.alert.state {
        return None;
    }
    Some(Alert {
        state: state.alert.state,
        previous_state: before.state,
        previous_since: before.since,
        // It must not become negative if a clock was set back.
        previous_seconds: before.since.map(|since| cause.time.duration_since(since).as_secs_f64().max(0.0)),
        classification: state.alert.classification,
        ..plain(AlertKind::Machine, state, cause)
    })
}

/// An alert of this kind, without a change.
pub(crate) fn plain(kind: AlertKind, state: &ScorerState, cause: Cause<'_>) -> Alert {
    Alert {
        id: cause.id.to_owned(),
        kind,
        machine: state.machine.clone(),
        time: cause.time,
        state: state.alert.state,
        previous_state: state.alert.state,
        previous_since: None,
        previous_seconds: None,
        classification: None,
        muted: state.mute.is_some(),
        by: None,
        environment: None,
        since: cause.time,
        chunk_id: cause.chunk_id.clone(),
        score: None,
        threshold: cause.threshold,
        p_value: None,
        bands: Vec::new(),
        sensor_faults: Vec::new(),
        sensors_well_again: Vec::new(),
        notes: Vec::new(),
        quantity: cause.quantity,
        explanation: None,
        model: state.model.clone(),
    }
}

/// Adds the explanation in words.
pub(crate) fn explained(alert: Alert) -> Alert {
    Alert { explanation: Some(words::alert(&alert)), ..alert }
}
