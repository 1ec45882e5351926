//! What a model is trained on: the clips that belong, once each, and why others are not among them.

use super::copies::copies;
use super::screening::{Screening, screen};
use super::{check_clips, check_options, split};
use crate::DetectionError;
use crate::calibration::MIN_CLIPS;
use crate::training::{ExcludedClip, ExclusionReason, TrainingClip, TrainingOptions};

/// Clips to train on.
#[derive(Debug, Clone)]
pub struct TrainingSet {
    /// Those that belong, in the order given.
    pub(super) clips: Vec<TrainingClip>,
    /// Those that do not.
    pub left_out: Vec<ExcludedClip>,
    /// Names of clips, a tenth of all or more, that are alike among themselves and unlike the others. They are in the
    /// set.
    pub modes: Vec<Vec<String>>,
    /// So many clips are unlike the others that none was left out.
    pub too_many_foreign: Option<usize>,
}

impl TrainingSet {
    /// Checks clips, leaves copies out and, unless [`TrainingOptions::keep_all`] says otherwise, those that do not
    /// belong.
    ///
    /// # Errors
    /// [`DetectionError::InvalidOptions`], [`DetectionError::TrainingClip`] of one that cannot be trained on,
    /// [`DetectionError::TooFewClips`] when copies count once, [`DetectionError::Training`] where they are too much
    /// alike to be told apart.
    pub fn of(clips: Vec<TrainingClip>, options: &TrainingOptions) -> Result<Self, DetectionError> {
        check_options(options)?;
        check_clips(&clips, options)?;
        let copies = copies(&clips);
        let mut left_out: Vec<ExcludedClip> = Vec::new();
        for (clip, original) in clips.iter().zip(&copies) {
            if let Some(original) = original {
                let reason = ExclusionReason::Copy { of: clips[*original].name.clone() };
                left_out.push(ExcludedClip { name: clip.name.clone(), reason });
            }
        }
        let originals = clips.into_iter().zip(copies).filter(|(_, original)| original.is_none());
        let clips: Vec<TrainingClip> = originals.map(|(clip, _)| clip).collect();
        if clips.len() < MIN_CLIPS {
            return Err(DetectionError::TooFewClips { have: clips.len(), need: MIN_CLIPS });
        }

        let screening = if options.keep_all { Screening::none(clips.len()) } else { screen(&clips, options)? };
        for clip in screening.foreign() {
            let (deviations, chance) = (screening.deviations[clip], screening.chances[clip]);
            let reason = ExclusionReason::Foreign { deviations, chance };
            left_out.push(ExcludedClip { name: clips[clip].name.clone(), reason });
        }
        let names = |mode: &Vec<usize>| mode.iter().map(|clip| clips[*clip].name.clone()).collect();
        let modes = screening.modes.iter().map(names).collect();
        let belonging = clips.into_iter().zip(&screening.is_foreign).filter(|(_, is_foreign)| !**is_foreign);
        let clips = belonging.map(|(clip, _)| clip).collect();
        Ok(Self { clips, left_out, modes, too_many_foreign: screening.too_many })
    }

    /// Clips in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clips.len()
    }

    /// Whether there is none; never so of a set that [`TrainingSet::of`] made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clips.is_empty()
    }

    /// Recordings that the clips are pieces of.
    #[must_use]
    pub fn recordings(&self) -> usize {
        split::recordings(&self.clips)
    }
}
