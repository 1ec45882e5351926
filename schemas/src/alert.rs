//! `audio.alerts`: a machine's state has changed, or that of its sensors.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ChunkId, Classification, DeviatingBand, MachineId, MachineState, ModelRef, Note, Quantity, SensorFault};

/// What an alert is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The machine: its state has changed.
    #[default]
    Machine,
    /// Its sensors: one or more have failed, or hear again.
    Sensor,
    /// The surroundings that it shares with others: many machines have come to sound otherwise at about the same time.
    Environment,
    /// The recording setup: the sound arrives otherwise than the model has learned it, or does no longer.
    Setup,
}

impl AlertKind {
    /// Every kind, for metrics that should exist at zero.
    pub const ALL: [Self; 4] = [Self::Machine, Self::Sensor, Self::Environment, Self::Setup];

    /// The kind as it stands in messages and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Sensor => "sensor",
            Self::Environment => "environment",
            Self::Setup => "setup",
        }
    }
}

/// Many machines of one environment have come to sound otherwise at about the same time: a change of their
/// surroundings, no fault of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentChange {
    /// The environment: the part of its machines' ids before the last `/`, empty for machines without one.
    pub environment: String,
    /// How many machines have changed, of those in the partition that reports it.
    pub machines_affected: u32,
    /// How many were lately heard there.
    pub machines_heard: u32,
    /// Since when.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
}

/// A change of a machine's state or of its sensors', with what led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Deterministic id: that of the score which led to it, with `/sensor` or `/setup` behind it where it is about
    /// those. Of a change that a control message made: that of its audit record.
    pub id: String,
    /// What it is about; absent in messages of earlier versions, which were about machines.
    #[serde(default)]
    pub kind: AlertKind,
    /// The machine. Of an environment: its name, `*` for that of machines without one.
    pub machine: MachineId,
    /// When the sound was recorded that decided.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// The new state. Of a sensor's alert: `sensor_fault` while none of the machine's sensors hears it, otherwise the
    /// state that the machine is in, which a sensor's fault does not change. Of a setup alert: `setup_fault` while the
    /// chunks cannot be compared with the training clips, `idle` while they are at rest, otherwise the machine's state.
    pub state: MachineState,
    /// The state before.
    pub previous_state: MachineState,
    /// Since when the machine had been in the state before; absent when this is the first chunk heard of it, and in a
    /// sensor's alert.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_since: Option<Timestamp>,
    /// How long the machine had been in the state before, s; absent where `previous_since` is.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub previous_seconds: Option<f64>,
    /// The evidence of a warning or an alarm; absent in every other alert, and in messages of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<Classification>,
    /// Nobody is to be notified: a person has muted the machine, or works on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// Who made the change, where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// In an environment's alert: what has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentChange>,
    /// The first of the chunks that led to the change.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// The chunk, or the control message, that decided.
    pub chunk_id: ChunkId,
    /// Its score; absent in a sensor's alert.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub score: Option<f64>,
    /// The threshold it is held against. Of a machine that has fallen silent: that of its latest chunk; 0 where an
    /// earlier version wrote its state.
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
    /// In a setup alert: every note that stands from now on; none where the setup is again as the model has learned it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// What the sensors measure; absent: sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// What happened, where and since when, in words. Absent in messages of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// The model that judged.
    pub model: ModelRef,
}
