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
pub const MAX_FALSE_POSITIVE_RATE: f64 = 0.1;

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

/// DCASE Task 2's means over machines. Absent where no machine has the figure.
///
/// 2020 ranked by the arithmetic means; since 2021 it is the harmonic ones, which the worst machine dominates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Means {
    /// Machines that have an AUC: those with test clips of both classes.
    pub machines: usize,
    /// Arithmetic means.
    pub arithmetic: MeanFigures,
    /// Harmonic means, zeros raised to 2.2e-16.
    pub harmonic: MeanFigures,
}

/// One kind of mean of each figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeanFigures {
    /// Of the AUCs.
    pub auc: Option<f64>,
    /// Of the pAUCs.
    pub pauc: Option<f64>,
}

impl Means {
    /// The means over machines, each of which was evaluated alone.
    #[must_use]
    pub fn of(machines: &[Evaluation]) -> Self {
        let aucs: Vec<f64> = machines.iter().filter_map(|machine| machine.auc).collect();
        let paucs: Vec<f64> = machines.iter().filter_map(|machine| machine.pauc).collect();
        let means = |mean: fn(&[f64]) -> Option<f64>| MeanFigures { auc: mean(&aucs), pauc: mean(&paucs) };
        Self {
            machines: aucs.len(),
            arithmetic: means(metrics::arithmetic_mean),
            harmonic: means(metrics::harmonic_mean),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_over_machines_are_dcases() {
        let perfect = evaluate(&[1.0, 2.0], &[3.0, 4.0], 2.5);
        let chance = evaluate(&[1.0, 1.0], &[1.0, 1.0], 2.5);
        let one_class = evaluate(&[1.0], &[], 2.5);
        let means = Means::of(&[perfect, chance, one_class]);
        assert_eq!(means.machines, 2, "a machine without faults has no AUC and counts in no mean");
        assert_eq!(means.arithmetic.auc, Some(0.75));
        assert!((means.harmonic.auc.unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(Means::of(&[one_class]).harmonic.auc, None);
    }

    #[test]
    fn one_figure_of_zero_takes_the_harmonic_mean_to_nearly_zero_but_not_to_nan() {
        // scipy.stats.hmean([2.220446049250313e-16, 0.8, 0.9])
        let mean = metrics::harmonic_mean(&[0.0, 0.8, 0.9]).unwrap();
        assert!((mean - 6.661_338_147_750_936e-16).abs() < 1e-24, "{mean:e}");
    }
}
