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
//! Either way no clip is scored by a network that was fitted to it. With few clips every one is needed for both: cross-fitting
//! calibrates on all of them and fits on all of them, for the price of some more fits, whose networks saw a little less sound than the
//! package's and so err, if at all, towards a higher threshold. They begin with the same weights and make as many steps. With many
//! clips a fifth is enough to calibrate on, and one fit is all it takes.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use auscult_schemas::{FeatureSpec, ModelId};
use crossbeam_channel::{RecvTimeoutError, Sender};
use jiff::Timestamp;
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fit::{EpochLoss, FitPlan, Fitted, fit};
use crate::forward::CpuNetwork;
use crate::model::mean_band_errors;
use crate::package::hex;
use crate::{
    Autoencoder, Calibration, DetectionError, DetectorParameters, DriftReference, Manifest, ModelPackage,
    Standardisation, TrainingSummary, vectors,
};

/// The fewest clips that a threshold is calibrated with. Eight scores give a gamma distribution's two parameters to within a third or so.
pub const MIN_CLIPS: usize = 8;
/// From here on a fifth of the clips is enough to calibrate on.
const CLIPS_FOR_ONE_HOLD_OUT: usize = 200;
const DEFAULT_SHARE: f64 = 0.2;
const DEFAULT_FOLDS: usize = 5;
/// Held-out clips that are enough when training is asked to stop early.
const ENOUGH_WHEN_STOPPED: usize = 20;

/// One clip of normal sound.
#[derive(Debug, Clone)]
pub struct TrainingClip {
    /// Its name, for errors and the fingerprint.
    pub name: String,
    /// Each microphone's log-mel spectrogram, `[frames, mels]`, dB.
    pub channels: Vec<Array2<f32>>,
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
    /// Seed of weights, shuffles and hold-out. The same seed on the same clips gives the same weights, bit for bit, on one machine's CPU.
    pub seed: u64,
    /// Centre each mel band and scale all by one deviation before fitting; without it the network sees raw decibels, as in the
    /// reference method.
    pub standardise: bool,
    /// Share of normal clips that may score above the threshold. One in a thousand: with chunks of ten seconds some nine a day, too few to come
    /// three in a row, which is what raises an alarm.
    pub false_alarm_rate: f64,
    /// How clips are held out for calibration.
    pub hold_out: HoldOut,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// The time to write into the manifest.
    pub created_at: Timestamp,
}

impl Default for TrainingOptions {
    /// The reference method's network and schedule on the default feature spec, standardised; `created_at` is now.
    fn default() -> Self {
        Self {
            spec: FeatureSpec::default(),
            model_id: ModelId("default".to_owned()),
            epochs: 30,
            batch_size: 512,
            learning_rate: 1e-3,
            seed: 42,
            standardise: true,
            false_alarm_rate: 1e-3,
            hold_out: HoldOut::Auto,
            hidden: Autoencoder::REFERENCE_HIDDEN.to_vec(),
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
    /// The fits are done, and the threshold is being taken from the held-out scores.
    Calibrating {
        /// Clips held out.
        held_out: usize,
    },
}

/// Trains a model on normal sound and calibrates it.
///
/// `observe` hears of every epoch, on the calling thread. When it answers `Break` (once is enough), the package's network stops with its best
/// epoch so far; folds then train no longer than it did, and those not yet begun are left out once twenty held-out clips have
/// scores. The result is a calibrated package all the same.
///
/// # Errors
/// [`DetectionError::TooFewClips`], [`DetectionError::TrainingClip`], [`DetectionError::InvalidOptions`], or
/// [`DetectionError::Training`] when no sensible model comes out.
pub fn train(
    clips: &[TrainingClip],
    options: &TrainingOptions,
    observe: &mut dyn FnMut(TrainingEvent) -> ControlFlow<()>,
) -> Result<ModelPackage, DetectionError> {
    check_options(options)?;
    check_clips(clips, &options.spec)?;
    let split = Split::new(clips.len(), options)?;
    let run = Run {
        clips,
        options,
        stop: AtomicBool::new(false),
        model_epochs: AtomicUsize::new(usize::MAX),
        scored: AtomicUsize::new(0),
    };
    let results = run.fit_all(&split, observe)?;

    let mut held_out: Vec<Vec<f64>> = Vec::new();
    let mut model = None;
    for result in results.into_iter().flatten() {
        held_out.extend(result.held_out_errors);
        if result.is_model {
            model = Some((result.scaling, result.fitted));
        }
    }
    let (standardisation, fitted) = model.expect("the model's own fit is never left out");
    // Nothing to stop any more: whatever the observer answers, the package is next.
    let _ = observe(TrainingEvent::Calibrating { held_out: held_out.len() });
    let calibration = Calibration::fit(&held_out, options.false_alarm_rate)?;
    let drift_reference = DriftReference::new(&calibration, mean_band_levels(clips, options.spec.n_mels));
    let to_db2 = standardisation.as_ref().map_or(1.0, |scaling| f64::from(scaling.deviation_db).powi(2));

    let spec = &options.spec;
    let rows_of_first_channels: usize = clips.iter().map(|clip| clip.channels[0].nrows()).sum();
    let manifest = Manifest {
        format_version: Manifest::FORMAT_VERSION,
        model_id: options.model_id.clone(),
        feature_spec: spec.clone(),
        feature_spec_hash: spec.hash(),
        detector: DetectorParameters::Autoencoder { widths: fitted.network.widths() },
        standardisation,
        calibration,
        drift_reference,
        training: TrainingSummary {
            fingerprint: fingerprint(clips),
            clips: clips.len(),
            fitted_clips: split.model.len(),
            vectors: clips
                .iter()
                .flat_map(|clip| &clip.channels)
                .map(|channel| vectors::count(channel.nrows(), spec.frames))
                .sum(),
            seconds: (rows_of_first_channels * spec.hop_length) as f64 / f64::from(spec.sample_rate_hz),
            hold_out: split.hold_out,
            epochs: options.epochs,
            epochs_run: fitted.epochs_run,
            best_epoch: fitted.best.epoch,
            stopped_early: run.stop.load(Ordering::Relaxed),
            batch_size: options.batch_size,
            learning_rate: options.learning_rate,
            seed: options.seed,
            train_loss_db2: fitted.best.train * to_db2,
            validation_loss_db2: fitted.best.validation * to_db2,
        },
        weights_sha256: String::new(),
        created_at: options.created_at,
        software: concat!("auscult ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    ModelPackage::new(manifest, fitted.network)
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

fn check_clips(clips: &[TrainingClip], spec: &FeatureSpec) -> Result<(), DetectionError> {
    if clips.len() < MIN_CLIPS {
        return Err(DetectionError::TooFewClips { have: clips.len(), need: MIN_CLIPS });
    }
    for clip in clips {
        let refused = |reason: String| Err(DetectionError::TrainingClip { name: clip.name.clone(), reason });
        if clip.channels.is_empty() {
            return refused("it has no channel".to_owned());
        }
        for channel in &clip.channels {
            let (rows, mels) = channel.dim();
            if mels != spec.n_mels {
                return refused(format!("it has {mels} mel bands, the feature spec {}", spec.n_mels));
            }
            if rows < spec.frames {
                return refused(format!("its {rows} frames are fewer than the {} of one vector", spec.frames));
            }
            if !channel.iter().all(|value| value.is_finite()) {
                return refused("a level is not a finite number".to_owned());
            }
        }
    }
    Ok(())
}

/// Which clips the package's network is fitted to, and which are held out from which fit.
struct Split {
    hold_out: HoldOut,
    /// Clips that the package's network is fitted to.
    model: Vec<usize>,
    /// Clips that it scores for calibration; none under cross-fitting.
    held_out: Vec<usize>,
    /// Cross-fitting's folds.
    folds: Vec<Vec<usize>>,
}

impl Split {
    /// Clips are dealt out at random, so that folds are alike even where clips come sorted by machine or session.
    fn new(clips: usize, options: &TrainingOptions) -> Result<Self, DetectionError> {
        let mut order: Vec<usize> = (0..clips).collect();
        // Another stream than the fits', which begin with the seed itself.
        order.shuffle(&mut StdRng::seed_from_u64(options.seed.wrapping_add(1)));
        let hold_out = match options.hold_out {
            HoldOut::Auto if clips < CLIPS_FOR_ONE_HOLD_OUT => HoldOut::Folds(DEFAULT_FOLDS),
            HoldOut::Auto => HoldOut::Share(DEFAULT_SHARE),
            chosen => chosen,
        };
        match hold_out {
            HoldOut::Share(share) => {
                let count = (clips as f64 * share).round() as usize;
                if count < MIN_CLIPS || count >= clips {
                    let need = ((MIN_CLIPS as f64 - 0.5) / share).ceil() as usize;
                    return Err(DetectionError::TooFewClips { have: clips, need: need.max(clips + 1) });
                }
                let mut model = order;
                let held_out = model.split_off(clips - count);
                Ok(Self { hold_out, model, held_out, folds: Vec::new() })
            }
            HoldOut::Folds(folds) => {
                let folds = folds.min(clips);
                let fold_of = |fold: usize| order.iter().copied().skip(fold).step_by(folds).collect();
                let hold_out = HoldOut::Folds(folds);
                Ok(Self { hold_out, folds: (0..folds).map(fold_of).collect(), model: order, held_out: Vec::new() })
            }
            HoldOut::Auto => unreachable!("resolved above"),
        }
    }
}

/// What the fits of one training share.
struct Run<'a> {
    clips: &'a [TrainingClip],
    options: &'a TrainingOptions,
    /// The observer has answered `Break`.
    stop: AtomicBool,
    /// Epochs that the package's network ran once it has been stopped; until then no bound.
    model_epochs: AtomicUsize,
    /// Held-out clips that have scores.
    scored: AtomicUsize,
}

/// One fit to be done.
struct Task {
    phase: Phase,
    fit: Vec<usize>,
    held_out: Vec<usize>,
    epochs: usize,
}

/// One fit done.
struct FitResult {
    is_model: bool,
    fitted: Fitted,
    scaling: Option<Standardisation>,
    /// Mean squared error by mel band of each held-out clip, dB².
    held_out_errors: Vec<Vec<f64>>,
}

impl Run<'_> {
    /// Runs all fits side by side, the package's first, and reports their epochs to the observer on this thread.
    fn fit_all(
        &self,
        split: &Split,
        observe: &mut dyn FnMut(TrainingEvent) -> ControlFlow<()>,
    ) -> Result<Vec<Option<FitResult>>, DetectionError> {
        let tasks = self.tasks(split);
        let total: usize = tasks.iter().map(|task| task.epochs).sum();
        let mut results: Vec<Result<Option<FitResult>, DetectionError>> = tasks.iter().map(|_| Ok(None)).collect();
        let (sender, receiver) = crossbeam_channel::unbounded();
        rayon::in_place_scope_fifo(|scope| {
            for (task, result) in tasks.iter().zip(&mut results) {
                let sender = sender.clone();
                scope.spawn_fifo(move |_| *result = self.run(task, &sender));
            }
            // `recv` fails once the last task has dropped its sender: then all fits are done.
            drop(sender);
            let mut done = 0;
            loop {
                match receiver.recv_timeout(Duration::from_millis(20)) {
                    Ok(event) => {
                        done += 1;
                        if observe(with_progress(event, done, total)).is_break() {
                            self.stop.store(true, Ordering::Relaxed);
                        }
                    }
                    // Called from within the pool, this thread may be the one that has to do the work.
                    Err(RecvTimeoutError::Timeout) => {
                        rayon::yield_now();
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        });
        results.into_iter().collect()
    }

    fn tasks(&self, split: &Split) -> Vec<Task> {
        let epochs = self.options.epochs;
        let model = Task { phase: Phase::Model, fit: split.model.clone(), held_out: split.held_out.clone(), epochs };
        let of = split.folds.len();
        let folds = split.folds.iter().enumerate().map(|(index, held_out)| {
            let left_out: BTreeSet<usize> = held_out.iter().copied().collect();
            let fit: Vec<usize> = split.model.iter().copied().filter(|clip| !left_out.contains(clip)).collect();
            // Fewer clips make fewer steps an epoch; so many epochs make as many steps as the package's network does.
            let epochs = (epochs * split.model.len()).div_ceil(fit.len());
            Task { phase: Phase::Fold { fold: index + 1, of }, fit, held_out: held_out.clone(), epochs }
        });
        [model].into_iter().chain(folds).collect()
    }

    fn run(&self, task: &Task, events: &Sender<TrainingEvent>) -> Result<Option<FitResult>, DetectionError> {
        let is_model = task.phase == Phase::Model;
        if !is_model && self.may_be_left_out() {
            return Ok(None);
        }
        let spec = &self.options.spec;
        let channels: Vec<&Array2<f32>> = task.fit.iter().flat_map(|clip| &self.clips[*clip].channels).collect();
        let scaling = self.options.standardise.then(|| standardisation(&channels, spec.n_mels)).transpose()?;
        let spectrograms: Vec<Vec<f32>> =
            channels.iter().map(|channel| standardised(channel, scaling.as_ref())).collect();
        let plan = FitPlan {
            spectrograms: &spectrograms,
            mels: spec.n_mels,
            frames: spec.frames,
            hidden: &self.options.hidden,
            epochs: task.epochs,
            batch_size: self.options.batch_size,
            learning_rate: self.options.learning_rate,
            seed: self.options.seed,
        };
        let to_db2 = scaling.as_ref().map_or(1.0, |scaling| f64::from(scaling.deviation_db).powi(2));
        let fitted = fit(&plan, &mut |loss| self.after_epoch(task, loss, to_db2, events))?;
        if is_model && self.stop.load(Ordering::Relaxed) {
            self.model_epochs.store(fitted.epochs_run, Ordering::Relaxed);
        }
        let network = CpuNetwork::new(&fitted.network, scaling.as_ref(), spec.n_mels, spec.frames);
        let held_out_errors =
            task.held_out.iter().map(|clip| clip_errors(&network, &self.clips[*clip], spec)).collect();
        self.scored.fetch_add(task.held_out.len(), Ordering::Relaxed);
        Ok(Some(FitResult { is_model, fitted, scaling, held_out_errors }))
    }

    fn may_be_left_out(&self) -> bool {
        let enough = ENOUGH_WHEN_STOPPED.min(self.clips.len());
        self.stop.load(Ordering::Relaxed) && self.scored.load(Ordering::Relaxed) >= enough
    }

    fn after_epoch(
        &self,
        task: &Task,
        loss: EpochLoss,
        to_db2: f64,
        events: &Sender<TrainingEvent>,
    ) -> ControlFlow<()> {
        let event = TrainingEvent::Epoch {
            phase: task.phase,
            epoch: loss.epoch,
            of: task.epochs,
            train_loss_db2: loss.train * to_db2,
            validation_loss_db2: loss.validation * to_db2,
            best: loss.best,
            done: 0,
            total: 0,
        };
        // The receiver outlives every fit.
        let _ = events.send(event);
        let stopped = self.stop.load(Ordering::Relaxed);
        let bound = match task.phase {
            Phase::Model if stopped => loss.epoch,
            Phase::Fold { .. } if stopped => self.model_epochs.load(Ordering::Relaxed),
            _ => usize::MAX,
        };
        if loss.epoch >= bound { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn with_progress(event: TrainingEvent, now_done: usize, now_total: usize) -> TrainingEvent {
    match event {
        TrainingEvent::Epoch { phase, epoch, of, train_loss_db2, validation_loss_db2, best, .. } => {
            let (done, total) = (now_done, now_total);
            TrainingEvent::Epoch { phase, epoch, of, train_loss_db2, validation_loss_db2, best, done, total }
        }
        other => other,
    }
}

fn standardisation(channels: &[&Array2<f32>], mels: usize) -> Result<Standardisation, DetectionError> {
    let rows: usize = channels.iter().map(|channel| channel.nrows()).sum();
    let mut mean = vec![0.0_f64; mels];
    let mut square = 0.0_f64;
    for row in channels.iter().flat_map(|channel| channel.rows()) {
        for (sum, value) in mean.iter_mut().zip(row) {
            *sum += f64::from(*value);
        }
    }
    mean.iter_mut().for_each(|sum| *sum /= rows as f64);
    for row in channels.iter().flat_map(|channel| channel.rows()) {
        square += row.iter().zip(&mean).map(|(value, mean)| (f64::from(*value) - mean).powi(2)).sum::<f64>();
    }
    let deviation = (square / (rows * mels) as f64).sqrt();
    if deviation < 1e-3 {
        let reason = "the clips' levels never change; is the microphone connected?";
        return Err(DetectionError::Training(reason.to_owned()));
    }
    Ok(Standardisation { mean_db: mean.iter().map(|mean| *mean as f32).collect(), deviation_db: deviation as f32 })
}

fn standardised(channel: &Array2<f32>, scaling: Option<&Standardisation>) -> Vec<f32> {
    let Some(scaling) = scaling else { return channel.iter().copied().collect() };
    let rows = channel.rows().into_iter();
    rows.flat_map(|row| {
        let scaled = row.into_iter().zip(&scaling.mean_db);
        scaled.map(|(value, mean)| (value - mean) / scaling.deviation_db)
    })
    .collect()
}

/// A clip's mean squared error by mel band, dB², `[mels]`.
fn clip_errors(network: &CpuNetwork, clip: &TrainingClip, spec: &FeatureSpec) -> Vec<f64> {
    let channels: Vec<Vec<f32>> = clip.channels.iter().map(|channel| standardised(channel, None)).collect();
    let mut errors = network.band_errors(&channels.iter().map(Vec::as_slice).collect::<Vec<_>>());
    // Each channel counts the same, however long it is.
    for (bands, channel) in errors.iter_mut().zip(&clip.channels) {
        let per_band = (vectors::count(channel.nrows(), spec.frames) * spec.frames) as f64;
        bands.iter_mut().for_each(|sum| *sum /= per_band);
    }
    mean_band_errors(&errors, 1.0)
}

/// Mean over clips of each mel band's mean level, dB, `[mels]`.
fn mean_band_levels(clips: &[TrainingClip], mels: usize) -> Vec<f64> {
    let mut means = vec![0.0; mels];
    for clip in clips {
        for channel in &clip.channels {
            let weight = 1.0 / (clips.len() * clip.channels.len() * channel.nrows()) as f64;
            for row in channel.rows() {
                for (mean, value) in means.iter_mut().zip(row) {
                    *mean += f64::from(*value) * weight;
                }
            }
        }
    }
    means
}

fn fingerprint(clips: &[TrainingClip]) -> String {
    let mut hash = Sha256::new();
    for clip in clips {
        // Lengths first, so that no two different sets are the same bytes.
        hash.update((clip.name.len() as u64).to_le_bytes());
        hash.update(clip.name.as_bytes());
        hash.update((clip.channels.len() as u64).to_le_bytes());
        for channel in &clip.channels {
            hash.update((channel.nrows() as u64).to_le_bytes());
            hash.update((channel.ncols() as u64).to_le_bytes());
            for value in channel {
                hash.update(value.to_le_bytes());
            }
        }
    }
    hex(&hash.finalize())
}
