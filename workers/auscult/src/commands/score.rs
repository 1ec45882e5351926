//! `auscult score`: one judgement a file.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use auscult_detection::{FalseAlarms, HealthyClip, Judgement, Model, words};
use auscult_features::{ChunkExtractor, Extraction};
use auscult_schemas::{DeviatingBand, ModelRef, QualityFlag, SensorFault, TimeCourse};
use clap::Args;
use serde::Serialize;

use super::arguments::{CadenceArgs, DeviceArgs};
use crate::clips::read_clip;
use crate::model_file;
use crate::natural_order::in_recorded_order;

/// Judge recordings: score, threshold, p-value, verdict, the bands that deviate, by how much and when
///
/// A channel whose sensor is at fault is left out of the score and named. A file that cannot be judged is named on standard error with the remedy; the others are judged all the same, and the
/// exit status is 1 at the end. An anomalous recording is no failure: its exit status is 0.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ScoreArgs {
    /// The model, made by `auscult train`
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Recordings, WAV or FLAC, up to 8 MiB each
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print JSON lines, one object a file
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    cadence: CadenceArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

const AFTER_HELP: &str = "\
Examples:
  auscult score compressor.safetensors today/*.wav
  auscult score compressor.safetensors today/*.wav --json | jq 'select(.anomalous) | .file'

Each JSON line has file, verdict (normal or anomalous), anomalous, score, threshold, p_value (the
probability that normal sound scores this high or higher), health_index (100 as in training, 50 at
the threshold, 0 far beyond), channel_scores, bands (hz_low, hz_high, share of the error,
level_change_db), time_course (slice_s, and each slice's share of the deviation; of anomalous files),
explanation (the same in words), quality, sensor_faults (channel, flags), model and calibration: what
the threshold means in false alarms at one clip each --cadence, and how sure that is. Where every sensor
is at fault there are only file, verdict (sensor_fault), explanation, quality, sensor_faults and model.
A file that cannot be judged has file and error.";

/// Judges and prints.
///
/// # Errors
/// When the model cannot be read, or at the end when a file could not be judged.
pub fn run(args: &ScoreArgs) -> anyhow::Result<()> {
    let package = model_file::read(&args.model)?;
    let model = Model::load(&package, &args.device.open()?.device)?;
    let mut extractor = ChunkExtractor::new(package.manifest().feature_spec.clone())?;

    let false_alarms = args.cadence.false_alarms(&package.manifest().calibration)?;
    let mut out = std::io::stdout().lock();
    let mut failures = 0;
    for path in &in_recorded_order(&args.files) {
        let result = judge(path, &model, &mut extractor);
        if args.json {
            let line = Line::new(path, &result, model.model_ref(), &false_alarms);
            serde_json::to_writer(&mut out, &line)?;
            writeln!(out)?;
        } else if let Ok(scored) = &result {
            write_verdict(&mut out, path, scored)?;
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
    }
    if failures > 0 {
        bail!("{failures} of {} files could not be judged", args.files.len());
    }
    Ok(())
}

struct Scored {
    /// Absent where every sensor is at fault.
    judgement: Option<Judgement>,
    quality: Vec<QualityFlag>,
    sensor_faults: Vec<SensorFault>,
}

fn judge(path: &Path, model: &Model, extractor: &mut ChunkExtractor) -> anyhow::Result<Scored> {
    let clip = read_clip(path, extractor)?;
    let judgement = match clip.healthy().as_ref().map(HealthyClip::view) {
        Some(view) => model.judge(&[view])?.pop(),
        None => None,
    };
    let Extraction { quality, sensor_faults, .. } = clip.features;
    Ok(Scored { judgement, quality, sensor_faults })
}

/// One line of `--json`.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Scored {
        file: String,
        verdict: &'static str,
        anomalous: bool,
        score: f64,
        threshold: f64,
        p_value: f64,
        health_index: f64,
        channel_scores: &'a [f64],
        bands: &'a [DeviatingBand],
        #[serde(skip_serializing_if = "Option::is_none")]
        time_course: Option<&'a TimeCourse>,
        #[serde(skip_serializing_if = "Option::is_none")]
        explanation: Option<String>,
        quality: &'a [QualityFlag],
        sensor_faults: &'a [SensorFault],
        model: &'a ModelRef,
        calibration: &'a FalseAlarms,
    },
    Unheard {
        file: String,
        verdict: &'static str,
        explanation: String,
        quality: &'a [QualityFlag],
        sensor_faults: &'a [SensorFault],
        model: &'a ModelRef,
    },
    Failed {
        file: String,
        error: String,
    },
}

impl<'a> Line<'a> {
    fn new(path: &Path, result: &'a anyhow::Result<Scored>, model: &'a ModelRef, calibration: &'a FalseAlarms) -> Self {
        let file = path.display().to_string();
        match result {
            Ok(Scored { judgement: None, quality, sensor_faults }) => {
                let explanation = words::sensor_faults(sensor_faults);
                Self::Unheard { file, verdict: SENSOR_FAULT, explanation, quality, sensor_faults, model }
            }
            Ok(Scored { judgement: Some(judgement), quality, sensor_faults }) => Self::Scored {
                file,
                verdict: verdict(judgement),
                anomalous: judgement.anomalous,
                score: judgement.score,
                threshold: judgement.threshold,
                p_value: judgement.p_value,
                health_index: judgement.health_index,
                channel_scores: &judgement.channel_scores,
                bands: &judgement.bands,
                time_course: judgement.time_course.as_ref(),
                explanation: judgement.anomalous.then(|| explanation(judgement)),
                quality,
                sensor_faults,
                model,
                calibration,
            },
            Err(error) => Self::Failed { file, error: format!("{error:#}") },
        }
    }
}

/// The verdict on a recording that no sensor heard.
const SENSOR_FAULT: &str = "sensor_fault";

/// What deviates. When the file was recorded nobody knows, so that it has no since.
fn explanation(judgement: &Judgement) -> String {
    words::deviation(&judgement.bands, judgement.time_course.as_ref(), None)
}

fn verdict(judgement: &Judgement) -> &'static str {
    if judgement.anomalous { "anomalous" } else { "normal" }
}

fn write_verdict(out: &mut impl Write, path: &Path, scored: &Scored) -> std::io::Result<()> {
    let Scored { judgement, quality, sensor_faults } = scored;
    let Some(judgement) = judgement else {
        writeln!(out, "{SENSOR_FAULT:<12}  not judged  {}", path.display())?;
        return write_notes(out, quality, sensor_faults);
    };
    write!(
        out,
        "{:<9}  score {:>8.3} / {:<8.3} p {:<8.2e} health {:>3.0}  {}",
        verdict(judgement),
        judgement.score,
        judgement.threshold,
        judgement.p_value,
        judgement.health_index,
        path.display()
    )?;
    // Which bands deviate explains an anomaly; of a normal clip it says nothing.
    if judgement.anomalous {
        write!(out, "\n           {}", explanation(judgement))?;
    }
    writeln!(out)?;
    write_notes(out, quality, sensor_faults)
}

fn write_notes(out: &mut impl Write, quality: &[QualityFlag], sensor_faults: &[SensorFault]) -> std::io::Result<()> {
    for fault in sensor_faults {
        writeln!(out, "           left out: {}", words::sensor_fault(fault))?;
    }
    // That a recording was resampled is no news to whoever made it.
    let notes: Vec<&str> = quality.iter().filter_map(quality_note).collect();
    if !notes.is_empty() {
        writeln!(out, "           note: {}", notes.join("; "))?;
    }
    Ok(())
}

fn quality_note(flag: &QualityFlag) -> Option<&'static str> {
    match flag {
        QualityFlag::Silent => Some("a microphone heard nothing: check its cable and gain"),
        QualityFlag::Clipped => Some("clipped: turn the gain down"),
        QualityFlag::DcOffset => Some("the signal is far from zero on average: check the recorder's coupling"),
        QualityFlag::Resampled => None,
        QualityFlag::Stuck => Some("one value is held for half of it: restart the converter or its driver"),
        QualityFlag::DroppedOut => Some("gaps break the sound: check plugs and the network"),
        QualityFlag::WrongRate => Some("nothing above a sharp edge: it was recorded at a lower rate than it says"),
        QualityFlag::MainsHum => Some("hardly anything but mains hum: check shield and ground"),
        QualityFlag::Short => Some("shorter than one vector of frames, padded with silence"),
    }
}
