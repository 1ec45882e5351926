//! Applies one control message and records it.

use auscult_schemas::{
    Alert, Audit, AuditAction, ChunkId, Control, ControlAction, DriftMemory, MachineState, ModelRef, ScorerState,
    Standing, ThresholdEdit,
};
use jiff::Timestamp;

use super::carry_over::{expire, started};
use super::judging::judging;
use super::message::{self, Before, Cause};
use crate::Manifest;
use crate::alert_policy::AlertPolicy;
use crate::alert_state;

/// A control message with its context.
#[derive(Debug, Clone, Copy)]
pub struct ControlRequest<'a> {
    /// The audit record's deterministic id, which an alert also uses.
    pub id: &'a str,
    /// The request.
    pub control: &'a Control,
    /// The record's own id.
    pub record_id: &'a ChunkId,
    /// The record's own time.
    pub record_time: Timestamp,
    /// The model that serves the machine.
    pub model: &'a ModelRef,
    /// That model's manifest.
    pub manifest: &'a Manifest,
}

/// The result of a control message.
#[derive(Debug, Clone, PartialEq)]
pub struct AppliedControl {
    /// The machine's new state.
    pub state: ScorerState,
    /// The audit record.
    pub audit: Audit,
    /// The change of state, if any.
    pub alert: Option<Alert>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ControlError {
    /// No author is given.
    #[error("`by` is empty: say who asks, for the audit record")]
    Nobody,
    /// There is no alarm.
    #[error("the machine is {}, there is no alarm to acknowledge", .0.as_str())]
    NoAlarm(MachineState),
    /// There is no acknowledged alarm.
    #[error("the machine is {}, no acknowledged alarm stands", .0.as_str())]
    NotAcknowledged(MachineState),
    /// The machine is not in maintenance.
    #[error("the machine is {}, not in maintenance", .0.as_str())]
    NoMaintenance(MachineState),
    /// The machine was not set idle.
    #[error("nobody has said that the machine is at rest; it is {}", .0.as_str())]
    NotIdle(MachineState),
    /// The end is before the start.
    #[error("`until` {until} is not after the message's own time {time}")]
    AlreadyOver {
        /// The requested end.
        until: Timestamp,
        /// The time of the request.
        time: Timestamp,
    },
    /// The threshold or factor is not a valid number.
    #[error("set_threshold takes one of `threshold` and `factor`, above 0, or neither for the model's own threshold")]
    NoThreshold,
}

/// Applies the request. `before` is `None` for an unknown machine.
///
/// Requests that depend on a state the machine is not in are refused, so that the operator is informed; requests that
/// only set something are applied, however often they are repeated.
///
/// # Errors
/// [`ControlError`]; nothing has changed then.
pub fn apply_control(
    before: Option<&ScorerState>,
    asked: &ControlRequest<'_>,
    policy: &AlertPolicy,
) -> Result<AppliedControl, ControlError> {
    let Control { machine, by, .. } = asked.control;
    if by.trim().is_empty() {
        return Err(ControlError::Nobody);
    }
    let time = asked.control.at.unwrap_or(asked.record_time);
    let mut state = started(before, machine, asked.model, time);
    expire(&mut state, time);
    let judged_before = judging(&state, asked.manifest, policy);
    act(&mut state, &asked.control.action, by, time)?;
    let after = judging(&state, asked.manifest, policy);
    state.held_threshold = Some(after.threshold);

    let quantity = asked.manifest.quantity();
    let cause = Cause { id: asked.id, chunk_id: asked.record_id, time, threshold: after.threshold, quantity };
    let alert = message::of_change(Before::of(before), &state, cause)
        .map(|alert| message::explained(Alert { by: Some(by.clone()), ..alert }));
    let audit = Audit {
        id: asked.id.to_owned(),
        machine: machine.clone(),
        time,
        by: by.clone(),
        control_id: Some(asked.control.id.clone().unwrap_or_else(|| asked.record_id.0.clone())),
        action: AuditAction::Control(asked.control.action.clone()),
        before: judged_before,
        after,
        model: Some(asked.model.clone()),
    };
    Ok(AppliedControl { state, audit, alert })
}

fn act(state: &mut ScorerState, action: &ControlAction, by: &str, time: Timestamp) -> Result<(), ControlError> {
    match action {
        ControlAction::Acknowledge => acknowledge(state, by, time),
        ControlAction::Unacknowledge => unacknowledge(state, time),
        ControlAction::Mute { until } => {
            state.mute = Some(standing(by, time, *until)?);
            Ok(())
        }
        ControlAction::Unmute => {
            state.mute = None;
            Ok(())
        }
        ControlAction::Maintenance { until } => {
            let asked = standing(by, time, *until)?;
            if state.maintenance.is_none() {
                alert_state::restart(&mut state.alert, time);
                alert_state::enter(&mut state.alert, MachineState::Maintenance, time);
                (state.acknowledged, state.deviation) = (None, None);
                state.drift = DriftMemory::default();
            }
            let since = state.maintenance.as_ref().map_or(time, |standing| standing.since);
            state.maintenance = Some(Standing { since, ..asked });
            Ok(())
        }
        ControlAction::EndMaintenance => {
            if state.maintenance.take().is_none() {
                return Err(ControlError::NoMaintenance(state.alert.state));
            }
            alert_state::restart(&mut state.alert, time);
            Ok(())
        }
        ControlAction::Idle { until } => {
            let asked = standing(by, time, *until)?;
            let since = state.idle.as_ref().map_or(time, |standing| standing.since);
            state.idle = Some(Standing { since, ..asked });
            state.idle_since.get_or_insert(time);
            Ok(())
        }
        ControlAction::Running => match state.idle.take() {
            Some(_) => {
                state.idle_since = None;
                Ok(())
            }
            None => Err(ControlError::NotIdle(state.alert.state)),
        },
        ControlAction::SetThreshold { threshold, factor } => {
            state.threshold = threshold_edit(*threshold, *factor, by, time)?;
            // The latest verdicts used another threshold.
            alert_state::forget_evidence(&mut state.alert);
            Ok(())
        }
        ControlAction::Relearn => {
            (state.adjustment, state.relearning, state.deviation) = (None, None, None);
            state.drift = DriftMemory::default();
            state.recent_scores.clear();
            if state.maintenance.is_none() {
                alert_state::restart(&mut state.alert, time);
                state.acknowledged = None;
            }
            Ok(())
        }
        ControlAction::Retire => {
            let mut retired = ScorerState::new(state.machine.clone(), state.model.clone());
            // The current state is ended, with an alert.
            retired.alert = state.alert.clone();
            alert_state::restart(&mut retired.alert, time);
            retired.retired = Some(standing(by, time, None)?);
            *state = retired;
            Ok(())
        }
    }
}

/// An alarm interrupted by silence can be acknowledged, like an active one.
fn acknowledge(state: &mut ScorerState, by: &str, time: Timestamp) -> Result<(), ControlError> {
    match (state.alert.state, state.alert.resumes) {
        (MachineState::Alarm, _) => alert_state::enter(&mut state.alert, MachineState::Acknowledged, time),
        (MachineState::Silent, Some(MachineState::Alarm)) => {
            state.alert.resumes = Some(MachineState::Acknowledged);
        }
        (MachineState::Acknowledged, _) | (MachineState::Silent, Some(MachineState::Acknowledged)) => return Ok(()),
        (other, _) => return Err(ControlError::NoAlarm(other)),
    }
    state.acknowledged = Some(Standing { by: by.to_owned(), since: time, until: None });
    Ok(())
}

fn unacknowledge(state: &mut ScorerState, time: Timestamp) -> Result<(), ControlError> {
    match (state.alert.state, state.alert.resumes) {
        (MachineState::Acknowledged, _) => alert_state::enter(&mut state.alert, MachineState::Alarm, time),
        (MachineState::Silent, Some(MachineState::Acknowledged)) => {
            state.alert.resumes = Some(MachineState::Alarm);
        }
        (other, _) => return Err(ControlError::NotAcknowledged(other)),
    }
    state.acknowledged = None;
    Ok(())
}

fn standing(by: &str, time: Timestamp, until: Option<Timestamp>) -> Result<Standing, ControlError> {
    match until {
        Some(until) if until <= time => Err(ControlError::AlreadyOver { until, time }),
        _ => Ok(Standing { by: by.to_owned(), since: time, until }),
    }
}

fn threshold_edit(
    threshold: Option<f64>,
    factor: Option<f64>,
    by: &str,
    time: Timestamp,
) -> Result<Option<ThresholdEdit>, ControlError> {
    let is_sound = |number: &f64| number.is_finite() && *number > 0.0;
    match (threshold, factor) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(ControlError::NoThreshold),
        _ if !threshold.iter().chain(&factor).all(is_sound) => Err(ControlError::NoThreshold),
        _ => Ok(Some(ThresholdEdit { threshold, factor, by: by.to_owned(), since: time })),
    }
}
