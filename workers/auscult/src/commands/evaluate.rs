//! `auscult evaluate`: how well a model tells a data set's normal clips from its abnormal ones.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use auscult_detection::{
    Evaluation, FalseAlarms, HealthyClip, Judgement, Means, Model, ModelPackage, Rates, evaluate, words,
};
use clap::Args;
use serde::Serialize;

use super::arguments::{CadenceArgs, DataArgs, DeviceArgs, data_dir_help};
use crate::dataset::{Dataset, Domain};
use crate::picture::{ScorePicture, draw_scores};
use crate::report::dcase;
use crate::report::evaluation::EvaluationPage;
use crate::report::judged::{self, JudgedClip, scores_by_class};
use crate::table::{Table, TableFigures, TablesReport};
use crate::{clips, interrupt, model_file, table};

/// Judge a data set's test clips and say how well normal and abnormal are told apart
///
/// The labels come from the folders or file names and are used for nothing but these figures. Precision, recall, F1 and
/// accuracy are given twice: with the abnormal class as the positive one, and with the normal class, as some papers do.
/// Of several machines there are DCASE's arithmetic and harmonic means, too.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, override_usage = USAGE)]
pub struct EvaluateArgs {
    /// The model, made by `auscult train`
    #[arg(value_name = "MODEL", required_unless_present = "table")]
    model: Option<PathBuf>,
    /// Folder of recordings (see the layouts below)
    #[arg(value_name = "DATA_DIR", required_unless_present = "table")]
    data: Option<PathBuf>,
    /// Use only this machine of the folder; otherwise all its machines' clips are pooled
    ///
    /// Ids are made of folder and file names, such as fan_id_00. The end of one will do where only one ends so: id_00.
    #[arg(long, value_name = "ID")]
    machine: Option<String>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Also draw the scores and the ROC curve
    #[arg(long, value_name = "FILE.png")]
    plot: Option<PathBuf>,
    /// Also write report.html and DCASE's CSV files into this folder; made if missing
    ///
    /// The page needs no network: histograms, curves, confusion matrices, figures of every fault, machine and microphone, 95 %
    /// intervals, and the clips that were judged wrong. The CSV files are anomaly_score_*, decision_result_* and result.csv.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    cadence: CadenceArgs,
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    tables: TableArgs,
}

/// Features that were pooled elsewhere.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tables")]
struct TableArgs {
    /// Evaluate on tables of pooled log-mels instead of recordings; of several files the means, too
    ///
    /// Columns: clip, label (normal or abnormal), band_000, band_001, … Detectors are fitted to part of the normal clips and tested with the
    /// abnormal ones and as many other normal ones. There is no model file.
    #[arg(
        long,
        value_name = "FILE.csv|FILE.parquet",
        num_args = 1..,
        conflicts_with_all = ["model", "data", "machine", "plot", "out", "device", "cadence"]
    )]
    table: Vec<PathBuf>,
    /// What draws the normal clips that are tested with
    #[arg(long, value_name = "N", default_value_t = 42, conflicts_with_all = ["model", "data"])]
    seed: u64,
    /// Share of normal clips that may score above the threshold
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
  auscult evaluate fan.safetensors mimii/6_dB_fan --machine id_00 --json | jq .auc
  auscult evaluate --table fan.parquet                                   # features that were pooled elsewhere
  auscult evaluate --table fan_id_*.csv --seed 1 --json | jq .means

--json prints one object: auc, pauc (false-positive rate up to 0.1), threshold, n_normal, n_abnormal;
with the abnormal class positive precision, recall, f1, accuracy; the same four with the normal
class positive under normal_positive. calibration says what the threshold means in false alarms at one
clip each --cadence, and how sure that is; n_unheard counts the clips that were left out because every
sensor of theirs is at fault. Of several machines also means: machines, and auc and pauc under arithmetic
and under harmonic.

Of a table the object also has table, bands, n_train, seed, average_precision, intervals, and under
detectors the same figures of each detector alone; the object's own are those of all fused. Of several
tables it has them under tables, and means and means_by_detector.

",
    data_dir_help!()
);

/// Evaluates and prints.
///
/// # Errors
/// When the model or too many clips cannot be read, or there are no clips of one class.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    if !args.tables.table.is_empty() {
        return evaluate_tables(&args.tables, args.json);
    }
    let (Some(model), Some(data)) = (&args.model, &args.data) else {
        bail!("give a model and a folder of recordings, or --table with a file");
    };
    let package = model_file::read(model)?;
    let dataset = DataArgs { data: data.clone(), machine: args.machine.clone() }.discover()?;
    dataset.check_testable()?;
    if let Some(plot) = &args.plot {
        model_file::check_writable(plot)?;
    }
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}: check its path and permissions", folder.display()))?;
        model_file::check_writable(&folder.join(PAGE_NAME))?;
    }
    let model = Model::load(&package, &args.device.open()?.device)?;
    let (clips, n_unheard) = judge_test_clips(&model, &package, &dataset)?;
    let false_alarms = args.cadence.false_alarms(&package.manifest().calibration)?;

    let (normal, abnormal) = scores_by_class(&clips);
    let threshold = package.manifest().calibration.threshold;
    let evaluation = evaluate(&normal, &abnormal, threshold);
    let mut out = std::io::stdout().lock();
    if args.json {
        let report = Report::of(&evaluation, &clips, false_alarms, n_unheard);
        serde_json::to_writer_pretty(&mut out, &report).context("cannot write the figures")?;
        writeln!(out)?;
    } else {
        write_tables(&mut out, &evaluation, &clips, &false_alarms)?;
    }

    if let Some(path) = &args.plot {
        let canvas = draw_scores(&ScorePicture {
            normal: &normal,
            abnormal: &abnormal,
            threshold,
            auc: evaluation.auc.unwrap_or(f64::NAN),
            title: &format!("{} on {}", package.manifest().model_id, data.display()),
            subtitle: &format!(
                "model version {}, {} normal and {} abnormal clips",
                package.model_ref().version,
                normal.len(),
                abnormal.len()
            ),
        });
        model_file::write_whole(path, &canvas.png()?)?;
    }
    if let Some(folder) = &args.out {
        write_report(folder, &package, data, &clips)?;
        if !args.json {
            writeln!(out, "\nwrote {}, and DCASE's CSV files beside it", folder.join(PAGE_NAME).display())?;
        }
    }
    Ok(())
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
        table::write_report(&mut out, &report)?;
    }
    Ok(())
}

/// The page in the folder of `--out`.
const PAGE_NAME: &str = "report.html";

fn write_report(folder: &Path, package: &ModelPackage, data: &Path, clips: &[JudgedClip]) -> anyhow::Result<()> {
    let calibration = &package.manifest().calibration;
    let page = EvaluationPage {
        model: &package.model_ref(),
        threshold: calibration.threshold,
        wanted_false_alarm_rate: calibration.false_alarm_rate,
        data,
        clips,
    };
    model_file::write_whole(&folder.join(PAGE_NAME), page.html().as_bytes())?;
    for file in dcase::csv_files(clips, calibration.threshold) {
        model_file::write_whole(&folder.join(&file.name), file.text.as_bytes())?;
    }
    Ok(())
}

/// The clips that a sensor heard, and how many others there are.
fn judge_test_clips(
    model: &Model,
    package: &ModelPackage,
    dataset: &Dataset,
) -> anyhow::Result<(Vec<JudgedClip>, usize)> {
    let mut labels = BTreeMap::new();
    let mut paths = Vec::new();
    for machine in &dataset.machines {
        let normal = machine.test_normal.iter().map(|path| (path, None, false));
        let abnormal = machine.test_abnormal.iter().map(|clip| (&clip.path, clip.fault.clone(), true));
        for (path, fault, is_abnormal) in normal.chain(abnormal) {
            labels.insert(path.clone(), (machine.id.clone(), fault, is_abnormal));
            paths.push(path.clone());
        }
    }
    let interrupted = interrupt::listen("stopping")?;
    let read = clips::read_clips(&paths, &package.manifest().feature_spec, "test recordings", interrupted)?;
    let clips = clips::keep_good(read)?;
    let results = judge_in_batches(model, &clips)?;
    let all = clips.len();
    let mut judged = Vec::with_capacity(all);
    for (clip, result) in clips.into_iter().zip(results) {
        let Some(Heard { channels, judgement }) = result else { continue };
        let (machine, fault, is_abnormal) = labels[&clip.path].clone();
        let mut channel_scores = vec![None; clip.features.channels];
        for (channel, score) in channels.into_iter().zip(judgement.channel_scores) {
            channel_scores[channel] = Some(score);
        }
        let (domain, score) = (Domain::of(&clip.path), judgement.score);
        judged.push(JudgedClip { path: clip.path, machine, domain, is_abnormal, fault, score, channel_scores });
    }
    let unheard = all - judged.len();
    Ok((judged, unheard))
}

/// What a model says of the channels of a clip whose sensor is well.
pub(super) struct Heard {
    /// These channels.
    pub channels: Vec<usize>,
    pub judgement: Judgement,
}

/// So many clips go through one forward pass.
const BATCH: usize = 64;

/// Judges clips as a worker does: without the channels whose sensor is at fault. A clip of which none is left has no judgement, and is named on
/// standard error.
pub(super) fn judge_in_batches(model: &Model, clips: &[clips::Clip]) -> anyhow::Result<Vec<Option<Heard>>> {
    let mut results = Vec::with_capacity(clips.len());
    for batch in clips.chunks(BATCH) {
        let healthy: Vec<Option<HealthyClip<'_>>> = batch.iter().map(clips::Clip::healthy).collect();
        let views: Vec<_> = healthy.iter().flatten().map(HealthyClip::view).collect();
        let mut judgements = model.judge(&views)?.into_iter();
        for (clip, healthy) in batch.iter().zip(healthy) {
            if healthy.is_none() {
                eprintln!("left out: {}: {}", clip.path.display(), words::sensor_faults(&clip.features.sensor_faults, clip.quantity));
            }
            // A judgement for each that is heard, in their order.
            let heard = healthy.and_then(|healthy| {
                judgements.next().map(|judgement| Heard { channels: healthy.channels.clone(), judgement })
            });
            results.push(heard);
        }
    }
    Ok(results)
}

/// What `--json` prints, and nothing else.
#[derive(Debug, Serialize)]
struct Report {
    auc: Option<f64>,
    pauc: Option<f64>,
    threshold: f64,
    n_normal: usize,
    n_abnormal: usize,
    #[serde(flatten)]
    abnormal_positive: Rates,
    normal_positive: Rates,
    /// Clips that count nowhere, because every sensor of theirs is at fault.
    n_unheard: usize,
    /// What the threshold means.
    calibration: FalseAlarms,
    /// Only of several machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    means: Option<Means>,
}

impl Report {
    fn of(evaluation: &Evaluation, clips: &[JudgedClip], calibration: FalseAlarms, n_unheard: usize) -> Self {
        let alone = evaluate_machines(clips, evaluation.threshold);
        Self {
            auc: evaluation.auc,
            pauc: evaluation.pauc,
            threshold: evaluation.threshold,
            n_normal: evaluation.n_normal,
            n_abnormal: evaluation.n_abnormal,
            abnormal_positive: evaluation.abnormal_positive,
            normal_positive: evaluation.normal_positive,
            n_unheard,
            calibration,
            means: (alone.len() > 1).then(|| Means::of(&alone)),
        }
    }
}

fn evaluate_machines(clips: &[JudgedClip], threshold: f64) -> Vec<Evaluation> {
    let machines = judged::machines(clips);
    machines.into_iter().map(|machine| judged::evaluate_machine(clips, machine, threshold)).collect()
}

fn write_tables(
    out: &mut impl Write,
    whole: &Evaluation,
    clips: &[JudgedClip],
    false_alarms: &FalseAlarms,
) -> std::io::Result<()> {
    let threshold = whole.threshold;
    let figure = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.4}"));
    writeln!(out, "{} normal and {} abnormal clips\n", whole.n_normal, whole.n_abnormal)?;
    writeln!(out, "AUC        {:>8}", figure(whole.auc))?;
    writeln!(out, "pAUC       {:>8}   false-positive rate up to 0.1", figure(whole.pauc))?;
    writeln!(out, "threshold  {threshold:>8.3}   from held-out normal clips")?;
    for line in false_alarms.in_words() {
        writeln!(out, "{:<11}{line}", "")?;
    }
    writeln!(out)?;

    writeln!(out, "positive class  {:>9} {:>9} {:>9} {:>9}", "precision", "recall", "F1", "accuracy")?;
    for (name, rates) in [("abnormal", whole.abnormal_positive), ("normal", whole.normal_positive)] {
        writeln!(
            out,
            "{name:<15} {:>9.4} {:>9.4} {:>9.4} {:>9.4}",
            rates.precision, rates.recall, rates.f1, rates.accuracy
        )?;
    }

    let faults = judged::faults(clips);
    let width = widest(&faults);
    writeln!(out, "\n{:<width$} {:>9} {:>9} {:>9} {:>9}", "fault", "clips", "found", "recall", "AUC")?;
    for fault in &faults {
        let one = judged::evaluate_fault(clips, fault, threshold);
        let (found, recall) = (one.true_alarms, one.abnormal_positive.recall);
        writeln!(out, "{fault:<width$} {:>9} {found:>9} {recall:>9.4} {:>9}", one.n_abnormal, figure(one.auc))?;
    }
    let share = whole.false_alarms as f64 / whole.n_normal.max(1) as f64;
    writeln!(
        out,
        "{:<width$} {:>9} {:>9} false alarms ({:.1} %)",
        "normal",
        whole.n_normal,
        whole.false_alarms,
        100.0 * share
    )?;

    let machines = judged::machines(clips);
    if machines.len() > 1 {
        let width = widest(&machines);
        writeln!(out, "\n{:<width$} {:>9} {:>9} {:>9} {:>9}", "machine", "normal", "abnormal", "AUC", "pAUC")?;
        let alone = evaluate_machines(clips, threshold);
        for (machine, one) in machines.iter().zip(&alone) {
            let (auc, pauc) = (figure(one.auc), figure(one.pauc));
            writeln!(out, "{machine:<width$} {:>9} {:>9} {auc:>9} {pauc:>9}", one.n_normal, one.n_abnormal)?;
        }
        let means = Means::of(&alone);
        for (name, mean) in [("arithmetic mean", means.arithmetic), ("harmonic mean", means.harmonic)] {
            writeln!(out, "{name:<width$} {:>9} {:>9} {:>9} {:>9}", "", "", figure(mean.auc), figure(mean.pauc))?;
        }
    }
    Ok(())
}

/// The width of a column that holds these names.
fn widest(names: &[&str]) -> usize {
    names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(15)
}

#[cfg(test)]
mod tests {
    use auscult_detection::Calibration;

    use super::*;

    fn clip(machine: &str, is_abnormal: bool, score: f64) -> JudgedClip {
        let fault = is_abnormal.then(|| "leak".to_owned());
        let path = PathBuf::from(format!("{machine}/{score}.wav"));
        let channel_scores = vec![Some(score)];
        JudgedClip { path, machine: machine.to_owned(), domain: None, is_abnormal, fault, score, channel_scores }
    }

    fn false_alarms() -> FalseAlarms {
        let band_errors: Vec<Vec<f64>> = (1..=20_u8).map(|clip| vec![f64::from(clip)]).collect();
        CadenceArgs::default().false_alarms(&Calibration::fit(&band_errors, 0.01).unwrap()).unwrap()
    }

    fn json(clips: &[JudgedClip]) -> serde_json::Value {
        let (normal, abnormal) = scores_by_class(clips);
        serde_json::to_value(Report::of(&evaluate(&normal, &abnormal, 1.5), clips, false_alarms(), 2)).unwrap()
    }

    #[test]
    fn json_of_one_machine_has_the_fields_that_programs_know_and_of_several_their_means_besides() {
        let fan = [clip("fan", false, 1.0), clip("fan", true, 2.0)];
        let fields = [
            "auc",
            "pauc",
            "threshold",
            "n_normal",
            "n_abnormal",
            "precision",
            "recall",
            "f1",
            "accuracy",
            "normal_positive",
            "n_unheard",
            "calibration",
        ];
        let one = json(&fan);
        assert_eq!(one.as_object().unwrap().keys().collect::<Vec<_>>(), fields);

        let pump = [clip("pump", false, 1.0), clip("pump", true, 1.0)];
        let two = json(&[fan, pump].concat());
        assert_eq!(two["means"]["machines"], 2);
        assert_eq!(two["means"]["arithmetic"]["auc"], 0.75);
        assert!((two["means"]["harmonic"]["auc"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert!(fields.iter().all(|field| two.get(field).is_some()));
    }

    #[test]
    fn tables_of_several_machines_end_in_dcases_means() {
        let clips =
            [clip("fan", false, 1.0), clip("fan", true, 2.0), clip("pump", false, 1.0), clip("pump", true, 1.0)];
        let (normal, abnormal) = scores_by_class(&clips);
        let mut out = Vec::new();
        write_tables(&mut out, &evaluate(&normal, &abnormal, 1.5), &clips, &false_alarms()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let last: Vec<&str> = text.lines().rev().take(2).collect();
        assert!(last[1].starts_with("arithmetic mean") && last[1].contains("0.7500"), "{text}");
        assert!(last[0].starts_with("harmonic mean") && last[0].contains("0.6667"), "{text}");
    }
}
