//! `auscult retrain`: trains new models from the data that the machines have sent.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail, ensure};
use auscult_detection::{DetectorKind, TrainingOptions};
use auscult_operations::retraining::{
    MachineSample, SampleRequest, TopicReading, read_machines_in_alarm, read_not_running, read_samples,
};
use auscult_schemas::{FeatureSpec, MachineId, ModelId, printable};
use clap::Args;
use jiff::Timestamp;

use super::arguments::{ChannelArgs, SpecArgs, detectors, moment};
use super::training::train_with_progress;
use super::worker_arguments::{ConfigArgs, KafkaOnly};
use crate::{interrupt, model_file, progress};

/// Retrain models from the features on audio.features, one model per machine
///
/// Use it after a change of the surroundings or an overhaul of a machine. Thresholds adapt to such a change by
/// themselves, but a model trained on the new sound detects faults in it better. No recordings are needed: the command
/// reads the features of the given time range, as far back as audio.features retains them. It excludes machines that
/// were in alarm in that range, and chunks that audio.scores marks as sensor fault, as machine at rest (idle) or as a
/// sample rate or length other than the model's (setup_fault). A running scoring worker loads the new models from its
/// folder.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RetrainArgs {
    /// Folder of models: MACHINE.safetensors of each machine is written completely or not at all
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Start of the time range: a time, or a duration before now, such as 24h
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Timestamp,
    /// End of the time range [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    /// Only machines with this id prefix, such as works/hall-1/
    #[arg(long, value_name = "PREFIX", default_value = "")]
    machines: String,
    /// Maximum number of chunks per machine, evenly spaced over the time range
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..))]
    clips: u32,
    /// Exclude machines with fewer chunks than this
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(10..))]
    min_clips: u32,
    /// Include machines that were in alarm in the time range
    #[arg(long)]
    even_alarmed: bool,
    /// Detector to train; see `auscult train --help`
    #[arg(long, value_name = "DETECTOR", default_value = DetectorKind::Fused.name(), value_parser = detectors())]
    detector: DetectorKind,
    /// Seed of sampling, weights and hold-out
    #[arg(long, value_name = "N", default_value_t = TrainingOptions::default().seed)]
    seed: u64,
    /// Target share of normal chunks with scores above the threshold
    #[arg(long, value_name = "SHARE", default_value_t = TrainingOptions::default().false_alarm_rate)]
    false_alarm_rate: f64,
    #[command(flatten)]
    channels: ChannelArgs,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    spec: SpecArgs,
}

const EXAMPLES: &str = "\
Examples:
  auscult retrain --since 24h --out models/ --brokers localhost:9092
  auscult retrain --since 2026-01-09T12:00Z --until 2026-01-10T12:00Z --machines works/hall-1/ --out models/
  auscult retrain --since 12h --machines works/hall-1/fan-07 --even-alarmed --out models/
  auscult retrain --since 24h --channels 0,1 --out models/ --brokers localhost:9092    # two of the microphones";

/// Reads the features, trains and writes the models.
///
/// # Errors
/// If the brokers cannot be reached, or there is no machine to train a model for.
pub fn run(args: &RetrainArgs) -> anyhow::Result<()> {
    let until = args.until.unwrap_or_else(Timestamp::now);
    ensure!(args.since < until, "--since {} is not before --until {until}", args.since);
    ensure!(args.min_clips <= args.clips, "--min-clips {} are more than --clips {}", args.min_clips, args.clips);
    let config: KafkaOnly = args.config.load(&[])?;
    let spec = args.spec.spec(FeatureSpec::default())?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot make the folder {}: check its path and permissions", args.out.display()))?;
    let interrupted = interrupt::listen("ending after this machine (once more to end at once)")?;

    let kafka = &config.kafka;
    let in_alarm = if args.even_alarmed { BTreeSet::new() } else { read_machines_in_alarm(kafka, args.since, until)? };
    let left_out =
        with_count("scores read", interrupted, |reading| read_not_running(kafka, args.since, until, reading))?;
    let request = SampleRequest {
        since: args.since,
        until,
        machines: args.machines.clone(),
        spec: spec.hash(),
        clips: args.clips as usize,
        seed: args.seed,
        channels: args.channels.chosen(),
        left_out,
    };
    let gathered = with_count("features read", interrupted, |reading| read_samples(kafka, request, reading))?;
    let (chunks, others) = (gathered.chunks(), gathered.of_another_spec);
    let machines = gathered.into_machines();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{chunks} chunks of {} machines from {} to {until}", machines.len(), args.since)?;
    if others > 0 {
        writeln!(
            out,
            "left out: {others} chunks whose features follow another spec than {}; see --spec and its like",
            spec.hash()
        )?;
    }
    let mut learnt = 0;
    let bar = progress::bar(machines.len() as u64, "machines");
    for (machine, sent) in &machines {
        if interrupted.load(Ordering::Relaxed) {
            bail!("interrupted: {learnt} of {} machines are learnt anew, the others keep their models", machines.len());
        }
        if let Some(reason) = args.reason_to_leave_out(machine, sent, &in_alarm) {
            writeln!(out, "left out: {}: {reason}", printable(machine.as_str()))?;
        } else {
            let file = args.learn(machine, sent, &spec, interrupted)?;
            let name = printable(machine.as_str());
            writeln!(out, "{name}: {} of {} chunks, wrote {}", sent.clips.len(), sent.heard, file.display())?;
            learnt += 1;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    ensure!(
        learnt > 0,
        "no machine could be learnt: is the time right (event time, UTC), and does audio.features still keep what was sent then?"
    );
    writeln!(out, "{learnt} of {} machines are learnt anew", machines.len())?;
    Ok(())
}

impl RetrainArgs {
    fn reason_to_leave_out(
        &self,
        machine: &MachineId,
        sent: &MachineSample,
        alarmed: &BTreeSet<MachineId>,
    ) -> Option<String> {
        if alarmed.contains(machine) {
            return Some("it was in alarm in that time (--even-alarmed learns it all the same)".to_owned());
        }
        let MachineSample { heard, unheard, at_rest, lacking, .. } = sent;
        (*heard < u64::from(self.min_clips)).then(|| {
            let others = [
                (unheard, "that no sensor heard"),
                (at_rest, "at rest or otherwise than learned"),
                (lacking, "that lack a chosen channel"),
            ];
            let others: String = others
                .iter()
                .filter(|(count, _)| **count > 0)
                .map(|(count, what)| format!(", {count} more {what}"))
                .collect();
            format!("{heard} chunks{others}; {} are needed (--min-clips)", self.min_clips)
        })
    }

    fn learn(
        &self,
        machine: &MachineId,
        sent: &MachineSample,
        spec: &FeatureSpec,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<PathBuf> {
        let stem = auscult_scoring_worker::file_stem(machine);
        let file = self.out.join(format!("{stem}.safetensors"));
        let options = TrainingOptions {
            spec: spec.clone(),
            model_id: ModelId(stem),
            seed: self.seed,
            false_alarm_rate: self.false_alarm_rate,
            channels: self.channels.chosen(),
            ..TrainingOptions::of(self.detector)
        };
        let package = train_with_progress(&sent.clips, &options, interrupted)
            .with_context(|| format!("{machine} cannot be learnt"))?;
        for out in &package.manifest().training.left_out {
            eprintln!("left out: {machine}: {}", out.in_words());
        }
        model_file::write_and_tell(&file, &package.to_bytes()?)?;
        Ok(file)
    }
}

/// Shows the number of records while `read` reads them.
fn with_count<T>(
    what: &str,
    interrupted: &AtomicBool,
    read: impl FnOnce(&TopicReading<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let bar = progress::count(what);
    let result = read(&TopicReading { interrupted, on_record: &|| bar.inc(1) });
    bar.finish_and_clear();
    result
}
