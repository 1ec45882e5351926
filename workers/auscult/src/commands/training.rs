//! Training with a progress bar.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use auscult_detection::{DetectionError, ModelPackage, Phase, TrainingClip, TrainingEvent, TrainingOptions, train};
use indicatif::ProgressBar;

use crate::progress;

/// Trains and shows every epoch. An interrupt stops training and keeps the best model so far.
pub(super) fn train_with_progress(
    clips: &[TrainingClip],
    options: &TrainingOptions,
    interrupted: &AtomicBool,
) -> anyhow::Result<ModelPackage> {
    with_progress(options, interrupted, |observe| train(clips, options, observe))
}

/// [`train_with_progress`] for a training given as a function.
pub(super) fn with_progress(
    options: &TrainingOptions,
    interrupted: &AtomicBool,
    train: impl FnOnce(&mut dyn FnMut(TrainingEvent) -> ControlFlow<()>) -> Result<ModelPackage, DetectionError>,
) -> anyhow::Result<ModelPackage> {
    let bar = progress::bar(options.epochs as u64, "training");
    let mut observe = |event: TrainingEvent| {
        show(&bar, &event);
        if interrupted.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let package = train(&mut observe);
    bar.finish_and_clear();
    Ok(package?)
}

fn show(bar: &ProgressBar, event: &TrainingEvent) {
    match event {
        TrainingEvent::Epoch { phase, validation_loss_db2, done, total, .. } => {
            bar.set_length(*total as u64);
            bar.set_position(*done as u64);
            if *phase == Phase::Model {
                bar.set_message(format!("training, {validation_loss_db2:.2} dB²"));
            }
        }
        TrainingEvent::Fold { done, total } => {
            bar.set_length(*total as u64);
            bar.set_position(*done as u64);
        }
        TrainingEvent::Calibrating { held_out } => bar.set_message(format!("calibrating on {held_out}")),
    }
}
