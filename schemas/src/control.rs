//! Control messages: what a person asks of the worker that judges a machine. They travel through `audio.chunks` and
//! `audio.features` under the machine's key, so that they stay in order with its sound.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::MachineId;

/// What a person asks for, of one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The machine; the same as the record's key.
    pub machine: MachineId,
    /// The request's own id, which its audit record repeats; absent: the record's `ce_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who asks.
    #[schemars(length(min = 1))]
    pub by: String,
    /// When it was asked; absent: the record's time.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What for.
    pub action: ControlAction,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ControlAction {
    /// Takes note of the alarm that stands.
    Acknowledge,
    /// Takes that back.
    Unacknowledge,
    /// Has changes of state published as muted, so that nobody is notified.
    Mute {
        /// When that ends by itself.
        #[schemars(with = "Option<String>", extend("format" = "date-time"))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Ends it.
    Unmute,
    /// Raises nothing while the machine is being worked on.
    Maintenance {
        /// When that ends by itself.
        #[schemars(with = "Option<String>", extend("format" = "date-time"))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Ends it; the machine is judged anew.
    EndMaintenance,
    /// Says that the machine is at rest: nothing is raised, and its chunks are not judged.
    Idle {
        /// When that ends by itself.
        #[schemars(with = "Option<String>", extend("format" = "date-time"))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Ends it; the machine is judged on from the state that it had.
    Running,
    /// Sets the threshold: one of `threshold` and `factor`, or neither for the model's own.
    SetThreshold {
        /// The threshold itself, in the unit of the model's scores.
        #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
        threshold: Option<f64>,
        /// Times the model's threshold.
        #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
        factor: Option<f64>,
    },
    /// Forgets what was learnt of the machine since its model was trained, and judges it anew.
    Relearn,
    /// Forgets the machine: it is gone from its place, nothing is expected of it, and it is counted nowhere. Should it
    /// be heard again, it is a new one.
    Retire,
}

impl ControlAction {
    /// Every action's name, for metrics that should exist at zero.
    pub const NAMES: [&str; 11] = [
        "acknowledge",
        "unacknowledge",
        "mute",
        "unmute",
        "maintenance",
        "end_maintenance",
        "idle",
        "running",
        "set_threshold",
        "relearn",
        "retire",
    ];

    /// The action's name as it stands in messages and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Unacknowledge => "unacknowledge",
            Self::Mute { .. } => "mute",
            Self::Unmute => "unmute",
            Self::Maintenance { .. } => "maintenance",
            Self::EndMaintenance => "end_maintenance",
            Self::Idle { .. } => "idle",
            Self::Running => "running",
            Self::SetThreshold { .. } => "set_threshold",
            Self::Relearn => "relearn",
            Self::Retire => "retire",
        }
    }
}
