//! What a person has asked for, and how the threshold of a machine has moved.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a person has asked for, and for how long it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// Who asked for it.
    pub by: String,
    /// Since when it stands.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// When it ends by itself; absent where it stands until it is taken back.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A threshold set by a person while the worker runs: one of `threshold` and `factor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdEdit {
    /// The threshold itself, in the unit of the model's scores; it goes with that model.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub threshold: Option<f64>,
    /// Times the model's threshold, whichever model serves.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub factor: Option<f64>,
    /// Who set it.
    pub by: String,
    /// Since when it holds.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
}

/// How a machine's normal scores have moved with its environment. With `m` the calibration's median score, a score `s`
/// is held against the threshold as `m + (s − m − offset) / factor`: the threshold itself moves to
/// `m + offset + factor × (threshold − m)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdAdjustment {
    /// How far the median of normal scores has moved, in the unit of the scores.
    #[serde(serialize_with = "crate::finite::only")]
    pub offset: f64,
    /// How many times as wide their spread is.
    #[serde(serialize_with = "crate::finite::only")]
    pub factor: f64,
    /// Who or what adjusted it: `environment`.
    pub by: String,
    /// Since when it holds.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
}

/// A level being learnt anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Relearning {
    /// Since when.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// The scores heard since then, oldest first.
    #[serde(serialize_with = "crate::finite::only")]
    pub scores: Vec<f64>,
    /// How many are needed.
    pub needed: u32,
}
