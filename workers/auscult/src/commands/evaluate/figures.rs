//! The metrics of an evaluation as one JSON object.

use auscult_detection::{Evaluation, FalseAlarms, Means, Rates};
use auscult_evaluation::dcase::official::Official;
use auscult_evaluation::judged::{self, JudgedClip};
use auscult_evaluation::judging::JudgedClips;
use serde::Serialize;

/// The output of `--json`.
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
    /// Labelled clips that are excluded, because all their sensors are faulty.
    n_unheard: usize,
    /// Clips that cannot be read.
    n_unreadable: usize,
    /// Clips without a label.
    n_unlabelled: usize,
    /// False alarms at the threshold; absent if each machine has its own model.
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<FalseAlarms>,
    /// Only for several machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    means: Option<Means>,
    /// Only for DCASE recordings: by edition.
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

/// Evaluates each machine separately.
pub(super) fn evaluate_machines(clips: &[JudgedClip], threshold: f64) -> Vec<Evaluation> {
    let machines = judged::machines(clips);
    machines.into_iter().map(|machine| judged::evaluate_machine(clips, machine, threshold)).collect()
}
