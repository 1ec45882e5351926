//! Finds training clips that do not belong to the set: a fault among normal clips, another machine, a clip of the yard.
//!
//! ```text
//!  levels, cycle or swing of all clips
//!        │
//!        ├─► the nearest 80 %, fitted and held out in turn, until they stay the same      a core with few outliers
//!        ├─► add all within 2.5 robust deviations, until the core stays the same
//!        └─► held-out distance of each clip ─► Student's probability ─► any outlier? ─► which? ─┬─► foreign: excluded
//!                                                                    a tenth of all, similar ───┴─► own mode: kept
//! ```
//!
//! A distance that was fitted to a fault treats the fault as normal; one fault in a hundred clips is enough to hide
//! faults of its kind. Therefore no clip is measured by a fit that includes this clip or one with a similar distance
//! (concentration steps as in Rousseeuw and Van Driessen, *A fast algorithm for the minimum covariance determinant
//! estimator*, 1999, here with shrunk covariances and held-out distances). No labels are used.
//!
//! The core must not be too small: a background in only a few clips is explained by those clips only. With a core of 70
//! % of the clips and a growth limit of two deviations, fourteen of a hundred normal clips in factory noise at 0 dB
//! were foreign to each other's core; with 80 % and 2.5 deviations, none were.

mod modes;
mod statistics;

use std::collections::BTreeSet;

use ndarray::{Array2, Axis};
use rayon::prelude::*;

use self::modes::modes;
use self::statistics::{chance_above, discoveries, robust_deviations};
use super::unlike::{ChannelClips, unlike_channels};
use super::{TrainingClip, TrainingOptions, split};
use crate::DetectionError;
use crate::calibration::MIN_CLIPS;
use crate::fused::{ClipVectors, Mahalanobis, clip_vectors};

/// Share of clips in the initial core.
const CORE_SHARE: f64 = 0.8;
/// A clip within this many robust deviations joins the core.
const NEAR: f64 = 2.5;
/// Probability that any clip of a clean set is excluded.
const FALSE_SUSPICION: f64 = 0.05;
/// Expected share of false ones among the excluded clips, in a set that is not clean.
const FALSE_DISCOVERIES: f64 = 0.1;
/// If more clips than this are foreign, the folder is probably wrong, and nothing is excluded.
const MOST_FOREIGN: f64 = 0.25;
/// Number of folds, both as segments of the clips' order and interleaved.
const FOLDS: usize = 5;
/// Maximum number of rounds for selecting the core, and for growing it.
const ROUNDS: usize = 12;

/// The result of a screening.
#[derive(Debug, Clone, PartialEq)]
pub struct Screening {
    /// For each clip in order, whether the others do not explain it.
    pub is_foreign: Vec<bool>,
    /// How many robust deviations each clip's held-out distance is above the others' median.
    pub deviations: Vec<f64>,
    /// The probability of this distance for a clip that belongs to the set.
    pub chances: Vec<f64>,
    /// Groups of clips, a tenth of all or more, that are similar to each other and different from the others: probably
    /// another operating mode of the machine. They are kept.
    pub modes: Vec<Vec<usize>>,
    /// Number of foreign clips, if there are so many that nothing was excluded: is it one machine?
    pub too_many: Option<usize>,
}

impl Screening {
    /// The result in which every clip belongs to the set.
    #[must_use]
    pub fn none(clips: usize) -> Self {
        Self {
            is_foreign: vec![false; clips],
            deviations: vec![0.0; clips],
            chances: vec![1.0; clips],
            modes: Vec::new(),
            too_many: None,
        }
    }

    /// The foreign clips.
    pub fn foreign(&self) -> impl Iterator<Item = usize> + '_ {
        self.is_foreign.iter().enumerate().filter(|(_, is_foreign)| **is_foreign).map(|(clip, _)| clip)
    }
}

/// Finds foreign clips, whatever detector is to be trained. At least ten clips are required.
///
/// # Errors
/// [`DetectionError::Training`] if all clips are copies of one.
pub fn screen(clips: &[TrainingClip], options: &TrainingOptions) -> Result<Screening, DetectionError> {
    let count = clips.len();
    if count <= MIN_CLIPS + 1 {
        return Ok(Screening::none(count));
    }
    match unlike_channels(clips, options.spec.n_mels) {
        Some(channels) => screen_each(count, &channels, options),
        None => screen_together(clips, options, 1),
    }
}

/// Screens dissimilar channels separately, as they are scored: a deviation in one channel is found, and a channel
/// without information makes no clip foreign.
fn screen_each(
    count: usize,
    channels: &[ChannelClips],
    options: &TrainingOptions,
) -> Result<Screening, DetectionError> {
    let mut whole = Screening::none(count);
    let mut modes: Vec<BTreeSet<usize>> = Vec::new();
    let mut too_many = Vec::new();
    for ChannelClips { places, clips } in channels {
        // Corrects for the number of channels, each of which may find a false foreign clip.
        let alone = screen_together(clips, options, channels.len())?;
        too_many.extend(alone.too_many);
        // The channel is bad, not the clips.
        if alone.too_many.is_some() {
            continue;
        }
        for (at, place) in places.iter().enumerate() {
            whole.is_foreign[*place] |= alone.is_foreign[at];
            if alone.chances[at] < whole.chances[*place] {
                (whole.chances[*place], whole.deviations[*place]) = (alone.chances[at], alone.deviations[at]);
            }
        }
        for mode in alone.modes {
            let mode: BTreeSet<usize> = mode.into_iter().map(|at| places[at]).collect();
            match modes.iter_mut().find(|known| !known.is_disjoint(&mode)) {
                Some(known) => known.extend(mode),
                None => modes.push(mode),
            }
        }
    }
    // A clip that one channel assigns to a separate mode may be foreign in another channel.
    modes.iter().flatten().for_each(|place| whole.is_foreign[*place] = false);
    whole.modes = modes.into_iter().map(|mode| mode.into_iter().collect()).collect();
    whole.too_many = (too_many.len() == channels.len()).then(|| too_many.into_iter().max()).flatten();
    let found = whole.foreign().count();
    if found as f64 > MOST_FOREIGN * count as f64 || count - found < MIN_CLIPS {
        whole.too_many = Some(found);
        whole.is_foreign = vec![false; count];
    }
    Ok(whole)
}

/// Screens all channels with one detector. `tests` is the number of screenings of the same clips.
fn screen_together(
    clips: &[TrainingClip],
    options: &TrainingOptions,
    tests: usize,
) -> Result<Screening, DetectionError> {
    let count = clips.len();
    let step_s = options.spec.hop_length as f64 / f64::from(options.spec.sample_rate_hz);
    let views: Vec<Vec<_>> =
        clips.iter().map(|clip| clip.channels.iter().map(|channel| channel.view()).collect()).collect();
    let vectors = clip_vectors(&views, step_s);
    // Neighbours explain each other, and a clip that is alone in its session has no neighbours. Both ways of holding
    // out are used: a segment not explained without itself may be a session, and so may a clip explained only by its
    // neighbours. A clip that neither explains is foreign.
    let (stretches, dealt) = (split::stretches(clips, FOLDS), split::dealt(clips, FOLDS));
    let by_stretch = Distances { vectors: &vectors, folds: &stretches };
    let by_deal = Distances { vectors: &vectors, folds: &dealt };

    let mut core = by_deal.core()?;
    let mut other_core = by_stretch.core()?;
    let mut judged = self::judged(&by_deal.grown(&mut core, &[])?, &by_stretch.grown(&mut other_core, &[])?, tests);
    let modes = modes(&vectors[0], &core, &judged.foreign)?;
    if !modes.is_empty() {
        let kept: Vec<usize> = modes.iter().flatten().copied().collect();
        judged = self::judged(&by_deal.grown(&mut core, &kept)?, &by_stretch.grown(&mut other_core, &kept)?, tests);
        kept.iter().for_each(|clip| judged.foreign[*clip] = false);
    }
    let Judged { deviations, chances, foreign } = judged;
    let found = foreign.iter().filter(|foreign| **foreign).count();
    if found as f64 > MOST_FOREIGN * count as f64 || count - found < MIN_CLIPS {
        let is_foreign = vec![false; count];
        return Ok(Screening { is_foreign, deviations, chances, modes, too_many: Some(found) });
    }
    Ok(Screening { is_foreign: foreign, deviations, chances, modes, too_many: None })
}

struct Judged {
    deviations: Vec<f64>,
    chances: Vec<f64>,
    foreign: Vec<bool>,
}

/// Combines two ways of holding out: the smaller deviation counts.
fn judged(one: &[f64], other: &[f64], tests: usize) -> Judged {
    let count = one.len();
    let foreign_to = |deviations: &[f64]| -> Vec<bool> {
        let chances: Vec<f64> = deviations.iter().map(|deviation| chance_above(*deviation, count)).collect();
        // If all clips belong to the set, each discovery is false: then this is the probability of any discovery.
        let is_suspect = discoveries(&chances, FALSE_SUSPICION / tests as f64).contains(&true);
        if is_suspect { discoveries(&chances, FALSE_DISCOVERIES / tests as f64) } else { vec![false; count] }
    };
    let foreign = foreign_to(one).iter().zip(foreign_to(other)).map(|(one, other)| *one && other).collect();
    let deviations: Vec<f64> = one.iter().zip(other).map(|(one, other)| one.min(*other)).collect();
    let chances = deviations.iter().map(|deviation| chance_above(*deviation, count)).collect();
    Judged { deviations, chances, foreign }
}

/// Held-out distances of all clips from a core.
struct Distances<'a> {
    vectors: &'a [ClipVectors],
    folds: &'a [Vec<usize>],
}

impl Distances<'_> {
    /// Each clip's distance, in robust deviations, from a core without the clip's own fold.
    fn of(&self, core: &[bool]) -> Result<Vec<f64>, DetectionError> {
        let mut sum = vec![0.0; core.len()];
        let mut weights = 0.0;
        for ClipVectors { weight, vectors } in self.vectors {
            let of_fold = |fold: &Vec<usize>| -> Result<Vec<(usize, f64)>, DetectionError> {
                let fitted = stacked(vectors, |clip| core[clip] && !fold.contains(&clip));
                let distance = Mahalanobis::fit(&fitted)?;
                Ok(fold.iter().map(|clip| (*clip, mean_log(&distance, &vectors[*clip]))).collect())
            };
            let by_fold = self.folds.par_iter().map(of_fold).collect::<Result<Vec<_>, _>>()?;
            let mut logs = vec![0.0; core.len()];
            by_fold.into_iter().flatten().for_each(|(clip, log)| logs[clip] = log);
            for (sum, deviations) in sum.iter_mut().zip(robust_deviations(&logs)) {
                *sum += weight * deviations;
            }
            weights += weight;
        }
        sum.iter_mut().for_each(|sum| *sum /= weights);
        Ok(robust_deviations(&sum))
    }

    /// The clips nearest to each other: first by band levels, then by held-out distances from the nearest ones, until
    /// they stay the same.
    fn core(&self) -> Result<Vec<bool>, DetectionError> {
        let mut near = vec![0.0; self.vectors[0].vectors.len()];
        for ClipVectors { weight, vectors } in self.vectors {
            let means: Vec<_> =
                vectors.iter().map(|channels| channels.mean_axis(Axis(0)).expect("a clip has a channel")).collect();
            let mut squares = vec![0.0; means.len()];
            let elements = means[0].len();
            for element in 0..elements {
                let values: Vec<f64> = means.iter().map(|mean| mean[element]).collect();
                for (square, deviation) in squares.iter_mut().zip(robust_deviations(&values)) {
                    // The contribution of a single band is limited.
                    *square += deviation.powi(2).min(25.0) / elements as f64;
                }
            }
            for (near, square) in near.iter_mut().zip(squares) {
                *near += weight * square.max(f64::MIN_POSITIVE).ln();
            }
        }
        let mut core = nearest(&near);
        for _ in 0..ROUNDS {
            let next = nearest(&self.of(&core)?);
            if next == core {
                break;
            }
            core = next;
        }
        Ok(core)
    }

    /// Grows a core by all clips within [`NEAR`] deviations, and always by `kept`, until it stays the same; returns
    /// each clip's deviations.
    fn grown(&self, core: &mut Vec<bool>, kept: &[usize]) -> Result<Vec<f64>, DetectionError> {
        kept.iter().for_each(|clip| core[*clip] = true);
        let mut deviations = self.of(core)?;
        for _ in 0..ROUNDS {
            let mut next: Vec<bool> = deviations.iter().map(|deviation| *deviation <= NEAR).collect();
            kept.iter().for_each(|clip| next[*clip] = true);
            if next == *core {
                break;
            }
            *core = next;
            deviations = self.of(core)?;
        }
        Ok(deviations)
    }
}

/// The lowest [`CORE_SHARE`] of values.
fn nearest(values: &[f64]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|one, other| values[*one].total_cmp(&values[*other]));
    let count = (CORE_SHARE * values.len() as f64).ceil() as usize;
    let mut core = vec![false; values.len()];
    order.iter().take(count).for_each(|clip| core[*clip] = true);
    core
}

fn stacked(vectors: &[Array2<f64>], is_used: impl Fn(usize) -> bool) -> Array2<f64> {
    let used: Vec<_> =
        vectors.iter().enumerate().filter(|(clip, _)| is_used(*clip)).map(|(_, rows)| rows.view()).collect();
    if used.is_empty() {
        return Array2::zeros((0, vectors[0].ncols()));
    }
    ndarray::concatenate(Axis(0), &used).expect("all of one view are equally long")
}

fn mean_log(distance: &Mahalanobis, channels: &Array2<f64>) -> f64 {
    channels.rows().into_iter().map(|channel| distance.distance(channel).ln()).sum::<f64>() / channels.nrows() as f64
}
