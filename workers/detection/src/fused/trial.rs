//! What a part is worth, found out on normal clips alone: held-out ones are altered as faults might alter them, and a
//! part that hardly tells them from unaltered ones is left out. It would only add its noise.
//!
//! The alterations are nobody's real fault. They are of several kinds, so that no part is favoured: bands that are
//! louder or weaker, a hiss, sound that swings more or less, pitch that moves. The part that hears moments is tried on
//! moments: on nothing else is it to say anything.

use ndarray::{Array2, ArrayView2, Axis, Slice};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;

use super::cycle::{Cycle, Spectra};
use super::{FittedPooling, Mahalanobis, Pooling, mean_log, stacked};
use crate::DetectionError;
use crate::metrics::roc_auc;

/// Kinds of alteration, the last of which is a moment's.
pub(super) const KINDS: usize = 8;
const MOMENT: usize = KINDS - 1;

/// A part must be better than chance by at least this share of what the best part is.
const LEAST_SHARE: f64 = 0.35;

/// The AUC with which the part that hears moments must tell clips with one from those without.
const LEAST_OF_MOMENTS: f64 = 0.75;

pub(super) fn rng(seed: u64, clip: usize) -> StdRng {
    StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(clip as u64))
}

/// A spectrogram, `[frames, mels]`, dB, altered.
pub(super) fn altered(kind: usize, normal: ArrayView2<'_, f32>, rng: &mut StdRng) -> Array2<f32> {
    let mut spectrogram = normal.to_owned();
    let mels = normal.ncols();
    match kind {
        0 => gain(&mut spectrogram, -6.0, rng),
        1 => gain(&mut spectrogram, 3.0, rng),
        2 => gain(&mut spectrogram, 6.0, rng),
        3 => hiss(&mut spectrogram, rng),
        4 => swing(&mut spectrogram, 0.6),
        5 => swing(&mut spectrogram, 1.5),
        MOMENT => knock(&mut spectrogram, rng),
        _ => {
            // Half a mel band down.
            for band in 0..mels - 1 {
                let moved = 0.5 * (&normal.column(band) + &normal.column(band + 1));
                spectrogram.column_mut(band).assign(&moved);
            }
        }
    }
    spectrogram
}

/// An eighth of the bands louder or weaker.
fn gain(spectrogram: &mut Array2<f32>, by_db: f32, rng: &mut StdRng) {
    let mels = spectrogram.ncols();
    let width = (mels / 8).max(1);
    let first = rng.random_range(0..=mels - width);
    spectrogram.slice_axis_mut(Axis(1), Slice::from(first..first + width)).mapv_inplace(|level| level + by_db);
}

/// Noise in a quarter of the bands, as strong as what is there on average.
fn hiss(spectrogram: &mut Array2<f32>, rng: &mut StdRng) {
    let mels = spectrogram.ncols();
    let width = (mels / 4).max(1);
    let first = rng.random_range(0..=mels - width);
    let mut bands = spectrogram.slice_axis_mut(Axis(1), Slice::from(first..first + width));
    let power = bands.iter().map(|level| 10_f32.powf(level / 10.0)).sum::<f32>() / bands.len() as f32;
    bands.mapv_inplace(|level| {
        // The power of narrow-band noise in one frame is about exponentially distributed.
        let noise = -power * (1.0 - rng.random::<f32>()).ln();
        10.0 * (10_f32.powf(level / 10.0) + noise).max(f32::MIN_POSITIVE).log10()
    });
}

/// Two frames in which a quarter of the bands are 6 dB above the loudest that they are in the clip.
fn knock(spectrogram: &mut Array2<f32>, rng: &mut StdRng) {
    let (frames, mels) = spectrogram.dim();
    let (width, duration) = ((mels / 4).max(1), frames.min(2));
    let (first, at) = (rng.random_range(0..=mels - width), rng.random_range(0..=frames - duration));
    for mut band in spectrogram.slice_axis_mut(Axis(1), Slice::from(first..first + width)).columns_mut() {
        let loudest = band.fold(f32::NEG_INFINITY, |loudest, level| loudest.max(*level));
        band.slice_axis_mut(Axis(0), Slice::from(at..at + duration)).fill(loudest + 6.0);
    }
}

fn swing(spectrogram: &mut Array2<f32>, factor: f32) {
    for mut band in spectrogram.axis_iter_mut(Axis(1)) {
        let mean = band.sum() / band.len() as f32;
        band.mapv_inplace(|level| mean + factor * (level - mean));
    }
}

/// A part, tried on clips that it was not fitted to.
pub(super) struct TrialFit {
    /// Learned from all clips.
    pub fitted_pooling: FittedPooling,
    /// Each clip's channels through that look, `[channels, n]`.
    pub pooled: Vec<Array2<f64>>,
    /// By fold, fitted to the clips of the others.
    pub distances: Vec<Mahalanobis>,
    /// Logarithm of each held-out clip's distance, fold by fold.
    pub normal: Vec<f64>,
    /// How well it tells them from altered ones, as an AUC.
    pub sensitivity: f64,
}

/// Fits a part to clips (each with its channels) and tries it on each fold with the others' look and distance; `None`
/// for the cycle of a machine that has none. `observe` hears how many folds are done.
pub(super) fn fitted(
    pooling: Pooling,
    clips: &[Vec<ArrayView2<'_, f32>>],
    spectra: &Spectra,
    folds: &[Vec<usize>],
    seed: u64,
    observe: &mut dyn FnMut(usize),
) -> Result<Option<TrialFit>, DetectionError> {
    let everything = |_: usize| true;
    let Some(fitted_pooling) = learned(pooling, clips, spectra, everything) else { return Ok(None) };
    let pooled = pool_all(&fitted_pooling, clips);
    let (mut distances, mut normal, mut first_channel) = (Vec::new(), Vec::new(), Vec::new());
    let kinds = if pooling == Pooling::Moment { MOMENT..KINDS } else { 0..MOMENT };
    let mut altered_logs: Vec<Vec<f64>> = vec![Vec::new(); kinds.len()];
    for (number, fold) in folds.iter().enumerate() {
        let is_fitted = |clip: usize| !fold.contains(&clip);
        let of_fold = match &fitted_pooling {
            FittedPooling::Cycle(_) => match learned(pooling, clips, spectra, is_fitted) {
                // Four fifths of the clips do not agree on a cycle: then it is none to rely on.
                None => return Ok(None),
                Some(fitted_pooling) => Some((pool_all(&fitted_pooling, clips), fitted_pooling)),
            },
            FittedPooling::Level | FittedPooling::Swing | FittedPooling::Moment => None,
        };
        let (pooled, fitted_pooling) =
            of_fold.as_ref().map_or((&pooled, &fitted_pooling), |(pooled, fitted_pooling)| (pooled, fitted_pooling));
        let distance = Mahalanobis::fit(&stacked(pooled, is_fitted))?;
        let tried: Vec<Vec<f64>> = fold
            .par_iter()
            .map(|clip| {
                let mut rng = rng(seed, *clip);
                let of_kind = |kind| {
                    let changed = altered(kind, clips[*clip][0], &mut rng);
                    distance.distance(fitted_pooling.pool(changed.view()).view()).ln()
                };
                kinds.clone().map(of_kind).collect()
            })
            .collect();
        for (clip, logs) in fold.iter().zip(tried) {
            normal.push(mean_log(&distance, &pooled[*clip]));
            first_channel.push(distance.distance(pooled[*clip].row(0)).ln());
            for (of_kind, log) in altered_logs.iter_mut().zip(logs) {
                of_kind.push(log);
            }
        }
        distances.push(distance);
        observe(number + 1);
    }
    let sensitivity = sensitivity(&first_channel, &altered_logs);
    Ok(Some(TrialFit { fitted_pooling, pooled, distances, normal, sensitivity }))
}

/// The look of the clips that are used.
fn learned(
    pooling: Pooling,
    clips: &[Vec<ArrayView2<'_, f32>>],
    spectra: &Spectra,
    is_used: impl Fn(usize) -> bool,
) -> Option<FittedPooling> {
    match pooling {
        Pooling::Level => Some(FittedPooling::Level),
        Pooling::Swing => Some(FittedPooling::Swing),
        Pooling::Moment => Some(FittedPooling::Moment),
        Pooling::Cycle => {
            let used = clips.iter().enumerate().filter(|(clip, _)| is_used(*clip));
            let channels: Vec<_> = used.flat_map(|(_, channels)| channels.iter().copied()).collect();
            Cycle::fit(&channels, &spectra.mean(&is_used), spectra).map(FittedPooling::Cycle)
        }
    }
}

fn pool_all(fitted_pooling: &FittedPooling, clips: &[Vec<ArrayView2<'_, f32>>]) -> Vec<Array2<f64>> {
    clips.par_iter().map(|channels| fitted_pooling.pool_channels(channels)).collect()
}

/// AUC of altered clips against unaltered ones, mean over kinds.
pub(super) fn sensitivity(normal: &[f64], altered: &[Vec<f64>]) -> f64 {
    let aucs: Vec<f64> = altered.iter().filter_map(|of_kind| roc_auc(normal, of_kind)).collect();
    aucs.iter().sum::<f64>() / aucs.len().max(1) as f64
}

/// The parts worth keeping. The level always is: it explains. A cycle that is worth it replaces the swing: it is what
/// of the swing comes again and again, and the rest of the swing is as much the background's.
pub(super) fn keep(mut tried: Vec<TrialFit>) -> Vec<TrialFit> {
    let better_than_chance = |part: &TrialFit| part.sensitivity - 0.5;
    let of_mean = tried.iter().filter(|part| part.fitted_pooling.pooling() != Pooling::Moment);
    let best = of_mean.map(better_than_chance).fold(0.0, f64::max);
    tried.retain(|part| match part.fitted_pooling.pooling() {
        Pooling::Level => true,
        Pooling::Swing | Pooling::Cycle => better_than_chance(part) >= LEAST_SHARE * best,
        Pooling::Moment => part.sensitivity >= LEAST_OF_MOMENTS,
    });
    if tried.iter().any(|part| part.fitted_pooling.pooling() == Pooling::Cycle) {
        tried.retain(|part| part.fitted_pooling.pooling() != Pooling::Swing);
    }
    tried
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_notices_nothing_is_left_out_and_the_level_never() {
        let tried = |fitted_pooling, sensitivity| TrialFit {
            fitted_pooling,
            pooled: Vec::new(),
            distances: Vec::new(),
            normal: Vec::new(),
            sensitivity,
        };
        let kept = |level, swing| -> Vec<Pooling> {
            let kept = keep(vec![tried(FittedPooling::Level, level), tried(FittedPooling::Swing, swing)]);
            kept.into_iter().map(|part| part.fitted_pooling.pooling()).collect()
        };
        assert_eq!(kept(0.5, 0.75), [Pooling::Level, Pooling::Swing]);
        assert_eq!(kept(0.75, 0.53), [Pooling::Level]);

        let with_moment = |of_moments| {
            keep(vec![
                tried(FittedPooling::Level, 0.6),
                tried(FittedPooling::Swing, 0.6),
                tried(FittedPooling::Moment, of_moments),
            ])
            .len()
        };
        assert_eq!((with_moment(0.99), with_moment(0.7)), (3, 2), "and the others' shares are their own");
    }

    #[test]
    fn every_alteration_changes_the_clip_and_keeps_it_finite() {
        let normal = Array2::from_shape_fn((40, 32), |(frame, mel)| ((frame * 7 + mel * 3) % 11) as f32 - 40.0);
        for kind in 0..KINDS {
            let changed = altered(kind, normal.view(), &mut rng(1, 2));
            assert!(changed != normal && changed.iter().all(|level| level.is_finite()), "kind {kind}");
            assert_eq!(changed, altered(kind, normal.view(), &mut rng(1, 2)), "kind {kind}");
        }
    }
}
