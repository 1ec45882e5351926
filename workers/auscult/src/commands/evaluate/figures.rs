//! The figures of an evaluation as one JSON object.

use auscult_detection::{Evaluation, FalseAlarms, Means, Rates};
use auscult_evaluation::dcase::official::Official;
use auscult_evaluation::judged::{self, JudgedClip};
use auscult_evaluation::judging::JudgedClips;
use serde::Serialize;

/// What `--json` prints, and nothing else.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    auc: Option<f64>,
    pauc: Option<f64>,
    threshold: f64,
    n_normal: usize,
    n_abnormal: usize,
    #[serde(flatten)]
    abnormal_positive: Rates,
    normal_positive: Rates,
    /// Labelled clips that count nowhere, because every sensor of theirs is at fault.
    n_unheard: usize,
    /// Clips that cannot be read.
    n_unreadable: usize,
    /// Clips without a label.
    n_unlabelled: usize,
    /// What the threshold means; absent where each machine has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<FalseAlarms>,
    /// Only of several machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    means: Option<Means>,
    /// Only of DCASE's recordings: by edition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dcase: Vec<Official>,
}

impl Report {
    pub(super) fn of(
        evaluation: &Evaluation,
        clips: &JudgedClips,
        calibration: Option<FalseAlarms>,
        dcase: Vec<Official>,
    ) -> Self {
        let alone = evaluate_machines(&clips.judged, evaluation.threshold);
        Self {
            auc: evaluation.auc,
            pauc: evaluation.pauc,
            threshold: evaluation.threshold,
            n_normal: evaluation.n_normal,
            n_abnormal: evaluation.n_abnormal,
            abnormal_positive: evaluation.abnormal_positive,
            normal_positive: evaluation.normal_positive,
            n_unheard: clips.n_unheard(),
            n_unreadable: clips.n_unreadable(),
            n_unlabelled: clips.n_unlabelled(),
            calibration,
            means: (alone.len() > 1).then(|| Means::of(&alone)),
            dcase,
        }
    }
}

/// Each machine alone.
pub(super) fn evaluate_machines(clips: &[JudgedClip], threshold: f64) -> Vec<Evaluation> {
    let machines = judged::machines(clips);
    machines.into_iter().map(|machine| judged::evaluate_machine(clips, machine, threshold)).collect()
}
