//! Summary of a training: one JSON object, or lines of text.

use std::io::Write;
use std::path::Path;

use auscult_detection::{ExcludedClip, FalseAlarms, Manifest, ModelPackage};
use auscult_schemas::ModelRef;
use serde::Serialize;

/// The output of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    file: String,
    model: ModelRef,
    clips: usize,
    left_out: Vec<ExcludedClip>,
    seconds: f64,
    threshold: f64,
    calibration: FalseAlarms,
    took_s: f64,
}

impl Report {
    pub(super) fn of(file: &Path, package: &ModelPackage, calibration: FalseAlarms, took_s: f64) -> Self {
        let Manifest { training, calibration: scores, .. } = package.manifest();
        Self {
            file: file.display().to_string(),
            model: package.model_ref(),
            clips: training.clips,
            left_out: training.left_out.clone(),
            seconds: training.seconds,
            threshold: scores.threshold,
            calibration,
            took_s,
        }
    }
}

/// Writes the summary as lines of text.
pub(super) fn write(
    out: &mut impl Write,
    package: &ModelPackage,
    false_alarms: &FalseAlarms,
    elapsed_s: f64,
) -> std::io::Result<()> {
    let Manifest { training, calibration, feature_spec, .. } = package.manifest();
    writeln!(
        out,
        "learned from     {} clips, {:.0} s of sound, {} vectors",
        training.clips, training.seconds, training.vectors
    )?;
    if let Some(full_scale) = &feature_spec.full_scale {
        writeln!(
            out,
            "full scale       a sample value of 1.0 is {full_scale}; workers need it in their `features`, too"
        )?;
    }
    writeln!(
        out,
        "features         {} mel bands up to {:.0} Hz, {} frames of {:.0} ms a vector",
        feature_spec.n_mels,
        feature_spec.f_max(),
        feature_spec.frames,
        1e3 * feature_spec.hop_length as f64 / f64::from(feature_spec.sample_rate_hz)
    )?;
    if let Some(network) = &training.network {
        let stopped = if network.stopped_early { ", stopped early" } else { "" };
        writeln!(
            out,
            "reconstruction   {:.3} dB² on the vectors fitted, {:.3} dB² on others (epoch {} of {}{stopped})",
            network.train_loss_db2, network.validation_loss_db2, network.best_epoch, network.epochs
        )?;
    }
    if let Some((name, line)) = package.weights().summary() {
        writeln!(out, "{name:<16} {line}")?;
    }
    if !package.manifest().channel_normals.is_empty() {
        let normals = package.manifest().channel_normals.iter();
        let all: f64 = normals.clone().map(|normal| normal.weight).sum();
        let each = normals.map(|normal| format!("{} (counts {:.0} %)", normal.channel, 100.0 * normal.weight / all));
        writeln!(out, "unlike channels  a normal each: {}", each.collect::<Vec<_>>().join(", "))?;
    }
    let unit = package.weights().unit();
    let scores = &calibration.scores;
    let quantile = |share: f64| scores[((scores.len() - 1) as f64 * share).round() as usize];
    writeln!(
        out,
        "held-out scores  {} clips: median {:.3}, 95 % below {:.3}, highest {:.3}{unit}",
        scores.len(),
        quantile(0.5),
        quantile(0.95),
        quantile(1.0)
    )?;
    writeln!(
        out,
        "threshold        {:.3}{unit}: {} in a thousand normal clips may exceed it",
        calibration.threshold,
        1e3 * calibration.false_alarm_rate
    )?;
    for line in false_alarms.in_words() {
        writeln!(out, "{:<17}{line}", "")?;
    }
    writeln!(out, "{:<17}95 % sure of that rate one would be at {:.3}{unit}", "", false_alarms.tolerance_threshold)?;
    writeln!(out, "took             {elapsed_s:.1} s")
}
