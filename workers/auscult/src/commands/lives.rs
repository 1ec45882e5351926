//! `auscult lives`: how long before a machine's end would an alarm have been raised?

use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::ensure;
use auscult_detection::{AlertPolicy, Cadence, DetectorKind, HoldOut, TrainingOptions, WatchPolicy};
use auscult_evaluation::lives::{Life, LifeOptions, Playback, play, recordings};
use auscult_recordings::files;
use auscult_reports::pages::lives::LivesPage;
use auscult_schemas::FeatureSpec;
use clap::Args;
use jiff::SignedDuration;

use super::arguments::SpecArgs;
use super::arguments::detectors;
use crate::{interrupt, model_file, progress};

/// Replay run-to-failure recordings: how long before its end does each machine's own model raise an alarm?
///
/// Each recording covers one machine from new to broken, snapshot by snapshot. The first part trains a model; the rest
/// is scored as a worker would score it, with the times at which the snapshots were recorded. An alarm in the first
/// half of a life counts as false. A life without any alarm counts as a failure without warning.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct LivesArgs {
    /// A folder of recordings, one per life, of any length; a folder of folders of snapshot files, one per life; one
    /// such folder; or one recording
    #[arg(value_name = "FOLDER|FILE")]
    data: PathBuf,
    /// Length of one snapshot, samples; snapshots follow each other without a gap in the recording
    #[arg(long, value_name = "SAMPLES", default_value_t = 2560)]
    snapshot: usize,
    /// Interval between snapshots, such as 20s, 5m or 1h
    #[arg(long, value_name = "TIME", default_value = "20s")]
    every: Cadence,
    /// Share of each life, from its start, used for training, %
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0)]
    train: f64,
    /// Detector to train
    #[arg(long, value_name = "DETECTOR", default_value = DetectorKind::Fused.name(), value_parser = detectors())]
    detector: DetectorKind,
    /// Target share of normal snapshots with scores above the threshold
    #[arg(long, value_name = "SHARE", default_value_t = TrainingOptions::default().false_alarm_rate)]
    false_alarm_rate: f64,
    /// Number of contiguous folds of the training part, each held out once to set the threshold; few, long folds show
    /// how much the sound drifts by itself while a machine runs in
    #[arg(long, value_name = "N", default_value_t = 2)]
    folds: usize,
    /// Number of anomalous snapshots that raise an alarm, and the window they are counted in [default: 4/5]
    #[arg(long, value_name = "K/N", default_value_t = Raise::default())]
    raise: Raise,
    /// Seed of the hold-out and the weights
    #[arg(long, value_name = "N", default_value_t = TrainingOptions::default().seed)]
    seed: u64,
    /// Write a page with the scores, states and alarms of every life
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Print JSON, one object per life
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    spec: SpecArgs,
}

const AFTER_HELP: &str = "\
Examples:
  auscult lives bearings/                                      0.1 s at 25.6 kHz every 20 s, as in the FEMTO data set
  auscult lives bearings/ --out lives.html                     with a plot of each life
  auscult lives pump-7.flac --snapshot 48000 --every 10m --sample-rate 48000
  auscult lives bearings/ --json | jq '[.machine, .lead_s]'

A life is one file with all snapshots in sequence, or a folder with one file per snapshot, in the order of the numbers
in their names. An unusable snapshot is reported and counted, and keeps its place on the time axis. A public data set:
the FEMTO-ST bearings (PRONOSTIA, IEEE PHM 2012 challenge); join the horizontal accelerations of each bearing.
Each JSON line has machine, length_s, snapshots, trained_on, bad_snapshots (if there are any), threshold,
first_warning_s, alarms (from_s, to_s), lead_s (from the first alarm to the end) and alarms_in_first_half. The defaults
here are --mels 8 and --sample-rate 25600, and the window is as short as the snapshot requires. See docs/lives.md for
results and experiments.";

/// `4/5`: four of the last five.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Raise {
    of: u32,
    window: u32,
}

impl Default for Raise {
    fn default() -> Self {
        let AlertPolicy { raise_of: of, raise_window: window, .. } = AlertPolicy::default();
        Self { of, window }
    }
}

impl std::fmt::Display for Raise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.of, self.window)
    }
}

impl FromStr for Raise {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(of, window)| Some((of.parse().ok()?, window.parse().ok()?)));
        match numbers {
            Some((of, window)) if (1..=window).contains(&of) && window <= AlertPolicy::MAX_WINDOW => {
                Ok(Self { of, window })
            }
            _ => Err(format!("must be two numbers such as 4/5, the second at most {}", AlertPolicy::MAX_WINDOW)),
        }
    }
}

/// Replays, prints and writes.
///
/// # Errors
/// If a recording cannot be replayed; earlier recordings have already been printed.
pub fn run(args: &LivesArgs) -> anyhow::Result<()> {
    let files = recordings(&args.data, args.snapshot)?;
    let options = args.options()?;
    if let Some(out) = &args.out {
        files::check_writable(out)?;
    }
    let interrupted = interrupt::listen("stopping")?;
    let mut lives = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        let bar = progress::bar(0, &format!("life {} of {}", index + 1, files.len()));
        let on_snapshot = |snapshots| {
            bar.set_length(snapshots as u64);
            bar.inc(1);
        };
        let on_note = |note: &str| bar.suspend(|| eprintln!("{note}"));
        let life = play(file, &options, &Playback { interrupted, on_snapshot: &on_snapshot, on_note: &on_note });
        bar.finish_and_clear();
        lives.push(life?);
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        for life in &lives {
            let mut line = serde_json::to_value(life)?;
            line["lead_s"] = life.lead_s().into();
            line["alarms_in_first_half"] = life.alarms_in_first_half().into();
            writeln!(out, "{line}")?;
        }
    } else {
        write_table(&mut out, &lives)?;
    }
    if let Some(path) = &args.out {
        let page = LivesPage { lives: &lives, data: &args.data };
        model_file::write_and_tell(path, page.html().as_bytes())?;
        if !args.json {
            writeln!(out, "\nwrote {}", path.display())?;
        }
    }
    Ok(())
}

impl LivesArgs {
    fn options(&self) -> anyhow::Result<LifeOptions> {
        ensure!(self.snapshot >= 1, "--snapshot is 0: a snapshot has samples");
        ensure!(self.train > 0.0 && self.train < 100.0, "--train is {}: it must be between 0 and 100 %", self.train);
        let short = FeatureSpec::for_short_clips(VIBRATION_RATE_HZ, self.snapshot);
        let spec = self.spec.spec(FeatureSpec { n_mels: LifeOptions::FEW_BANDS, ..short })?;
        let alert = AlertPolicy { raise_of: self.raise.of, raise_window: self.raise.window, ..AlertPolicy::default() };
        Ok(LifeOptions {
            snapshot_samples: self.snapshot,
            every: SignedDuration::try_from_secs_f64(self.every.seconds())?,
            train_share: self.train / 100.0,
            training: TrainingOptions {
                spec,
                false_alarm_rate: self.false_alarm_rate,
                seed: self.seed,
                hold_out: HoldOut::Folds(self.folds),
                ..TrainingOptions::of(self.detector)
            },
            watch: WatchPolicy { alert, ..WatchPolicy::default() },
        })
    }
}

/// The usual rate of vibration analysers, for bearings up to 10 kHz.
const VIBRATION_RATE_HZ: u32 = 25_600;

fn write_table(out: &mut impl Write, lives: &[Life]) -> std::io::Result<()> {
    let width = lives.iter().map(|life| life.machine.chars().count()).max().unwrap_or(0).max(7);
    writeln!(
        out,
        "{:<width$}  {:>7}  {:>7}  {:>13}  {:>11}  {:>9}  {:>6}  {:>19}",
        "machine", "life", "learned", "first warning", "first alarm", "lead time", "alarms", "in the first half"
    )?;
    for life in lives {
        let alarm = life.alarms.first().map(|alarm| alarm.from_s);
        writeln!(
            out,
            "{:<width$}  {:>7}  {:>7}  {:>13}  {:>11}  {:>9}  {:>6}  {:>19}",
            life.machine,
            minutes(life.length_s),
            minutes(life.length_s * life.trained_on as f64 / life.snapshots as f64),
            life.first_warning_s.map_or_else(|| "none".to_owned(), minutes),
            alarm.map_or_else(|| "none".to_owned(), minutes),
            life.lead_s().map_or_else(|| "no warning".to_owned(), minutes),
            life.alarms.len(),
            life.alarms_in_first_half(),
        )?;
    }
    Ok(())
}

/// `7 h 46 min`.
fn minutes(seconds: f64) -> String {
    let all = (seconds / 60.0).round() as u64;
    if all >= 60 { format!("{}:{:02} h", all / 60, all % 60) } else { format!("{all} min") }
}
