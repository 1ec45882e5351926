//! The page of `auscult evaluate`: the metrics of a model on a data set, with their uncertainty, and the misclassified
//! clips.

mod challenge;
mod confusion;
mod curves;
mod groups;
mod histogram;
mod misjudged;

use std::path::Path;

use auscult_detection::bootstrap::{RESAMPLES, bootstrap};
use auscult_detection::{Evaluation, evaluate};
use auscult_evaluation::dcase::ScoredClip;
use auscult_evaluation::dcase::official::Official;
use auscult_evaluation::judged::{JudgedClip, scores_by_class};
use auscult_schemas::ModelRef;

use super::html::{Html, element, page};
use super::table::{Row, description_list, table};
use crate::figures::{figure_or_dash, interval_or_dash};

/// Seed of the bootstrap: constant, so that the same clips always give the same intervals.
const BOOTSTRAP_SEED: u64 = 42;

/// The content of the page.
#[derive(Debug, Clone, Copy)]
pub struct EvaluationPage<'a> {
    /// The model.
    pub model: &'a ModelRef,
    /// Scores above it are classified as abnormal, dB².
    pub threshold: f64,
    /// The target false alarm rate of the threshold.
    pub wanted_false_alarm_rate: f64,
    /// The data set's folder.
    pub data: &'a Path,
    /// Its labelled test clips with a working sensor.
    pub clips: &'a [JudgedClip],
    /// Whether scores are in units of each machine's own threshold.
    pub is_relative: bool,
    /// Every test clip.
    pub scored: &'a [ScoredClip],
    /// DCASE's metrics.
    pub official: &'a [Official],
}

/// A test set's scores and derived values, for all sections of the page.
struct Figures<'a> {
    clips: &'a [JudgedClip],
    normal: Vec<f64>,
    abnormal: Vec<f64>,
    threshold: f64,
    whole: Evaluation,
}

impl EvaluationPage<'_> {
    /// The page as one self-contained HTML document.
    #[must_use]
    pub fn html(&self) -> String {
        let (normal, abnormal) = scores_by_class(self.clips);
        let whole = evaluate(&normal, &abnormal, self.threshold);
        let figures = Figures { clips: self.clips, normal, abnormal, threshold: self.threshold, whole };
        let title = format!("{} on {}", self.model.id.0, self.data.display());
        let body = Html::all([
            element("h1").text(&title).into(),
            self.about(&figures),
            summary(&figures),
            histogram::section(&figures),
            curves::threshold_section(&figures),
            curves::ranking_section(&figures),
            confusion::section(&figures),
            groups::sections(&figures),
            challenge::section(self.official),
            challenge::left_out(self.scored),
            misjudged::section(&figures),
        ]);
        page(&title, &body)
    }

    fn about(&self, figures: &Figures<'_>) -> Html {
        let Evaluation { n_normal, n_abnormal, false_alarms, .. } = figures.whole;
        description_list([
            ("model", self.model.id.0.clone()),
            ("model version", self.model.version.clone()),
            ("data set", self.data.display().to_string()),
            ("test clips", format!("{n_normal} normal, {n_abnormal} abnormal")),
            (
                "threshold",
                if self.is_relative {
                    "each machine's own; scores are in units of it, so that 1 is the threshold".to_owned()
                } else {
                    format!("{:.4}, set on held-out normal clips of the training set", self.threshold)
                },
            ),
            (
                "false alarms",
                format!(
                    "wanted {} of normal clips, found {} ({false_alarms} of {n_normal})",
                    percent(self.wanted_false_alarm_rate),
                    percent(false_alarms as f64 / n_normal.max(1) as f64)
                ),
            ),
        ])
    }
}

/// The four metrics with their intervals.
fn summary(figures: &Figures<'_>) -> Html {
    let Figures { normal, abnormal, threshold, whole, .. } = figures;
    let intervals = bootstrap(normal, abnormal, *threshold, RESAMPLES, BOOTSTRAP_SEED);
    let row = |name: &str, figure, interval| -> Row {
        vec![name.to_owned(), figure_or_dash(figure), interval_or_dash(interval)]
    };
    let rates = whole.abnormal_positive;
    let rows = [
        row("AUC", whole.auc, intervals.map(|intervals| intervals.auc)),
        row("pAUC, false-positive rate up to 0.1", whole.pauc, intervals.map(|intervals| intervals.pauc)),
        row("F1 at the threshold", Some(rates.f1), intervals.map(|intervals| intervals.f1)),
        row("recall at the threshold", Some(rates.recall), intervals.map(|intervals| intervals.recall)),
    ];
    let note = format!(
        "Intervals: bootstrap by clip, {RESAMPLES} resamples stratified by class, seed {BOOTSTRAP_SEED}. Clips cut from one \
         recording session resemble each other; the true intervals are then wider."
    );
    Html::all([table(&["abnormal positive", "figure", "95 % interval"], rows), soft(&note)])
}

fn soft(text: &str) -> Html {
    element("p").class("soft").text(text).into()
}

/// A share as a percentage with as many decimals as necessary: `0.1 %`, `12 %`.
fn percent(share: f64) -> String {
    format!("{} %", (share * 1e4).round() / 1e2)
}

#[cfg(test)]
mod tests;
