//! `auscult bench detection`: compares all detectors on all data sets of a folder.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use auscult_evaluation::comparison::{
    ComparedSet, Comparison, Contender, Row, SetClips, Spread, compared_sets, contenders,
};
use clap::{Args, Subcommand};

use super::reading::{keep_good, read_clips, training_clips};
use crate::{interrupt, progress};

/// Compare detectors on data sets
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Detection(DetectionArgs),
}

/// Train and evaluate every detector on every data set of a folder, with several seeds
///
/// Each subfolder with test clips of both classes is a data set. A set without its own training clips is tested with
/// the models of the set whose name is a prefix of its own: `pump-0db-shift` with those of `pump-0db`. This tests the
/// same machine under other conditions.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
struct DetectionArgs {
    /// Folder of data sets
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// Number of training runs of each detector on each set, with seeds 1, 2, …
    #[arg(long, value_name = "N", default_value_t = 3)]
    seeds: u64,
    /// Only sets whose names contain one of these
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    only: Vec<String>,
    /// Only these detectors
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    detectors: Vec<String>,
    /// Target share of normal clips with scores above the threshold
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    false_alarm_rate: f64,
    /// Print one JSON object per line instead of a table
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  auscult bench detection datasets/
  auscult bench detection datasets/ --only fan,pump --seeds 5
  auscult bench detection datasets/ --json | jq 'select(.detector == \"fused\")'

Values are the mean over the seeds, ± half the range from the lowest to the highest.";

/// Runs a comparison.
///
/// # Errors
/// If there is no data set, or one cannot be read or used for training.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    match &args.what {
        What::Detection(args) => run_detection(args),
    }
}

fn run_detection(args: &DetectionArgs) -> anyhow::Result<()> {
    if args.seeds == 0 {
        bail!("--seeds 0 trains nothing: give at least 1");
    }
    let contenders = contenders(&args.detectors)?;
    let sets = compared_sets(&args.data, &args.only, &mut |note| eprintln!("{note}"))?;
    let interrupted = interrupt::listen("stopping")?;
    let bar = progress::bar(sets.len() as u64 * contenders.len() as u64 * args.seeds, "training");
    let mut out = std::io::stdout().lock();
    if !args.json {
        writeln!(
            out,
            "{:<28} {:<16} {:>14} {:>14} {:>14} {:>12} {:>8} {:>9}",
            "set", "detector", "AUC", "pAUC", "F1", "false alarms", "training", "model"
        )?;
    }
    for set in &sets {
        for contender in &contenders {
            bar.set_message(format!("{}, {}", set.name, contender.name));
            let clips = read(set, contender, interrupted)?;
            let comparison = Comparison {
                seeds: args.seeds,
                false_alarm_rate: args.false_alarm_rate,
                on_trial: &|| bar.inc(1),
                on_note: &|note| bar.suspend(|| eprintln!("{note}")),
            };
            let row = comparison.run(set, contender, &clips)?;
            bar.suspend(|| write_row(&mut out, &row, args.json))?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn read(set: &ComparedSet, contender: &Contender, interrupted: &AtomicBool) -> anyhow::Result<SetClips> {
    let spec = contender.options().spec;
    let read = |paths: &[PathBuf]| keep_good(read_clips(paths, &spec, "recordings", interrupted)?);
    Ok(SetClips {
        training: training_clips(&set.training_paths()?, &spec, None, interrupted)?,
        normal: read(&set.normal_paths())?,
        abnormal: read(&set.abnormal_paths())?,
    })
}

fn write_row(out: &mut impl Write, row: &Row, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        serde_json::to_writer(&mut *out, row).context("cannot write the figures")?;
        writeln!(out)?;
        return Ok(());
    }
    let figure = |spread: Spread| format!("{:.3} ± {:.3}", spread.mean, spread.half_range);
    writeln!(
        out,
        "{:<28} {:<16} {:>14} {:>14} {:>14} {:>12} {:>8} {:>9}",
        row.set,
        row.detector,
        figure(row.auc),
        figure(row.pauc),
        figure(row.f1),
        format!("{:.1} of {}", row.false_alarms, row.n_normal),
        format!("{:.1} s", row.train_s),
        format!("{:.0} kB", row.model_bytes as f64 / 1e3)
    )?;
    Ok(())
}
