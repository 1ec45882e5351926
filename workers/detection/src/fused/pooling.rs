//! A spectrogram pooled over time into a short vector.

use ndarray::{Array1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::power::power_of;

/// How a spectrogram is pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Mean level of each mel band, dB: what sounds all the time.
    Level,
    /// How far each of sixteen wider bands swings, dB: the difference of its power's 90 % and 10 % quantiles. A steady
    /// background, whatever its level, is in both and drops out.
    Swing,
    /// How strongly each of sixteen wider bands takes part in the machine's own cycle, in deviations of normal clips. A
    /// background that does not keep time with the machine drops out, steady or not.
    Cycle,
    /// How far the loudest frame of each of sixteen wider bands is above its median power, dB: what sounds for a
    /// moment. A knock in ten seconds of sound hardly moves a mean. A steady background is in both and drops out.
    Moment,
}

impl Pooling {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Level, Self::Swing, Self::Cycle, Self::Moment];

    /// How much it counts beside the others in their mean. A moment is no part of the mean: in most clips the loudest
    /// frames are chance, which would only add its noise.
    pub(super) fn weight(self) -> f64 {
        match self {
            Self::Level | Self::Cycle => 2.0,
            Self::Swing => 1.0,
            Self::Moment => 0.0,
        }
    }
}

/// Length of the swing's and the moment's vectors for spectrograms of so many mel bands.
pub(super) fn wide_len(mels: usize) -> usize {
    WIDE_BANDS.min(mels)
}

/// Mean level of each mel band, dB, `[mels]`.
pub(super) fn level(spectrogram: ArrayView2<'_, f32>) -> Array1<f64> {
    let mut sums = Array1::zeros(spectrogram.ncols());
    for frame in spectrogram.rows() {
        sums.iter_mut().zip(frame).for_each(|(sum, level)| *sum += f64::from(*level));
    }
    sums / spectrogram.nrows() as f64
}

/// How far the loudest frame of each wider band is above its median power, dB.
pub(super) fn moment(spectrogram: ArrayView2<'_, f32>) -> Array1<f64> {
    let crest = |power: &Vec<f64>| {
        let loudest = power.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        10.0 * (loudest / selected_quantile(&mut power.clone(), 0.5).max(f64::MIN_POSITIVE)).log10()
    };
    wide_bands(spectrogram, wide_len(spectrogram.ncols())).iter().map(crest).collect()
}

/// The swing of each wider band, dB.
pub(super) fn swing(spectrogram: ArrayView2<'_, f32>) -> Array1<f64> {
    /// A band that does not swing at all is told from one that does by this share of its power at the most.
    const SMALLEST_SHARE: f64 = 1e-3;
    let of_band = |power: &Vec<f64>| {
        let mut power = power.clone();
        let (low, high) = (selected_quantile(&mut power, 0.1), selected_quantile(&mut power, 0.9));
        10.0 * (high - low).max(SMALLEST_SHARE * high).max(f64::MIN_POSITIVE).log10()
    };
    wide_bands(spectrogram, wide_len(spectrogram.ncols())).iter().map(of_band).collect()
}

const WIDE_BANDS: usize = 16;

/// [`quantile`](crate::calibration::quantile) of values in any order, which it disturbs, without sorting all of them.
fn selected_quantile(values: &mut [f64], probability: f64) -> f64 {
    let position = probability * (values.len() - 1) as f64;
    let below = position.floor() as usize;
    let (_, low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    if above.is_empty() { *low } else { *low + (position - below as f64) * (high - *low) }
}

/// The first mel band of each wider band, and behind them the number of mel bands.
fn wide_edges(mels: usize, bands: usize) -> Vec<usize> {
    (0..=bands).map(|band| (band * mels + bands / 2) / bands.max(1)).collect()
}

/// Each mel band's value, which is that of its wider band, `[mels]`.
pub(super) fn of_mels(of_wide: &[f64], mels: usize) -> Vec<f64> {
    let edges = wide_edges(mels, of_wide.len());
    of_wide
        .iter()
        .zip(edges.windows(2))
        .flat_map(|(value, edge)| std::iter::repeat_n(*value, edge[1] - edge[0]))
        .collect()
}

/// Power of wider bands, each the sum of about as many neighbours, `[bands][frames]`.
pub(super) fn wide_bands(spectrogram: ArrayView2<'_, f32>, bands: usize) -> Vec<Vec<f64>> {
    let edges = wide_edges(spectrogram.ncols(), bands);
    let mut powers = vec![Vec::with_capacity(spectrogram.nrows()); bands];
    let mut of_mels = vec![0.0; spectrogram.ncols()];
    for frame in spectrogram.rows() {
        of_mels.iter_mut().zip(frame).for_each(|(power, level)| *power = power_of(f64::from(*level)));
        for (power, edge) in powers.iter_mut().zip(edges.windows(2)) {
            power.push(of_mels[edge[0]..edge[1]].iter().sum());
        }
    }
    powers
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Axis};

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

    fn distance(pool: fn(ArrayView2<'_, f32>) -> Array1<f64>, one: &Array2<f32>, other: &Array2<f32>) -> f64 {
        let apart = pool(one.view()) - pool(other.view());
        apart.iter().fold(0.0, |greatest, value| greatest.max(value.abs()))
    }

    #[test]
    fn a_steady_background_is_in_the_level_and_not_in_the_swing() {
        let (quiet, loud) = (pulsating(), with_noise(-30.0));
        assert!(distance(level, &quiet, &loud) > 6.0);
        assert!(distance(swing, &quiet, &loud) < 1e-3);
    }

    #[test]
    fn a_gain_moves_level_and_swing_by_itself_and_no_moment() {
        let louder = pulsating().mapv(|level| level + 7.0);
        type Pool = fn(ArrayView2<'_, f32>) -> Array1<f64>;
        for (pool, by_db) in [(level as Pool, 7.0), (swing, 7.0), (moment, 0.0)] {
            let moved = pool(louder.view()) - pool(pulsating().view());
            assert!(moved.iter().all(|moved| (moved - by_db).abs() < 1e-3), "{moved}");
        }
    }

    #[test]
    fn a_knock_moves_its_bands_moment_and_hardly_their_level() {
        let mut knock = pulsating();
        knock.row_mut(100).slice_axis_mut(Axis(0), (20..32).into()).fill(0.0);
        let moved = |pool: fn(ArrayView2<'_, f32>) -> Array1<f64>| pool(knock.view()) - pool(pulsating().view());
        let moments = moved(moment);
        assert!(
            (0..16).all(|band| if (5..8).contains(&band) { moments[band] > 10.0 } else { moments[band] == 0.0 }),
            "{moments}"
        );
        assert!(moved(level).iter().all(|moved| *moved < 0.25), "{}", moved(level));
        let of_mels = of_mels(moments.as_slice().unwrap(), 64);
        assert!(
            of_mels.len() == 64 && of_mels[20] > 10.0 && of_mels[31] > 10.0 && of_mels[19] == 0.0 && of_mels[32] == 0.0
        );
    }

    #[test]
    fn wider_bands_hold_every_mel_band_once() {
        for (mels, bands) in [(64, 16), (40, 16), (16, 16), (7, 7), (128, 16)] {
            let powers = wide_bands(Array2::zeros((3, mels)).view(), bands);
            let sums: Vec<f64> = (0..3).map(|frame| powers.iter().map(|power| power[frame]).sum()).collect();
            assert!(powers.len() == bands && sums.iter().all(|sum| (sum - mels as f64).abs() < 1e-9), "{sums:?}");
            assert!(powers.iter().all(|power| power[0] >= 1.0), "{mels} in {bands}");
        }
    }

    #[test]
    fn a_selected_quantile_is_the_sorted_one() {
        let values: Vec<f64> = (0..57).map(|index| f64::from(index * 37 % 57)).collect();
        let mut ascending = values.clone();
        ascending.sort_by(f64::total_cmp);
        for probability in [0.0, 0.1, 0.33, 0.9, 1.0] {
            let expected = crate::calibration::quantile(&ascending, probability);
            assert_eq!(selected_quantile(&mut values.clone(), probability), expected);
        }
        assert_eq!(selected_quantile(&mut [3.0], 0.9), 3.0);
    }

    #[test]
    fn silence_and_a_single_frame_give_finite_numbers() {
        for spectrogram in [Array2::from_elem((5, 64), -156.5), Array2::from_elem((1, 64), -20.0)] {
            for pool in [level, swing, moment] {
                assert!(pool(spectrogram.view()).iter().all(|value| value.is_finite()));
            }
        }
    }
}
