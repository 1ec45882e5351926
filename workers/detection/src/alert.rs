//! What a scoring worker remembers of a machine, advanced by one judgement at a time. A pure function of the state before
//! and what was heard: replaying the chunks gives the same states, alerts and drift.
//!
//! ```text
//!             raise_after anomalous in a row            clear_after normal in a row
//!   Unknown ──────────────────────────────► Alarm ◄─────────────────────────────► Healthy
//!      └───────────────── clear_after normal in a row ───────────────────────────────▲
//! ```

use auscult_schemas::{Alert, AlertMemory, ChunkId, Drift, MachineId, MachineState, ModelRef, ScorerState};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DriftPolicy, Judgement, Manifest, drift};

/// How many consecutive chunks change a machine's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertPolicy {
    /// Anomalous chunks in a row that raise an alarm.
    #[schemars(range(min = 1))]
    pub raise_after: u32,
    /// Normal chunks in a row that clear it, or that first show a machine to be healthy.
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

/// One judged chunk of a machine.
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
    /// What the model says of it.
    pub judgement: &'a Judgement,
    /// The model that judged.
    pub model: &'a ModelRef,
    /// That model's manifest.
    pub manifest: &'a Manifest,
}

/// What follows from one judged chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What to remember of the machine from now on.
    pub state: ScorerState,
    /// The machine's state before this chunk.
    pub previous_state: MachineState,
    /// The change of state, where this chunk brought one.
    pub alert: Option<Alert>,
    /// The drift report, where this chunk filled a window.
    pub drift: Option<Drift>,
}

/// Advances what is remembered of a machine by one chunk. `before` is `None` for a machine never heard before.
///
/// Another model starts scores, streak and drift window anew, for they are in its own unit; the machine's state stays until
/// enough chunks under the new model speak against it.
#[must_use]
pub fn observe_chunk(before: Option<&ScorerState>, heard: &Heard<'_>, policy: &WatchPolicy) -> Observation {
    let mut state = match before {
        Some(state) if state.version == ScorerState::VERSION => state.clone(),
        _ => fresh(heard),
    };
    if state.model != *heard.model {
        let AlertMemory { state: machine_state, since, .. } = state.alert;
        let alert = AlertMemory { state: machine_state, since, ..AlertMemory::default() };
        state = ScorerState { alert, chunks: state.chunks, ..fresh(heard) };
    }

    let previous_state = state.alert.state;
    let previous_score = state.recent_scores.last().copied();
    let alert = advance_alert(&mut state.alert, previous_score, heard, &policy.alert);
    let drift = drift::advance(&mut state.drift, heard, &policy.drift);
    state.chunks += 1;
    state.recent_scores.push(heard.judgement.score);
    let surplus = state.recent_scores.len().saturating_sub(ScorerState::RECENT_SCORES);
    state.recent_scores.drain(..surplus);
    Observation { state, previous_state, alert, drift }
}

fn fresh(heard: &Heard<'_>) -> ScorerState {
    ScorerState {
        version: ScorerState::VERSION,
        machine: heard.machine.clone(),
        model: heard.model.clone(),
        chunks: 0,
        recent_scores: Vec::new(),
        alert: AlertMemory::default(),
        drift: auscult_schemas::DriftMemory::default(),
    }
}

fn advance_alert(
    memory: &mut AlertMemory,
    previous_score: Option<f64>,
    heard: &Heard<'_>,
    policy: &AlertPolicy,
) -> Option<Alert> {
    let judgement = heard.judgement;
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
    // From a decided state only one change is possible. From `Unknown` there are two, and a streak towards one ends with the first chunk
    // that speaks for the other.
    let previous_was_anomalous = previous_score.map(|score| score > judgement.threshold);
    if memory.state == MachineState::Unknown && previous_was_anomalous != Some(judgement.anomalous) {
        memory.streak = 0;
        memory.streak_since = None;
    }
    memory.streak += 1;
    let streak_since = *memory.streak_since.get_or_insert(heard.time);
    if memory.streak < needed {
        return None;
    }
    let previous_state = memory.state;
    *memory = AlertMemory { state: target, since: Some(heard.time), streak: 0, streak_since: None };
    Some(Alert {
        id: heard.id.to_owned(),
        machine: heard.machine.clone(),
        time: heard.time,
        state: target,
        previous_state,
        previous_since: (!first_heard).then_some(known_since),
        since: streak_since,
        chunk_id: heard.chunk_id.clone(),
        score: judgement.score,
        threshold: judgement.threshold,
        p_value: judgement.p_value,
        bands: judgement.bands.clone(),
        model: heard.model.clone(),
    })
}
