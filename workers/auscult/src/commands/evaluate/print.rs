//! The metrics of an evaluation as tables for the terminal.

use std::io::Write;

use auscult_detection::{Evaluation, FalseAlarms, Means};
use auscult_evaluation::dcase::official::{Official, SectionFigures};
use auscult_evaluation::judged;
use auscult_evaluation::judging::JudgedClips;

use super::figures::evaluate_machines;

/// Writes the metrics as tables.
pub(super) fn write_tables(
    out: &mut impl Write,
    whole: &Evaluation,
    clips: &JudgedClips,
    false_alarms: Option<&FalseAlarms>,
    official: &[Official],
) -> std::io::Result<()> {
    let threshold = whole.threshold;
    let not_judged = not_judged(clips);
    let clips = &clips.judged;
    let figure = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.4}"));
    writeln!(out, "{} normal and {} abnormal clips", whole.n_normal, whole.n_abnormal)?;
    for line in not_judged {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    writeln!(out, "AUC        {:>8}", figure(whole.auc))?;
    writeln!(out, "pAUC       {:>8}   false-positive rate up to 0.1", figure(whole.pauc))?;
    match false_alarms {
        None => writeln!(out, "threshold  {:>8}   each machine's own; scores are in its units", "1")?,
        Some(false_alarms) => {
            writeln!(out, "threshold  {threshold:>8.3}   from held-out normal clips")?;
            for line in false_alarms.in_words() {
                writeln!(out, "{:<11}{line}", "")?;
            }
        }
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
    for edition in official {
        write_official(out, edition)?;
    }
    Ok(())
}

/// The width of a column for these names.
fn widest(names: &[&str]) -> usize {
    names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(15)
}

/// What the metrics exclude, one line each.
fn not_judged(clips: &JudgedClips) -> Vec<String> {
    let counts = [
        (clips.n_unheard(), "left out: no sensor of theirs hears the machine"),
        (clips.n_unreadable(), "left out: they cannot be read"),
        (clips.n_unlabelled(), "without a label: scored with --out, and in no figure"),
    ];
    counts.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} clips {why}")).collect()
}

fn write_official(out: &mut impl Write, official: &Official) -> std::io::Result<()> {
    let names: Vec<String> =
        official.sections.iter().map(|one| format!("{} {}", one.machine_type, one.section)).collect();
    let width = widest(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let cell = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.4}"));
    writeln!(out, "\nDCASE Task 2, as the evaluator of {} computes it", official.edition)?;
    let head = ["AUC", "source", "target", "pAUC", "source", "target", "F1", "source", "target"];
    writeln!(out, "{:<width$} {}", "section", head.map(|name| format!("{name:>8}")).join(" "))?;
    for (name, section) in names.iter().zip(&official.sections) {
        let SectionFigures { auc, pauc, f1, .. } = section.figures;
        let cells = [auc, pauc, f1].into_iter().flat_map(|of| [of.all, of.source, of.target]);
        let cells: Vec<String> = cells.map(|figure| format!("{:>8}", cell(figure))).collect();
        writeln!(out, "{name:<width$} {}", cells.join(" "))?;
    }
    match official.official_score {
        Some(score) => writeln!(out, "{:<width$} {score:>8.4}", "official score"),
        None => writeln!(
            out,
            "no official score: every section needs test clips of both classes, since 2021 in both domains"
        ),
    }
}
#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use auscult_detection::{Calibration, evaluate};
    use auscult_evaluation::judged::{JudgedClip, scores_by_class};

    use super::super::figures::Report;
    use super::*;
    use crate::commands::arguments::CadenceArgs;

    fn clip(machine: &str, is_abnormal: bool, score: f64) -> JudgedClip {
        let fault = is_abnormal.then(|| "leak".to_owned());
        let path = PathBuf::from(format!("{machine}/{score}.wav"));
        let channel_scores = vec![Some(score)];
        JudgedClip {
            path,
            machine: machine.to_owned(),
            domain: None,
            is_abnormal,
            fault,
            quantity: None,
            score,
            channel_scores,
        }
    }

    fn false_alarms() -> FalseAlarms {
        let band_errors: Vec<Vec<f64>> = (1..=20_u8).map(|clip| vec![f64::from(clip)]).collect();
        CadenceArgs::default().false_alarms(&Calibration::fit(&band_errors, 0.01).unwrap()).unwrap()
    }

    fn all(clips: &[JudgedClip]) -> JudgedClips {
        JudgedClips { judged: clips.to_vec(), scored: Vec::new(), threshold: 1.5 }
    }

    fn json(clips: &[JudgedClip]) -> serde_json::Value {
        let (normal, abnormal) = scores_by_class(clips);
        let evaluation = evaluate(&normal, &abnormal, 1.5);
        serde_json::to_value(Report::of(&evaluation, &all(clips), Some(false_alarms()), Vec::new())).unwrap()
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
            "n_unreadable",
            "n_unlabelled",
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
        let evaluation = evaluate(&normal, &abnormal, 1.5);
        write_tables(&mut out, &evaluation, &all(&clips), Some(&false_alarms()), &[]).unwrap();
        let text = String::from_utf8(out).unwrap();
        let last: Vec<&str> = text.lines().rev().take(2).collect();
        assert!(last[1].starts_with("arithmetic mean") && last[1].contains("0.7500"), "{text}");
        assert!(last[0].starts_with("harmonic mean") && last[0].contains("0.6667"), "{text}");
    }
}
