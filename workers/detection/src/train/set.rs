//! What a model is trained on: the clips that belong, once each, and why others are not among them.

use serde::{Deserialize, Serialize};

use super::copies::copies;
use super::screening::{Screening, screen};
use super::{MIN_CLIPS, TrainingClip, TrainingOptions, check_clips, check_options, split};
use crate::DetectionError;

/// A clip that was left out of a training.
///
/// Unknown fields are not refused: serde cannot do so where another field is flattened, and would refuse the reason
/// itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why.
    #[serde(flatten)]
    pub reason: LeftOutReason,
}

/// Why a clip was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum LeftOutReason {
    /// The others do not explain it: a fault among normal clips, or another machine.
    Foreign {
        /// How many robust deviations its held-out distance lies above the others' median.
        deviations: f64,
        /// The chance that a clip that belongs lies so far above.
        chance: f64,
    },
    /// It is the same recording as another clip.
    Copy {
        /// That clip's name.
        of: String,
    },
}

impl LeftOut {
    /// In words, with the clip's name.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { name, reason } = self;
        match reason {
            LeftOutReason::Foreign { deviations, chance } => format!(
                "{name}: does not belong: held out, it lies {deviations:.1} deviations above the other clips (chance {chance:.1e}); listen to it, or keep it with --keep-all"
            ),
            LeftOutReason::Copy { of } => format!("{name}: the same recording as {of}: counted once"),
        }
    }
}

/// Clips to train on.
#[derive(Debug, Clone)]
pub struct TrainingSet {
    /// Those that belong, in the order given.
    pub(super) clips: Vec<TrainingClip>,
    /// Those that do not.
    pub left_out: Vec<LeftOut>,
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
        let mut left_out: Vec<LeftOut> = Vec::new();
        for (clip, original) in clips.iter().zip(&copies) {
            if let Some(original) = original {
                let reason = LeftOutReason::Copy { of: clips[*original].name.clone() };
                left_out.push(LeftOut { name: clip.name.clone(), reason });
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
            let reason = LeftOutReason::Foreign { deviations, chance };
            left_out.push(LeftOut { name: clips[clip].name.clone(), reason });
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
