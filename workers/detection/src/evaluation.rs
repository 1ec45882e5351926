//! How good a model is on labelled clips, in one object.

use serde::Serialize;

use crate::metrics::{self, Confusion};

/// Precision, recall, F1 and accuracy with one class taken as the positive one. 0 where a ratio has no denominator.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rates {
    /// Of those called positive, the share that is.
    pub precision: f64,
    /// Of the positive, the share that was called so.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Share called right, of either class.
    pub accuracy: f64,
}

/// A model's figures on labelled clips.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Evaluation {
    /// Area under the ROC curve, ties counted half; absent when one class has no clips.
    pub auc: Option<f64>,
    /// Partial AUC up to a false-positive rate of 0.1, standardised; absent when one class has no clips.
    pub pauc: Option<f64>,
    /// Scores above it were called abnormal.
    pub threshold: f64,
    /// Normal clips.
    pub n_normal: usize,
    /// Abnormal clips.
    pub n_abnormal: usize,
    /// Precision, recall, F1 and accuracy with the abnormal class positive.
    #[serde(flatten)]
    pub abnormal_positive: Rates,
    /// The same with the normal class positive, as the reference method reports them.
    pub normal_positive: Rates,
    /// Abnormal clips called abnormal.
    pub true_alarms: usize,
    /// Normal clips called abnormal.
    pub false_alarms: usize,
}

/// The pAUC's highest false-positive rate (DCASE Task 2).
const MAX_FALSE_POSITIVE_RATE: f64 = 0.1;

/// Evaluates the scores of labelled clips.
#[must_use]
pub fn evaluate(normal: &[f64], abnormal: &[f64], threshold: f64) -> Evaluation {
    let confusion = Confusion::at_threshold(normal, abnormal, threshold);
    let rates = |confusion: Confusion| Rates {
        precision: confusion.precision(),
        recall: confusion.recall(),
        f1: confusion.f1(),
        accuracy: confusion.accuracy(),
    };
    Evaluation {
        auc: metrics::roc_auc(normal, abnormal),
        pauc: metrics::partial_auc(normal, abnormal, MAX_FALSE_POSITIVE_RATE),
        threshold,
        n_normal: normal.len(),
        n_abnormal: abnormal.len(),
        abnormal_positive: rates(confusion),
        normal_positive: rates(confusion.with_normal_positive()),
        true_alarms: confusion.true_positives,
        false_alarms: confusion.false_positives,
    }
}
