//! One chunk.

use auscult_schemas::{
    Alert, AlertKind, Audit, AuditAction, ChunkId, DeviatingBand, Drift, MachineId, MachineState, ModelRef, Note,
    NoteKind, QualityFlag, ScorerState, SensorFault, SetupNote, Standing, ThresholdEdit,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::control::judging;
use super::machine::{self, Evidence};
use super::message::{self, Before, Cause};
use super::{AlertPolicy, HeldThreshold};
use crate::environment::{self, EnvironmentPolicy};
use crate::notes::{self, Noted};
use crate::silence::follow_cadence;
use crate::{DriftPolicy, Judgement, Manifest, Recorded, deviation, drift, sensors, setup};

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

/// One chunk of a machine.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// The score's deterministic id, which an alert or a drift report takes over.
    pub id: &'a str,
    /// The machine.
    pub machine: &'a MachineId,
    /// The chunk.
    pub chunk_id: &'a ChunkId,
    /// When the sound was recorded.
    pub time: Timestamp,
    /// What the model says of it; `None` where every sensor is at fault, so that nothing was judged.
    pub judgement: Option<&'a Judgement>,
    /// Its channels, those that were not judged among them.
    pub channels: usize,
    /// The channels whose sensor is at fault.
    pub sensor_faults: &'a [SensorFault],
    /// What was odd about the sound.
    pub quality: &'a [QualityFlag],
    /// How it was recorded, where that is known.
    pub recorded: Option<Recorded>,
    /// The model that judged.
    pub model: &'a ModelRef,
    /// That model's manifest.
    pub manifest: &'a Manifest,
}

/// What follows from one chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What to remember of the machine from now on.
    pub state: ScorerState,
    /// The machine's state before this chunk.
    pub previous_state: MachineState,
    /// What its score says of the machine: its state after this chunk, or why the chunk says nothing about its health.
    pub scored_state: MachineState,
    /// What is to be noted beside the score.
    pub notes: Vec<Note>,
    /// Since when the sensors that are at fault have been, where all of them have been reported before this chunk.
    pub sensor_faults_since: Option<Timestamp>,
    /// What its score was held against.
    pub held: HeldThreshold,
    /// The score is above that threshold.
    pub anomalous: bool,
    /// The health index with that threshold at 50, 0–100; `None` where the chunk says nothing about the machine's
    /// health.
    pub health_index: Option<f64>,
    /// The probability that normal sound scores this high or higher; 1 where the chunk says nothing about the machine's
    /// health.
    pub p_value: f64,
    /// The chunk's bands that deviate, with the time since which each has.
    pub bands: Vec<DeviatingBand>,
    /// The change of state, where this chunk brought one.
    pub alert: Option<Alert>,
    /// What has changed about the sensors, where this chunk brought it.
    pub sensor_alert: Option<Alert>,
    /// What has changed about the recording setup, where this chunk brought it.
    pub setup_alert: Option<Alert>,
    /// The drift report, where this chunk filled a window.
    pub drift: Option<Drift>,
    /// What ended with the model before, of what a person had set, or how the threshold has followed the environment.
    pub audit: Option<Audit>,
}

/// Advances what is remembered of a machine by one chunk. `before` is `None` for a machine never heard before.
///
/// Another model starts scores, evidence and drift window anew, for they are in its own unit, and the machine is learnt
/// anew; an alarm that stands goes on until enough chunks under the new model speak against it, and so does what is
/// known of its sensors. A threshold that a person has set as a number ends with the model, one set as a factor does
/// not.
///
/// A chunk that no sensor heard, that cannot be compared with the training clips or that is of the machine at rest
/// changes nothing but when the machine was heard and what is known of the sensors and the recording setup.
#[must_use]
pub fn observe_chunk(before: Option<&ScorerState>, heard: &Heard<'_>, policy: &WatchPolicy) -> Observation {
    let mut state = begun(before, heard.machine, heard.model, heard.time);
    expire(&mut state, heard.time);
    let mut audit = drop_threshold(before, &mut state, heard, policy);
    let calibration = &heard.manifest.calibration;
    let held = HeldThreshold::of(calibration, &state, &policy.alert);
    let previous = Before::of(before.filter(|before| before.version == ScorerState::VERSION));
    let previous_state = previous.state;
    let quantity = heard.manifest.quantity();
    let cause = Cause { id: heard.id, chunk_id: heard.chunk_id, time: heard.time, threshold: held.threshold, quantity };

    let (mut bands, mut drift) = (Vec::new(), None);
    let Noted { notes, unjudged } = noted(&state, heard);
    let is_idle = unjudged == Some(MachineState::Idle);
    let idle_before = state.idle_since;
    state.idle_since = is_idle.then(|| state.idle_since.unwrap_or(heard.time));
    let judgement = heard.judgement.filter(|_| unjudged.is_none());
    let score = judgement.map(|judgement| judgement.score);
    let anomalous = score.is_some_and(|score| held.is_exceeded(score));
    let p_value = score.map_or(1.0, |score| held.p_value(calibration, score));
    if let Some(judgement) = judgement {
        bands = deviation::advance(&mut state.deviation, anomalous, &judgement.bands, heard.time);
        let is_being_worked_on = state.maintenance.is_some();
        if !is_being_worked_on && state.relearning.is_some() {
            machine::resume(&mut state.alert, heard.time);
        } else if !is_being_worked_on {
            let is_clear = held.is_clear(judgement.score);
            let evidence = Evidence { time: heard.time, is_anomalous: anomalous, is_clear };
            machine::advance(&mut state.alert, evidence, &policy.alert);
        }
        if !is_being_worked_on && state.relearning.is_none() {
            let has_moved = state.adjustment.is_some();
            let score = held.as_calibrated(judgement.score);
            drift = drift::advance(&mut state.drift, heard, judgement, score, has_moved, &policy.drift);
        }
        state.chunks += 1;
        state.recent_scores.push(judgement.score);
        let surplus = state.recent_scores.len().saturating_sub(ScorerState::RECENT_SCORES);
        state.recent_scores.drain(..surplus);
        if !is_being_worked_on {
            audit = audit.or(follow_environment(&mut state, judgement.score, heard, policy));
        }
    }
    if state.alert.state == MachineState::Healthy {
        state.acknowledged = None;
    }
    let alert = message::of_change(previous, &state, cause).map(|alert| {
        let since = machine::led_by(&state.alert, &policy.alert).unwrap_or(heard.time);
        let p_value = score.map(|_| p_value);
        message::explained(Alert { since, score, p_value, bands: bands.clone(), ..alert })
    });
    let sensor_faults_since = sensors::reported_since(&state.sensors, heard.sensor_faults);
    let sensor_alert = advance_sensors(&mut state, heard, cause, &policy.alert);
    let setup_alert = advance_setup(&mut state, idle_before, &notes, cause, &policy.alert);
    state.channels = u32::try_from(heard.channels).ok();
    state.cadence_s = follow_cadence(state.cadence_s, state.last_heard, heard.time);
    state.last_heard = state.last_heard.max(Some(heard.time));
    // Learning may have moved it.
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

/// What is remembered of a machine, brought under this model.
pub(crate) fn begun(
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
            machine::begin_anew(&mut state.alert, time);
        }
        MachineState::Silent if !is_alarm(state.alert.resumes) => {
            machine::forget_evidence(&mut state.alert);
            state.alert.resumes = Some(MachineState::Learning);
        }
        _ => machine::forget_evidence(&mut state.alert),
    }
    state
}

fn is_alarm(state: Option<MachineState>) -> bool {
    matches!(state, Some(MachineState::Alarm | MachineState::Acknowledged))
}

/// Ends what a person has asked for until a time that has come.
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
        machine::begin_anew(&mut state.alert, time);
    }
}

/// The audit record of a threshold that has ended with its model.
fn drop_threshold(
    before: Option<&ScorerState>,
    state: &mut ScorerState,
    heard: &Heard<'_>,
    policy: &WatchPolicy,
) -> Option<Audit> {
    let ThresholdEdit { threshold: Some(threshold), by, .. } = before?.threshold.as_ref()? else { return None };
    if state.threshold.is_some() {
        return None;
    }
    let after = judging(state, heard.manifest, &policy.alert);
    let mut judged_before = after.clone();
    (judged_before.threshold, judged_before.threshold_by) = (*threshold, Some(by.clone()));
    Some(Audit {
        id: format!("{}/threshold", heard.id),
        machine: heard.machine.clone(),
        time: heard.time,
        by: "model".to_owned(),
        control_id: None,
        action: AuditAction::DropThreshold,
        before: judged_before,
        after,
        model: Some(heard.model.clone()),
    })
}

/// Learns from the score what is normal in an environment that has changed. The audit record of a threshold that has
/// moved for it.
fn follow_environment(state: &mut ScorerState, score: f64, heard: &Heard<'_>, policy: &WatchPolicy) -> Option<Audit> {
    if state.relearning.is_none() && state.adjustment.is_none() {
        return None;
    }
    let before = judging(state, heard.manifest, &policy.alert);
    let action = environment::learn(state, score, &heard.manifest.calibration)?;
    Some(Audit {
        id: format!("{}/adjustment", heard.id),
        machine: heard.machine.clone(),
        time: heard.time,
        by: environment::BY.to_owned(),
        control_id: None,
        action,
        before,
        after: judging(state, heard.manifest, &policy.alert),
        model: Some(heard.model.clone()),
    })
}

/// What is noted of a chunk, and why it says nothing about the machine's health. That the machine is at rest a person
/// knows better than its sound.
fn noted(state: &ScorerState, heard: &Heard<'_>) -> Noted {
    let mut noted = notes::of_chunk(heard.manifest, heard.judgement, heard.recorded, heard.quality);
    if state.idle.is_some() && heard.judgement.is_some() {
        noted.notes.retain(|note| note.kind != NoteKind::Setup(SetupNote::FarQuieter));
        noted.unjudged = Some(MachineState::Idle);
    }
    noted
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
    heard: &Heard<'_>,
    cause: Cause<'_>,
    policy: &AlertPolicy,
) -> Option<Alert> {
    let of_machine = state.alert.state;
    // Faults of channels that the model does not listen to are not among those heard of.
    let listened = heard.manifest.channels.as_ref().map_or(heard.channels, Vec::len);
    let state_of = |memory: &[_]| {
        if sensors::hears_nothing(memory, heard.channels, listened) { MachineState::SensorFault } else { of_machine }
    };
    let previous_state = state_of(&state.sensors);
    let change = sensors::advance(&mut state.sensors, heard.channels, heard.sensor_faults, heard.time, policy)?;
    let id = format!("{}/sensor", heard.id);
    Some(message::explained(Alert {
        state: state_of(&state.sensors),
        previous_state,
        // Who works on a machine may well unplug its microphones.
        muted: state.mute.is_some() || state.maintenance.is_some(),
        since: change.since,
        sensor_faults: sensors::reported(&state.sensors),
        sensors_well_again: change.well_again,
        ..message::plain(AlertKind::Sensor, state, Cause { id: &id, ..cause })
    }))
}
