//! All fits of one training, side by side.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender};
use ndarray::Array2;

use super::network::{FittedSound, NetworkDetector};
use super::{Backend, Observer, Scorer, TrainedDetector, Training};
use crate::examined::{Examined, mean_over_channels};
use crate::fit::{self, EpochLoss, FitPlan, Fitted};
use crate::standardisation::{Standardisation, standardisation, standardised};
use crate::training::{Phase, Split, TrainingClip, TrainingEvent, TrainingOptions};
use crate::{Calibration, DetectionError, NetworkTraining};

/// Held-out clips that are enough when training is asked to stop early.
const ENOUGH_WHEN_STOPPED: usize = 20;

/// What the fits of one training share.
pub(crate) struct Run<'a> {
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
pub(crate) struct FitResult<D> {
    pub is_model: bool,
    pub detector: D,
    pub epochs_run: usize,
    pub best: EpochLoss,
    pub scaling: Option<Standardisation>,
    /// The held-out clips, by their indices.
    pub held_out_clips: Vec<usize>,
    /// What it says of each of them.
    pub held_out: Vec<Examined>,
}

/// A task's number and its result; `None` where it was left out.
type Numbered<D> = (usize, Option<FitResult<D>>);

impl<'a> Run<'a> {
    pub fn new(clips: &'a [TrainingClip], options: &'a TrainingOptions) -> Self {
        let (stop, model_epochs, scored) = (AtomicBool::new(false), AtomicUsize::new(usize::MAX), AtomicUsize::new(0));
        Self { clips, options, stop, model_epochs, scored }
    }

    pub fn was_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Runs all fits, the package's first, and reports their epochs to the observer on this thread. One result a fit,
    /// `None` where it was left out.
    ///
    /// One core a fit: its matrices are too small to share.
    pub fn fit_all<D: NetworkDetector>(
        &self,
        split: &Split,
        observe: &mut dyn FnMut(TrainingEvent) -> ControlFlow<()>,
    ) -> Result<Vec<Option<FitResult<D>>>, DetectionError> {
        let tasks = self.tasks(split);
        let total: usize = tasks.iter().map(|task| task.epochs).sum();
        let workers = rayon::current_num_threads().clamp(1, tasks.len());
        let (task_sender, task_receiver) = crossbeam_channel::unbounded();
        for task in tasks.iter().enumerate() {
            task_sender.send(task).expect("its receiver is in scope");
        }
        drop(task_sender);

        let (event_sender, event_receiver) = crossbeam_channel::unbounded();
        let by_worker = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..workers)
                .map(|_| {
                    let (tasks, events) = (task_receiver.clone(), event_sender.clone());
                    scope.spawn(move || self.work::<D>(&tasks, &events))
                })
                .collect();
            drop(event_sender);
            // Ends when the last worker has dropped its sender.
            for (done, event) in event_receiver.iter().enumerate() {
                if observe(with_progress(event, done + 1, total)).is_break() {
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
            let joined = handles.into_iter().map(|handle| handle.join());
            joined.map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect::<Vec<_>>()
        });
        let mut results: Vec<Option<FitResult<D>>> = tasks.iter().map(|_| None).collect();
        for worker_results in by_worker {
            for (index, result) in worker_results? {
                results[index] = result;
            }
        }
        Ok(results)
    }

    /// One worker: fits until no task is left.
    fn work<D: NetworkDetector>(
        &self,
        tasks: &Receiver<(usize, &Task)>,
        events: &Sender<TrainingEvent>,
    ) -> Result<Vec<Numbered<D>>, DetectionError> {
        tasks.iter().map(|(index, task)| Ok((index, self.run(task, events)?))).collect()
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

    fn run<D: NetworkDetector>(
        &self,
        task: &Task,
        events: &Sender<TrainingEvent>,
    ) -> Result<Option<FitResult<D>>, DetectionError> {
        let is_model = task.phase == Phase::Model;
        if !is_model && self.may_be_left_out() {
            return Ok(None);
        }
        let spec = &self.options.spec;
        let channels: Vec<&Array2<f32>> = task.fit.iter().flat_map(|clip| &self.clips[*clip].channels).collect();
        let scaling = standardisation(&channels, spec.n_mels)?;
        let scaling = self.options.standardise.then_some(scaling);
        let spectrograms: Vec<Vec<f32>> =
            channels.iter().map(|channel| standardised(channel, scaling.as_ref())).collect();
        let plan = FitPlan {
            spectrograms: &spectrograms,
            mels: spec.n_mels,
            frames: D::frames(spec),
            epochs: task.epochs,
            batch_size: self.options.batch_size,
            vectors_per_epoch: D::STRETCHES_PER_EPOCH,
            learning_rate: self.options.learning_rate,
            seed: self.options.seed,
        };
        let to_db2 = scaling.as_ref().map_or(1.0, |scaling| f64::from(scaling.deviation_db).powi(2));
        let Fitted { network, epochs_run, best } = fit::fit(&plan, |rng| D::fresh(self.options, rng), &mut |loss| {
            self.after_epoch(task, loss, to_db2, events)
        })?;
        if is_model && self.was_stopped() {
            self.model_epochs.store(epochs_run, Ordering::Relaxed);
        }
        drop(spectrograms);
        let clips = task.fit.iter().map(|clip| &self.clips[*clip]).collect();
        let detector = D::around(network, &FittedSound { clips, spec, scaling: scaling.as_ref() })?;
        let scorer = detector.scorer_of(spec, scaling.as_ref(), Backend::Cpu)?;
        let held_out = task.held_out.iter().map(|clip| examined(scorer.as_ref(), &self.clips[*clip]));
        let held_out = held_out.collect::<Result<Vec<Examined>, DetectionError>>()?;
        self.scored.fetch_add(task.held_out.len(), Ordering::Relaxed);
        let held_out_clips = task.held_out.clone();
        Ok(Some(FitResult { is_model, detector, epochs_run, best, scaling, held_out_clips, held_out }))
    }

    fn may_be_left_out(&self) -> bool {
        let enough = ENOUGH_WHEN_STOPPED.min(self.clips.len());
        self.was_stopped() && self.scored.load(Ordering::Relaxed) >= enough
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
        let stopped = self.was_stopped();
        let bound = match task.phase {
            Phase::Model if stopped => loss.epoch,
            Phase::Fold { .. } if stopped => self.model_epochs.load(Ordering::Relaxed),
            _ => usize::MAX,
        };
        if loss.epoch >= bound { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Fits a network and those that score the held-out clips.
pub(super) fn fit<D: NetworkDetector>(
    training: &Training<'_>,
    observe: Observer<'_>,
) -> Result<TrainedDetector<D>, DetectionError> {
    let Training { clips, options, split } = *training;
    let run = Run::new(clips, options);
    let results = run.fit_all::<D>(split, observe)?;
    let (mut scores, mut errors, mut held_out) = (Vec::new(), Vec::new(), Vec::new());
    let mut model = None;
    for result in results.into_iter().flatten() {
        for clip in &result.held_out {
            scores.push(clip.score);
            errors.push(clip.band_errors.clone());
        }
        held_out.extend(&result.held_out_clips);
        if result.is_model {
            model = Some(result);
        }
    }
    let model = model.expect("the model's own fit is never left out");
    let recordings = Split::recordings_of(clips, &held_out);
    // Nothing to stop any more: whatever the observer answers, the package is next.
    let _ = observe(TrainingEvent::Calibrating { held_out: scores.len() });
    let to_db2 = model.scaling.as_ref().map_or(1.0, |scaling| f64::from(scaling.deviation_db).powi(2));
    Ok(TrainedDetector {
        held_out: Vec::new(),
        detector: model.detector,
        standardisation: model.scaling,
        calibration: Calibration::of_recordings(scores, &recordings, &errors, options.false_alarm_rate)?,
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

fn with_progress(event: TrainingEvent, now_done: usize, now_total: usize) -> TrainingEvent {
    match event {
        TrainingEvent::Epoch { phase, epoch, of, train_loss_db2, validation_loss_db2, best, .. } => {
            let (done, total) = (now_done, now_total);
            TrainingEvent::Epoch { phase, epoch, of, train_loss_db2, validation_loss_db2, best, done, total }
        }
        other => other,
    }
}

/// What a detector says of a whole clip: each channel counts the same, however long it is.
fn examined(scorer: &dyn Scorer, clip: &TrainingClip) -> Result<Examined, DetectionError> {
    let channels: Vec<Vec<f32>> = clip.channels.iter().map(|channel| standardised(channel, None)).collect();
    let channels = scorer.examine(&channels.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    let scores: Vec<f64> = channels.iter().map(|channel| channel.score).collect();
    let errors: Vec<&[f64]> = channels.iter().map(|channel| channel.band_errors.as_slice()).collect();
    Ok(Examined { score: scorer.combine(&scores), band_errors: mean_over_channels(&errors) })
}
