//! `auscult evaluate`: how well a model separates a data set's normal clips from its abnormal ones.

mod figures;
mod models;
mod print;
mod tables;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use auscult_detection::evaluate;
use auscult_evaluation::dcase;
use auscult_evaluation::judged::scores_by_class;
use auscult_evaluation::judging::{JudgedClips, MachineModel, test_clips};
use auscult_evaluation::tables::{Table, TableFigures, TablesReport};
use auscult_recordings::clips;
use auscult_recordings::dataset::Dataset;
use auscult_recordings::files;
use auscult_reports::pages::evaluation::EvaluationPage;
use auscult_reports::pictures::{ScorePicture, draw_scores};
use clap::Args;

use super::arguments::{CadenceArgs, ChannelArgs, DeviceArgs, data_dir_help};
use super::reading::{print_notes, read_clips};
use crate::{interrupt, model_file};
use figures::Report;
use models::{LoadedModel, Models};

/// Score a data set's test clips and measure how well the model separates normal from abnormal
///
/// Labels come from folder or file names and are used only for these metrics. Precision, recall, F1 and accuracy are
/// reported twice: with the abnormal class as the positive class, and with the normal class, as in some papers. For
/// several machines, DCASE's arithmetic and harmonic means are reported as well.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, override_usage = USAGE)]
pub struct EvaluateArgs {
    /// Model file made by `auscult train`, or the folder in which it wrote a model for each machine
    #[arg(value_name = "MODEL|FOLDER", required_unless_present = "table")]
    model: Option<PathBuf>,
    /// Folder of recordings (see the layouts below)
    #[arg(value_name = "DATA_DIR", required_unless_present = "table")]
    data: Option<PathBuf>,
    /// Use only this machine of the folder; otherwise the clips of all machines are pooled
    ///
    /// With a folder of models, each machine's clips are scored by its own model. Machine ids are made from folder and
    /// file names, such as fan_id_00. A unique ending is enough: id_00.
    #[arg(long, value_name = "ID")]
    machine: Option<String>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Also plot the scores and the ROC curve
    #[arg(long, value_name = "FILE.png")]
    plot: Option<PathBuf>,
    /// Also write report.html and DCASE's CSV files into this folder; it is created if missing
    ///
    /// The page works offline. It shows histograms, curves, confusion matrices, metrics for every fault, machine and
    /// microphone, 95 % intervals, and the misclassified clips. The CSV files are anomaly_score_* and decision_result_*
    /// in the format of the evaluator of the recordings' year, with a row for every test clip, result.csv, and
    /// left_out.csv if clips could not be scored. Existing files with these names are replaced and listed.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder of DCASE's evaluator, for test clips without a label in their names: ground_truth_data, or
    /// eval_data_list.csv (2020)
    ///
    /// It is found automatically beside the recordings or up to two folders above them.
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,
    #[command(flatten)]
    channels: ChannelArgs,
    #[command(flatten)]
    cadence: CadenceArgs,
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    tables: TableArgs,
}

/// Options for features pooled by another program.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tables")]
struct TableArgs {
    /// Evaluate on tables of pooled log-mels instead of recordings; for several files, also print the means
    ///
    /// Columns: clip, label (normal or abnormal), band_000, band_001, … Detectors are trained on part of the normal
    /// clips, and tested on the abnormal clips and an equal number of other normal clips. No model file is used.
    #[arg(
        long,
        value_name = "FILE.csv|FILE.parquet",
        num_args = 1..,
        conflicts_with_all = ["model", "data", "machine", "plot", "out", "truth", "device", "cadence", "channels"]
    )]
    table: Vec<PathBuf>,
    /// Seed for drawing the normal test clips
    #[arg(long, value_name = "N", default_value_t = 42, conflicts_with_all = ["model", "data"])]
    seed: u64,
    /// Target share of normal clips with scores above the threshold
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, conflicts_with_all = ["model", "data"])]
    false_alarm_rate: f64,
}

const USAGE: &str =
    "auscult evaluate [OPTIONS] <MODEL> <DATA_DIR>\n       auscult evaluate [OPTIONS] --table <FILE>...";

const AFTER_HELP: &str = concat!(
    "\
Examples:
  auscult evaluate compressor.safetensors recordings/
  auscult evaluate compressor.safetensors recordings/ --out results/     # results/report.html
  auscult evaluate compressor.safetensors recordings/ --plot scores.png
  auscult evaluate models/ dcase/dev_data --out results/                 # one model per machine; DCASE's official score
  auscult evaluate models/ dcase/eval_data --truth dcase2023_task2_evaluator/ --out results/
  auscult evaluate fan.safetensors mimii/6_dB_fan --machine id_00 --json | jq .auc
  auscult evaluate --table fan.parquet                                   # features pooled by another program
  auscult evaluate --table fan_id_*.csv --seed 1 --json | jq .means

--json prints one object: auc, pauc (false-positive rate up to 0.1), threshold, n_normal, n_abnormal;
precision, recall, f1 and accuracy with the abnormal class as the positive class; the same four with the
normal class as the positive class under normal_positive. calibration is the estimated number of false
alarms at this threshold for one clip per --cadence, with its uncertainty (not with a folder of models).
n_unheard counts clips that were excluded because all their sensors are faulty, n_unreadable clips that
cannot be read, n_unlabelled clips without a label. Several machines add means: machines, and auc and pauc
under arithmetic and under harmonic, each machine's over all its clips. DCASE recordings add dcase, one for
each edition: edition, official_score, and sections with auc, pauc, precision, recall and f1 of all clips,
of the source and of the target domain.

For a table, the object also has table, bands, n_train, seed, average_precision and intervals, and the same
metrics of each single detector under detectors; the top-level metrics are those of all detectors fused.
For several tables, they are under tables, with means and means_by_detector.

",
    data_dir_help!()
);

/// Evaluates and prints.
///
/// # Errors
/// If a model or too many clips cannot be read, or if one class has no clips and there is no `--out` for scores without
/// metrics.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    if !args.tables.table.is_empty() {
        return evaluate_tables(&args.tables, args.json);
    }
    let (Some(model), Some(data)) = (&args.model, &args.data) else {
        bail!("give a model and a folder of recordings, or --table with a file");
    };
    let dataset = Dataset::discover_with(data, args.truth.as_deref())?;
    let dataset = match &args.machine {
        Some(id) => dataset.only(id)?,
        None => dataset,
    };
    let has_figures = dataset.check_testable();
    let scores_alone = has_figures.is_err() && args.out.is_some() && dataset.unlabelled() > 0;
    if !scores_alone {
        has_figures?;
    }
    if let Some(plot) = &args.plot {
        files::check_writable(plot)?;
    }
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}: check its path and permissions", folder.display()))?;
        files::check_writable(&folder.join(PAGE_NAME))?;
    }
    print_notes(&dataset);
    let models = Models::read(model, &dataset, &args.device.open()?)?;
    let interrupted = interrupt::listen("stopping")?;
    let clips = judge(&models, &dataset, &args.channels, interrupted)?;

    let (normal, abnormal) = scores_by_class(&clips.judged);
    let evaluation = evaluate(&normal, &abnormal, clips.threshold);
    let official = dcase::official(&clips.scored);
    let mut out = std::io::stdout().lock();
    if scores_alone {
        writeln!(
            out,
            "{} test clips without a label: their scores are written, and there are no figures",
            clips.n_unlabelled()
        )?;
    } else {
        let calibration = models.only().map(|model| &model.package.manifest().calibration);
        let false_alarms = calibration.map(|calibration| args.cadence.false_alarms(calibration)).transpose()?;
        if args.json {
            let report = Report::of(&evaluation, &clips, false_alarms, official.clone());
            serde_json::to_writer_pretty(&mut out, &report).context("cannot write the figures")?;
            writeln!(out)?;
        } else {
            print::write_tables(&mut out, &evaluation, &clips, false_alarms.as_ref(), &official)?;
        }
    }

    if let Some(path) = args.plot.as_ref().filter(|_| !scores_alone) {
        let model_ref = models.model_ref();
        let canvas = draw_scores(&ScorePicture {
            normal: &normal,
            abnormal: &abnormal,
            threshold: clips.threshold,
            auc: evaluation.auc.unwrap_or(f64::NAN),
            title: &format!("{} on {}", model_ref.id, data.display()),
            subtitle: &format!(
                "model version {}, {} normal and {} abnormal clips",
                model_ref.version,
                normal.len(),
                abnormal.len()
            ),
        });
        model_file::write_and_tell(path, &canvas.png()?)?;
    }
    if let Some(folder) = &args.out {
        if scores_alone {
            write_csv_files(folder, &clips)?;
        } else {
            write_report(folder, &models, data, &clips, &official)?;
        }
        if !args.json {
            if scores_alone {
                writeln!(out, "\nwrote DCASE's CSV files into {}", folder.display())?;
            } else {
                writeln!(out, "\nwrote {}, and DCASE's CSV files beside it", folder.join(PAGE_NAME).display())?;
            }
        }
    }
    Ok(())
}

/// Scores every test clip.
fn judge(
    models: &Models,
    dataset: &Dataset,
    channels: &ChannelArgs,
    interrupted: &AtomicBool,
) -> anyhow::Result<JudgedClips> {
    let mut all = JudgedClips::new(models.only().map_or(1.0, LoadedModel::threshold));
    for (loaded, machines) in models.with_machines(dataset) {
        let manifest = loaded.package.manifest();
        let threshold = loaded.threshold();
        let unit = if models.only().is_some() { 1.0 } else { threshold };
        let model = MachineModel { model: &loaded.model, threshold, unit };
        for machine in machines {
            let tests = test_clips(machine);
            let paths: Vec<PathBuf> = tests.iter().map(|test| test.path.clone()).collect();
            let what = format!("test recordings of {}", machine.id);
            let read = read_clips(&paths, &manifest.feature_spec, &what, interrupted)?;
            let read = clips::with_channels(read, channels.chosen_of(manifest)?.as_deref());
            let notes = all.judge_machine(machine, &model, tests, read)?;
            notes.iter().for_each(|note| eprintln!("{note}"));
        }
    }
    all.refuse_too_many_unreadable()?;
    Ok(all)
}

fn evaluate_tables(args: &TableArgs, json: bool) -> anyhow::Result<()> {
    let read = args.table.iter().map(|path| Table::read(path)).collect::<anyhow::Result<Vec<Table>>>()?;
    let figures = |table: &Table| TableFigures::of(table, args.seed, args.false_alarm_rate);
    let report = TablesReport::of(read.iter().map(figures).collect::<anyhow::Result<_>>()?);
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &report).context("cannot write the figures")?;
        writeln!(out)?;
    } else {
        tables::write_report(&mut out, &report)?;
    }
    Ok(())
}

/// Name of the page in the folder of `--out`.
const PAGE_NAME: &str = "report.html";

fn write_report(
    folder: &Path,
    models: &Models,
    data: &Path,
    clips: &JudgedClips,
    official: &[dcase::official::Official],
) -> anyhow::Result<()> {
    let page = EvaluationPage {
        model: &models.model_ref(),
        threshold: clips.threshold,
        is_relative: models.only().is_none(),
        wanted_false_alarm_rate: models.wanted_false_alarm_rate(),
        data,
        clips: &clips.judged,
        scored: &clips.scored,
        official,
    };
    model_file::write_and_tell(&folder.join(PAGE_NAME), page.html().as_bytes())?;
    write_csv_files(folder, clips)
}

fn write_csv_files(folder: &Path, clips: &JudgedClips) -> anyhow::Result<()> {
    for file in dcase::csv_files(&clips.scored) {
        model_file::write_and_tell(&folder.join(&file.name), file.text.as_bytes())?;
    }
    Ok(())
}
