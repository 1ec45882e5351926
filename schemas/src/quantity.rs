//! What a sensor measures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a sensor measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Sound pressure, by a microphone.
    Sound,
    /// Acceleration or velocity of a housing.
    Vibration,
    /// Electrical current.
    Current,
    /// Pressure of a fluid.
    Pressure,
}
