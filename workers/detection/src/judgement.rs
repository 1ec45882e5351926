//! What a model says of one clip.

use auscult_schemas::{DeviatingBand, TimeCourse};

/// What a model says of one clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The channels' scores together, in the detector's unit: their mean where they are errors, dB²; their geometric
    /// mean where they are distances, dimensionless.
    pub score: f64,
    /// Each channel's score.
    pub channel_scores: Vec<f64>,
    /// The probability that normal sound scores this high or higher.
    pub p_value: f64,
    /// 100 is as normal as the training sound, 50 is at the threshold, 0 is far beyond.
    pub health_index: f64,
    /// Scores above it are anomalous.
    pub threshold: f64,
    /// `score > threshold`.
    pub anomalous: bool,
    /// The frequency bands that deviate, widest share first.
    pub bands: Vec<DeviatingBand>,
    /// When within the clip it deviates; only of an anomalous one.
    pub time_course: Option<TimeCourse>,
    /// Mean level of each mel band over frames and channels, dB, `[mels]`: what drift is measured on.
    pub band_levels_db: Vec<f32>,
}
