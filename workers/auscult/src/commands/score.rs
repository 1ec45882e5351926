//! `auscult score`: one judgement a file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use auscult_detection::notes::{self, ChunkNotes};
use auscult_detection::{FalseAlarms, Judgement, Model, Recorded, findings, words};
use auscult_features::{ChunkExtractor, Extraction};
use auscult_schemas::{
    DeviatingBand, MachineState, MeasuredLevels, ModelRef, Note, NoteKind, QualityFlag, Quantity, SensorFault,
    TimeCourse,
};
use clap::Args;
use serde::Serialize;

use super::arguments::{CadenceArgs, ChannelArgs, DeviceArgs};
use crate::clips::read_clip;
use crate::model_file;
use crate::natural_order::in_recorded_order;

/// Judge recordings: score, threshold, p-value, verdict, the bands that deviate, by how much and when
///
/// A channel whose sensor is at fault is left out of the score and named; a file that cannot be compared with what the
/// model has learned is not judged, and says why. A file that cannot be judged is named on standard error with the
/// remedy; the others are judged all the same, and the exit status is 1 at the end. An anomalous recording is no
/// failure: its exit status is 0.
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
    channels: ChannelArgs,
    #[command(flatten)]
    cadence: CadenceArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

const AFTER_HELP: &str = "\
Examples:
  auscult score compressor.safetensors today/*.wav
  auscult score compressor.safetensors today/*.wav --channels 0    # the first microphone alone
  auscult score compressor.safetensors today/*.wav --json | jq 'select(.anomalous) | .file'

Each JSON line has file, verdict (normal or anomalous), anomalous, score, threshold, p_value (the
probability that normal sound scores this high or higher), health_index (100 as in training, 50 at
the threshold, 0 far beyond), channel_scores, bands (hz_low, hz_high, share of the error,
level_change_db), time_course (slice_s, and each slice's share of the deviation; of anomalous files),
explanation (the same in words), quality, sensor_faults (channel, flags), notes (kind, words, remedy; where
there are any), model and calibration: what the threshold means in false alarms at one clip each --cadence,
and how sure that is. A file that says nothing about the machine's health has only file, verdict, explanation,
quality, sensor_faults, notes, model and, where there is one, score; its verdict is sensor_fault (no sensor
hears the machine), setup_fault (its sample rate or length is not what the model has learned) or idle (the
machine is at rest). A file that cannot be judged has file and error.";

/// Judges and prints.
///
/// # Errors
/// When the model cannot be read, or at the end when a file could not be judged.
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
        let result = judge(path, chosen.as_deref(), &model, &mut extractor);
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

struct Scored {
    /// Absent where every sensor is at fault.
    judgement: Option<Judgement>,
    /// What is to be noted, and why it says nothing about the machine's health.
    noted: ChunkNotes,
    quality: Vec<QualityFlag>,
    sensor_faults: Vec<SensorFault>,
    quantity: Option<Quantity>,
    /// In physical units, where those are known.
    levels: Option<MeasuredLevels>,
}

fn judge(
    path: &Path,
    chosen: Option<&[usize]>,
    model: &Model,
    extractor: &mut ChunkExtractor,
) -> anyhow::Result<Scored> {
    let clip = read_clip(path, extractor)?.choosing(chosen)?;
    let judgement = match clip.healthy() {
        Some(healthy) => model.judge_heard(&[healthy])?.pop(),
        None => None,
    };
    let Extraction { quality, sensor_faults, levels, source_rate_hz, duration_s, .. } = clip.features;
    let recorded = Recorded { source_rate_hz, duration_s };
    let noted = notes::of_chunk(model.manifest(), judgement.as_ref(), Some(recorded), &quality);
    Ok(Scored {
        judgement,
        noted,
        quality,
        sensor_faults,
        quantity: clip.quantity,
        levels: levels.map(|levels| levels.choosing(chosen)),
    })
}

impl Scored {
    fn verdict(&self) -> &'static str {
        match (self.noted.unjudged, &self.judgement) {
            (Some(state), _) => state.as_str(),
            (None, Some(judgement)) if judgement.anomalous => "anomalous",
            _ => "normal",
        }
    }

    /// What deviates, and the level. When the file was recorded nobody knows, so that it has no since.
    fn explanation(&self, judgement: &Judgement) -> String {
        let deviation = words::deviation(&judgement.bands, judgement.time_course.as_ref(), None);
        match self.levels.as_ref().and_then(|levels| words::level(levels, &self.sensor_faults)) {
            Some(level) => format!("{deviation}; {level}"),
            None => deviation,
        }
    }

    /// Why it says nothing about the machine's health.
    fn why_unjudged(&self) -> String {
        match self.noted.unjudged {
            Some(MachineState::SensorFault) => words::sensor_faults(&self.sensor_faults, self.quantity),
            _ if self.noted.notes.is_empty() => "the machine is at rest".to_owned(),
            _ => words::notes(&self.noted.notes),
        }
    }
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
        #[serde(skip_serializing_if = "Option::is_none")]
        levels: Option<&'a MeasuredLevels>,
        quality: &'a [QualityFlag],
        sensor_faults: &'a [SensorFault],
        #[serde(skip_serializing_if = "<[Note]>::is_empty")]
        notes: &'a [Note],
        model: &'a ModelRef,
        calibration: &'a FalseAlarms,
    },
    Unjudged {
        file: String,
        verdict: &'static str,
        explanation: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        score: Option<f64>,
        quality: &'a [QualityFlag],
        sensor_faults: &'a [SensorFault],
        #[serde(skip_serializing_if = "<[Note]>::is_empty")]
        notes: &'a [Note],
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
        let scored = match result {
            Ok(scored) => scored,
            Err(error) => return Self::Failed { file, error: format!("{error:#}") },
        };
        let Scored { judgement, noted, quality, sensor_faults, .. } = scored;
        match judgement {
            Some(judgement) if noted.unjudged.is_none() => Self::Scored {
                file,
                verdict: scored.verdict(),
                anomalous: judgement.anomalous,
                score: judgement.score,
                threshold: judgement.threshold,
                p_value: judgement.p_value,
                health_index: judgement.health_index,
                channel_scores: &judgement.channel_scores,
                bands: &judgement.bands,
                time_course: judgement.time_course.as_ref(),
                explanation: judgement.anomalous.then(|| scored.explanation(judgement)),
                levels: scored.levels.as_ref(),
                quality,
                sensor_faults,
                notes: &noted.notes,
                model,
                calibration,
            },
            _ => Self::Unjudged {
                file,
                verdict: scored.verdict(),
                explanation: scored.why_unjudged(),
                score: judgement.as_ref().map(|judgement| judgement.score),
                quality,
                sensor_faults,
                notes: &noted.notes,
                model,
            },
        }
    }
}

fn write_verdict(out: &mut impl Write, path: &Path, scored: &Scored) -> std::io::Result<()> {
    let verdict = scored.verdict();
    match &scored.judgement {
        Some(judgement) if scored.noted.unjudged.is_none() => {
            write!(
                out,
                "{verdict:<9}  score {:>8.3} / {:<8.3} p {:<8.2e} health {:>3.0}  {}",
                judgement.score,
                judgement.threshold,
                judgement.p_value,
                judgement.health_index,
                path.display()
            )?;
            // Which bands deviate explains an anomaly; of a normal clip it says nothing.
            if judgement.anomalous {
                write!(out, "\n           {}", scored.explanation(judgement))?;
            }
            writeln!(out)?;
        }
        // Why is said below: of sensors for each file, of the recording setup once at the end.
        _ => writeln!(out, "{verdict:<12}  not judged  {}", path.display())?,
    }
    for fault in &scored.sensor_faults {
        writeln!(out, "           left out: {}", words::sensor_fault(fault, scored.quantity))?;
    }
    Ok(())
}

/// What is to be said once at the end, of however many files it holds: what to do about faults and notes.
#[derive(Default)]
struct Remarks {
    faults: BTreeMap<QualityFlag, usize>,
    /// The first of each kind, with how many files have it.
    notes: BTreeMap<NoteKind, (Note, usize)>,
}

impl Remarks {
    fn add(&mut self, scored: &Scored) {
        let at_fault: BTreeSet<QualityFlag> =
            scored.sensor_faults.iter().flat_map(|fault| &fault.flags).copied().collect();
        for flag in at_fault {
            *self.faults.entry(flag).or_default() += 1;
        }
        for note in &scored.noted.notes {
            self.notes.entry(note.kind).or_insert_with(|| (note.clone(), 0)).1 += 1;
        }
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let files = |count: usize| if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
        for (flag, count) in &self.faults {
            writeln!(out, "note, {}: {}", files(*count), findings::finding(*flag))?;
        }
        for (Note { words, remedy, .. }, count) in self.notes.values() {
            writeln!(out, "note, {}: {words}; {remedy}", files(*count))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use auscult_schemas::SetupNote;

    use super::*;

    fn scored(notes: Vec<Note>, unjudged: Option<MachineState>) -> Scored {
        let noted = ChunkNotes { notes, unjudged };
        Scored { judgement: None, noted, quality: Vec::new(), sensor_faults: Vec::new(), quantity: None, levels: None }
    }

    #[test]
    fn a_setup_note_of_many_files_is_said_once_with_its_remedy() {
        let note = |words: &str| Note {
            kind: NoteKind::Setup(SetupNote::Shorter),
            words: words.to_owned(),
            remedy: "send chunks of 2.8 s".to_owned(),
        };
        let mut remarks = Remarks::default();
        for words in ["chunks of 0.56 s, learned with 2.8 s", "chunks of 0.55 s, learned with 2.8 s"] {
            remarks.add(&scored(vec![note(words)], Some(MachineState::SetupFault)));
        }
        let mut out = Vec::new();
        remarks.write(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "note, 2 files: chunks of 0.56 s, learned with 2.8 s; send chunks of 2.8 s\n"
        );
    }
}
