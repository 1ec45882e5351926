//! `auscult evaluate`: how well a model tells a data set's normal clips from its abnormal ones.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use auscult_detection::{Evaluation, Judgement, Model, ModelPackage, Rates, evaluate, metrics};
use clap::Args;
use serde::Serialize;

use super::arguments::{DataArgs, DeviceArgs, data_dir_help};
use crate::dataset::Dataset;
use crate::picture::{ScorePicture, draw_scores};
use crate::{clips, interrupt, model_file};

/// Judge a data set's test clips and say how well normal and abnormal are told apart
///
/// The labels come from the folders or file names and are used for nothing but these figures. Precision, recall, F1 and
/// accuracy are given twice: with the abnormal class as the positive one, and with the normal class, as some papers do.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct EvaluateArgs {
    /// The model, made by `auscult train`
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Also draw the scores and the ROC curve
    #[arg(long, value_name = "FILE.png")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

const AFTER_HELP: &str = concat!(
    "\
Examples:
  auscult evaluate compressor.safetensors recordings/
  auscult evaluate compressor.safetensors recordings/ --plot scores.png
  auscult evaluate fan.safetensors mimii/6_dB_fan --machine id_00 --json | jq .auc

--json prints one object: auc, pauc (false-positive rate up to 0.1), threshold, n_normal, n_abnormal;
with the abnormal class positive precision, recall, f1, accuracy; the same four with the normal
class positive under normal_positive.

",
    data_dir_help!()
);

/// Evaluates and prints.
///
/// # Errors
/// When the model or too many clips cannot be read, or there are no clips of one class.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    let package = model_file::read(&args.model)?;
    let dataset = args.data.discover()?;
    dataset.check_testable()?;
    if let Some(plot) = &args.plot {
        model_file::check_writable(plot)?;
    }
    let model = Model::load(&package, &args.device.open()?.device)?;
    let clips = judge_test_clips(&model, &package, &dataset)?;

    let (normal, abnormal) = scores_by_class(clips.iter());
    let threshold = package.manifest().calibration.threshold;
    let evaluation = evaluate(&normal, &abnormal, threshold);
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &Report::from(&evaluation)).context("cannot write the figures")?;
        writeln!(out)?;
    } else {
        write_tables(&mut out, &evaluation, &clips, threshold)?;
    }

    if let Some(path) = &args.plot {
        let canvas = draw_scores(&ScorePicture {
            normal: &normal,
            abnormal: &abnormal,
            threshold,
            auc: evaluation.auc.unwrap_or(f64::NAN),
            title: &format!("{} on {}", package.manifest().model_id, args.data.data.display()),
            subtitle: &format!(
                "model version {}, {} normal and {} abnormal clips",
                package.model_ref().version,
                normal.len(),
                abnormal.len()
            ),
        });
        model_file::write_whole(path, &canvas.png()?)?;
    }
    Ok(())
}

/// A test clip, its labels and its score.
struct Judged {
    machine: String,
    is_abnormal: bool,
    fault: Option<String>,
    score: f64,
}

fn judge_test_clips(model: &Model, package: &ModelPackage, dataset: &Dataset) -> anyhow::Result<Vec<Judged>> {
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
    let judgements = judge_in_batches(model, &clips)?;
    let judged = clips.iter().zip(judgements).map(|(clip, judgement)| {
        let (machine, fault, is_abnormal) = labels[&clip.path].clone();
        Judged { machine, is_abnormal, fault, score: judgement.score }
    });
    Ok(judged.collect())
}

/// So many clips go through one forward pass.
const BATCH: usize = 64;

fn judge_in_batches(model: &Model, clips: &[clips::Clip]) -> anyhow::Result<Vec<Judgement>> {
    let mut judgements = Vec::with_capacity(clips.len());
    for batch in clips.chunks(BATCH) {
        let views: Vec<_> = batch.iter().map(clips::Clip::view).collect();
        judgements.append(&mut model.judge(&views)?);
    }
    Ok(judgements)
}

fn scores_by_class<'a>(clips: impl Iterator<Item = &'a Judged>) -> (Vec<f64>, Vec<f64>) {
    let (mut normal, mut abnormal) = (Vec::new(), Vec::new());
    for clip in clips {
        if clip.is_abnormal { abnormal.push(clip.score) } else { normal.push(clip.score) }
    }
    (normal, abnormal)
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
}

impl From<&Evaluation> for Report {
    fn from(evaluation: &Evaluation) -> Self {
        Self {
            auc: evaluation.auc,
            pauc: evaluation.pauc,
            threshold: evaluation.threshold,
            n_normal: evaluation.n_normal,
            n_abnormal: evaluation.n_abnormal,
            abnormal_positive: evaluation.abnormal_positive,
            normal_positive: evaluation.normal_positive,
        }
    }
}

fn write_tables(out: &mut impl Write, whole: &Evaluation, clips: &[Judged], threshold: f64) -> std::io::Result<()> {
    let figure = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.4}"));
    writeln!(out, "{} normal and {} abnormal clips\n", whole.n_normal, whole.n_abnormal)?;
    writeln!(out, "AUC        {:>8}", figure(whole.auc))?;
    writeln!(out, "pAUC       {:>8}   false-positive rate up to 0.1", figure(whole.pauc))?;
    writeln!(out, "threshold  {threshold:>8.3}   dB², from held-out normal clips\n")?;

    writeln!(out, "positive class  {:>9} {:>9} {:>9} {:>9}", "precision", "recall", "F1", "accuracy")?;
    for (name, rates) in [("abnormal", whole.abnormal_positive), ("normal", whole.normal_positive)] {
        writeln!(
            out,
            "{name:<15} {:>9.4} {:>9.4} {:>9.4} {:>9.4}",
            rates.precision, rates.recall, rates.f1, rates.accuracy
        )?;
    }

    // Every fault against all the normal clips.
    let (normal, _) = scores_by_class(clips.iter());
    let faults: Vec<String> = distinct(clips.iter().filter(|clip| clip.is_abnormal).map(fault_name));
    let width = faults.iter().map(|fault| fault.chars().count()).max().unwrap_or(0).max(15);
    writeln!(out, "\n{:<width$} {:>9} {:>9} {:>9} {:>9}", "fault", "clips", "found", "recall", "AUC")?;
    for fault in &faults {
        let of_fault = clips.iter().filter(|clip| clip.is_abnormal && fault_name(clip) == *fault);
        let scores: Vec<f64> = of_fault.map(|clip| clip.score).collect();
        let found = scores.iter().filter(|score| **score > threshold).count();
        let recall = found as f64 / scores.len() as f64;
        let auc = figure(metrics::roc_auc(&normal, &scores));
        writeln!(out, "{fault:<width$} {:>9} {found:>9} {recall:>9.4} {auc:>9}", scores.len())?;
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

    let machines = distinct(clips.iter().map(|clip| clip.machine.clone()));
    if machines.len() > 1 {
        let width = machines.iter().map(|machine| machine.chars().count()).max().unwrap_or(0).max(15);
        writeln!(out, "\n{:<width$} {:>9} {:>9} {:>9} {:>9}", "machine", "normal", "abnormal", "AUC", "pAUC")?;
        for machine in &machines {
            let (normal, abnormal) = scores_by_class(clips.iter().filter(|clip| clip.machine == *machine));
            let one = evaluate(&normal, &abnormal, threshold);
            let (auc, pauc) = (figure(one.auc), figure(one.pauc));
            writeln!(out, "{machine:<width$} {:>9} {:>9} {auc:>9} {pauc:>9}", one.n_normal, one.n_abnormal)?;
        }
    }
    Ok(())
}

fn fault_name(clip: &Judged) -> String {
    clip.fault.clone().unwrap_or_else(|| "(not named)".to_owned())
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    names
}
