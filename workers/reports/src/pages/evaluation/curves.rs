//! The effect of other thresholds: false positives against false negatives, ROC and precision-recall.

use auscult_detection::{MAX_FALSE_POSITIVE_RATE, OperatingPoint, metrics, sweep};

use super::{Figures, soft};
use crate::figures::figure_or_dash;
use crate::pages::axis::Axis;
use crate::pages::html::{Html, element};
use crate::pages::plot::{Plot, figure, legend};
use crate::pages::table::{Row, table_with_chosen};

/// Thresholds in the table, besides the model's own.
const TABLE_ROWS: usize = 20;

/// False positives and false negatives against the threshold, as a curve and as a table.
pub(super) fn threshold_section(figures: &Figures<'_>) -> Html {
    let heading = element("h2").text("Other thresholds").into();
    let Some(points) = sweep(&figures.normal, &figures.abnormal) else { return Html::all([heading, no_curve()]) };
    Html::all([heading, threshold_curve(figures, &points), threshold_table(figures, &points)])
}

fn threshold_curve(figures: &Figures<'_>, points: &[OperatingPoint]) -> Html {
    let finite = points.iter().map(|point| point.threshold);
    let axis = Axis::scores("threshold", finite.chain([figures.threshold]));
    let most = figures.normal.len().max(figures.abnormal.len());
    // Ascending; each count holds from its threshold up to the next one.
    let steps = |count: fn(&OperatingPoint) -> usize| {
        let ascending: Vec<(f64, f64)> =
            points.iter().rev().map(|point| (point.threshold, count(point) as f64)).collect();
        let corners = ascending.windows(2).flat_map(|pair| [pair[0], (pair[1].0, pair[0].1)]).collect::<Vec<_>>();
        corners.into_iter().chain(ascending.last().copied())
    };
    let plot = Plot::new("False positives and false negatives by threshold", axis, Axis::count("clips", most))
        .line("normal", steps(|point| point.confusion.false_positives))
        .line("abnormal", steps(|point| point.confusion.false_negatives))
        .vertical("threshold", figures.threshold, "threshold");
    let names = legend([("normal", "false positives (false alarms)"), ("abnormal", "false negatives (missed faults)")]);
    Html::all([names, figure(plot.svg(), "How many clips each threshold would get wrong.")])
}

fn threshold_table(figures: &Figures<'_>, points: &[OperatingPoint]) -> Html {
    let at = |threshold| OperatingPoint {
        threshold,
        confusion: metrics::Confusion::at_threshold(&figures.normal, &figures.abnormal, threshold),
    };
    // Evenly spaced over the different decisions, including the model's own.
    let rows = points.len().min(TABLE_ROWS);
    let picked = (0..rows).map(|row| points[row * (points.len() - 1) / (rows - 1).max(1)]);
    let mut picked: Vec<(OperatingPoint, bool)> = picked.map(|point| (point, false)).collect();
    picked.push((at(figures.threshold), true));
    picked.sort_by(|a, b| b.0.threshold.total_cmp(&a.0.threshold));
    let head = ["threshold", "false positives", "false negatives", "false-positive rate", "recall", "precision", "F1"];
    let rows = picked.into_iter().map(|(OperatingPoint { threshold, confusion }, is_models_own)| {
        let threshold = match threshold {
            f64::NEG_INFINITY => "below all".to_owned(),
            finite if is_models_own => format!("{finite:.4} (the model's)"),
            finite => format!("{finite:.4}"),
        };
        let row: Row = vec![
            threshold,
            confusion.false_positives.to_string(),
            confusion.false_negatives.to_string(),
            format!("{:.4}", confusion.false_positive_rate()),
            format!("{:.4}", confusion.recall()),
            format!("{:.4}", confusion.precision()),
            format!("{:.4}", confusion.f1()),
        ];
        (row, is_models_own)
    });
    let note = "To choose a threshold on these clips is to train on them: what it then gets right here it need not get right elsewhere.";
    Html::all([table_with_chosen(&head, rows), soft(note)])
}

/// ROC and precision-recall, side by side.
pub(super) fn ranking_section(figures: &Figures<'_>) -> Html {
    let heading = element("h2").text("Ranking, whatever the threshold").into();
    let Some(points) = sweep(&figures.normal, &figures.abnormal) else { return Html::all([heading, no_curve()]) };
    let own = metrics::Confusion::at_threshold(&figures.normal, &figures.abnormal, figures.threshold);
    let plots = [roc(figures, &points, own), precision_recall(figures, &points, own)];
    Html::all([heading, element("div").class("row").children(plots).into()])
}

fn roc(figures: &Figures<'_>, points: &[OperatingPoint], own: metrics::Confusion) -> Html {
    let curve: Vec<(f64, f64)> =
        points.iter().map(|point| (point.confusion.false_positive_rate(), point.confusion.recall())).collect();
    let axes = (Axis::share("false-positive rate"), Axis::share("true-positive rate (recall)"));
    let plot = Plot::new("ROC curve", axes.0, axes.1)
        .area("shade", &up_to(&curve, MAX_FALSE_POSITIVE_RATE))
        .line("chance", [(0.0, 0.0), (1.0, 1.0)])
        .line("abnormal", curve)
        .dot((own.false_positive_rate(), own.recall()), "at the threshold");
    let caption = format!(
        "ROC: AUC {}, pAUC {} (shaded: up to a false-positive rate of {MAX_FALSE_POSITIVE_RATE}; standardised, 0.5 is chance).",
        figure_or_dash(figures.whole.auc),
        figure_or_dash(figures.whole.pauc)
    );
    figure(plot.svg(), &caption)
}

fn precision_recall(figures: &Figures<'_>, points: &[OperatingPoint], own: metrics::Confusion) -> Html {
    // No clip is classified as abnormal at the first point, so its precision is undefined.
    let called = points.iter().filter(|point| point.confusion.true_positives + point.confusion.false_positives > 0);
    let curve = called.map(|point| (point.confusion.recall(), point.confusion.precision()));
    let share_abnormal = figures.abnormal.len() as f64 / (figures.abnormal.len() + figures.normal.len()) as f64;
    let plot = Plot::new("Precision-recall curve", Axis::share("recall"), Axis::share("precision"))
        .horizontal("chance", share_abnormal)
        .line("abnormal", curve)
        .dot((own.recall(), own.precision()), "at the threshold");
    let caption = format!(
        "Precision-recall: average precision {}. Dashed: guessing, {share_abnormal:.2}, the abnormal clips' share here; in a factory it is far \
         smaller, and so is precision.",
        figure_or_dash(metrics::average_precision(&figures.normal, &figures.abnormal))
    );
    figure(plot.svg(), &caption)
}

/// A curve's points up to `end`, including the one at `end`.
fn up_to(curve: &[(f64, f64)], end: f64) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = curve.iter().copied().take_while(|(x, _)| *x <= end).collect();
    if let (Some(last), Some(next)) = (points.last().copied(), curve.get(points.len())) {
        let part = (end - last.0) / (next.0 - last.0);
        points.push((end, last.1 + part * (next.1 - last.1)));
    }
    points
}

fn no_curve() -> Html {
    soft("No curve: it needs clips of both classes, and every score a number.")
}

#[cfg(test)]
mod tests {
    use super::up_to;

    #[test]
    fn the_shaded_area_ends_on_the_curve_at_the_rate_it_is_of() {
        let curve = [(0.0, 0.0), (0.0, 0.4), (0.2, 0.8), (1.0, 1.0)];
        let shaded = up_to(&curve, 0.1);
        assert_eq!(shaded[..2], curve[..2]);
        assert!((shaded[2].0 - 0.1).abs() < 1e-12 && (shaded[2].1 - 0.6).abs() < 1e-12, "{shaded:?}");
        assert_eq!(up_to(&curve, 1.0), curve);
    }
}
