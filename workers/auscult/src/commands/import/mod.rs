//! `auscult import`: converts measurement files into a folder of recordings for the other commands.

mod list;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use auscult_import::{Options, Snapshots, TimeUnit};
use auscult_recordings::import::{ImportSettings, Importer, Lives, inputs};
use clap::{Args, ValueEnum};

use list::list;

/// Convert CSV, MATLAB, TDMS, UFF58, HDF5, Parquet, NumPy and sound files into recordings
///
/// Each file becomes a WAV file of 32-bit floats whose samples are the values in their unit. For each file, the command
/// prints what it read, the sample rate and its source, and keeps this in DIR/import.json. A rate is never guessed: if
/// a file has none, --rate is required. A file that cannot be imported is reported on standard error; the other files
/// are still imported, and the exit status is 1.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ImportArgs {
    /// Files, or folders of them; the structure of subfolders is kept
    #[arg(value_name = "FILE|FOLDER", required = true)]
    files: Vec<PathBuf>,
    /// Output folder; it is created if missing
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// Subfolder of DIR for the recordings: train/normal, test/normal or test/abnormal make a data set for train,
    /// explore and evaluate
    #[arg(long = "as", value_name = "SPLIT", conflicts_with = "life")]
    split: Option<PathBuf>,
    /// Print the contents of the files, and write nothing
    #[arg(long, conflicts_with_all = ["out", "life"])]
    list: bool,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Cut recordings into pieces of this length, s; a shorter remainder is dropped
    #[arg(long, value_name = "SECONDS", conflicts_with = "life")]
    chunk_secs: Option<f64>,
    /// Write each channel as a separate recording
    #[arg(long, conflicts_with = "life")]
    per_channel: bool,
    /// Treat each folder as the life of one machine: join its files, in the order of the numbers in their names
    #[arg(long)]
    life: bool,
    /// Replace existing recordings
    #[arg(long)]
    overwrite: bool,
}

/// Properties of files that do not state them.
#[derive(Debug, Args)]
#[command(next_help_heading = "What the files do not say")]
struct ReadingArgs {
    /// Sample rate, Hz; takes precedence over the file's
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// Column, variable or channel to read, by name or number (1 is the first); may be repeated [default: every signal]
    #[arg(long, value_name = "NAME")]
    variable: Vec<String>,
    /// Column that contains the time, by name or number
    #[arg(long, value_name = "NAME")]
    time: Option<String>,
    /// Unit of the time column
    #[arg(long, value_name = "UNIT", value_enum)]
    time_unit: Option<TimeUnitName>,
    /// Unit of the values, such as g, m/s2, A or bar; takes precedence over the file's
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// Multiply every value by this factor: 10 converts volts into g for a sensor of 100 mV/g
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    scale: Option<f64>,
    /// Decimal mark, if a text file is ambiguous
    #[arg(long, value_name = "MARK", value_enum)]
    decimal: Option<DecimalMark>,
    /// Rows, or columns, of a table or matrix are consecutive pieces of one signal, not channels
    #[arg(long, value_name = "WHICH", value_enum)]
    snapshots: Option<SnapshotsName>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TimeUnitName {
    D,
    H,
    Min,
    S,
    Ms,
    Us,
    Ns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DecimalMark {
    Point,
    Comma,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SnapshotsName {
    Rows,
    Columns,
}

const AFTER_HELP: &str = "\
Examples:
  auscult import run1.csv --out recordings/ --rate 25600 --unit g        no time column
  auscult import messung.csv --out recordings/                           a time column, semicolons, decimal commas
  auscult import 97.mat --out recordings/ --rate 48000 --variable X097_DE_time --unit g
  auscult import bench.tdms --out recordings/                            the file has rate, unit and scales
  auscult import hammer.uff --out recordings/                            data set 58 or 58b
  auscult import run.h5 --out recordings/ --variable /vib/acc            HDF5, MATLAB v7.3: build with --features hdf5
  auscult import run.parquet run.npz --out recordings/ --rate 20480
  auscult import volts.wav --out recordings/ --scale 10 --unit g         a sensor of 100 mV/g
  auscult import healthy/ --out motor/ --as train/normal --rate 25600    then: auscult train motor/ --out motor.safetensors
  auscult import Learning_set/ --out bearings/ --life                    FEMTO, XJTU-SY, IMS: one folder per life
  auscult import long.tdms --out clips/ --chunk-secs 10                  pieces that fit into a Kafka message
  auscult import unknown.mat --list                                      list the contents

Then:
  auscult bearing recordings/*.wav --rpm 1796 --geometry 6205
  auscult train motor/ --out motor.safetensors              # after --as train/normal

Exit status: 0 all files were imported, 1 at least one failed (failures are listed), 2 wrong usage.
See docs/import.md for what is supported in each format.";

/// Imports and prints a summary.
///
/// # Errors
/// If the folder cannot be created, or, at the end, if a file could not be imported.
pub fn run(args: &ImportArgs) -> anyhow::Result<()> {
    let found = inputs(&args.files)?;
    if let Some(passed_over) = found.passed_over_words() {
        eprintln!("passed over: {passed_over}");
    }
    ensure!(!found.inputs.is_empty(), "there is no file that can be imported: name files, or a folder of them");
    let Some(out) = &args.out else { return list(&found.inputs, &args.reading.options()) };
    ensure!(args.chunk_secs.is_none_or(|secs| secs > 0.0 && secs.is_finite()), "--chunk-secs must be more than 0");
    if let Some(split) = &args.split {
        let is_below = split.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        ensure!(is_below, "--as {} is no folder below --out: give one such as train/normal", split.display());
    }
    std::fs::create_dir_all(out)
        .with_context(|| format!("cannot make the folder {}: check its path and permissions", out.display()))?;

    let settings = args.settings();
    let mut print = print_line;
    let mut importer = Importer::open(&settings, out, &mut print)?;
    let mut lives = Lives::default();
    let mut failures = 0;
    for input in &found.inputs {
        let done =
            auscult_import::read(&input.path, &settings.reading).map_err(anyhow::Error::from).and_then(|imported| {
                if args.life {
                    importer.take_snapshot(input, imported, &mut lives)
                } else {
                    importer.write_file(input, imported)
                }
            });
        if let Err(error) = done {
            failures += 1;
            eprintln!("error: {}: {error:#}", input.path.display());
        }
    }
    let left_out = importer.write_lives(lives)?;
    importer.finish()?;
    if failures + left_out > 0 {
        bail!("{} of {} files were not imported", failures + left_out, found.inputs.len());
    }
    Ok(())
}

/// Prints a line. A closed pipe (`| head`) does not stop the import.
fn print_line(line: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

impl ImportArgs {
    fn settings(&self) -> ImportSettings {
        ImportSettings {
            reading: self.reading.options(),
            split: self.split.clone(),
            chunk_secs: self.chunk_secs,
            per_channel: self.per_channel,
            overwrite: self.overwrite,
        }
    }
}

impl ReadingArgs {
    fn options(&self) -> Options {
        Options {
            rate_hz: self.rate,
            variables: self.variable.clone(),
            time: self.time.clone(),
            time_unit: self.time_unit.map(|unit| match unit {
                TimeUnitName::D => TimeUnit::Days,
                TimeUnitName::H => TimeUnit::Hours,
                TimeUnitName::Min => TimeUnit::Minutes,
                TimeUnitName::S => TimeUnit::Seconds,
                TimeUnitName::Ms => TimeUnit::Milliseconds,
                TimeUnitName::Us => TimeUnit::Microseconds,
                TimeUnitName::Ns => TimeUnit::Nanoseconds,
            }),
            unit: self.unit.clone(),
            scale: self.scale,
            decimal_comma: self.decimal.map(|mark| mark == DecimalMark::Comma),
            snapshots: self.snapshots.map(|which| match which {
                SnapshotsName::Rows => Snapshots::Rows,
                SnapshotsName::Columns => Snapshots::Columns,
            }),
        }
    }
}
