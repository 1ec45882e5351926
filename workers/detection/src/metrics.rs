//! ROC, partial ROC and confusion figures. A higher score means more abnormal; abnormal is the positive class.

pub use crate::confusion::Confusion;
use crate::sweep::{OperatingPoint, sweep};

/// Area under the ROC curve: the probability that an abnormal clip scores above a normal one, ties counted half
/// (scikit-learn's `roc_auc_score`). `None` when a class is empty or a score is NaN.
#[must_use]
pub fn roc_auc(normal: &[f64], abnormal: &[f64]) -> Option<f64> {
    roc_area(normal, abnormal, 1.0)
}

/// Area under the ROC curve up to `max_fpr`, standardised so that 0.5 is chance and 1 is perfect (McClish 1989;
/// scikit-learn's `roc_auc_score(max_fpr=...)`). `None` when a class is empty, a score is NaN, or `max_fpr` is not
/// within (0, 1].
#[must_use]
pub fn partial_auc(normal: &[f64], abnormal: &[f64], max_fpr: f64) -> Option<f64> {
    if !(max_fpr > 0.0 && max_fpr <= 1.0) {
        return None;
    }
    let area = roc_area(normal, abnormal, max_fpr)?;
    if max_fpr == 1.0 {
        return Some(area);
    }
    let chance = 0.5 * max_fpr * max_fpr;
    Some(0.5 * (1.0 + (area - chance) / (max_fpr - chance)))
}

/// Area under the ROC curve for false-positive rates of 0 to `max_fpr`, linear between the curve's points.
fn roc_area(normal: &[f64], abnormal: &[f64], max_fpr: f64) -> Option<f64> {
    let mut area = 0.0;
    let (mut fpr, mut tpr) = (0.0, 0.0);
    for OperatingPoint { confusion, .. } in sweep(normal, abnormal)? {
        let (next_fpr, next_tpr) = (confusion.false_positive_rate(), confusion.recall());
        if next_fpr > max_fpr {
            let part = (max_fpr - fpr) / (next_fpr - fpr);
            let tpr_at_max = tpr + part * (next_tpr - tpr);
            return Some(area + (max_fpr - fpr) * f64::midpoint(tpr, tpr_at_max));
        }
        area += (next_fpr - fpr) * f64::midpoint(tpr, next_tpr);
        (fpr, tpr) = (next_fpr, next_tpr);
    }
    Some(area)
}

/// Average precision: the precision at every threshold, weighted by the recall that it adds, without interpolation
/// (scikit-learn's `average_precision_score`). `None` when a class is empty or a score is NaN.
#[must_use]
pub fn average_precision(normal: &[f64], abnormal: &[f64]) -> Option<f64> {
    let mut average = 0.0;
    let mut recall = 0.0;
    for OperatingPoint { confusion, .. } in sweep(normal, abnormal)? {
        average += (confusion.recall() - recall) * confusion.precision();
        recall = confusion.recall();
    }
    Some(average)
}

/// The arithmetic mean; `None` of nothing.
#[must_use]
pub fn arithmetic_mean(figures: &[f64]) -> Option<f64> {
    (!figures.is_empty()).then(|| figures.iter().sum::<f64>() / figures.len() as f64)
}

/// The harmonic mean with every figure raised to at least 2.2e-16, as the DCASE Task 2 baselines have it
/// (`scipy.stats.hmean(numpy.maximum(figures, sys.float_info.epsilon))`): one figure of zero takes the mean to nearly
/// zero. `None` of nothing.
#[must_use]
pub fn harmonic_mean(figures: &[f64]) -> Option<f64> {
    let inverse_sum: f64 = figures.iter().map(|figure| figure.max(f64::EPSILON).recip()).sum();
    (!figures.is_empty()).then(|| figures.len() as f64 / inverse_sum)
}
