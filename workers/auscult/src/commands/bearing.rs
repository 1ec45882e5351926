//! `auscult bearing`: which part of a bearing is damaged, from vibration and the shaft's speed.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use auscult_detection::bearing::{
    BearingExam, BearingFinding, BearingOrders, JOINED_TURNS, RollingElements, follows_on,
};
use auscult_features::{content_type_of, decode};
use auscult_schemas::topics::MAX_MESSAGE_BYTES;
use clap::Args;
use serde::Serialize;

use crate::natural_order::{in_recorded_order, sort_paths};

/// Say which part of a rolling bearing is damaged, from vibration and the shaft's speed
///
/// No model and no training: the squared envelope's spectrum of each band is searched for the harmonics at which a damaged
/// outer race, inner race or ball would strike, with their sidebands. A part is named where its lines stand so far above those of combs
/// that no defect has that noise alone would do so in one recording of a hundred or fewer; what the shaft's own lines explain does not
/// count. Each channel has a finding of its own. A file that cannot be examined is named on standard error; the others are examined
/// all the same, and the exit status is 1. A damaged bearing is no failure.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct BearingArgs {
    /// Recordings of vibration, WAV or FLAC, up to 8 MiB each; five turns of the shaft or longer, better a hundred
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Judge files that follow on one another as one recording; a folder stands for its files in the order of their names
    ///
    /// Whether a file goes on where the one before it ended is heard at the joint, and where it does not, another recording begins. From
    /// 32 turns on, an inner race must then show its sidebands, too; a shorter recording is judged as without this option.
    #[arg(long)]
    consecutive: bool,
    /// Speed of the shaft while they were made, turns a minute
    #[arg(long, value_name = "TURNS_A_MINUTE")]
    rpm: f64,
    /// By how much strikes may differ from geometry times speed, %
    #[arg(long, value_name = "PERCENT", default_value_t = 100.0 * BearingExam::DEFAULT_SLIP)]
    slip: f64,
    /// Print JSON lines, one object a channel
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    geometry: GeometryArgs,
}

/// The bearing: by its type, by its dimensions, or by its orders.
#[derive(Debug, Args)]
#[command(next_help_heading = "The bearing: its type, or its dimensions, or its orders")]
struct GeometryArgs {
    /// Type: 6203 or 6205, with or without what follows (-2RS, /C3)
    #[arg(long, value_name = "TYPE", conflicts_with_all = ["balls", "bpfo"])]
    geometry: Option<String>,
    /// Number of balls or rollers
    #[arg(long, value_name = "N", requires_all = ["ball_diameter", "pitch_diameter"], conflicts_with = "bpfo")]
    balls: Option<u32>,
    /// Diameter of one, mm
    #[arg(long, value_name = "MM", requires = "balls")]
    ball_diameter: Option<f64>,
    /// Diameter of the circle through their centres, mm
    #[arg(long, value_name = "MM", requires = "balls")]
    pitch_diameter: Option<f64>,
    /// Contact angle, degrees
    #[arg(long, value_name = "DEGREES", default_value_t = 0.0)]
    contact_angle: f64,
    /// Balls passing a point of the outer race, per turn of the shaft
    #[arg(long, value_name = "PER_TURN", requires_all = ["bpfi", "bsf", "ftf"])]
    bpfo: Option<f64>,
    /// Balls passing a point of the inner race, per turn
    #[arg(long, value_name = "PER_TURN", requires = "bpfo")]
    bpfi: Option<f64>,
    /// Turns of a ball about itself, per turn
    #[arg(long, value_name = "PER_TURN", requires = "bpfo")]
    bsf: Option<f64>,
    /// Turns of the cage, per turn
    #[arg(long, value_name = "PER_TURN", requires = "bpfo")]
    ftf: Option<f64>,
}

impl GeometryArgs {
    fn orders(&self) -> anyhow::Result<BearingOrders> {
        if let Some(designation) = &self.geometry {
            return BearingOrders::of_type(designation).with_context(|| {
                let known = BearingOrders::KNOWN_TYPES.join(" and ");
                format!(
                    "bearing {designation} is not known ({known} are): take BPFO, BPFI, BSF and FTF from its data sheet and state \
                     them with --bpfo, --bpfi, --bsf and --ftf, or its dimensions with --balls, --ball-diameter and --pitch-diameter"
                )
            });
        }
        if let (Some(count), Some(diameter_mm), Some(pitch_diameter_mm)) =
            (self.balls, self.ball_diameter, self.pitch_diameter)
        {
            let contact_angle_deg = self.contact_angle;
            return Ok(BearingOrders::of(&RollingElements {
                count,
                diameter_mm,
                pitch_diameter_mm,
                contact_angle_deg,
            }));
        }
        if let (Some(bpfo), Some(bpfi), Some(bsf), Some(ftf)) = (self.bpfo, self.bpfi, self.bsf, self.ftf) {
            return Ok(BearingOrders { bpfo, bpfi, bsf, ftf });
        }
        bail!(
            "which bearing is it? Name its type with --geometry 6205, its dimensions with --balls and the two diameters, or its orders with --bpfo, --bpfi, --bsf and --ftf"
        )
    }
}

const AFTER_HELP: &str = "\
Examples:
  auscult bearing drive-end/*.wav --rpm 1796 --geometry 6205-2RS
  auscult bearing spindle.flac --rpm 2000 --balls 16 --ball-diameter 8.4 --pitch-diameter 71.5 --contact-angle 15.2
  auscult bearing --consecutive clips/ --rpm 1796 --geometry 6205
  auscult bearing motor.wav --rpm 1480 --bpfo 3.585 --bpfi 5.415 --bsf 2.357 --ftf 0.398
  auscult bearing drive-end/*.wav --rpm 1796 --geometry 6205 --json | jq 'select(.defect) | [.file, .defect]'

The rate must be high enough for the bearing's resonances: 20 kHz and up does for most. Each JSON line
has file, channel, defect (outer_race, inner_race, ball or null), chance (the share of recordings of noise
alone in which any comb stands out as far), combs (part, strikes_hz, slip_percent, prominence_db, band_low_hz,
band_high_hz, excess_db, sigmas; the strongest first), shaft_hz, harmonics, resolution_hz, turns and words.
A file that cannot be examined has file and error. With --consecutive, file is the first of a recording,
last_file its last and files their number.

How often it is right, in recordings of seven turns and a half: on one test bench (MFPT) all 200 of damaged
races, with 2 of 60 healthy ones named; on another (CWRU) 48 of 56 of outer races, 16 of 21 of inner races
(3 of the 77 are named wrongly) and none of 20 healthy ones. A ball is seldom named (4 of 24), and may be
named as a race (8 of 24). docs/bearing.md says more.";

/// Examines and prints.
///
/// # Errors
/// When the bearing or its speed cannot be, or at the end when a file could not be examined.
pub fn run(args: &BearingArgs) -> anyhow::Result<()> {
    let exam = BearingExam { orders: args.geometry.orders()?, shaft_hz: args.rpm / 60.0, slip: args.slip / 100.0 };
    let mut printer = Printer { out: std::io::stdout().lock(), json: args.json, failures: 0 };
    if args.consecutive {
        run_consecutive(&args.files, &exam, &mut printer)?;
    } else {
        for path in &in_recorded_order(&args.files) {
            match Recording::read(path) {
                Ok(recording) => printer.print(&recording, recording.examine(&exam, false))?,
                Err(error) => printer.fail(path, &error)?,
            }
        }
    }
    if printer.failures > 0 {
        bail!("{} recordings could not be examined", printer.failures);
    }
    Ok(())
}

/// Samples a channel beyond which a recording is examined and another begins, so that a long folder does not fill the memory: 64 MiB.
const LONGEST_SAMPLES: usize = 16 << 20;

/// Joins what follows on, and examines each recording once it has ended.
fn run_consecutive<W: Write>(paths: &[PathBuf], exam: &BearingExam, printer: &mut Printer<W>) -> anyhow::Result<()> {
    let mut current: Option<Recording> = None;
    for path in files_of(paths)? {
        let next = match Recording::read(&path) {
            Ok(next) => next,
            Err(error) => {
                printer.fail(&path, &error)?;
                continue;
            }
        };
        current = match current.take() {
            None => Some(next),
            Some(mut recording) if recording.goes_on_with(&next) => {
                recording.append(next);
                Some(recording)
            }
            Some(recording) => {
                printer.print(&recording, recording.examine(exam, true))?;
                Some(next)
            }
        };
    }
    if let Some(recording) = current {
        printer.print(&recording, recording.examine(exam, true))?;
    }
    Ok(())
}

/// Files as they are, and those of folders in the order of their names.
fn files_of(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in &in_recorded_order(paths) {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let listing = || path.display().to_string();
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).with_context(listing)? {
            let file = entry.with_context(listing)?.path();
            if file.is_file() && content_type_of(&file.to_string_lossy()).is_some() {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            bail!("{} holds no recording: name a folder of WAV or FLAC files", path.display());
        }
        sort_paths(&mut inside);
        files.append(&mut inside);
    }
    Ok(files)
}

/// One recording, of one file or of several that follow on.
struct Recording {
    first: PathBuf,
    last: PathBuf,
    files: usize,
    rate_hz: u32,
    channels: Vec<Vec<f32>>,
}

impl Recording {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let metadata = std::fs::metadata(path).context("cannot be opened: check the path and its permissions")?;
        if metadata.len() > MAX_MESSAGE_BYTES as u64 {
            bail!("is larger than {} MiB: cut it into shorter recordings", MAX_MESSAGE_BYTES >> 20);
        }
        let bytes = std::fs::read(path).context("cannot be read: check that it is a file, and its permissions")?;
        let clip = decode(content_type_of(&path.to_string_lossy()).unwrap_or_default(), &bytes)?;
        let (first, last) = (path.to_owned(), path.to_owned());
        Ok(Self { first, last, files: 1, rate_hz: clip.sample_rate_hz, channels: clip.channels })
    }

    /// Whether every channel goes on in `next`.
    fn goes_on_with(&self, next: &Self) -> bool {
        let samples = self.channels.first().map_or(0, Vec::len);
        samples < LONGEST_SAMPLES
            && self.rate_hz == next.rate_hz
            && self.channels.len() == next.channels.len()
            && self.channels.iter().zip(&next.channels).all(|(before, after)| follows_on(before, after))
    }

    fn append(&mut self, next: Self) {
        self.last = next.last;
        self.files += 1;
        for (samples, more) in self.channels.iter_mut().zip(next.channels) {
            samples.extend(more);
        }
    }

    /// The findings of the channels.
    fn examine(&self, exam: &BearingExam, is_continuous: bool) -> anyhow::Result<Vec<BearingFinding>> {
        let rate_hz = f64::from(self.rate_hz);
        let finding = |samples: &Vec<f32>| {
            let turns = samples.len() as f64 / rate_hz * exam.shaft_hz;
            let finding = if is_continuous && turns >= JOINED_TURNS {
                exam.examine_joined(samples, rate_hz)
            } else {
                exam.examine(samples, rate_hz)
            };
            Ok(finding?)
        };
        self.channels.iter().map(finding).collect()
    }
}

/// Where findings go, and how many there are none of.
struct Printer<W> {
    out: W,
    json: bool,
    failures: usize,
}

impl<W: Write> Printer<W> {
    fn print(&mut self, recording: &Recording, findings: anyhow::Result<Vec<BearingFinding>>) -> anyhow::Result<()> {
        let findings = match findings {
            Ok(findings) => findings,
            Err(error) => return self.fail(&recording.first, &error),
        };
        for (channel, finding) in findings.iter().enumerate() {
            let line = Line::of(recording, channel, finding);
            if self.json { line.write_json(&mut self.out)? } else { line.write_words(&mut self.out)? }
        }
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
    #[serde(flatten)]
    finding: &'a BearingFinding,
    words: String,
    #[serde(skip)]
    is_one_of_several: bool,
}

#[derive(Serialize)]
struct Joined {
    last_file: String,
    files: usize,
}

impl<'a> Line<'a> {
    fn of(recording: &Recording, channel: usize, finding: &'a BearingFinding) -> Self {
        let Recording { first, last, files, channels, .. } = recording;
        let joined = (*files > 1).then(|| Joined { last_file: last.display().to_string(), files: *files });
        let (file, words) = (first.display().to_string(), finding.in_words());
        Self { file, joined, channel, finding, words, is_one_of_several: channels.len() > 1 }
    }

    fn write_json(&self, out: &mut impl Write) -> anyhow::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        Ok(writeln!(out)?)
    }

    fn write_words(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let channel = if self.is_one_of_several { format!(" channel {}", self.channel) } else { String::new() };
        let what = self.finding.defect.map_or("no defect", |part| part.as_str());
        let joined = self.joined.as_ref().map_or_else(String::new, |Joined { last_file, files }| {
            format!(" to {last_file}: {files} files, one recording ({:.1} turns)", self.finding.turns)
        });
        Ok(writeln!(out, "{what:<10}  {}{joined}{channel}\n            {}", self.file, self.words)?)
    }
}
