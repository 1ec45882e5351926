//! What a scoring worker remembers of a machine, advanced by one judgement at a time. A pure function of the state before
//! and what was heard: replaying the chunks gives the same states, alerts and drift.
//!
//! ```text
//!             raise_after anomalous in a row            clear_after normal in a row
//!   Learning ──────────────────────────────► Alarm ◄─────────────────────────────► Healthy
//!      └───────────────── clear_after normal in a row ───────────────────────────────▲
//! ```

use auscult_schemas::{
    Alert, AlertKind, AlertMemory, ChunkId, Classification, DeviatingBand, Drift, MachineId, MachineState, ModelRef,
    ScorerState, SensorFault,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DriftPolicy, Judgement, Manifest, deviation, drift, sensors, words};

/// How many consecutive chunks change a machine's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertPolicy {
    /// Anomalous chunks in a row that raise an alarm; also chunks in a row in which a sensor is at fault before that is reported.
    #[schemars(range(min = 1))]
    pub raise_after: u32,
    /// Normal chunks in a row that clear it, or that first show a machine to be healthy; also chunks in a row in which a sensor is well before that is
    /// reported.
    #[schemars(range(min = 1))]
    pub clear_after: u32,
}

impl Default for AlertPolicy {
    fn default() -> Self {
        Self { raise_after: 3, clear_after: 5 }
    }
}

/// How machines are watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WatchPolicy {
    /// When the state changes.
    pub alert: AlertPolicy,
    /// When drift is reported.
    pub drift: DriftPolicy,
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
    /// The chunk's bands that deviate, with the time since which each has.
    pub bands: Vec<DeviatingBand>,
    /// The change of state, where this chunk brought one.
    pub alert: Option<Alert>,
    /// What has changed about the sensors, where this chunk brought it.
    pub sensor_alert: Option<Alert>,
    /// The drift report, where this chunk filled a window.
    pub drift: Option<Drift>,
}

/// Advances what is remembered of a machine by one chunk. `before` is `None` for a machine never heard before.
///
/// Another model starts scores, streak and drift window anew, for they are in its own unit; the machine's state stays until
/// enough chunks under the new model speak against it, and so does what is known of its sensors.
///
/// A chunk that no sensor heard changes nothing but what is known of the sensors.
#[must_use]
pub fn observe_chunk(before: Option<&ScorerState>, heard: &Heard<'_>, policy: &WatchPolicy) -> Observation {
    let mut state = match before {
        Some(state) if state.version == ScorerState::VERSION => state.clone(),
        _ => fresh(heard),
    };
    if state.model != *heard.model {
        let AlertMemory { state: machine_state, since, .. } = state.alert;
        let alert = AlertMemory { state: machine_state, since, ..AlertMemory::default() };
        state = ScorerState { alert, chunks: state.chunks, sensors: state.sensors, ..fresh(heard) };
    }

    let previous_state = state.alert.state;
    let (mut bands, mut alert, mut drift) = (Vec::new(), None, None);
    if let Some(judgement) = heard.judgement {
        bands = deviation::advance(&mut state.deviation, judgement.anomalous, &judgement.bands, heard.time);
        let previous_score = state.recent_scores.last().copied();
        alert = advance_alert(&mut state.alert, previous_score, heard, judgement, &bands, &policy.alert);
        drift = drift::advance(&mut state.drift, heard, judgement, &policy.drift);
        state.chunks += 1;
        state.recent_scores.push(judgement.score);
        let surplus = state.recent_scores.len().saturating_sub(ScorerState::RECENT_SCORES);
        state.recent_scores.drain(..surplus);
    }
    let sensor_alert = advance_sensors(&mut state, heard, &policy.alert);
    Observation { state, previous_state, bands, alert, sensor_alert, drift }
}

fn fresh(heard: &Heard<'_>) -> ScorerState {
    ScorerState::new(heard.machine.clone(), heard.model.clone())
}

fn advance_alert(
    memory: &mut AlertMemory,
    previous_score: Option<f64>,
    heard: &Heard<'_>,
    judgement: &Judgement,
    bands: &[DeviatingBand],
    policy: &AlertPolicy,
) -> Option<Alert> {
    let (target, needed) = if judgement.anomalous {
        (MachineState::Alarm, policy.raise_after)
    } else {
        (MachineState::Healthy, policy.clear_after)
    };
    let first_heard = memory.since.is_none();
    let known_since = *memory.since.get_or_insert(heard.time);
    if memory.state == target {
        memory.streak = 0;
        memory.streak_since = None;
        return None;
    }
    // From a decided state only one change is possible. From `Learning` there are two, and a streak towards one ends with the first chunk
    // that speaks for the other.
    let previous_was_anomalous = previous_score.map(|score| score > judgement.threshold);
    if memory.state == MachineState::Learning && previous_was_anomalous != Some(judgement.anomalous) {
        memory.streak = 0;
        memory.streak_since = None;
    }
    memory.streak += 1;
    let streak_since = *memory.streak_since.get_or_insert(heard.time);
    if memory.streak < needed {
        return None;
    }
    let previous_state = memory.state;
    *memory = AlertMemory { state: target, since: Some(heard.time), ..AlertMemory::default() };
    Some(explained(Alert {
        id: heard.id.to_owned(),
        kind: AlertKind::Machine,
        machine: heard.machine.clone(),
        time: heard.time,
        state: target,
        previous_state,
        previous_since: (!first_heard).then_some(known_since),
        previous_seconds: (!first_heard).then(|| heard.time.duration_since(known_since).as_secs_f64()),
        classification: (target == MachineState::Alarm).then_some(Classification::Persistent),
        muted: false,
        by: None,
        environment: None,
        since: streak_since,
        chunk_id: heard.chunk_id.clone(),
        score: Some(judgement.score),
        threshold: judgement.threshold,
        p_value: Some(judgement.p_value),
        bands: bands.to_vec(),
        sensor_faults: Vec::new(),
        sensors_well_again: Vec::new(),
        explanation: None,
        model: heard.model.clone(),
    }))
}

fn advance_sensors(state: &mut ScorerState, heard: &Heard<'_>, policy: &AlertPolicy) -> Option<Alert> {
    let of_machine = state.alert.state;
    let state_of = |memory: &[_]| {
        if sensors::hears_nothing(memory, heard.channels) { MachineState::SensorFault } else { of_machine }
    };
    let previous_state = state_of(&state.sensors);
    let change = sensors::advance(&mut state.sensors, heard.channels, heard.sensor_faults, heard.time, policy)?;
    Some(explained(Alert {
        id: format!("{}/sensor", heard.id),
        kind: AlertKind::Sensor,
        machine: heard.machine.clone(),
        time: heard.time,
        state: state_of(&state.sensors),
        previous_state,
        previous_since: None,
        previous_seconds: None,
        classification: None,
        muted: false,
        by: None,
        environment: None,
        since: change.since,
        chunk_id: heard.chunk_id.clone(),
        score: None,
        threshold: heard.manifest.calibration.threshold,
        p_value: None,
        bands: Vec::new(),
        sensor_faults: sensors::reported(&state.sensors),
        sensors_well_again: change.well_again,
        explanation: None,
        model: heard.model.clone(),
    }))
}

fn explained(alert: Alert) -> Alert {
    Alert { explanation: Some(words::alert(&alert)), ..alert }
}
