//! A spectrogram pooled over time into a short vector, in three ways that notice different things.

use ndarray::{Array1, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::calibration::quantile;

/// How a spectrogram is pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Mean level of each mel band, dB: what sounds all the time.
    Level,
    /// How far each of sixteen wider bands swings, dB: the difference of its power's 90 % and 10 % quantiles. A steady background, whatever
    /// its level, is in both and drops out.
    Swing,
    /// How strongly each of twelve wider bands takes part in what all of them do together, dB: the loadings of one common factor of
    /// their amplitudes. Noise is not common to the bands and drops out.
    Rhythm,
}

impl Pooling {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Level, Self::Swing, Self::Rhythm];

    /// How much it counts beside the others.
    pub(super) fn weight(self) -> f64 {
        match self {
            Self::Level => 2.0,
            Self::Swing | Self::Rhythm => 1.0,
        }
    }

    /// Length of the vector for spectrograms of so many mel bands.
    #[must_use]
    pub fn len(self, mels: usize) -> usize {
        match self {
            Self::Level => mels,
            Self::Swing => SWING_BANDS.min(mels),
            Self::Rhythm => RHYTHM_BANDS.min(mels),
        }
    }

    /// Pools a spectrogram, `[frames, mels]`, dB.
    #[must_use]
    pub fn pool(self, spectrogram: ArrayView2<'_, f32>) -> Array1<f64> {
        let bands = self.len(spectrogram.ncols());
        match self {
            Self::Level => spectrogram.columns().into_iter().map(mean).collect(),
            Self::Swing => swing(&wide_bands(spectrogram, bands)),
            Self::Rhythm => rhythm(&wide_bands(spectrogram, bands)),
        }
    }
}

const SWING_BANDS: usize = 16;
const RHYTHM_BANDS: usize = 12;

fn mean(column: ndarray::ArrayView1<'_, f32>) -> f64 {
    column.iter().map(|value| f64::from(*value)).sum::<f64>() / column.len() as f64
}

/// Power of wider bands, each the sum of as many neighbours, `[bands][frames]`. Mel bands left over at the top are not used.
fn wide_bands(spectrogram: ArrayView2<'_, f32>, bands: usize) -> Vec<Vec<f64>> {
    /// `10^(x / 10)` is `e^(x * ln 10 / 10)`, and the latter is the cheaper.
    const NEPERS_A_DECIBEL: f64 = std::f64::consts::LN_10 / 10.0;
    let width = spectrogram.ncols() / bands;
    let power_at = |frame: usize, band: usize| {
        let within = spectrogram.row(frame);
        (band * width..(band + 1) * width).map(|mel| (f64::from(within[mel]) * NEPERS_A_DECIBEL).exp()).sum::<f64>()
    };
    (0..bands).map(|band| (0..spectrogram.nrows()).map(|frame| power_at(frame, band)).collect()).collect()
}

fn swing(bands: &[Vec<f64>]) -> Array1<f64> {
    /// A band that does not swing at all is told from one that does by this share of its power at the most.
    const SMALLEST_SHARE: f64 = 1e-3;
    let of_band = |power: &Vec<f64>| {
        let mut ascending = power.clone();
        ascending.sort_by(f64::total_cmp);
        let (low, high) = (quantile(&ascending, 0.1), quantile(&ascending, 0.9));
        10.0 * (high - low).max(SMALLEST_SHARE * high).max(f64::MIN_POSITIVE).log10()
    };
    bands.iter().map(of_band).collect()
}

/// Loadings of the first common factor of the bands' amplitudes (principal factor analysis: the diagonal of the covariance is
/// replaced by what the factor explains of it, and the first eigenvector taken, until the two agree).
fn rhythm(bands: &[Vec<f64>]) -> Array1<f64> {
    const ROUNDS: usize = 20;
    /// Loadings below this share of the greatest are as good as none.
    const SMALLEST_SHARE: f64 = 1e-3;
    let count = bands.len();
    let centred: Vec<Vec<f64>> = bands
        .iter()
        .map(|power| {
            let amplitude: Vec<f64> = power.iter().map(|power| power.sqrt()).collect();
            let mean = amplitude.iter().sum::<f64>() / amplitude.len() as f64;
            amplitude.into_iter().map(|value| value - mean).collect()
        })
        .collect();
    let frames = centred.first().map_or(1, Vec::len) as f64;
    let covariance =
        |one: usize, other: usize| centred[one].iter().zip(&centred[other]).map(|(a, b)| a * b).sum::<f64>() / frames;
    let mut matrix = ndarray::Array2::from_shape_fn((count, count), |(one, other)| covariance(one, other));
    let variance: Vec<f64> = (0..count).map(|band| matrix[[band, band]]).collect();
    let mut common: Vec<f64> = variance.iter().map(|variance| 0.5 * variance).collect();
    let mut loadings = Array1::from_elem(count, 1.0);
    for _ in 0..ROUNDS {
        for band in 0..count {
            matrix[[band, band]] = common[band];
        }
        loadings = first_eigenvector(&matrix, &loadings);
        for band in 0..count {
            common[band] = (loadings[band] * loadings[band]).min(variance[band]);
        }
    }
    let greatest = loadings.iter().fold(f64::MIN_POSITIVE, |greatest, loading| greatest.max(loading.abs()));
    loadings.mapv(|loading| 20.0 * loading.abs().max(SMALLEST_SHARE * greatest).log10())
}

/// The eigenvector of the greatest eigenvalue, as long as that eigenvalue's root, by power iteration from a first guess.
fn first_eigenvector(matrix: &ndarray::Array2<f64>, guess: &Array1<f64>) -> Array1<f64> {
    const ROUNDS: usize = 50;
    let length = |vector: &Array1<f64>| vector.dot(vector).sqrt();
    let mut vector = guess / length(guess).max(f64::MIN_POSITIVE);
    let mut eigenvalue = 0.0;
    for _ in 0..ROUNDS {
        let next = matrix.dot(&vector);
        eigenvalue = length(&next);
        if eigenvalue <= f64::MIN_POSITIVE {
            return vector * f64::MIN_POSITIVE.sqrt();
        }
        vector = next / eigenvalue;
    }
    vector * eigenvalue.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// Eight seconds in which all bands rise and fall together, twice a second.
    fn pulsating() -> Array2<f32> {
        Array2::from_shape_fn((250, 64), |(frame, mel)| {
            let swing = (frame as f32 * 0.032 * std::f32::consts::TAU * 2.0).sin();
            -30.0 - 0.2 * mel as f32 + 6.0 * swing
        })
    }

    /// The same with a steady noise beside it, dB.
    fn with_noise(noise_db: f32) -> Array2<f32> {
        pulsating().mapv(|level| 10.0 * (10_f32.powf(level / 10.0) + 10_f32.powf(noise_db / 10.0)).log10())
    }

    fn distance(pooling: Pooling, one: &Array2<f32>, other: &Array2<f32>) -> f64 {
        let apart = pooling.pool(one.view()) - pooling.pool(other.view());
        apart.iter().fold(0.0, |greatest, value| greatest.max(value.abs()))
    }

    #[test]
    fn a_steady_background_is_in_the_level_and_not_in_the_swing() {
        let (quiet, loud) = (pulsating(), with_noise(-30.0));
        assert!(distance(Pooling::Level, &quiet, &loud) > 6.0);
        assert!(distance(Pooling::Swing, &quiet, &loud) < 1e-3);
    }

    #[test]
    fn a_gain_moves_all_three_by_itself() {
        let louder = pulsating().mapv(|level| level + 7.0);
        for pooling in Pooling::ALL {
            let moved = pooling.pool(louder.view()) - pooling.pool(pulsating().view());
            assert!(moved.iter().all(|moved| (moved - 7.0).abs() < 1e-3), "{pooling:?}: {moved}");
        }
    }

    #[test]
    fn a_band_that_stops_taking_part_is_seen_in_the_rhythm() {
        let mut broken = pulsating();
        broken.slice_axis_mut(ndarray::Axis(1), ndarray::Slice::from(20..25)).fill(-34.0);
        let lost = Pooling::Rhythm.pool(broken.view()) - Pooling::Rhythm.pool(pulsating().view());
        let (band, least) = lost.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        assert!(band == 4 && *least < -20.0, "{lost}");
    }

    #[test]
    fn silence_and_a_single_frame_give_finite_numbers() {
        for spectrogram in [Array2::from_elem((5, 64), -156.5), Array2::from_elem((1, 64), -20.0)] {
            for pooling in Pooling::ALL {
                let pooled = pooling.pool(spectrogram.view());
                assert!(pooled.len() == pooling.len(64) && pooled.iter().all(|value| value.is_finite()), "{pooled}");
            }
        }
    }
}
