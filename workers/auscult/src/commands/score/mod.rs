//! `auscult score`: scores files, one verdict per file.

mod print;

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use auscult_detection::Model;
use auscult_evaluation::recording::judge_recording;
use auscult_features::ChunkExtractor;
use clap::Args;

use super::arguments::{CadenceArgs, ChannelArgs, DeviceArgs};
use super::reading::in_recorded_order;
use crate::model_file;
use print::{Line, Remarks, write_verdict};

/// Score recordings: score, threshold, p-value, verdict, deviating bands with their level changes and times
///
/// A channel with a sensor fault is excluded from the score and reported; a file that is not comparable with the
/// model's training data is not scored, and the reason is printed. A file that cannot be scored is reported on standard
/// error with the remedy; the other files are still scored, and the exit status is 1. An anomalous recording does not
/// change the exit status.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ScoreArgs {
    /// The model, made by `auscult train`
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Recordings, WAV or FLAC, up to 8 MiB each
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print JSON lines, one object per file
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    channels: ChannelArgs,
    #[command(flatten)]
    cadence: CadenceArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

const AFTER_HELP: &str = "\
Examples:
  auscult score compressor.safetensors today/*.wav
  auscult score compressor.safetensors today/*.wav --channels 0    # the first microphone only
  auscult score compressor.safetensors today/*.wav --json | jq 'select(.anomalous) | .file'

Each JSON line has file, verdict (normal or anomalous), anomalous, score, threshold, p_value (the
probability that normal sound scores this high or higher), health_index (100 as in training, 50 at
the threshold, 0 far beyond), channel_scores, bands (hz_low, hz_high, share of the error,
level_change_db), time_course (slice_s, and each slice's share of the deviation; for anomalous files),
explanation (the same in words), quality, sensor_faults (channel, flags), notes (kind, words, remedy; if
there are any), model and calibration: the estimated false alarms at this threshold for one clip per
--cadence, with their uncertainty. A file that shows nothing about the machine's health has only file,
verdict, explanation, quality, sensor_faults, notes, model and, if available, score. Its verdict is
sensor_fault (no sensor receives the machine), setup_fault (its sample rate or length differs from the
model's training data) or idle (the machine is at rest). A file that cannot be scored has file and error.";

/// Scores and prints.
///
/// # Errors
/// If the model cannot be read, or, at the end, if a file could not be scored.
pub fn run(args: &ScoreArgs) -> anyhow::Result<()> {
    let package = model_file::read(&args.model)?;
    let model = Model::load(&package, &args.device.open()?.device)?;
    let mut extractor = ChunkExtractor::new(package.manifest().feature_spec.clone())?;

    let chosen = args.channels.chosen_of(package.manifest())?;
    let false_alarms = args.cadence.false_alarms(&package.manifest().calibration)?;
    let mut out = std::io::stdout().lock();
    let mut failures = 0;
    let mut remarks = Remarks::default();
    for path in &in_recorded_order(&args.files) {
        let result = judge_recording(path, chosen.as_deref(), &model, &mut extractor);
        if args.json {
            let line = Line::new(path, &result, model.model_ref(), &false_alarms);
            serde_json::to_writer(&mut out, &line)?;
            writeln!(out)?;
        } else if let Ok(scored) = &result {
            write_verdict(&mut out, path, scored)?;
            remarks.add(scored);
        }
        if let Err(error) = result {
            failures += 1;
            eprintln!("error: {error:#}");
        }
    }
    if !args.json {
        writeln!(out, "\nthreshold {:.3}:", package.manifest().calibration.threshold)?;
        for line in false_alarms.in_words() {
            writeln!(out, "  {line}")?;
        }
        remarks.write(&mut out)?;
    }
    if failures > 0 {
        bail!("{failures} of {} files could not be judged", args.files.len());
    }
    Ok(())
}
