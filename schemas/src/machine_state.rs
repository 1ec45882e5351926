//! A machine's state, and what it rests on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A machine's state as its listeners judge it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// Too little heard to decide, of a new machine or under a new model. Earlier versions called it `unknown`, which
    /// is still read.
    #[default]
    #[serde(alias = "unknown")]
    Learning,
    /// Sounds as in training.
    Healthy,
    /// Some of the latest chunks deviate.
    Warning,
    /// So many of the latest chunks deviate that it is no passing noise.
    Alarm,
    /// An alarm that a person has taken note of; it lasts until the machine sounds normal again, and is not raised a
    /// second time.
    Acknowledged,
    /// A person works on the machine: nothing is raised, whatever it sounds like.
    Maintenance,
    /// Every sensor is at fault, so that nothing can be said of the machine. Only a score or a sensor's alert has this
    /// state; what is remembered of the machine stays as it was, and is what the next good chunk goes on from.
    SensorFault,
    /// The sound arrives otherwise than the model has learned it (another sample rate, chunks of another length), so
    /// that scores cannot be held against the threshold. Only a score or a setup alert has this state, as with
    /// `sensor_fault`.
    SetupFault,
    /// The machine is at rest, as a person has said or its sound shows. Only a score or a setup alert has this state;
    /// what is remembered of the machine stays as it was, and is what the next running chunk goes on from.
    Idle,
    /// Nothing has come from the machine for many times its cadence.
    Silent,
}

impl MachineState {
    /// Every state, for metrics that should exist at zero.
    pub const ALL: [Self; 10] = [
        Self::Learning,
        Self::Healthy,
        Self::Warning,
        Self::Alarm,
        Self::Acknowledged,
        Self::Maintenance,
        Self::SensorFault,
        Self::SetupFault,
        Self::Idle,
        Self::Silent,
    ];

    /// The state as it stands in messages and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Learning => "learning",
            Self::Healthy => "healthy",
            Self::Warning => "warning",
            Self::Alarm => "alarm",
            Self::Acknowledged => "acknowledged",
            Self::Maintenance => "maintenance",
            Self::SensorFault => "sensor_fault",
            Self::SetupFault => "setup_fault",
            Self::Idle => "idle",
            Self::Silent => "silent",
        }
    }

    /// Whether it is a state of a chunk only: one that says nothing about the machine's health, and leaves the
    /// machine's own state as it was.
    #[must_use]
    pub fn is_of_chunk(self) -> bool {
        matches!(self, Self::SensorFault | Self::SetupFault | Self::Idle)
    }
}

/// The evidence that a warning or an alarm rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Classification {
    /// Single chunks deviate, others do not: a passing event, or the beginning of something.
    Pointwise,
    /// Nearly all of the latest chunks deviate.
    Persistent,
}

impl Classification {
    /// The classification as it stands in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pointwise => "pointwise",
            Self::Persistent => "persistent",
        }
    }
}
