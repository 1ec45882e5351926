//! `audio.audit`: who has changed how a machine is judged, and what was so before and after.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ControlAction, MachineId, MachineState, ModelRef};

/// A change of how a machine is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Deterministic id: machine, coordinates of the record that led to it, and what it is about.
    pub id: String,
    /// The machine.
    pub machine: MachineId,
    /// When it was asked for; of what nobody asked for: the event time at which it was decided.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// Who changed it: a person, or `environment`.
    pub by: String,
    /// The request's id; absent where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_id: Option<String>,
    /// What was done.
    pub action: AuditAction,
    /// How the machine was judged before.
    pub before: Judging,
    /// How it is judged from now on.
    pub after: Judging,
    /// The model that serves the machine, whose scores the thresholds are in the unit of. Absent in records of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelRef>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AuditAction {
    /// What a person asked for.
    Control(ControlAction),
    /// The threshold has followed a change of the environment.
    AdjustThreshold {
        /// How far the median of normal scores has moved, in the unit of the scores.
        #[serde(serialize_with = "crate::finite::only")]
        offset: f64,
        /// How many times as wide their spread is.
        #[serde(serialize_with = "crate::finite::only")]
        factor: f64,
    },
    /// A threshold that a person had set ended with the model whose scores it was meant for.
    DropThreshold,
}

/// How a machine is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Judging {
    /// Its state.
    pub state: MachineState,
    /// The threshold that its scores are held against.
    #[serde(serialize_with = "crate::finite::only")]
    pub threshold: f64,
    /// Who or what set that threshold; absent where it is the model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_by: Option<String>,
    /// Changes of state are published as muted.
    pub muted: bool,
    /// When that ends by itself.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
    /// When maintenance ends by itself.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_until: Option<Timestamp>,
    /// A person has said that it is at rest: its chunks are not judged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idle: bool,
    /// When that ends by itself.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_until: Option<Timestamp>,
}
