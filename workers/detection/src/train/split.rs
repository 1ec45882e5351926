//! Splits clips into those for fitting and those held out for calibration.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::calibration::MIN_CLIPS;
use crate::training::{HoldOut, Split, TrainingClip, TrainingOptions};
use crate::{DetectionError, natural_order};

impl Split {
    /// For networks, clips are assigned to folds at random, so that folds are similar even if clips are sorted by
    /// machine or session.
    ///
    /// For detectors that require segments, folds are consecutive clips in the order of their names, which usually is
    /// the order of recording: tomorrow's sound is not a neighbour of today's, and a threshold from clips with fitted
    /// neighbours would be too low. In both cases, pieces of one recording are held out together.
    pub(crate) fn new(clips: &[TrainingClip], options: &TrainingOptions) -> Result<Self, DetectionError> {
        let count = clips.len();
        let hold_out = match options.hold_out {
            HoldOut::Auto => options.detector.hold_out(count),
            chosen => chosen,
        };
        let of_folds = |folds: Vec<Vec<usize>>| {
            let model = folds.iter().flatten().copied().collect();
            let hold_out = HoldOut::Folds(folds.len());
            Self { hold_out, folds, model, held_out: Vec::new() }
        };
        match hold_out {
            HoldOut::Share(share) => {
                let wanted = (count as f64 * share).round() as usize;
                if wanted < MIN_CLIPS || wanted >= count {
                    let need = ((MIN_CLIPS as f64 - 0.5) / share).ceil() as usize;
                    return Err(DetectionError::TooFewClips { have: count, need: need.max(count + 1) });
                }
                let mut recordings = shuffled(clips, options.seed);
                let mut held_out = Vec::with_capacity(wanted);
                while held_out.len() < wanted && recordings.len() > 1 {
                    held_out.splice(0..0, recordings.pop().unwrap_or_default());
                }
                let model = recordings.into_iter().flatten().collect();
                Ok(Self { hold_out, model, held_out, folds: Vec::new() })
            }
            HoldOut::Folds(folds) if options.detector.is_held_out_in_stretches() => {
                Ok(of_folds(stretches(clips, folds)))
            }
            HoldOut::Folds(folds) => {
                let recordings = shuffled(clips, options.seed);
                let folds = folds.min(recordings.len());
                let fold_of = |fold: usize| recordings.iter().skip(fold).step_by(folds).flatten().copied().collect();
                let dealt: Vec<Vec<usize>> = (0..folds).map(fold_of).collect();
                let model = recordings.iter().flatten().copied().collect();
                Ok(Self { model, ..of_folds(dealt) })
            }
            HoldOut::Auto => unreachable!("resolved above"),
        }
    }

    /// The same for a subset of the clips, by their indices, ascending.
    pub fn of_places(&self, places: &[usize]) -> Self {
        let kept = |clips: &[usize]| -> Vec<usize> {
            clips.iter().filter_map(|clip| places.binary_search(clip).ok()).collect()
        };
        let folds = self.folds.iter().map(|fold| kept(fold)).filter(|fold| !fold.is_empty()).collect();
        Self { hold_out: self.hold_out, model: kept(&self.model), held_out: kept(&self.held_out), folds }
    }

    /// The number of each held-out clip's recording.
    pub fn recordings_of(clips: &[TrainingClip], held_out: &[usize]) -> Vec<usize> {
        let mut numbers = vec![0; clips.len()];
        for (number, recording) in by_recording(clips, (0..clips.len()).collect()).iter().enumerate() {
            recording.iter().for_each(|clip| numbers[*clip] = number);
        }
        held_out.iter().map(|clip| numbers[*clip]).collect()
    }

    /// The held-out clips, fold by fold.
    pub fn held_out_in_order(&self) -> Vec<usize> {
        if self.folds.is_empty() { self.held_out.clone() } else { self.folds.concat() }
    }
}

/// The clips of each recording, with recordings in random order from `seed`. A clip that is not a piece of one is a
/// recording by itself.
fn shuffled(clips: &[TrainingClip], seed: u64) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..clips.len()).collect();
    // A different random stream from that of the fits, which start with the seed itself.
    order.shuffle(&mut StdRng::seed_from_u64(seed.wrapping_add(1)));
    by_recording(clips, order)
}

/// Clips in the order of their names, cut into this many segments of about equal size. No recording is cut.
pub(super) fn stretches(clips: &[TrainingClip], folds: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..clips.len()).collect();
    order.sort_by(|one, other| natural_order(&clips[*one].name, &clips[*other].name).then(one.cmp(other)));
    let recordings = by_recording(clips, order);
    let folds = folds.min(recordings.len()).max(1);
    let mut stretches = vec![Vec::new(); folds];
    let mut before = 0;
    for recording in recordings {
        // The fold that contains its middle. Single clips are cut at fold * clips / folds.
        let middle = before + recording.len() / 2;
        let fold = (0..folds).find(|fold| middle < (fold + 1) * clips.len() / folds).unwrap_or(folds - 1);
        before += recording.len();
        stretches[fold].extend(recording);
    }
    stretches.retain(|stretch| !stretch.is_empty());
    stretches
}

/// Clips in the order of their names, assigned to the folds in turn. Pieces of one recording are in one fold.
pub(super) fn dealt(clips: &[TrainingClip], folds: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..clips.len()).collect();
    order.sort_by(|one, other| natural_order(&clips[*one].name, &clips[*other].name).then(one.cmp(other)));
    let recordings = by_recording(clips, order);
    let folds = folds.min(recordings.len());
    (0..folds).map(|fold| recordings.iter().skip(fold).step_by(folds).flatten().copied().collect()).collect()
}

/// Number of recordings that the clips belong to.
pub(super) fn recordings(clips: &[TrainingClip]) -> usize {
    by_recording(clips, (0..clips.len()).collect()).len()
}

/// Groups clips of one recording, at the position of the first one. If all clips belong to one recording, nothing could
/// be held out; then each clip stands for itself.
fn by_recording(clips: &[TrainingClip], order: Vec<usize>) -> Vec<Vec<usize>> {
    let mut place: BTreeMap<&str, usize> = BTreeMap::new();
    let mut recordings: Vec<Vec<usize>> = Vec::new();
    for clip in &order {
        let known = clips[*clip].recording.as_deref().map(|recording| (recording, place.get(recording).copied()));
        match known {
            Some((_, Some(place))) => recordings[place].push(*clip),
            Some((recording, None)) => {
                place.insert(recording, recordings.len());
                recordings.push(vec![*clip]);
            }
            None => recordings.push(vec![*clip]),
        }
    }
    if recordings.len() > 1 { recordings } else { order.into_iter().map(|clip| vec![clip]).collect() }
}
