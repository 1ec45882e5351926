//! `audio.alerts`: a machine's state has changed, or that of its sensors.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ChunkId, DeviatingBand, MachineId, MachineState, ModelRef, SensorFault};

/// What an alert is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The machine: its state has changed.
    #[default]
    Machine,
    /// Its sensors: one or more have failed, or hear again.
    Sensor,
}

/// A change of a machine's state or of its sensors', with what led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Deterministic id: that of the score which led to it, with `/sensor` behind it where it is about sensors.
    pub id: String,
    /// What it is about; absent in messages of earlier versions, which were about machines.
    #[serde(default)]
    pub kind: AlertKind,
    /// The machine.
    pub machine: MachineId,
    /// When the sound was recorded that decided.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// The new state. Of a sensor's alert: `sensor_fault` while none of the machine's sensors hears it, otherwise the state that the machine is in,
    /// which a sensor's fault does not change.
    pub state: MachineState,
    /// The state before.
    pub previous_state: MachineState,
    /// Since when the machine had been in the state before; absent when this is the first chunk heard of it, and in a sensor's alert.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_since: Option<Timestamp>,
    /// The first of the consecutive chunks that led to the change.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// The chunk that decided.
    pub chunk_id: ChunkId,
    /// Its score; absent in a sensor's alert.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub score: Option<f64>,
    /// The threshold it is held against.
    #[serde(serialize_with = "crate::finite::only")]
    pub threshold: f64,
    /// The probability that normal sound scores this high or higher; absent in a sensor's alert.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub p_value: Option<f64>,
    /// The bands that deviate.
    pub bands: Vec<DeviatingBand>,
    /// In a sensor's alert: every channel that is known to be at fault from now on; none where all hear again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensor_faults: Vec<SensorFault>,
    /// In a sensor's alert: the channels that hear again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensors_well_again: Vec<usize>,
    /// What happened, where and since when, in words. Absent in messages of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// The model that judged.
    pub model: ModelRef,
}
