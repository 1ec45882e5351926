//! What a score is held against: the model's threshold, or what a person or the environment has made of it.

use auscult_schemas::{ScorerState, ThresholdAdjustment, ThresholdEdit};

use crate::Calibration;
use crate::alert_policy::AlertPolicy;
use crate::calibration::{health_index, quantile};

/// The thresholds of one machine as they are now.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldThreshold {
    /// Scores above it are anomalous.
    pub threshold: f64,
    /// Who or what set it; `None` where it is the model's own.
    pub by: Option<String>,
    /// Scores at or below it are normal again. Between the two a chunk speaks neither for a fault nor against one.
    pub clear: f64,
    /// The median of normal scores.
    pub median: f64,
    adjustment: Option<ThresholdAdjustment>,
    calibrated_median: f64,
}

impl HeldThreshold {
    /// A person's threshold comes before the environment's: who sets a number means that number. A factor is of the
    /// model's threshold, and moves with the environment as that does.
    #[must_use]
    pub fn of(calibration: &Calibration, state: &ScorerState, policy: &AlertPolicy) -> Self {
        let calibrated_median = quantile(&calibration.scores, 0.5);
        let moved = |value: f64| match &state.adjustment {
            Some(adjustment) => calibrated_median + adjustment.offset + adjustment.factor * (value - calibrated_median),
            None => value,
        };
        let median = moved(calibrated_median);
        let adjusted_by = state.adjustment.as_ref().map(|adjustment| adjustment.by.clone());
        let (threshold, by) = match &state.threshold {
            Some(ThresholdEdit { threshold: Some(threshold), by, .. }) => (*threshold, Some(by.clone())),
            Some(ThresholdEdit { factor: Some(factor), by, .. }) => {
                (moved(factor * calibration.threshold), Some(by.clone()))
            }
            _ => (moved(calibration.threshold), adjusted_by),
        };
        // A threshold set below the median leaves no room for a hysteresis.
        let clear = if threshold > median { median + policy.clear_ratio * (threshold - median) } else { threshold };
        Self { threshold, by, clear, median, adjustment: state.adjustment.clone(), calibrated_median }
    }

    /// Whether a score is anomalous.
    #[must_use]
    pub fn is_exceeded(&self, score: f64) -> bool {
        score > self.threshold
    }

    /// Whether a score speaks for normal sound.
    #[must_use]
    pub fn is_clear(&self, score: f64) -> bool {
        score <= self.clear
    }

    /// As [`Calibration::health_index`], with this threshold at 50.
    #[must_use]
    pub fn health_index(&self, score: f64) -> f64 {
        health_index(score, self.median, self.threshold)
    }

    /// The probability that normal sound scores this high or higher, where the environment has moved what is normal.
    #[must_use]
    pub fn p_value(&self, calibration: &Calibration, score: f64) -> f64 {
        calibration.p_value(self.as_calibrated(score))
    }

    /// The score that would have been as normal where the calibration was taken.
    #[must_use]
    pub fn as_calibrated(&self, score: f64) -> f64 {
        let median = self.calibrated_median;
        match &self.adjustment {
            Some(ThresholdAdjustment { offset, factor, .. }) => median + (score - median - offset) / factor,
            None => score,
        }
    }
}
