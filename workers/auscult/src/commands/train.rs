//! `auscult train`: normal recordings in, a model file for each machine out.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use auscult_detection::{
    DetectionError, DetectorKind, FalseAlarms, HoldOut, ExcludedClip, Manifest, ModelPackage, Phase, TrainingClip,
    TrainingEvent, TrainingOptions, train,
};
use auscult_schemas::{FeatureSpec, ModelId, ModelRef};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::ProgressBar;
use serde::Serialize;

use super::arguments::{CadenceArgs, ChannelArgs, DataArgs, SpecArgs, data_dir_help};
use crate::dataset::{Dataset, MachineClips};
use crate::training_findings::TrainingFindings;
use crate::{clips, full_scales, interrupt, model_file, progress};

/// Learn a machine's normal sound from recordings, and write the model
///
/// Only normal recordings are used: the model learns them, and clips that it was not fitted to tell which
/// scores are still normal. Ctrl-C ends training early and keeps the best model so far; the file is written whole or
/// not at all. Clips that cannot be used, copies, clips that arrive at too low a rate and clips that the others do not
/// explain, such as a fault among normal recordings, are named and left out; more than one in ten that cannot be used
/// ends the command. `auscult explore` says the same beforehand.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct TrainArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Where the model goes: a file, or a folder that gets MACHINE.safetensors for each machine of the recordings
    #[arg(long, value_name = "FILE.safetensors|FOLDER")]
    out: PathBuf,
    /// One model of all machines together, instead of one a machine
    #[arg(long)]
    pool: bool,
    /// The model's name [default: the file's, without its ending]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What is trained; all but the networks take seconds
    ///
    /// fused: distances of level and of the machine's cycle, or of swing where it has none. pooled: distances of levels
    /// pooled from mean to maximum, for knocks. gmm: clouds of mean levels, for machines that run in several ways. knn:
    /// the nearest normal clips, band by band. autoencoder: the reference method's network, on standardised levels.
    /// wide: the network of DCASE's baseline. wide-mahalanobis: the same, its errors measured by how those of normal
    /// sound vary together; both were made for --mels 128. convolutional: a network that sees a second at a time.
    #[arg(long, value_name = "DETECTOR", default_value = DetectorKind::Fused.name(), value_parser = detectors())]
    detector: DetectorKind,
    /// Passes over the training sound [default: 30; convolutional 20, of 3,072 stretches each] (networks)
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Vectors or stretches a training step [default: 512; wide 256, convolutional 32] (networks)
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Adam's learning rate (networks)
    #[arg(long, value_name = "RATE", default_value_t = TrainingOptions::default().learning_rate)]
    learning_rate: f64,
    /// Seed of weights, shuffles and hold-out; the same seed on the same clips gives the same model
    #[arg(long, value_name = "N", default_value_t = TrainingOptions::default().seed)]
    seed: u64,
    /// Share of normal clips that may score above the threshold
    #[arg(long, value_name = "SHARE", default_value_t = TrainingOptions::default().false_alarm_rate)]
    false_alarm_rate: f64,
    /// Hold clips out in so many folds instead of choosing by their number
    #[arg(long, value_name = "N")]
    folds: Option<usize>,
    /// Recordings of the machine at rest, a folder or a file: chunks that sound like them are `idle`, not healthy, and
    /// not judged
    #[arg(long, value_name = "RECORDINGS")]
    idle: Option<PathBuf>,
    /// Train on every clip, those that the others do not explain among them
    #[arg(long)]
    keep_all: bool,
    /// Exactly the reference method: its autoencoder, levels relative to each clip's loudest, 80 dB deep, not
    /// standardised
    #[arg(long)]
    reference_method: bool,
    /// Print one JSON object instead of the summary
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    channels: ChannelArgs,
    #[command(flatten)]
    cadence: CadenceArgs,
    #[command(flatten)]
    spec: SpecArgs,
}

const AFTER_HELP: &str = concat!(
    "\
Examples:
  auscult train recordings/ --out compressor.safetensors
  auscult train mimii/6_dB_fan --machine id_00 --out fan-00.safetensors
  auscult train recordings/ --out reference.safetensors --reference-method
  auscult train dcase/dev_data/fan --out models/                   # one a machine: models/fan_id_00.safetensors, …
  auscult train dcase/dev_data/fan --out fans.safetensors --pool   # one of all of them
  auscult train recordings/ --out network.safetensors --detector autoencoder --epochs 60
  auscult train recordings/ --out valve.safetensors --detector pooled
  auscult train recordings/ --out all.safetensors --keep-all       # what does not belong, too
  auscult train recordings/ --out wide.safetensors --detector wide-mahalanobis --mels 128
  auscult train recordings/ --out fine.safetensors --mels 128 --n-fft 2048
  auscult train recordings/ --out press.safetensors --idle standstill/    # tells the machine at rest, which is then not judged
  auscult train recordings/ --out near.safetensors --channels 0    # the microphone at the machine alone
  auscult train recordings/ --out compressor.safetensors --cadence 5m    # alarms a month at one clip each five minutes

",
    data_dir_help!()
);

/// Trains and writes.
///
/// # Errors
/// When there is too little to train with, or the file cannot be written.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    let dataset = args.data.discover()?;
    let jobs = args.jobs(&dataset)?;
    dataset.tell_remarks();
    let interrupted = interrupt::listen("stopping: keeping the best model so far (once more to end at once)")?;
    let mut out = std::io::stdout().lock();
    if !args.json {
        write_data(&mut out, args, &dataset, jobs.len())?;
    }
    for job in &jobs {
        if !args.json && jobs.len() > 1 {
            writeln!(out)?;
        }
        train_one(&mut out, args, job, interrupted)?;
        if interrupted.load(Ordering::Relaxed) && jobs.len() > 1 {
            bail!("interrupted after {}; the machines after it have no model", job.file.display());
        }
    }
    Ok(())
}

/// One model to train.
struct Job {
    file: PathBuf,
    /// Its machine, or machines.
    dataset: Dataset,
    /// Whether the recordings have other machines besides.
    is_one_of_several: bool,
}

fn train_one(out: &mut impl Write, args: &TrainArgs, job: &Job, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let Job { file, dataset, is_one_of_several } = job;
    let mut options = args.options(file)?;
    model_file::check_writable(file)?;
    let paths = dataset.training_clips()?;
    full_scales::by_recordings(&mut options.spec, &paths)?.iter().for_each(|line| eprintln!("{line}"));
    let started = Instant::now();
    let options = TrainingOptions { at_rest: args.at_rest(&options.spec, interrupted)?, ..options };
    let read = clips::read_training_clips(&paths, &options.spec, "normal recordings", interrupted)?;
    let read = clips::choosing(read, options.channels.as_deref());
    let mut findings = TrainingFindings::of(read, &options.spec);
    let set = match &findings.refusal {
        None => findings.set(&options),
        Some(refusal) => Err(anyhow!("{refusal}")),
    };
    findings.signals.iter().chain(&findings.lines).for_each(|line| eprintln!("{line}"));
    let set = set?;
    let package = with_progress(&options, interrupted, |observe| set.train(&options, observe))?;
    model_file::write_and_tell(file, &package.to_bytes()?)?;

    let false_alarms = args.cadence.false_alarms(&package.manifest().calibration)?;
    let elapsed_s = started.elapsed().as_secs_f64();
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &Report::of(file, &package, false_alarms, elapsed_s))
            .context("cannot write the summary")?;
        writeln!(out)?;
        return Ok(());
    }
    write_summary(out, &package, &false_alarms, elapsed_s)?;
    writeln!(out, "\nwrote {}, version {}", file.display(), package.model_ref().version)?;
    if dataset.check_testable().is_ok() {
        let machine = if *is_one_of_several { format!(" --machine {}", dataset.machines[0].id) } else { String::new() };
        writeln!(out, "next: auscult evaluate {} {}{machine}", file.display(), args.data.data.display())?;
    }
    Ok(())
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
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
    fn of(file: &Path, package: &ModelPackage, calibration: FalseAlarms, took_s: f64) -> Self {
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

fn write_data(out: &mut impl Write, args: &TrainArgs, dataset: &Dataset, models: usize) -> std::io::Result<()> {
    let machines: Vec<&str> = dataset.machines.iter().map(|machine| machine.id.as_str()).collect();
    writeln!(out, "{}: {}", args.data.data.display(), dataset.layout())?;
    match (machines.len(), models) {
        (0 | 1, _) => Ok(()),
        (all, 1) => writeln!(out, "pooling {all} machines into one model: {}", machines.join(", ")),
        (all, _) => writeln!(out, "a model for each of {all} machines: {}", machines.join(", ")),
    }
}

/// The detectors by their names.
pub(super) fn detectors() -> impl TypedValueParser<Value = DetectorKind> {
    PossibleValuesParser::new(DetectorKind::ALL.iter().map(|kind| kind.name())).map(|name| {
        let mut kinds = DetectorKind::ALL.iter().copied();
        kinds.find(|kind| kind.name() == name).expect("only these names are possible")
    })
}

impl TrainArgs {
    /// A model for each machine, unless they are to be pooled.
    fn jobs(&self, dataset: &Dataset) -> anyhow::Result<Vec<Job>> {
        let machines = &dataset.machines;
        if self.out.extension().is_some_and(|ending| ending == "safetensors") {
            if machines.len() > 1 && !self.pool {
                bail!(
                    "{} has {} machines and --out is one file: give a folder for a model each, --machine to pick one, or --pool for one model of all",
                    dataset.root.display(),
                    machines.len()
                );
            }
            let is_one_of_several = self.data.machine.is_some();
            return Ok(vec![Job { file: self.out.clone(), dataset: dataset.clone(), is_one_of_several }]);
        }
        if self.pool || self.name.is_some() {
            bail!("--pool and --name are of one model: give --out a file such as model.safetensors");
        }
        if self.idle.is_some() && machines.len() > 1 {
            bail!("--idle is of one machine: pick it with --machine and give --out a file such as model.safetensors");
        }
        std::fs::create_dir_all(&self.out).with_context(|| {
            format!("cannot make the folder {}: check its path and permissions", self.out.display())
        })?;
        let job = |machine: &MachineClips| Job {
            file: self.out.join(format!("{}.safetensors", machine.id)),
            dataset: Dataset { machines: vec![machine.clone()], ..dataset.clone() },
            is_one_of_several: machines.len() > 1,
        };
        Ok(machines.iter().map(job).collect())
    }

    fn at_rest(&self, spec: &FeatureSpec, interrupted: &AtomicBool) -> anyhow::Result<Vec<TrainingClip>> {
        let Some(idle) = &self.idle else { return Ok(Vec::new()) };
        training_clips(&clips::recordings_in(idle)?, spec, self.channels.chosen().as_deref(), interrupted)
    }

    fn options(&self, file: &Path) -> anyhow::Result<TrainingOptions> {
        let base = if self.reference_method { FeatureSpec::reference_method() } else { FeatureSpec::default() };
        let name = match &self.name {
            Some(name) => name.clone(),
            None => {
                let stem = file.file_stem().context("--out names no file: give one such as model.safetensors")?;
                stem.to_string_lossy().into_owned()
            }
        };
        let detector = if self.reference_method { DetectorKind::Autoencoder } else { self.detector };
        let defaults = TrainingOptions::of(detector);
        Ok(TrainingOptions {
            spec: self.spec.spec(base)?,
            model_id: ModelId(name),
            epochs: self.epochs.unwrap_or(defaults.epochs),
            batch_size: self.batch_size.unwrap_or(defaults.batch_size),
            learning_rate: self.learning_rate,
            seed: self.seed,
            standardise: !self.reference_method,
            false_alarm_rate: self.false_alarm_rate,
            keep_all: self.keep_all,
            channels: self.channels.chosen(),
            hold_out: self.folds.map_or(defaults.hold_out, HoldOut::Folds),
            ..defaults
        })
    }
}

/// Reads the clips and leaves out what teaches nothing, by the list that `train` itself follows: clips that cannot be
/// read, microphones at fault, rates that are too low. What is found is said on standard error.
pub(super) fn training_clips(
    paths: &[PathBuf],
    spec: &FeatureSpec,
    chosen: Option<&[usize]>,
    interrupted: &AtomicBool,
) -> anyhow::Result<Vec<TrainingClip>> {
    let read = clips::choosing(clips::read_training_clips(paths, spec, "normal recordings", interrupted)?, chosen);
    let findings = TrainingFindings::of(read, spec);
    findings.signals.iter().chain(&findings.lines).for_each(|line| eprintln!("{line}"));
    findings.into_clips()
}

/// Trains, shows every epoch, and stops with the best so far when interrupted.
pub(super) fn train_with_progress(
    clips: &[TrainingClip],
    options: &TrainingOptions,
    interrupted: &AtomicBool,
) -> anyhow::Result<ModelPackage> {
    with_progress(options, interrupted, |observe| train(clips, options, observe))
}

fn with_progress(
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

fn write_summary(
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        train: TrainArgs,
    }

    fn jobs(folder: &Path, options: &[&str]) -> anyhow::Result<Vec<String>> {
        let data = folder.to_str().unwrap();
        let args = Line::parse_from([&["train", data], options].concat()).train;
        let jobs = args.jobs(&args.data.discover()?)?;
        let name = |job: &Job| format!("{} of {}", job.file.file_name().unwrap().display(), job.dataset.machines.len());
        Ok(jobs.iter().map(name).collect())
    }

    #[test]
    fn each_machine_gets_a_model_unless_they_are_pooled() {
        let folder = tempfile::tempdir().unwrap();
        for part in ["train/normal_id_00", "train/normal_id_02", "test/anomaly_id_00"] {
            for number in 0..3 {
                let file = folder.path().join("fan").join(format!("{part}_{number:08}.wav"));
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, b"x").unwrap();
            }
        }
        let data = folder.path().join("fan");
        let models = folder.path().join("models");
        let models = models.to_str().unwrap();
        assert_eq!(
            jobs(&data, &["--out", models]).unwrap(),
            ["fan_id_00.safetensors of 1", "fan_id_02.safetensors of 1"]
        );
        assert_eq!(jobs(&data, &["--out", "all.safetensors", "--pool"]).unwrap(), ["all.safetensors of 2"]);
        assert_eq!(jobs(&data, &["--out", "a.safetensors", "--machine", "id_02"]).unwrap(), ["a.safetensors of 1"]);
        let refusal = jobs(&data, &["--out", "all.safetensors"]).unwrap_err().to_string();
        assert!(refusal.contains("2 machines") && refusal.contains("--pool"), "{refusal}");
        let refusal = jobs(&data, &["--out", models, "--pool"]).unwrap_err().to_string();
        assert!(refusal.contains("one model"), "{refusal}");
    }
}
