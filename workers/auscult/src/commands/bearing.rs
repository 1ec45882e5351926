//! `auscult bearing`: which part of a bearing is damaged, from vibration and the shaft's speed.

mod geometry;
mod recording;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use auscult_bearing::{BearingError, BearingExam, BearingFinding};
use auscult_import::Options;
use clap::Args;
use serde::Serialize;

use geometry::GeometryArgs;
use recording::{Recording, files_of};

/// Identify the damaged part of a rolling bearing from vibration and shaft speed
///
/// No model and no training are needed. The command searches the squared envelope spectrum of each band for the
/// harmonics, and their sidebands, of a damaged outer race, inner race or ball. It names a part if its lines exceed
/// those of combs that no defect has by so much that a healthy bearing would exceed it in at most one recording of a
/// hundred (of five hundred from 32 turns of the shaft on); lines explained by the shaft itself do not count. Impulses
/// at other rates are reported as such, and the stated sample rate is questioned if the shaft's lines are elsewhere.
/// Each channel is examined separately. A channel without vibration is not examined; such channels and unreadable files
/// are reported on standard error, the others are still examined, and the exit status is 1. A damaged bearing does not
/// change the exit status.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct BearingArgs {
    /// Vibration recordings: WAV, FLAC, or formats that `auscult import` reads; at least five turns of the shaft,
    /// better 300. A folder stands for its files, in the order of the numbers in their names
    #[arg(value_name = "FILE|FOLDER", required = true)]
    files: Vec<PathBuf>,
    /// Join consecutive files into one recording
    ///
    /// The joint shows whether a file continues the one before it; if it does not, a new recording starts. Files that
    /// the shell has sorted by letters (1, 10, 2) are sorted by their numbers. The analysis depends on the number of
    /// turns in a recording, not on this option.
    #[arg(long)]
    consecutive: bool,
    /// Speed of the shaft during the recording, turns per minute [default: from the file, as in CWRU's .mat files]
    #[arg(long, value_name = "TURNS_A_MINUTE")]
    rpm: Option<f64>,
    /// Sample rate, Hz, for files without one; takes precedence over the file's
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// Variable, column or channel to read from an imported file, by name or number; may be repeated [default: every
    /// signal]
    #[arg(long, value_name = "NAME")]
    variable: Vec<String>,
    /// Tolerance of the defect frequencies around geometry times speed, %
    #[arg(long, value_name = "PERCENT", default_value_t = 100.0 * BearingExam::DEFAULT_SLIP)]
    slip: f64,
    /// Print JSON lines, one object per channel
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    geometry: GeometryArgs,
}

const AFTER_HELP: &str = "\
Examples:
  auscult bearing drive-end/*.wav --rpm 1796 --geometry 6205-2RS
  auscult bearing spindle.flac --rpm 2000 --balls 16 --ball-diameter 8.4 --pitch-diameter 71.5 --contact-angle 15.2
  auscult bearing --consecutive clips/ --rpm 1796 --geometry 6205
  auscult bearing 97.mat --rate 12000 --variable X097_DE_time --geometry 6205
  auscult bearing motor.wav --rpm 1480 --bpfo 3.585 --bpfi 5.415 --bsf 2.357 --ftf 0.398
  auscult bearing drive-end/*.wav --rpm 1796 --geometry 6205 --json | jq 'select(.defect) | [.file, .defect]'

The sample rate must be high enough for the bearing's resonances: 20 kHz or more is enough for most
bearings. Each JSON line has file, channel, channel_name, verdict, defect (outer_race, inner_race,
ball or null), candidates (if two parts are equally prominent, or a part shows only every second or
third line), chance_if_healthy (the share of recordings of a healthy bearing, with this one's noise,
in which any comb is as prominent; not the probability that this bearing is healthy), combs (part,
strikes_hz, slip_percent, prominence_db, visible_lines, band_low_hz, band_high_hz, excess_db, sigmas;
the strongest first), impulses (hz, rate: shaft, bearing, mains or foreign; sigmas), rate_check
(fits, not_checked, or in_doubt with seems_hz and shaft_stands_at_hz), sensor_notes, shaft_hz,
shaft_found_hz (if the shaft's lines are elsewhere), harmonics, resolution_hz, turns and words.
A channel that is not examined has verdict and error; a file that cannot be read has file and error.
With --consecutive, file is the first file of a recording, last_file the last one, and files their
number.

Accuracy depends on the length of a recording. Ball defects are seldom identified, and may be
reported as race defects. See docs/bearing.md for details.";

/// A stated speed that differs from the file's by more than this share is reported.
const DIFFERENT_SPEED: f64 = 0.005;

/// Examines and prints.
///
/// # Errors
/// If the bearing or its speed is impossible, or, at the end, if a channel or file could not be examined.
pub fn run(args: &BearingArgs) -> anyhow::Result<()> {
    let orders = args.geometry.orders()?;
    let options = Options { rate_hz: args.rate, variables: args.variable.clone(), ..Options::default() };
    let mut printer = Printer { out: std::io::stdout().lock(), json: args.json, failures: 0 };
    let mut examine = |recording: &Recording| -> anyhow::Result<()> {
        // The file's speed is noted when it is read.
        if let (Some(stated), Some(rpm)) = (args.rpm, recording.rpm)
            && (stated / rpm - 1.0).abs() > DIFFERENT_SPEED
        {
            eprintln!("note: {}: says {rpm} turns a minute; --rpm {stated} is taken", recording.first.display());
        }
        match recording.examine(orders, args.rpm, args.slip / 100.0) {
            Ok(findings) => printer.print(recording, &findings),
            Err(error) => printer.fail(&recording.first, &error),
        }
    };
    let mut unread = Vec::new();
    let mut current: Option<Recording> = None;
    for path in files_of(&args.files)? {
        let recordings = match Recording::read(&path, &options) {
            Ok(recordings) => recordings,
            Err(error) => {
                unread.push((path, error));
                continue;
            }
        };
        for next in recordings {
            match &mut current {
                Some(recording) if args.consecutive && recording.goes_on_with(&next) => recording.append(next),
                _ => {
                    if let Some(recording) = current.replace(next) {
                        examine(&recording)?;
                    }
                }
            }
        }
    }
    if let Some(recording) = current {
        examine(&recording)?;
    }
    for (path, error) in unread {
        printer.fail(&path, &error)?;
    }
    if printer.failures > 0 {
        bail!("{} could not be examined, as told above", counted(printer.failures));
    }
    Ok(())
}

fn counted(failures: usize) -> String {
    if failures == 1 { "one recording or channel".to_owned() } else { format!("{failures} recordings or channels") }
}

/// The verdict on a channel with no vibration, or too little.
const NOT_EXAMINED: &str = "not examined";

/// Output of the findings, and the number of channels without one.
struct Printer<W> {
    out: W,
    json: bool,
    failures: usize,
}

impl<W: Write> Printer<W> {
    fn print(
        &mut self,
        recording: &Recording,
        findings: &[Result<BearingFinding, BearingError>],
    ) -> anyhow::Result<()> {
        for (channel, finding) in findings.iter().enumerate() {
            let finding = match finding {
                Ok(finding) => finding,
                Err(error) => {
                    self.not_examined(recording, channel, error)?;
                    continue;
                }
            };
            let line = Line::of(recording, channel, finding);
            if self.json { line.write_json(&mut self.out)? } else { line.write_words(&mut self.out)? }
        }
        Ok(())
    }

    /// A channel that cannot be examined: no finding, and never "no defect".
    fn not_examined(&mut self, recording: &Recording, channel: usize, error: &BearingError) -> anyhow::Result<()> {
        self.failures += 1;
        let path = recording.first.display();
        let of_channel = channel_words(recording, channel);
        if self.json {
            let line = serde_json::json!({
                "file": path.to_string(),
                "channel": channel,
                "verdict": NOT_EXAMINED,
                "error": format!("{path}{of_channel}: {error}"),
            });
            writeln!(self.out, "{line}")?;
        } else {
            let error = error.to_string();
            let why = error.strip_prefix("not examined: ").unwrap_or(&error);
            writeln!(self.out, "{NOT_EXAMINED}  {path}{of_channel}\n            {why}")?;
        }
        eprintln!("error: {path}{of_channel}: {error}");
        Ok(())
    }

    fn fail(&mut self, path: &Path, error: &anyhow::Error) -> anyhow::Result<()> {
        self.failures += 1;
        let path = path.display();
        eprintln!("error: {path}: {error:#}");
        if self.json {
            let line = serde_json::json!({ "file": path.to_string(), "error": format!("{path}: {error:#}") });
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }
}

/// One channel's finding, as it is printed.
#[derive(Serialize)]
struct Line<'a> {
    file: String,
    /// If several files were joined.
    #[serde(flatten)]
    joined: Option<Joined>,
    channel: usize,
    #[serde(skip_serializing_if = "str::is_empty")]
    channel_name: &'a str,
    verdict: String,
    #[serde(flatten)]
    finding: &'a BearingFinding,
    words: String,
    #[serde(skip)]
    channel_words: String,
}

#[derive(Serialize)]
struct Joined {
    last_file: String,
    files: usize,
}

impl<'a> Line<'a> {
    fn of(recording: &'a Recording, channel: usize, finding: &'a BearingFinding) -> Self {
        let Recording { first, last, files, channels, .. } = recording;
        let joined = (*files > 1).then(|| Joined { last_file: last.display().to_string(), files: *files });
        Self {
            file: first.display().to_string(),
            joined,
            channel,
            channel_name: &channels[channel].name,
            verdict: finding.verdict(),
            finding,
            words: finding.in_words(),
            channel_words: channel_words(recording, channel),
        }
    }

    fn write_json(&self, out: &mut impl Write) -> anyhow::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        Ok(writeln!(out)?)
    }

    fn write_words(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let (channel, what) = (&self.channel_words, &self.verdict);
        let joined = self.joined.as_ref().map_or_else(String::new, |Joined { last_file, files }| {
            format!(" to {last_file}: {files} files, one recording ({:.1} turns)", self.finding.turns)
        });
        Ok(writeln!(out, "{what:<10}  {}{joined}{channel}\n            {}", self.file, self.words)?)
    }
}

/// Names the channel; empty if a recording has a single channel without a name.
fn channel_words(recording: &Recording, channel: usize) -> String {
    match (recording.channels[channel].name.as_str(), recording.channels.len()) {
        ("", 1) => String::new(),
        ("", _) => format!(" channel {channel}"),
        (name, _) => format!(" channel {name}"),
    }
}
