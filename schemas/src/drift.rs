//! `audio.drift`: how far a machine's sound has moved from what its model was trained on.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MachineId, ModelRef, QualityFlag};

/// Drift statistics of one machine over one window of consecutive chunks. A window is full, or ends early with the
/// chunk on which drift was found.
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
    /// Where each chart stands; those that need a full window are left out of one that ended early.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<ChartReading>,
    /// How often each quality flag was raised, where it was in this window or before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<QualityRate>,
    /// Whether the machine's sound has drifted, after this window.
    #[serde(default)]
    pub drifting: bool,
    /// What this window changed about that; absent where nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<DriftChange>,
    /// The chart that found the drift that stands or has just ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_by: Option<DriftChart>,
    /// Estimate of when that drift began.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The same in words; absent where there is nothing to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// The model whose training sound is the reference.
    pub model: ModelRef,
}

/// What looks for drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftChart {
    /// The two-sided Page–Hinkley sum of scores: a change of half a standard deviation and more, however it came.
    PageHinkley,
    /// The exponentially weighted moving average of scores: a slow change.
    Ewma,
    /// Kolmogorov–Smirnov statistic of the window's scores: any change of their distribution.
    ScoreKs,
    /// Population stability index of the window's scores: a change of spread, or of the tails.
    ScorePsi,
    /// The mel band whose mean level has moved most for its spread.
    BandLevel,
    /// The mean level over all bands.
    InputLevel,
    /// How often the sound itself is odd.
    QualityRate,
}

impl DriftChart {
    /// Every chart, for metrics that should exist at zero.
    pub const ALL: [Self; 7] = [
        Self::PageHinkley,
        Self::Ewma,
        Self::ScoreKs,
        Self::ScorePsi,
        Self::BandLevel,
        Self::InputLevel,
        Self::QualityRate,
    ];

    /// The chart as it stands in messages and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PageHinkley => "page_hinkley",
            Self::Ewma => "ewma",
            Self::ScoreKs => "score_ks",
            Self::ScorePsi => "score_psi",
            Self::BandLevel => "band_level",
            Self::InputLevel => "input_level",
            Self::QualityRate => "quality_rate",
        }
    }
}

/// Where a chart stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChartReading {
    /// Which.
    pub chart: DriftChart,
    /// Its statistic, without sign: standard deviations of normal scores (`page_hinkley`, `ewma`), 0–1 (`score_ks`),
    /// dimensionless (`score_psi`), Student's t (`band_level`, `input_level`), -log10 of the p-value (`quality_rate`).
    #[serde(serialize_with = "crate::finite::only")]
    pub value: f64,
    /// Above it the chart finds drift.
    #[serde(serialize_with = "crate::finite::only")]
    pub limit: f64,
}

/// How often the sound was odd in one way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QualityRate {
    /// The way.
    pub flag: QualityFlag,
    /// Share of this window's chunks, 0–1.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(serialize_with = "crate::finite::only")]
    pub share: f64,
    /// Share of the chunks of earlier windows, 0–1; absent in the first.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub usual_share: Option<f64>,
}

/// What a window changed about a machine's drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftChange {
    /// Drift was found.
    Began,
    /// It is over: the machine sounds as it did before.
    Ended,
}
