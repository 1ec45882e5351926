//! Every decision that some threshold would lead to: what the ROC, precision-recall and threshold curves are drawn
//! from.
//!
//! ```text
//!  threshold   ∞ … the highest score   the next lower score   …   below every score
//!  called      none                    the highest            …   all
//!  ROC         (0, 0)                                          …   (1, 1)
//! ```

use crate::confusion::Confusion;

/// What a threshold would lead to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingPoint {
    /// Scores above it are called abnormal.
    pub threshold: f64,
    /// The counts, with the abnormal class positive.
    pub confusion: Confusion,
}

/// All operating points, from the highest score as the threshold (nothing is abnormal) down to minus infinity
/// (everything is).
///
/// Clips of one score cross the threshold together, so there is one point for each distinct score, and one below them
/// all. `None` when a class is empty or a score is NaN: then no curve means anything.
#[must_use]
pub fn sweep(normal: &[f64], abnormal: &[f64]) -> Option<Vec<OperatingPoint>> {
    let has_nan = normal.iter().chain(abnormal).any(|score| score.is_nan());
    if normal.is_empty() || abnormal.is_empty() || has_nan {
        return None;
    }
    let labelled = normal.iter().map(|score| (*score, false)).chain(abnormal.iter().map(|score| (*score, true)));
    let mut descending: Vec<(f64, bool)> = labelled.collect();
    descending.sort_by(|a, b| b.0.total_cmp(&a.0));

    let mut confusion =
        Confusion { true_negatives: normal.len(), false_negatives: abnormal.len(), ..Confusion::default() };
    let mut points = Vec::new();
    for tied in descending.chunk_by(|a, b| a.0 == b.0) {
        points.push(OperatingPoint { threshold: tied[0].0, confusion });
        let positives = tied.iter().filter(|(_, is_abnormal)| *is_abnormal).count();
        confusion.true_positives += positives;
        confusion.false_negatives -= positives;
        confusion.false_positives += tied.len() - positives;
        confusion.true_negatives -= tied.len() - positives;
    }
    points.push(OperatingPoint { threshold: f64::NEG_INFINITY, confusion });
    Some(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_goes_from_nothing_called_to_everything_called_and_ties_go_together() {
        let points = sweep(&[1.0, 2.0, 2.0], &[2.0, 3.0]).unwrap();
        let counts = |point: &OperatingPoint| (point.confusion.false_positives, point.confusion.true_positives);
        assert_eq!(points.iter().map(counts).collect::<Vec<_>>(), [(0, 0), (0, 1), (2, 2), (3, 2)]);
        assert_eq!(points.iter().map(|point| point.threshold).collect::<Vec<_>>(), [3.0, 2.0, 1.0, f64::NEG_INFINITY]);
    }

    #[test]
    fn every_point_is_what_its_threshold_would_decide() {
        let (normal, abnormal) = ([0.5, 1.0, 1.0, 4.0], [1.0, 2.0, 4.0, 9.0]);
        for point in sweep(&normal, &abnormal).unwrap() {
            assert_eq!(point.confusion, Confusion::at_threshold(&normal, &abnormal, point.threshold), "{point:?}");
        }
    }
}
