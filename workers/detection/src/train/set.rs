//! The training set: the clips that belong to it, once each, and why others are excluded.

use super::copies::copies;
use super::screening::{Screening, screen};
use super::{check_clips, check_options, split};
use crate::DetectionError;
use crate::calibration::MIN_CLIPS;
use crate::training::{ExcludedClip, ExclusionReason, TrainingClip, TrainingOptions};

/// Clips to train on.
#[derive(Debug, Clone)]
pub struct TrainingSet {
    /// The included clips, in the given order.
    pub(super) clips: Vec<TrainingClip>,
    /// The excluded clips.
    pub left_out: Vec<ExcludedClip>,
    /// Names of clips, in groups of a tenth of all or more, that are similar to each other and different from the
    /// others. They are in the set.
    pub modes: Vec<Vec<String>>,
    /// Number of foreign clips, if there are so many that none was excluded.
    pub too_many_foreign: Option<usize>,
}

impl TrainingSet {
    /// Checks clips, and excludes copies and, unless [`TrainingOptions::keep_all`] is set, foreign clips.
    ///
    /// # Errors
    /// [`DetectionError::InvalidOptions`], [`DetectionError::TrainingClip`] for a clip that cannot be used for
    /// training, [`DetectionError::TooFewClips`] when copies count once, [`DetectionError::Training`] if they are too
    /// similar to be distinguished.
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

    /// Number of clips in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clips.len()
    }

    /// Whether the set is empty; never for a set made by [`TrainingSet::of`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clips.is_empty()
    }

    /// Number of recordings that the clips belong to.
    #[must_use]
    pub fn recordings(&self) -> usize {
        split::recordings(&self.clips)
    }
}
