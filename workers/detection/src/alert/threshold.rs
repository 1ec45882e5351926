//! The threshold that scores are compared with: the model's, or one changed by an operator or the environment.

use auscult_schemas::{ScorerState, ThresholdAdjustment, ThresholdEdit};

use crate::Calibration;
use crate::alert_policy::AlertPolicy;
use crate::calibration::{health_index, quantile};

/// The current thresholds of one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldThreshold {
    /// Scores above it are anomalous.
    pub threshold: f64,
    /// Who or what set it; `None` if it is the model's own.
    pub by: Option<String>,
    /// Scores at or below it are normal again. Scores between the two are evidence neither for nor against a fault.
    pub clear: f64,
    /// The median of normal scores.
    pub median: f64,
    adjustment: Option<ThresholdAdjustment>,
    calibrated_median: f64,
}

impl HeldThreshold {
    /// An operator's threshold takes precedence over the environment's: a number is used unchanged. A factor applies to
    /// the model's threshold, and moves with the environment as that does.
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
        // A threshold below the median leaves no room for hysteresis.
        let clear = if threshold > median { median + policy.clear_ratio * (threshold - median) } else { threshold };
        Self { threshold, by, clear, median, adjustment: state.adjustment.clone(), calibrated_median }
    }

    /// Whether a score is anomalous.
    #[must_use]
    pub fn is_exceeded(&self, score: f64) -> bool {
        score > self.threshold
    }

    /// Whether a score is evidence of normal sound.
    #[must_use]
    pub fn is_clear(&self, score: f64) -> bool {
        score <= self.clear
    }

    /// As [`Calibration::health_index`], with this threshold at 50.
    #[must_use]
    pub fn health_index(&self, score: f64) -> f64 {
        health_index(score, self.median, self.threshold)
    }

    /// The probability that normal sound scores this high or higher, adjusted to the environment.
    #[must_use]
    pub fn p_value(&self, calibration: &Calibration, score: f64) -> f64 {
        calibration.p_value(self.as_calibrated(score))
    }

    /// The score converted to the scale of the calibration: the score that would be equally normal there.
    #[must_use]
    pub fn as_calibrated(&self, score: f64) -> f64 {
        let median = self.calibrated_median;
        match &self.adjustment {
            Some(ThresholdAdjustment { offset, factor, .. }) => median + (score - median - offset) / factor,
            None => score,
        }
    }
}
