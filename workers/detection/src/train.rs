//! Who fits on what, who is held out, and the package that results.
//!
//! ```text
//!  fewer than 200 clips: cross-fitting                 from 200 clips on: one hold-out
//!
//!  all clips ─────────────────► the package's network   four fifths ──► the package's network
//!  all but fold 1 ─► network 1 ─► fold 1's scores ┐                             │
//!  all but fold 2 ─► network 2 ─► fold 2's scores ├─► calibration   one fifth ──┴─► scores ─► calibration
//!  …                                              ┘
//! ```
//!
//! Either way no clip is scored by a network that was fitted to it. With few clips every one is needed for both:
//! cross-fitting calibrates on all of them and fits on all of them, for the price of some more fits, whose networks saw
//! a little less sound than the package's and so err, if at all, towards a higher threshold. They begin with the same
//! weights and make as many steps. With many clips a fifth is enough to calibrate on, and one fit is all it takes.

mod copies;
mod corpus;
mod run;
mod screening;
mod set;
mod split;
mod unlike;

use std::ops::ControlFlow;

use auscult_schemas::{FeatureSpec, ModelId, QualityFlag};
use jiff::Timestamp;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use self::corpus::{clip_band_levels, fingerprint, mean_band_levels};
pub(crate) use self::run::Run;
pub use self::set::{LeftOut, LeftOutReason, TrainingSet};
pub(crate) use self::split::Split;
use crate::channel_normals::{ChannelNormal, mean_of};
use crate::detector::{DetectorKind, Training};
use crate::{
    Autoencoder, DetectionError, DriftReference, Learned, LevelSpread, Manifest, ModelPackage, Recorded,
    TrainingSummary, vectors,
};

/// The fewest clips that a threshold is calibrated with. Of eight scores a gamma distribution's shape has a standard
/// error of half its value (`sqrt(2 / 8)`): a threshold to begin with, no more.
pub const MIN_CLIPS: usize = 8;

/// One clip of normal sound.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainingClip {
    /// Its name, for errors and the fingerprint.
    pub name: String,
    /// Each microphone's log-mel spectrogram, `[frames, mels]`, dB.
    pub channels: Vec<Array2<f32>>,
    /// Which channels of the recording these are, counted from 0 and ascending; empty: the first ones, as many as there
    /// are.
    pub numbers: Vec<usize>,
    /// The conditions that it was recorded under, where they are known to differ, such as `source` and `target` of
    /// DCASE's file names. Only [`DetectorKind::WideMahalanobis`] asks for it.
    pub domain: Option<String>,
    /// How it was recorded, where that is known: a model notes what arrives otherwise.
    pub recorded: Option<Recorded>,
    /// What was odd about it.
    pub quality: Vec<QualityFlag>,
    /// The recording that it is a piece of, where that is known: pieces of one are held out together, and count as one
    /// for what is promised.
    pub recording: Option<String>,
}

impl TrainingClip {
    /// Which channel of the recording the one in this place is.
    pub(crate) fn number_of(&self, place: usize) -> usize {
        self.numbers.get(place).copied().unwrap_or(place)
    }

    /// All but the sound.
    fn with_no_channel(&self) -> Self {
        let Self { name, domain, recorded, quality, recording, .. } = self;
        Self {
            name: name.clone(),
            channels: Vec::new(),
            numbers: Vec::new(),
            domain: domain.clone(),
            recorded: *recorded,
            quality: quality.clone(),
            recording: recording.clone(),
        }
    }
}

/// How clips are held out for calibration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldOut {
    /// Five folds below 200 clips, a share of 0.2 from there on.
    #[default]
    Auto,
    /// Cross-fitting over so many folds (at least 2): that many fits beside the package's own.
    Folds(usize),
    /// This share of the clips (above 0, below 1) is never fitted: one fit.
    Share(f64),
}

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingOptions {
    /// What is to be trained. What is said of epochs, batches, learning rate, standardisation and hidden layers is of
    /// an autoencoder.
    pub detector: DetectorKind,
    /// How the clips became log-mels.
    pub spec: FeatureSpec,
    /// The model's name.
    pub model_id: ModelId,
    /// Passes over the fitted vectors.
    pub epochs: usize,
    /// Vectors a step.
    pub batch_size: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Seed of weights, shuffles and hold-out. The same seed on the same clips gives the same weights, bit for bit, on
    /// one machine's CPU.
    pub seed: u64,
    /// Centre each mel band and scale all by one deviation before fitting; without it the network sees raw decibels, as
    /// in the reference method.
    pub standardise: bool,
    /// Share of normal clips that may score above the threshold. One in a hundred: an alarm takes three in a row, which
    /// by chance, where clips are independent, come once in a million.
    pub false_alarm_rate: f64,
    /// How clips are held out for calibration.
    pub hold_out: HoldOut,
    /// Widths of the hidden layers of a dense network.
    pub hidden: Vec<usize>,
    /// Clips of the machine at rest, which it is told from later; they are not fitted.
    pub at_rest: Vec<TrainingClip>,
    /// Train on every clip, those among them that do not belong.
    pub keep_all: bool,
    /// The channels that the clips were cut down to, counted from 0 and ascending: a model judges the same ones.
    /// `None`: all.
    pub channels: Option<Vec<usize>>,
    /// The time to write into the manifest.
    pub created_at: Timestamp,
}

impl TrainingOptions {
    /// What suits a detector: its own schedule and shape, on the default feature spec.
    #[must_use]
    pub fn of(detector: DetectorKind) -> Self {
        let defaults = Self { detector, ..Self::default() };
        match detector {
            DetectorKind::Wide | DetectorKind::WideMahalanobis => {
                Self { hidden: Autoencoder::WIDE_HIDDEN.to_vec(), batch_size: 256, ..defaults }
            }
            DetectorKind::Convolutional => Self { epochs: 20, batch_size: 32, ..defaults },
            _ => defaults,
        }
    }
}

impl Default for TrainingOptions {
    /// The reference method's network and schedule on the default feature spec, standardised; `created_at` is now.
    fn default() -> Self {
        Self {
            detector: DetectorKind::default(),
            spec: FeatureSpec::default(),
            model_id: ModelId("default".to_owned()),
            epochs: 30,
            batch_size: 512,
            learning_rate: 1e-3,
            seed: 42,
            standardise: true,
            false_alarm_rate: 1e-2,
            hold_out: HoldOut::Auto,
            hidden: Autoencoder::REFERENCE_HIDDEN.to_vec(),
            at_rest: Vec::new(),
            keep_all: false,
            channels: None,
            created_at: Timestamp::now(),
        }
    }
}

/// Which of the fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The package's own network.
    Model,
    /// A network that only scores its held-out fold; from 1.
    Fold {
        /// Which.
        fold: usize,
        /// Of how many.
        of: usize,
    },
}

/// How training is getting on. Fits run side by side, so their epochs come interleaved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TrainingEvent {
    /// An epoch is done.
    Epoch {
        /// Of which fit.
        phase: Phase,
        /// From 1.
        epoch: usize,
        /// Epochs of this fit.
        of: usize,
        /// Mean squared error on the fitted vectors, dB².
        train_loss_db2: f64,
        /// Mean squared error on the vectors that choose the best epoch, dB².
        validation_loss_db2: f64,
        /// The best epoch of this fit so far.
        best: bool,
        /// Epochs done in all fits together.
        done: usize,
        /// Epochs of all fits together, as planned.
        total: usize,
    },
    /// A fold of a detector that has no epochs is scored.
    Fold {
        /// Folds done, all parts of the detector together.
        done: usize,
        /// Folds of all parts together.
        total: usize,
    },
    /// The fits are done, and the threshold is being taken from the held-out scores.
    Calibrating {
        /// Clips held out.
        held_out: usize,
    },
}

/// Trains a model on normal sound and calibrates it.
///
/// Copies count once, and clips that do not belong are left out: [`TrainingSet`] says which. `observe` hears of every
/// epoch, on the calling thread. When it answers `Break` (once is enough), the package's network stops with its best
/// epoch so far; folds then train no longer than it did, and those not yet begun are left out once twenty held-out
/// clips have scores. The result is a calibrated package all the same.
///
/// # Errors
/// [`DetectionError::TooFewClips`], [`DetectionError::TrainingClip`], [`DetectionError::InvalidOptions`], or
/// [`DetectionError::Training`] when no sensible model comes out.
pub fn train(
    clips: &[TrainingClip],
    options: &TrainingOptions,
    observe: &mut dyn FnMut(TrainingEvent) -> ControlFlow<()>,
) -> Result<ModelPackage, DetectionError> {
    TrainingSet::of(clips.to_vec(), options)?.train(options, observe)
}

impl TrainingSet {
    /// Trains a model on what is in the set. `observe` as in [`train`].
    ///
    /// # Errors
    /// As [`train`].
    pub fn train(
        &self,
        options: &TrainingOptions,
        observe: &mut dyn FnMut(TrainingEvent) -> ControlFlow<()>,
    ) -> Result<ModelPackage, DetectionError> {
        let clips = self.clips.as_slice();
        let split = Split::new(clips, options)?;
        let mut learnt = options.detector.fit(&Training { clips, options, split: &split }, observe)?;
        let own = unlike::own_normals(clips, options, &split, observe)?;
        let (channel_normals, channel_weights) = match own {
            Some(own) => {
                learnt.calibration = own.calibration;
                (own.normals, own.weights)
            }
            None => (Vec::new(), Vec::new()),
        };
        let recordings = split::recordings(clips);
        learnt.calibration.recordings = (recordings < clips.len()).then_some(recordings);
        let mels = options.spec.n_mels;
        let levels_of = |clips: &[TrainingClip]| levels_of(clips, &channel_normals, mels);
        let levels = levels_of(clips);
        let learned = Learned::of(clips, &levels, &levels_of(&options.at_rest), &options.spec)?;
        let spread = LevelSpread::of(&levels);
        let drift_reference = DriftReference::new(
            &learnt.calibration,
            if channel_normals.is_empty() { mean_band_levels(clips, mels) } else { mean_of(&channel_normals, mels) },
            spread,
        );
        let spec = &options.spec;
        let rows_of_first_channels: usize = clips.iter().map(|clip| clip.channels[0].nrows()).sum();
        let manifest = Manifest {
            format_version: Manifest::FORMAT_VERSION,
            model_id: options.model_id.clone(),
            feature_spec: spec.clone(),
            feature_spec_hash: spec.hash(),
            detector: learnt.detector.parameters(),
            standardisation: learnt.standardisation,
            calibration: learnt.calibration,
            drift_reference,
            learned: Some(learned),
            channels: options.channels.clone(),
            channel_normals,
            training: TrainingSummary {
                fingerprint: fingerprint(clips),
                clips: clips.len(),
                fitted_clips: split.model.len(),
                left_out: self.left_out.clone(),
                vectors: clips
                    .iter()
                    .flat_map(|clip| &clip.channels)
                    .map(|channel| vectors::count(channel.nrows(), spec.frames))
                    .sum(),
                seconds: (rows_of_first_channels * spec.hop_length) as f64 / f64::from(spec.sample_rate_hz),
                hold_out: split.hold_out,
                network: learnt.network,
                seed: options.seed,
            },
            weights_sha256: String::new(),
            created_at: options.created_at,
            software: concat!("auscult ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        ModelPackage::new(manifest, learnt.detector, channel_weights)
    }
}

/// Each clip's mean level by mel band, dB, `[clips][mels]`. Where channels are unlike, as if it had all of them.
fn levels_of(clips: &[TrainingClip], normals: &[ChannelNormal], mels: usize) -> Vec<Vec<f64>> {
    let mut levels = clip_band_levels(clips, mels);
    if !normals.is_empty() {
        let all = mean_of(normals, mels);
        for (clip, levels) in clips.iter().zip(&mut levels) {
            let own = (0..clip.channels.len()).map(|place| clip.number_of(place));
            let own: Vec<&ChannelNormal> =
                own.filter_map(|number| normals.iter().find(|normal| normal.channel == number)).collect();
            if !own.is_empty() {
                let of_own = mean_of(own, mels);
                levels.iter_mut().zip(all.iter().zip(of_own)).for_each(|(level, (all, own))| *level += all - own);
            }
        }
    }
    levels
}

fn check_options(options: &TrainingOptions) -> Result<(), DetectionError> {
    options.spec.validate().map_err(|error| DetectionError::InvalidOptions(error.to_string()))?;
    let hold_out_holds = match options.hold_out {
        HoldOut::Auto => true,
        HoldOut::Folds(folds) => folds >= 2,
        HoldOut::Share(share) => share > 0.0 && share < 1.0,
    };
    let checks = [
        (options.epochs >= 1, "epochs must be at least 1"),
        (options.batch_size >= 1, "batch_size must be at least 1"),
        (options.learning_rate > 0.0 && options.learning_rate < 1.0, "learning_rate must lie between 0 and 1"),
        (
            options.false_alarm_rate > 0.0 && options.false_alarm_rate <= 0.5,
            "false_alarm_rate must lie above 0 and not above 0.5",
        ),
        (hold_out_holds, "hold_out must be at least 2 folds or a share between 0 and 1"),
        (options.hidden.iter().all(|width| *width >= 1), "hidden layers must be at least 1 wide"),
    ];
    let faults: Vec<&str> = checks.iter().filter(|(holds, _)| !holds).map(|(_, fault)| *fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(DetectionError::InvalidOptions(faults.join("; "))) }
}

fn check_clips(clips: &[TrainingClip], options: &TrainingOptions) -> Result<(), DetectionError> {
    clips.iter().try_for_each(|clip| check_clip(clip, options))?;
    options.at_rest.iter().try_for_each(|clip| check_clip(clip, options))
}

fn check_clip(clip: &TrainingClip, options: &TrainingOptions) -> Result<(), DetectionError> {
    let spec = &options.spec;
    let least_frames = options.detector.least_frames(spec);
    let refused = |reason: String| Err(DetectionError::TrainingClip { name: clip.name.clone(), reason });
    if clip.channels.is_empty() {
        return refused("it has no channel".to_owned());
    }
    for channel in &clip.channels {
        let (rows, mels) = channel.dim();
        if mels != spec.n_mels {
            return refused(format!("it has {mels} mel bands, the feature spec {}", spec.n_mels));
        }
        if rows < least_frames {
            return refused(format!(
                "its {rows} frames are fewer than the {least_frames} that the detector sees at a time"
            ));
        }
        if !channel.iter().all(|value| value.is_finite()) {
            return refused("a level is not a finite number".to_owned());
        }
    }
    Ok(())
}
