//! Prepares a machine's state for the next record: converted to its model, without expired settings.

use auscult_schemas::{MachineId, MachineState, ModelRef, ScorerState, Standing};
use jiff::Timestamp;

use crate::alert_state;

/// A machine's state, converted to this model.
pub(crate) fn started(
    before: Option<&ScorerState>,
    machine: &MachineId,
    model: &ModelRef,
    time: Timestamp,
) -> ScorerState {
    let is_known = |state: &&ScorerState| state.version == ScorerState::VERSION && state.retired.is_none();
    let Some(before) = before.filter(is_known) else {
        return ScorerState::new(machine.clone(), model.clone());
    };
    if before.model == *model {
        return before.clone();
    }
    let mut state = ScorerState {
        model: model.clone(),
        recent_scores: Vec::new(),
        drift: Default::default(),
        deviation: None,
        adjustment: None,
        relearning: None,
        threshold: before.threshold.clone().filter(|edit| edit.threshold.is_none()),
        ..before.clone()
    };
    match state.alert.state {
        MachineState::Learning | MachineState::Healthy | MachineState::Warning => {
            alert_state::restart(&mut state.alert, time);
        }
        MachineState::Silent if !is_alarm(state.alert.resumes) => {
            alert_state::forget_evidence(&mut state.alert);
            state.alert.resumes = Some(MachineState::Learning);
        }
        _ => alert_state::forget_evidence(&mut state.alert),
    }
    state
}

fn is_alarm(state: Option<MachineState>) -> bool {
    matches!(state, Some(MachineState::Alarm | MachineState::Acknowledged))
}

/// Ends operator settings whose end time has passed.
pub(crate) fn expire(state: &mut ScorerState, time: Timestamp) {
    let is_over = |standing: &Option<Standing>| {
        standing.as_ref().and_then(|standing| standing.until).is_some_and(|until| until <= time)
    };
    if is_over(&state.mute) {
        state.mute = None;
    }
    if is_over(&state.idle) {
        state.idle = None;
    }
    if is_over(&state.maintenance) {
        state.maintenance = None;
        alert_state::restart(&mut state.alert, time);
    }
}
