//! What all detectors have in common whose weights are learnt epoch by epoch.

use auscult_schemas::FeatureSpec;
use rand::rngs::StdRng;

use super::{Backend, Detector, Learnt, Observer, Scorer, Training};
use crate::fit::Learner;
use crate::train::Run;
use crate::{
    Calibration, DetectionError, HoldOut, MIN_CLIPS, NetworkTraining, Standardisation, TrainingClip, TrainingEvent,
    TrainingOptions,
};

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

/// Fits a network and those that score the held-out clips.
pub(super) fn fit<D: NetworkDetector>(
    training: &Training<'_>,
    observe: Observer<'_>,
) -> Result<Learnt<D>, DetectionError> {
    let Training { clips, options, split } = *training;
    let run = Run::new(clips, options);
    let results = run.fit_all::<D>(split, observe)?;
    let (mut scores, mut errors) = (Vec::new(), Vec::new());
    let mut model = None;
    for result in results.into_iter().flatten() {
        for clip in &result.held_out {
            scores.push(clip.score);
            errors.push(clip.band_errors.clone());
        }
        if result.is_model {
            model = Some(result);
        }
    }
    let model = model.expect("the model's own fit is never left out");
    // Nothing to stop any more: whatever the observer answers, the package is next.
    let _ = observe(TrainingEvent::Calibrating { held_out: scores.len() });
    let to_db2 = model.scaling.as_ref().map_or(1.0, |scaling| f64::from(scaling.deviation_db).powi(2));
    Ok(Learnt {
        held_out: Vec::new(),
        detector: model.detector,
        standardisation: model.scaling,
        calibration: Calibration::of_scores(scores, &errors, options.false_alarm_rate)?,
        network: Some(NetworkTraining {
            epochs: options.epochs,
            epochs_run: model.epochs_run,
            best_epoch: model.best.epoch,
            stopped_early: run.was_stopped(),
            batch_size: options.batch_size,
            learning_rate: options.learning_rate,
            train_loss_db2: model.best.train * to_db2,
            validation_loss_db2: model.best.validation * to_db2,
        }),
    })
}
