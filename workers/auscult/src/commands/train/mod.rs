//! `auscult train`: trains a model for each machine from normal recordings.

mod summary;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use auscult_detection::{DetectorKind, HoldOut, TrainingClip, TrainingOptions};
use auscult_recordings::dataset::{Dataset, MachineClips};
use auscult_recordings::files;
use auscult_recordings::training_findings::TrainingFindings;
use auscult_recordings::{clips, full_scales};
use auscult_schemas::{FeatureSpec, ModelId};
use clap::Args;

use super::arguments::{CadenceArgs, ChannelArgs, DataArgs, SpecArgs, data_dir_help, detectors};
use super::reading::{print_notes, read_training_clips, training_clips};
use super::training::with_progress;
use crate::{interrupt, model_file};

/// Train a model on a machine's normal sound, and write it to a file
///
/// Only normal recordings are used. The model is fitted to most clips; held-out clips set the threshold. Ctrl-C stops
/// training early and keeps the best model so far; the file is written completely or not at all. Unusable clips,
/// duplicates, clips with too low a sample rate and clips that the others do not explain, such as a fault among normal
/// recordings, are listed and excluded. The command fails if more than one clip in ten is unusable. `auscult explore`
/// reports the same problems before training.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct TrainArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Output: a file, or a folder in which MACHINE.safetensors is written for each machine of the recordings
    #[arg(long, value_name = "FILE.safetensors|FOLDER")]
    out: PathBuf,
    /// Train one model on all machines together, instead of one per machine
    #[arg(long)]
    pool: bool,
    /// Name of the model [default: the file name without its extension]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Detector to train; all except the networks train in seconds
    ///
    /// fused: distances of the level and of the machine's cycle, or of the swing (spread of the level over time) if it
    /// has no cycle. pooled: distances of levels pooled between mean and maximum, for knocks. gmm: Gaussian mixture of
    /// mean levels, for machines with several operating modes. knn: nearest normal clips, by groups of bands.
    /// autoencoder: the network of the reference method, on standardised levels. wide: the network of DCASE's baseline.
    /// wide-mahalanobis: the same network, with the Mahalanobis distance of its errors; both were designed for --mels
    /// 128. convolutional: a network with an input of one second.
    #[arg(long, value_name = "DETECTOR", default_value = DetectorKind::Fused.name(), value_parser = detectors())]
    detector: DetectorKind,
    /// Passes over the training data [default: 30; convolutional 20, of 3,072 segments each] (networks)
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Vectors or segments per training step [default: 512; wide 256, convolutional 32] (networks)
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Learning rate of Adam (networks)
    #[arg(long, value_name = "RATE", default_value_t = TrainingOptions::default().learning_rate)]
    learning_rate: f64,
    /// Seed of weights, shuffling and hold-out; the same seed and clips give the same model
    #[arg(long, value_name = "N", default_value_t = TrainingOptions::default().seed)]
    seed: u64,
    /// Target share of normal clips with scores above the threshold
    #[arg(long, value_name = "SHARE", default_value_t = TrainingOptions::default().false_alarm_rate)]
    false_alarm_rate: f64,
    /// Number of folds for the hold-out, instead of a number that depends on the number of clips
    #[arg(long, value_name = "N")]
    folds: Option<usize>,
    /// Recordings of the machine at rest, a folder or a file: chunks that sound like them get the verdict `idle` and
    /// are not scored
    #[arg(long, value_name = "RECORDINGS")]
    idle: Option<PathBuf>,
    /// Train on every clip, including those that the others do not explain
    #[arg(long)]
    keep_all: bool,
    /// Use the reference method exactly: its autoencoder, levels relative to each clip's maximum, 80 dB range, not
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
  auscult train dcase/dev_data/fan --out models/                   # one per machine: models/fan_id_00.safetensors, …
  auscult train dcase/dev_data/fan --out fans.safetensors --pool   # one for all machines
  auscult train recordings/ --out network.safetensors --detector autoencoder --epochs 60
  auscult train recordings/ --out valve.safetensors --detector pooled
  auscult train recordings/ --out all.safetensors --keep-all       # keep clips that the others do not explain
  auscult train recordings/ --out wide.safetensors --detector wide-mahalanobis --mels 128
  auscult train recordings/ --out fine.safetensors --mels 128 --n-fft 2048
  auscult train recordings/ --out press.safetensors --idle standstill/    # recognise the machine at rest
  auscult train recordings/ --out near.safetensors --channels 0    # only the microphone at the machine
  auscult train recordings/ --out compressor.safetensors --cadence 5m    # false alarms for one clip every 5 min

",
    data_dir_help!()
);

/// Trains and writes.
///
/// # Errors
/// If there is too little training data, or the file cannot be written.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    let dataset = args.data.discover()?;
    let jobs = args.jobs(&dataset)?;
    print_notes(&dataset);
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
    /// Its machine or machines.
    dataset: Dataset,
    /// Whether the recordings contain other machines.
    is_one_of_several: bool,
}

fn train_one(out: &mut impl Write, args: &TrainArgs, job: &Job, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let Job { file, dataset, is_one_of_several } = job;
    let mut options = args.options(file)?;
    files::check_writable(file)?;
    let paths = dataset.training_clips()?;
    full_scales::by_recordings(&mut options.spec, &paths)?.iter().for_each(|line| eprintln!("{line}"));
    let started = Instant::now();
    let options = TrainingOptions { at_rest: args.at_rest(&options.spec, interrupted)?, ..options };
    let read = read_training_clips(&paths, &options.spec, "normal recordings", interrupted)?;
    let read = clips::with_channels(read, options.channels.as_deref());
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
        serde_json::to_writer_pretty(&mut *out, &summary::Report::of(file, &package, false_alarms, elapsed_s))
            .context("cannot write the summary")?;
        writeln!(out)?;
        return Ok(());
    }
    summary::write(out, &package, &false_alarms, elapsed_s)?;
    writeln!(out, "\nwrote {}, version {}", file.display(), package.model_ref().version)?;
    if dataset.check_testable().is_ok() {
        let machine = if *is_one_of_several { format!(" --machine {}", dataset.machines[0].id) } else { String::new() };
        writeln!(out, "next: auscult evaluate {} {}{machine}", file.display(), args.data.data.display())?;
    }
    Ok(())
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

impl TrainArgs {
    /// One model per machine, unless the machines are pooled.
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
