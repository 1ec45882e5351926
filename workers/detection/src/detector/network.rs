//! What all detectors have in common whose weights are learnt epoch by epoch.

use auscult_schemas::FeatureSpec;
use rand::rngs::StdRng;

use super::{Backend, Detector, Scorer};
use crate::DetectionError;
use crate::calibration::MIN_CLIPS;
use crate::fit::Learner;
use crate::standardisation::Standardisation;
use crate::training::{HoldOut, TrainingClip, TrainingOptions};

/// A detector around a network that reconstructs stretches of a spectrogram.
pub(crate) trait NetworkDetector: Detector + Send {
    /// How the network learns.
    type Learner: Learner;

    /// At most so many stretches an epoch, drawn anew each time.
    const STRETCHES_PER_EPOCH: usize = usize::MAX;

    /// Frames of a stretch.
    fn frames(spec: &FeatureSpec) -> usize {
        spec.frames
    }

    /// A network with fresh weights.
    fn fresh(options: &TrainingOptions, rng: &mut StdRng) -> Result<Self::Learner, DetectionError>;

    /// What judges, around a fitted network.
    fn around(network: <Self::Learner as Learner>::Network, sound: &FittedSound<'_>) -> Result<Self, DetectionError>;

    /// As [`Detector::scorer`], for a detector that has no manifest yet.
    fn scorer_of(
        &self,
        spec: &FeatureSpec,
        scaling: Option<&Standardisation>,
        backend: Backend<'_>,
    ) -> Result<Box<dyn Scorer>, DetectionError>;
}

/// What a network was fitted to.
pub(crate) struct FittedSound<'a> {
    pub clips: Vec<&'a TrainingClip>,
    pub spec: &'a FeatureSpec,
    pub scaling: Option<&'a Standardisation>,
}

/// How clips are held out from networks whose fit takes most of a minute: in one share as soon as a fifth is enough
/// clips to calibrate on, else in three folds.
pub(super) fn few_fits(clips: usize) -> HoldOut {
    if clips < 5 * MIN_CLIPS { HoldOut::Folds(3) } else { HoldOut::Share(0.2) }
}
