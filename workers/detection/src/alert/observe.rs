//! Updates a machine's state with one chunk.

use auscult_schemas::{
    Alert, AlertKind, Audit, AuditAction, DeviatingBand, Drift, MachineState, Note, NoteKind, ScorerState, SetupNote,
    ThresholdEdit,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HeldThreshold;
use super::carry_over::{expire, started};
use super::judging::judging;
use super::message::{self, Before, Cause};
use crate::alert_policy::AlertPolicy;
use crate::alert_state::{self, Evidence};
use crate::environment::{self, EnvironmentPolicy};
use crate::notes::{self, ChunkNotes};
use crate::observed_chunk::ObservedChunk;
use crate::silence::follow_cadence;
use crate::{DriftPolicy, deviation, drift, sensors, setup};

/// How machines are watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WatchPolicy {
    /// When the state changes.
    pub alert: AlertPolicy,
    /// When drift is reported.
    pub drift: DriftPolicy,
    /// When an environment has changed.
    pub environment: EnvironmentPolicy,
}

/// The result of one chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The machine's new state.
    pub state: ScorerState,
    /// The machine's state before this chunk.
    pub previous_state: MachineState,
    /// The state in the score: the machine's state after this chunk, or why the chunk shows nothing about its health.
    pub scored_state: MachineState,
    /// Notes added to the score.
    pub notes: Vec<Note>,
    /// Start of the current sensor faults, if all of them were reported before this chunk.
    pub sensor_faults_since: Option<Timestamp>,
    /// The thresholds used.
    pub held: HeldThreshold,
    /// Whether the score is above the threshold.
    pub anomalous: bool,
    /// The health index with the threshold at 50, 0–100; `None` if the chunk shows nothing about the machine's health.
    pub health_index: Option<f64>,
    /// The probability that normal sound scores this high or higher; 1 if the chunk shows nothing about the machine's
    /// health.
    pub p_value: f64,
    /// The chunk's deviating bands, each with the start of its deviation.
    pub bands: Vec<DeviatingBand>,
    /// The change of state caused by this chunk, if any.
    pub alert: Option<Alert>,
    /// The change of the sensors caused by this chunk, if any.
    pub sensor_alert: Option<Alert>,
    /// The change of the recording setup caused by this chunk, if any.
    pub setup_alert: Option<Alert>,
    /// The drift report, if this chunk completed a window.
    pub drift: Option<Drift>,
    /// Operator settings that ended with the previous model, or a threshold change that follows the environment.
    pub audit: Option<Audit>,
}

/// Updates a machine's state with one chunk. `before` is `None` for an unknown machine.
///
/// A new model resets scores, evidence and the drift window, because they are in the model's own unit, and the machine
/// goes through learning again. An active alarm continues until enough chunks under the new model are normal; the known
/// state of the sensors is kept, too. An operator's threshold set as a number ends with the model, one set as a factor
/// does not.
///
/// A chunk without a working sensor, a chunk that is not comparable with the training clips, or a chunk of the machine
/// at rest changes only the time of the latest chunk and the known state of the sensors and the recording setup.
#[must_use]
pub fn observe_chunk(before: Option<&ScorerState>, chunk: &ObservedChunk<'_>, policy: &WatchPolicy) -> Observation {
    let mut state = started(before, chunk.machine, chunk.model, chunk.time);
    expire(&mut state, chunk.time);
    let mut audit = drop_threshold(before, &mut state, chunk, policy);
    let calibration = &chunk.manifest.calibration;
    let held = HeldThreshold::of(calibration, &state, &policy.alert);
    let previous = Before::of(before.filter(|before| before.version == ScorerState::VERSION));
    let previous_state = previous.state;
    let quantity = chunk.manifest.quantity();
    let cause = Cause { id: chunk.id, chunk_id: chunk.chunk_id, time: chunk.time, threshold: held.threshold, quantity };

    let (mut bands, mut drift) = (Vec::new(), None);
    let ChunkNotes { notes, unjudged } = chunk_notes(&state, chunk);
    let is_idle = unjudged == Some(MachineState::Idle);
    let idle_before = state.idle_since;
    state.idle_since = is_idle.then(|| state.idle_since.unwrap_or(chunk.time));
    let judgement = chunk.judgement.filter(|_| unjudged.is_none());
    let score = judgement.map(|judgement| judgement.score);
    let anomalous = score.is_some_and(|score| held.is_exceeded(score));
    let p_value = score.map_or(1.0, |score| held.p_value(calibration, score));
    if let Some(judgement) = judgement {
        bands = deviation::advance(&mut state.deviation, anomalous, &judgement.bands, chunk.time);
        let is_being_worked_on = state.maintenance.is_some();
        if !is_being_worked_on && state.relearning.is_some() {
            alert_state::resume(&mut state.alert, chunk.time);
        } else if !is_being_worked_on {
            let is_clear = held.is_clear(judgement.score);
            let evidence = Evidence { time: chunk.time, is_anomalous: anomalous, is_clear };
            alert_state::advance(&mut state.alert, evidence, &policy.alert);
        }
        if !is_being_worked_on && state.relearning.is_none() {
            let has_moved = state.adjustment.is_some();
            let score = held.as_calibrated(judgement.score);
            drift = drift::advance(&mut state.drift, chunk, judgement, score, has_moved, &policy.drift);
        }
        state.chunks += 1;
        state.recent_scores.push(judgement.score);
        let surplus = state.recent_scores.len().saturating_sub(ScorerState::RECENT_SCORES);
        state.recent_scores.drain(..surplus);
        if !is_being_worked_on {
            audit = audit.or(follow_environment(&mut state, judgement.score, chunk, policy));
        }
    }
    if state.alert.state == MachineState::Healthy {
        state.acknowledged = None;
    }
    let alert = message::of_change(previous, &state, cause).map(|alert| {
        let since = alert_state::first_evidence(&state.alert, &policy.alert).unwrap_or(chunk.time);
        let p_value = score.map(|_| p_value);
        message::explained(Alert { since, score, p_value, bands: bands.clone(), ..alert })
    });
    let sensor_faults_since = sensors::reported_since(&state.sensors, chunk.sensor_faults);
    let sensor_alert = advance_sensors(&mut state, chunk, cause, &policy.alert);
    let setup_alert = advance_setup(&mut state, idle_before, &notes, cause, &policy.alert);
    state.channels = u32::try_from(chunk.channels).ok();
    state.cadence_s = follow_cadence(state.cadence_s, state.last_heard, chunk.time);
    state.last_heard = state.last_heard.max(Some(chunk.time));
    // Learning may have changed it.
    state.held_threshold = Some(HeldThreshold::of(calibration, &state, &policy.alert).threshold);
    let health_index = score.map(|score| held.health_index(score));
    Observation {
        scored_state: unjudged.unwrap_or(state.alert.state),
        state,
        previous_state,
        notes,
        sensor_faults_since,
        held,
        anomalous,
        health_index,
        p_value,
        bands,
        alert,
        sensor_alert,
        setup_alert,
        drift,
        audit,
    }
}

/// The audit record of a threshold that ended with its model.
fn drop_threshold(
    before: Option<&ScorerState>,
    state: &mut ScorerState,
    chunk: &ObservedChunk<'_>,
    policy: &WatchPolicy,
) -> Option<Audit> {
    let ThresholdEdit { threshold: Some(threshold), by, .. } = before?.threshold.as_ref()? else { return None };
    if state.threshold.is_some() {
        return None;
    }
    let after = judging(state, chunk.manifest, &policy.alert);
    let mut judged_before = after.clone();
    (judged_before.threshold, judged_before.threshold_by) = (*threshold, Some(by.clone()));
    Some(Audit {
        id: format!("{}/threshold", chunk.id),
        machine: chunk.machine.clone(),
        time: chunk.time,
        by: "model".to_owned(),
        control_id: None,
        action: AuditAction::DropThreshold,
        before: judged_before,
        after,
        model: Some(chunk.model.clone()),
    })
}

/// Learns from the score after a change of environment. Returns the audit record if the threshold has moved.
fn follow_environment(
    state: &mut ScorerState,
    score: f64,
    chunk: &ObservedChunk<'_>,
    policy: &WatchPolicy,
) -> Option<Audit> {
    if state.relearning.is_none() && state.adjustment.is_none() {
        return None;
    }
    let before = judging(state, chunk.manifest, &policy.alert);
    let action = environment::learn(state, score, &chunk.manifest.calibration)?;
    Some(Audit {
        id: format!("{}/adjustment", chunk.id),
        machine: chunk.machine.clone(),
        time: chunk.time,
        by: environment::BY.to_owned(),
        control_id: None,
        action,
        before,
        after: judging(state, chunk.manifest, &policy.alert),
        model: Some(chunk.model.clone()),
    })
}

/// Notes on a chunk, and why it shows nothing about the machine's health. An operator's idle setting takes precedence
/// over the sound.
fn chunk_notes(state: &ScorerState, chunk: &ObservedChunk<'_>) -> ChunkNotes {
    let mut chunk_notes = notes::of_chunk(chunk.manifest, chunk.judgement, chunk.recorded, chunk.quality);
    if state.idle.is_some() && chunk.judgement.is_some() {
        chunk_notes.notes.retain(|note| note.kind != NoteKind::Setup(SetupNote::FarQuieter));
        chunk_notes.unjudged = Some(MachineState::Idle);
    }
    chunk_notes
}

fn advance_setup(
    state: &mut ScorerState,
    idle_before: Option<Timestamp>,
    notes: &[Note],
    cause: Cause<'_>,
    policy: &AlertPolicy,
) -> Option<Alert> {
    let own = state.alert.state;
    let state_of = |reported: &[Note], idle_since: Option<Timestamp>| {
        let is_incomparable = notes::is_incomparable(reported);
        let idle = idle_since.map(|_| MachineState::Idle);
        if is_incomparable { MachineState::SetupFault } else { idle.unwrap_or(own) }
    };
    let previous_state = state_of(&setup::reported(&state.setup), idle_before);
    let since = setup::advance(&mut state.setup, notes, cause.time, policy)?;
    let reported = setup::reported(&state.setup);
    let id = format!("{}/setup", cause.id);
    Some(message::explained(Alert {
        state: state_of(&reported, state.idle_since),
        previous_state,
        muted: state.mute.is_some() || state.maintenance.is_some(),
        since,
        notes: reported,
        ..message::plain(AlertKind::Setup, state, Cause { id: &id, ..cause })
    }))
}

fn advance_sensors(
    state: &mut ScorerState,
    chunk: &ObservedChunk<'_>,
    cause: Cause<'_>,
    policy: &AlertPolicy,
) -> Option<Alert> {
    let of_machine = state.alert.state;
    // Faults of channels that the model does not use are not counted.
    let listened = chunk.manifest.channels.as_ref().map_or(chunk.channels, Vec::len);
    let state_of = |memory: &[_]| {
        if sensors::hears_nothing(memory, chunk.channels, listened) { MachineState::SensorFault } else { of_machine }
    };
    let previous_state = state_of(&state.sensors);
    let change = sensors::advance(&mut state.sensors, chunk.channels, chunk.sensor_faults, chunk.time, policy)?;
    let id = format!("{}/sensor", chunk.id);
    Some(message::explained(Alert {
        state: state_of(&state.sensors),
        previous_state,
        // During maintenance, microphones may be unplugged.
        muted: state.mute.is_some() || state.maintenance.is_some(),
        since: change.since,
        sensor_faults: sensors::reported(&state.sensors),
        sensors_well_again: change.well_again,
        ..message::plain(AlertKind::Sensor, state, Cause { id: &id, ..cause })
    }))
}
