//! Counts of a decision against the truth, and what follows from them.

/// Counts of a decision against the truth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Positive, called positive.
    pub true_positives: usize,
    /// Negative, called positive.
    pub false_positives: usize,
    /// Negative, called negative.
    pub true_negatives: usize,
    /// Positive, called negative.
    pub false_negatives: usize,
}

impl Confusion {
    /// Counts with `score > threshold` called abnormal, and abnormal the positive class.
    #[must_use]
    pub fn at_threshold(normal: &[f64], abnormal: &[f64], threshold: f64) -> Self {
        let above = |scores: &[f64]| scores.iter().filter(|score| **score > threshold).count();
        let (true_positives, false_positives) = (above(abnormal), above(normal));
        Self {
            true_positives,
            false_positives,
            true_negatives: normal.len() - false_positives,
            false_negatives: abnormal.len() - true_positives,
        }
    }

    /// The same decisions with the other class positive.
    #[must_use]
    pub fn with_normal_positive(self) -> Self {
        Self {
            true_positives: self.true_negatives,
            false_positives: self.false_negatives,
            true_negatives: self.true_positives,
            false_negatives: self.false_positives,
        }
    }

    /// Of those called positive, the share that is; 0 when none was.
    #[must_use]
    pub fn precision(self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Of the positive, the share that was called so; 0 when there are none.
    #[must_use]
    pub fn recall(self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// Of the negative, the share that was called positive; 0 when there are none.
    #[must_use]
    pub fn false_positive_rate(self) -> f64 {
        ratio(self.false_positives, self.false_positives + self.true_negatives)
    }

    /// Harmonic mean of precision and recall; 0 when nothing positive was found or there.
    #[must_use]
    pub fn f1(self) -> f64 {
        ratio(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)
    }

    /// Share called right; 0 when there is nothing.
    #[must_use]
    pub fn accuracy(self) -> f64 {
        let right = self.true_positives + self.true_negatives;
        ratio(right, right + self.false_positives + self.false_negatives)
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
