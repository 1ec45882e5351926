//! `audio.drift`: how far a machine's sound has moved from what its model was trained on.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MachineId, ModelRef};

/// Drift statistics of one machine over one window of consecutive chunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// Deterministic id: that of the window's last score.
    pub id: String,
    /// The machine.
    pub machine: MachineId,
    /// Time of the window's first chunk.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub window_start: Timestamp,
    /// Time of the window's last chunk.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub window_end: Timestamp,
    /// Chunks in the window.
    pub chunks: u32,
    /// Population stability index of the scores against the calibration's deciles.
    #[serde(serialize_with = "crate::finite::only")]
    pub score_psi: f64,
    /// Two-sample Kolmogorov–Smirnov statistic of the scores against the calibration's, 0–1.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(serialize_with = "crate::finite::only")]
    pub score_ks: f64,
    /// p-value of that statistic.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(serialize_with = "crate::finite::only")]
    pub score_ks_p_value: f64,
    /// Mean level of the window less that of the training sound, dB.
    #[serde(serialize_with = "crate::finite::only")]
    pub level_shift_db: f64,
    /// Largest absolute shift of one mel band's mean level, dB.
    #[serde(serialize_with = "crate::finite::only")]
    pub max_band_shift_db: f64,
    /// Centre of the band that shifted most, Hz.
    #[serde(serialize_with = "crate::finite::only")]
    pub max_band_shift_hz: f64,
    /// The model whose training sound is the reference.
    pub model: ModelRef,
}
