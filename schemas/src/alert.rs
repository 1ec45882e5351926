//! `audio.alerts`: a machine's state has changed.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ChunkId, DeviatingBand, MachineId, MachineState, ModelRef};

/// A change of a machine's state, with what led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Deterministic id: that of the score which led to it.
    pub id: String,
    /// The machine.
    pub machine: MachineId,
    /// When the sound was recorded that decided.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// The new state.
    pub state: MachineState,
    /// The state before.
    pub previous_state: MachineState,
    /// Since when the machine had been in the state before; absent when this is the first chunk heard of it.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_since: Option<Timestamp>,
    /// The first of the consecutive chunks that led to the change.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// The chunk that decided.
    pub chunk_id: ChunkId,
    /// Its score.
    #[serde(serialize_with = "crate::finite::only")]
    pub score: f64,
    /// The threshold it is held against.
    #[serde(serialize_with = "crate::finite::only")]
    pub threshold: f64,
    /// The probability that normal sound scores this high or higher.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(serialize_with = "crate::finite::only")]
    pub p_value: f64,
    /// The bands that deviate.
    pub bands: Vec<DeviatingBand>,
    /// The model that judged.
    pub model: ModelRef,
}
