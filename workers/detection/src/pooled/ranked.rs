//! Global weighted ranking pooling: one number a band, between its loudest frame and its mean.
//!
//! A band's frames are sorted from loud to quiet and weighted by `r^i / Σ r^j` (Kolesnikov and Lampert, *Seed, Expand
//! and Constrain*, 2016; for machine sound: Guan et al., *Time-weighted frequency domain audio representation*, 2022).
//! With `r = 1` that is the mean, which steady faults move; with `r = 0` the maximum, which a knock moves.

use ndarray::{Array1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// How a band's frames become one number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankPooling {
    /// The mean weighted by rank, `r` within 0 (maximum) and 1 (mean).
    Ranked(f64),
    /// The quietest frame: what is there even between two strokes.
    Minimum,
}

impl RankPooling {
    /// The mean over time.
    pub const MEAN: Self = Self::Ranked(1.0);

    /// Whether it is one that means something.
    #[must_use]
    pub fn is_sound(self) -> bool {
        match self {
            Self::Ranked(r) => (0.0..=1.0).contains(&r),
            Self::Minimum => true,
        }
    }

    /// Pools one band's levels, which descend and are at least one, dB.
    fn pool(self, descending: &[f64]) -> f64 {
        match self {
            Self::Ranked(r) => {
                let (mut sum, mut weights, mut weight) = (0.0, 0.0, 1.0);
                for level in descending {
                    sum += weight * level;
                    weights += weight;
                    weight *= r;
                }
                sum / weights
            }
            Self::Minimum => descending[descending.len() - 1],
        }
    }
}

/// Pools a spectrogram, `[frames, mels]`, dB, at least one frame, in several ways; each gives `[mels]`, dB.
#[must_use]
pub fn pool_all(poolings: &[RankPooling], spectrogram: ArrayView2<'_, f32>) -> Vec<Array1<f64>> {
    let mut pooled = vec![Array1::zeros(spectrogram.ncols()); poolings.len()];
    let mut levels: Vec<f64> = Vec::with_capacity(spectrogram.nrows());
    for (band, column) in spectrogram.axis_iter(Axis(1)).enumerate() {
        levels.clear();
        levels.extend(column.iter().map(|level| f64::from(*level)));
        levels.sort_unstable_by(|a, b| b.total_cmp(a));
        for (vector, pooling) in pooled.iter_mut().zip(poolings) {
            vector[band] = pooling.pool(&levels);
        }
    }
    pooled
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn one_is_the_mean_nought_the_maximum_and_between_them_ranks_count() {
        let spectrogram = array![[1.0_f32, -3.0], [4.0, -1.0], [2.0, -2.0]];
        let poolings = [RankPooling::MEAN, RankPooling::Ranked(0.0), RankPooling::Ranked(0.5), RankPooling::Minimum];
        let pooled = pool_all(&poolings, spectrogram.view());
        // (4 + 2 / 2 + 1 / 4) / (1 + 1 / 2 + 1 / 4)
        let expected =
            [array![7.0 / 3.0, -2.0], array![4.0, -1.0], array![5.25 / 1.75, -2.75 / 1.75], array![1.0, -3.0]];
        for (found, expected) in pooled.iter().zip(&expected) {
            assert!((found - expected).iter().all(|apart| apart.abs() < 1e-12), "{found} {expected}");
        }
    }

    #[test]
    fn an_r_outside_nought_to_one_means_nothing() {
        assert!(!RankPooling::Ranked(1.1).is_sound() && !RankPooling::Ranked(f64::NAN).is_sound());
        assert!(RankPooling::Ranked(0.0).is_sound() && RankPooling::Minimum.is_sound());
    }
}
