//! `auscult bench detection`: every detector on every data set of a folder, side by side.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, bail};
use auscult_detection::{DetectorKind, DeviceChoice, Evaluation, Model, TrainingOptions, evaluate, open_device, train};
use auscult_evaluation::judging::{judge_in_batches, left_out};
use auscult_recordings::clips;
use auscult_recordings::dataset::Dataset;
use auscult_schemas::{FeatureSpec, ModelId};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::reading::{keep_good, read_clips, training_clips};
use crate::{interrupt, progress};

/// Compare detectors on data sets
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Detection(DetectionArgs),
}

/// Train and evaluate every detector on every data set of a folder, with several seeds
///
/// Each subfolder that has test clips of both classes is a data set. One that has no training clips of its own is
/// tested with the models of the set whose name its own begins with, such as `pump-0db-shift` with those of `pump-0db`:
/// the same machine under other conditions.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
struct DetectionArgs {
    /// Folder of data sets
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// Trainings of each detector on each set, with seeds 1, 2, …
    #[arg(long, value_name = "N", default_value_t = 3)]
    seeds: u64,
    /// Only the sets with one of these in their names
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    only: Vec<String>,
    /// Only these detectors
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    detectors: Vec<String>,
    /// Share of normal clips that may score above the threshold
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    false_alarm_rate: f64,
    /// Print one JSON object a line instead of a table
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  auscult bench detection datasets/
  auscult bench detection datasets/ --only fan,pump --seeds 5
  auscult bench detection datasets/ --json | jq 'select(.detector == \"fused\")'

Figures are the mean over the seeds, ± half the distance from the lowest to the highest.";

/// Runs a comparison.
///
/// # Errors
/// When there is no data set, or one cannot be read or learned from.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    match &args.what {
        What::Detection(args) => run_detection(args),
    }
}

/// A detector that takes part.
struct Contender {
    name: &'static str,
    options: fn() -> TrainingOptions,
}

static CONTENDERS: [Contender; 9] = [
    Contender { name: "reference", options: reference },
    Contender { name: "autoencoder", options: TrainingOptions::default },
    Contender { name: "wide", options: || wide(DetectorKind::Wide) },
    Contender { name: "wide-mahalanobis", options: || wide(DetectorKind::WideMahalanobis) },
    Contender { name: "convolutional", options: || TrainingOptions::of(DetectorKind::Convolutional) },
    Contender { name: "fused", options: || TrainingOptions::of(DetectorKind::Fused) },
    Contender { name: "pooled", options: || TrainingOptions::of(DetectorKind::Pooled) },
    Contender { name: "gmm", options: || TrainingOptions::of(DetectorKind::Gmm) },
    Contender { name: "knn", options: || TrainingOptions::of(DetectorKind::Knn) },
];

fn reference() -> TrainingOptions {
    TrainingOptions { spec: FeatureSpec::reference_method(), standardise: false, ..TrainingOptions::default() }
}

/// Those with these names, or all where there are none.
fn contenders(names: &[String]) -> anyhow::Result<Vec<&'static Contender>> {
    let known: Vec<&str> = CONTENDERS.iter().map(|contender| contender.name).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("--detectors {name} is none: choose from {}", known.join(", "));
    }
    let is_wanted = |contender: &&Contender| names.is_empty() || names.iter().any(|name| name == contender.name);
    Ok(CONTENDERS.iter().filter(is_wanted).collect())
}

/// On the spectrograms of DCASE's baseline: 128 mel bands, five frames a vector.
fn wide(detector: DetectorKind) -> TrainingOptions {
    TrainingOptions {
        spec: FeatureSpec { n_mels: 128, n_fft: 1024, hop_length: 512, frames: 5, ..FeatureSpec::default() },
        ..TrainingOptions::of(detector)
    }
}

/// A data set, and where its models are trained.
struct Set {
    name: String,
    test: Dataset,
    train: Dataset,
}

/// One training and what came of it.
struct Trial {
    evaluation: Evaluation,
    train_s: f64,
    model_bytes: usize,
}

/// A line of the table.
#[derive(Debug, Serialize)]
struct Row {
    set: String,
    detector: &'static str,
    seeds: usize,
    auc: Spread,
    pauc: Spread,
    f1: Spread,
    /// Normal clips called abnormal, mean over the seeds.
    false_alarms: f64,
    n_normal: usize,
    n_abnormal: usize,
    train_s: f64,
    model_bytes: usize,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Spread {
    mean: f64,
    /// Half the distance from the lowest to the highest.
    half_range: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let (low, high) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
        Self { mean: values.iter().sum::<f64>() / values.len() as f64, half_range: (high - low) / 2.0 }
    }
}

fn run_detection(args: &DetectionArgs) -> anyhow::Result<()> {
    if args.seeds == 0 {
        bail!("--seeds 0 trains nothing: give at least 1");
    }
    let contenders = contenders(&args.detectors)?;
    let sets = discover(&args.data, &args.only)?;
    let interrupted = interrupt::listen("stopping")?;
    let bar = progress::bar(sets.len() as u64 * contenders.len() as u64 * args.seeds, "training");
    let mut out = std::io::stdout().lock();
    if !args.json {
        writeln!(
            out,
            "{:<28} {:<16} {:>14} {:>14} {:>14} {:>12} {:>8} {:>9}",
            "set", "detector", "AUC", "pAUC", "F1", "false alarms", "training", "model"
        )?;
    }
    for set in &sets {
        for contender in &contenders {
            bar.set_message(format!("{}, {}", set.name, contender.name));
            let trials = trials(set, contender, args, &bar, interrupted)?;
            let row = summary(set, contender, &trials);
            bar.suspend(|| write_row(&mut out, &row, args.json))?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The data sets of a folder, in the order of their names.
fn discover(folder: &Path, only: &[String]) -> anyhow::Result<Vec<Set>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot list {}: give a folder that holds one folder a data set", folder.display()))?;
    let mut found: BTreeMap<String, Dataset> = BTreeMap::new();
    for entry in entries {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir()
            && let Ok(dataset) = Dataset::discover(&path)
        {
            found.insert(name, dataset);
        }
    }
    let mut sets = Vec::new();
    for (name, dataset) in &found {
        let is_wanted = only.is_empty() || only.iter().any(|text| name.contains(text.as_str()));
        if !is_wanted || dataset.check_testable().is_err() {
            continue;
        }
        let relatives = found.iter().filter(|(other, _)| name.starts_with(other.as_str()));
        let trainable = relatives.filter(|(_, relative)| relative.training_clips().is_ok());
        // The longest name that this one begins with: its own, where it has training clips.
        match trainable.max_by_key(|(other, _)| other.len()) {
            Some((_, train)) => {
                sets.push(Set { name: name.clone(), test: dataset.clone(), train: train.clone() });
            }
            None => eprintln!("skipped: {name} has nothing to train with"),
        }
    }
    if sets.is_empty() {
        bail!("no data set in {}: each is a folder with train/normal, test/normal and test/abnormal", folder.display());
    }
    Ok(sets)
}

fn trials(
    set: &Set,
    contender: &Contender,
    args: &DetectionArgs,
    bar: &indicatif::ProgressBar,
    interrupted: &AtomicBool,
) -> anyhow::Result<Vec<Trial>> {
    let spec = (contender.options)().spec;
    let training = training_clips(&set.train.training_clips()?, &spec, None, interrupted)?;
    let paths = |machine: &auscult_recordings::dataset::MachineClips| machine.test_normal.clone();
    let normal = read(&set.test.machines.iter().flat_map(paths).collect::<Vec<_>>(), &spec, interrupted)?;
    let abnormal =
        set.test.machines.iter().flat_map(|machine| machine.test_abnormal.iter().map(|clip| clip.path.clone()));
    let abnormal = read(&abnormal.collect::<Vec<_>>(), &spec, interrupted)?;
    let mut trials = Vec::new();
    for seed in 1..=args.seeds {
        let options = TrainingOptions {
            seed,
            model_id: ModelId(set.name.clone()),
            false_alarm_rate: args.false_alarm_rate,
            ..(contender.options)()
        };
        let begun = Instant::now();
        let package = train(&training, &options, &mut |_| ControlFlow::Continue(()))
            .with_context(|| format!("training {} on {}", contender.name, set.name))?;
        let train_s = begun.elapsed().as_secs_f64();
        let model = Model::load(&package, &open_device(DeviceChoice::Cpu)?.device)?;
        let threshold = package.manifest().calibration.threshold;
        let evaluation = evaluate(&scores(&model, &normal)?, &scores(&model, &abnormal)?, threshold);
        trials.push(Trial { evaluation, train_s, model_bytes: package.to_bytes()?.len() });
        bar.inc(1);
    }
    Ok(trials)
}

fn read(paths: &[PathBuf], spec: &FeatureSpec, interrupted: &AtomicBool) -> anyhow::Result<Vec<clips::Clip>> {
    keep_good(read_clips(paths, spec, "recordings", interrupted)?)
}

fn scores(model: &Model, clips: &[clips::Clip]) -> anyhow::Result<Vec<f64>> {
    let judgements = judge_in_batches(model, clips)?;
    for (clip, _) in clips.iter().zip(&judgements).filter(|(_, judgement)| judgement.is_none()) {
        eprintln!("{}", left_out(clip));
    }
    Ok(judgements.into_iter().flatten().map(|healthy| healthy.judgement.score).collect())
}

fn summary(set: &Set, contender: &Contender, trials: &[Trial]) -> Row {
    let spread = |figure: fn(&Evaluation) -> f64| {
        Spread::of(&trials.iter().map(|trial| figure(&trial.evaluation)).collect::<Vec<_>>())
    };
    let mean = |figure: fn(&Trial) -> f64| trials.iter().map(figure).sum::<f64>() / trials.len() as f64;
    let first = &trials[0];
    Row {
        set: set.name.clone(),
        detector: contender.name,
        seeds: trials.len(),
        auc: spread(|evaluation| evaluation.auc.unwrap_or(f64::NAN)),
        pauc: spread(|evaluation| evaluation.pauc.unwrap_or(f64::NAN)),
        f1: spread(|evaluation| evaluation.abnormal_positive.f1),
        false_alarms: mean(|trial| trial.evaluation.false_alarms as f64),
        n_normal: first.evaluation.n_normal,
        n_abnormal: first.evaluation.n_abnormal,
        train_s: mean(|trial| trial.train_s),
        model_bytes: first.model_bytes,
    }
}

fn write_row(out: &mut impl Write, row: &Row, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        serde_json::to_writer(&mut *out, row).context("cannot write the figures")?;
        writeln!(out)?;
        return Ok(());
    }
    let figure = |spread: Spread| format!("{:.3} ± {:.3}", spread.mean, spread.half_range);
    writeln!(
        out,
        "{:<28} {:<16} {:>14} {:>14} {:>14} {:>12} {:>8} {:>9}",
        row.set,
        row.detector,
        figure(row.auc),
        figure(row.pauc),
        figure(row.f1),
        format!("{:.1} of {}", row.false_alarms, row.n_normal),
        format!("{:.1} s", row.train_s),
        format!("{:.0} kB", row.model_bytes as f64 / 1e3)
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use auscult_simulator::{SAMPLE_RATE_HZ, wav_bytes};

    use super::*;

    fn tone(seed: u32, hz: f32) -> Vec<u8> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let samples: Vec<f32> = (0..8_000)
            .map(|index| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 8) as f32 / 16_777_216.0 - 0.5;
                0.2 * (std::f32::consts::TAU * hz * index as f32 / SAMPLE_RATE_HZ as f32).sin() + 0.1 * noise
            })
            .collect();
        wav_bytes(&samples, SAMPLE_RATE_HZ)
    }

    fn write(folder: &Path, kind: &str, count: u32, first: u32, hz: f32) {
        let folder = folder.join(kind);
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..count {
            std::fs::write(folder.join(format!("{number}.wav")), tone(first + number, hz)).unwrap();
        }
    }

    #[test]
    fn a_set_without_training_clips_is_tested_with_its_relative_s_models() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["pump", "pump-moved", "valve"] {
            write(&folder.path().join(name), "test/normal", 4, 100, 440.0);
            write(&folder.path().join(name), "test/abnormal", 4, 200, 880.0);
        }
        write(&folder.path().join("pump"), "train/normal", 12, 0, 440.0);
        let sets = discover(folder.path(), &[]).unwrap();
        let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["pump", "pump-moved"], "the valve has nothing to train with");
        assert_eq!(sets[1].train.training_clips().unwrap().len(), 12);

        let args = DetectionArgs {
            data: folder.path().to_owned(),
            seeds: 2,
            only: Vec::new(),
            detectors: Vec::new(),
            false_alarm_rate: 0.01,
            json: true,
        };
        let contender = Contender { name: "fused", options: || TrainingOptions::of(DetectorKind::Fused) };
        let row = summary(
            &sets[1],
            &contender,
            &trials(&sets[1], &contender, &args, &progress::bar(2, ""), &AtomicBool::new(false)).unwrap(),
        );
        assert!(row.auc.mean > 0.99 && row.seeds == 2 && row.n_abnormal == 4, "{row:?}");
    }
}
