//! The metrics of each kind of fault, each machine and each microphone.

use auscult_detection::{Evaluation, Means, evaluate, words};
use auscult_evaluation::judged::{self, JudgedClip};

use super::{Figures, percent, soft};
use crate::figures::figure_or_dash;
use crate::pages::html::{Html, element};
use crate::pages::table::{Row, table};

pub(super) fn sections(figures: &Figures<'_>) -> Html {
    Html::all([by_fault(figures), by_machine(figures), by_channel(figures)])
}

fn by_fault(figures: &Figures<'_>) -> Html {
    let rows = judged::faults(figures.clips).into_iter().map(|fault| -> Row {
        let Evaluation { auc, pauc, n_abnormal, true_alarms, abnormal_positive, .. } =
            judged::evaluate_fault(figures.clips, fault, figures.threshold);
        vec![
            fault.to_owned(),
            n_abnormal.to_string(),
            true_alarms.to_string(),
            format!("{:.4}", abnormal_positive.recall),
            figure_or_dash(auc),
            figure_or_dash(pauc),
        ]
    });
    Html::all([
        element("h2").text("By fault").into(),
        table(&["fault", "clips", "found", "recall", "AUC", "pAUC"], rows),
        soft("Each fault against all normal clips."),
    ])
}

fn by_machine(figures: &Figures<'_>) -> Html {
    let machines = judged::machines(figures.clips);
    let alone: Vec<Evaluation> =
        machines.iter().map(|machine| judged::evaluate_machine(figures.clips, machine, figures.threshold)).collect();
    let mut rows: Vec<Row> = machines.iter().zip(&alone).map(|(machine, one)| machine_row(machine, one)).collect();
    if machines.len() > 1 {
        let means = Means::of(&alone);
        for (name, mean) in [("arithmetic mean", means.arithmetic), ("harmonic mean", means.harmonic)] {
            let mut row = vec![name.to_owned()];
            row.extend(std::iter::repeat_n(String::new(), 4));
            row.extend([figure_or_dash(mean.auc), figure_or_dash(mean.pauc)]);
            rows.push(row);
        }
    }
    let head = ["machine", "normal", "false alarms", "abnormal", "recall", "AUC", "pAUC"];
    Html::all([element("h2").text("By machine").into(), table(&head, rows)])
}

fn machine_row(machine: &str, one: &Evaluation) -> Row {
    let false_alarm_rate = one.false_alarms as f64 / one.n_normal.max(1) as f64;
    vec![
        machine.to_owned(),
        one.n_normal.to_string(),
        format!("{} ({})", one.false_alarms, percent(false_alarm_rate)),
        one.n_abnormal.to_string(),
        format!("{:.4}", one.abnormal_positive.recall),
        figure_or_dash(one.auc),
        figure_or_dash(one.pauc),
    ]
}

fn by_channel(figures: &Figures<'_>) -> Html {
    let channels = figures.clips.iter().map(|clip| clip.channel_scores.len()).max().unwrap_or(0);
    let quantity = figures.clips.first().and_then(|clip| clip.quantity);
    let sensor = words::sensor(quantity);
    let rows = (0..channels).map(|channel| -> Row {
        let scores = |is_abnormal: bool| -> Vec<f64> {
            let of_class = figures.clips.iter().filter(|clip: &&JudgedClip| clip.is_abnormal == is_abnormal);
            of_class.filter_map(|clip| clip.channel_scores.get(channel).copied().flatten()).collect()
        };
        let (normal, abnormal) = (scores(false), scores(true));
        let one = evaluate(&normal, &abnormal, figures.threshold);
        vec![
            format!("{sensor} {channel}"),
            (normal.len() + abnormal.len()).to_string(),
            median_or_dash(normal),
            median_or_dash(abnormal),
            figure_or_dash(one.auc),
            figure_or_dash(one.pauc),
        ]
    });
    let head = ["channel", "clips", "median normal score", "median abnormal score", "AUC", "pAUC"];
    Html::all([
        element("h2").text("By channel").into(),
        table(&head, rows),
        soft(&format!("Each {sensor}'s own score. A clip is decided on the score of all its {sensor}s together.")),
    ])
}

fn median_or_dash(mut scores: Vec<f64>) -> String {
    scores.sort_by(f64::total_cmp);
    let middle = scores.len() / 2;
    let median = match scores.len() {
        0 => None,
        even if even.is_multiple_of(2) => Some(f64::midpoint(scores[middle - 1], scores[middle])),
        _ => Some(scores[middle]),
    };
    figure_or_dash(median)
}
