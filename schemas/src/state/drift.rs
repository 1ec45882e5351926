//! What is remembered for drift.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_zero;
use crate::DriftChart;

/// What drift is judged by: the window in progress, the charts that go on from window to window, and what has been
/// learnt of normal sound beside the model's own reference. Its size is bounded by the window, the mel bands and the
/// calibration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftMemory {
    /// Time of the window's first chunk.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_start: Option<Timestamp>,
    /// Scores of the window so far.
    #[serde(serialize_with = "crate::finite::only")]
    pub scores: Vec<f64>,
    /// Sum over the window's chunks of each mel band's mean level, dB.
    #[serde(serialize_with = "crate::finite::only")]
    pub band_sum_db: Vec<f64>,
    /// Sum over the window's chunks of the squared distance from the mean learnt so far, dB²: of each mel band, and
    /// last of the mean level.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "crate::finite::only")]
    pub square_sum_db2: Vec<f64>,
    /// Sequential ranks of the window's scores, in ten thousandths: where each stood among all that were known before
    /// it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<u32>,
    /// Chunks of the window with each quality flag, in the flags' order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flagged: Vec<u32>,
    /// How many scores in service fell between each two neighbouring cut points of the calibration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learnt_scores: Vec<u32>,
    /// What has been learnt of levels, those of the training clips among them; absent before the first chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt_levels: Option<LevelMemory>,
    /// Chunks of earlier windows with each quality flag, in the flags' order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learnt_flags: Vec<u32>,
    /// How many chunks those were counted over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub learnt_flags_of: u32,
    /// Page–Hinkley's sum for higher scores.
    #[serde(default, skip_serializing_if = "ChartMemory::is_at_rest")]
    pub higher: ChartMemory,
    /// Page–Hinkley's sum for lower scores, as a positive number.
    #[serde(default, skip_serializing_if = "ChartMemory::is_at_rest")]
    pub lower: ChartMemory,
    /// The exponentially weighted moving average.
    #[serde(default, skip_serializing_if = "ChartMemory::is_at_rest")]
    pub average: ChartMemory,
    /// The drift that has been reported and is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<DriftEpisode>,
}

/// A chart that goes on from chunk to chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChartMemory {
    /// Where it stands, in standard deviations of normal scores.
    #[serde(serialize_with = "crate::finite::only")]
    pub value: f64,
    /// Since when it has stood on that side of zero: when a change that it finds began.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl ChartMemory {
    fn is_at_rest(&self) -> bool {
        *self == Self::default()
    }
}

/// Means and spreads of levels, one chunk one observation: of each mel band, and last of the mean level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LevelMemory {
    /// Chunks, training clips among them; 0 where the levels are being learnt anew.
    pub chunks: u32,
    /// Means, dB.
    #[serde(serialize_with = "crate::finite::only")]
    pub mean_db: Vec<f64>,
    /// Sums of squared distances from those means, dB².
    #[serde(serialize_with = "crate::finite::only")]
    pub square_sum_db2: Vec<f64>,
    /// Sums of squared distances from each window's own means, of the windows that were learnt, dB²: less than the
    /// above where levels wander from window to window.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "crate::finite::only")]
    pub within_sum_db2: Vec<f64>,
    /// Degrees of freedom of those: the windows' chunks less one a window.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub within_freedom: u32,
}

/// A drift that has been reported.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftEpisode {
    /// The chart that found it.
    pub chart: DriftChart,
    /// Estimate of when the change began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// When it was found.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub found: Timestamp,
    /// Consecutive windows, up to the latest, in which nothing was to be seen of it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quiet_windows: u32,
}
