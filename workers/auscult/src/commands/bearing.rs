//! `auscult bearing`: which part of a bearing is damaged, from vibration and the shaft's speed.

mod geometry;
mod recording;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use auscult_detection::bearing::{BearingError, BearingExam, BearingFinding};
use auscult_import::Options;
use clap::Args;
use serde::Serialize;

use geometry::GeometryArgs;
use recording::{Recording, files_of};

/// Say which part of a rolling bearing is damaged, from vibration and the shaft's speed
///
/// No model and no training: the squared envelope's spectrum of each band is searched for the harmonics at which a
/// damaged outer race, inner race or ball would strike, with their sidebands. A part is named where its lines stand so
/// far above those of combs that no defect has that a healthy bearing would show as high ones in one recording of a
/// hundred or fewer (of five hundred from 32 turns of the shaft on); what the shaft's own lines explain does not count.
/// Impulses at other rates are told as such, and the stated sample rate is questioned where the shaft's lines stand
/// elsewhere. Each channel has a finding of its own. A channel without a vibration is not examined; it and files that
/// cannot be read are named on standard error, the others are examined all the same, and the exit status is 1. A
/// damaged bearing is no failure.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct BearingArgs {
    /// Recordings of vibration: WAV, FLAC, or what `auscult import` reads; of five turns of the shaft or longer, better
    /// 300. A folder stands for its files in the order of the numbers in their names
    #[arg(value_name = "FILE|FOLDER", required = true)]
    files: Vec<PathBuf>,
    /// Judge files that follow on one another as one recording
    ///
    /// Whether a file goes on where the one before it ended is heard at the joint, and where it does not, another
    /// recording begins. Files that the shell has sorted by letters (1, 10, 2) are put into the order of their numbers.
    /// How a recording is judged depends on how many turns it has, not on this option.
    #[arg(long)]
    consecutive: bool,
    /// Speed of the shaft while they were made, turns a minute [default: what the file says, as CWRU's .mat do]
    #[arg(long, value_name = "TURNS_A_MINUTE")]
    rpm: Option<f64>,
    /// Samples a second, for files that do not say it; goes before what a file says
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// Variable, column or channel to take from a file that is imported, by name or number; may be given again
    /// [default: every signal]
    #[arg(long, value_name = "NAME")]
    variable: Vec<String>,
    /// By how much strikes may differ from geometry times speed, %
    #[arg(long, value_name = "PERCENT", default_value_t = 100.0 * BearingExam::DEFAULT_SLIP)]
    slip: f64,
    /// Print JSON lines, one object a channel
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

The rate must be high enough for the bearing's resonances: 20 kHz and up does for most. Each JSON
line has file, channel, channel_name, verdict, defect (outer_race, inner_race, ball or null),
candidates (where two parts stand out alike, or of one only each second or third line),
chance_if_healthy (the share of recordings of a healthy bearing, with this one's noise, in which
any comb stands out as far; not the chance that this bearing is healthy), combs (part, strikes_hz,
slip_percent, prominence_db, visible_lines, band_low_hz, band_high_hz, excess_db, sigmas; the
strongest first), impulses (hz, rate: shaft, bearing, mains or foreign; sigmas), rate_check (fits,
not_checked, or in_doubt with seems_hz and shaft_stands_at_hz), sensor_notes,
shaft_hz, shaft_found_hz (where the shaft's lines stand elsewhere), harmonics, resolution_hz,
turns and words. A channel that is not examined has verdict and error, a file that
cannot be read file and error. With --consecutive, file is the first of a recording, last_file its
last and files their number.

How often it is right depends on how long a recording is; a ball is seldom named, and may be named
as a race. docs/bearing.md says more.";

/// A stated speed that differs from the file's by more than this share is told.
const DIFFERENT_SPEED: f64 = 0.005;

/// Examines and prints.
///
/// # Errors
/// When the bearing or its speed cannot be, or at the end when a channel or file could not be examined.
pub fn run(args: &BearingArgs) -> anyhow::Result<()> {
    let orders = args.geometry.orders()?;
    let options = Options { rate_hz: args.rate, variables: args.variable.clone(), ..Options::default() };
    let mut printer = Printer { out: std::io::stdout().lock(), json: args.json, failures: 0 };
    let mut examine = |recording: &Recording| -> anyhow::Result<()> {
        // What a file says of its speed is noted when it is read.
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

/// The verdict on a channel that shows no vibration, or too little of it.
const NOT_EXAMINED: &str = "not examined";

/// Where findings go, and how many there are none of.
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

    /// A channel of which nothing can be said: no finding, and never "no defect".
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
    /// Of several files that were joined.
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

/// Which channel is meant: nothing where a recording has one without a name.
fn channel_words(recording: &Recording, channel: usize) -> String {
    match (recording.channels[channel].name.as_str(), recording.channels.len()) {
        ("", 1) => String::new(),
        ("", _) => format!(" channel {channel}"),
        (name, _) => format!(" channel {name}"),
    }
}
