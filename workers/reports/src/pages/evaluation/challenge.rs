//! DCASE's metrics, and the clips excluded from all metrics.

use auscult_evaluation::dcase::ScoredClip;
use auscult_evaluation::dcase::official::Official;

use super::soft;
use crate::figures::figure_or_dash;
use crate::pages::html::{Html, element};
use crate::pages::table::{Row, table};

/// A table for each edition; empty if the recordings are not from DCASE.
pub(super) fn section(official: &[Official]) -> Html {
    Html::all(official.iter().map(edition))
}

fn edition(official: &Official) -> Html {
    let rows = official.sections.iter().map(|one| -> Row {
        let mut row = vec![format!("{} {}", one.machine_type, one.section)];
        let of = one.figures;
        row.extend(
            [of.auc, of.pauc, of.f1].into_iter().flat_map(|of| [of.all, of.source, of.target]).map(figure_or_dash),
        );
        row
    });
    let head = ["section", "AUC", "source", "target", "pAUC", "source", "target", "F1", "source", "target"];
    let score = match official.official_score {
        Some(score) => {
            format!("Official score: {score:.4}. Every test clip counts, those that were not judged among them.")
        }
        None => {
            "No official score: every section needs test clips of both classes, since 2021 in both domains.".to_owned()
        }
    };
    Html::all([
        element("h2").text(format!("DCASE Task 2, as the evaluator of {} computes it", official.edition)).into(),
        table(&head, rows),
        soft(&score),
    ])
}

/// The clips missing from the other sections, with the reason; empty if there are none.
pub(super) fn left_out(scored: &[ScoredClip]) -> Html {
    let unlabelled = scored.iter().filter(|clip| clip.is_abnormal.is_none()).count();
    let left_out: Vec<&ScoredClip> = scored.iter().filter(|clip| clip.left_out.is_some()).collect();
    if left_out.is_empty() && unlabelled == 0 {
        return Html::all([]);
    }
    let rows = left_out.iter().map(|clip| -> Row {
        let file = clip.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is = match clip.is_abnormal {
            Some(true) => "abnormal",
            Some(false) => "normal",
            None => "not known",
        };
        vec![file, clip.machine.clone(), is.to_owned(), clip.left_out.clone().unwrap_or_default()]
    });
    let note = format!(
        "{} of {} test clips could not be judged and {unlabelled} have no label: the figures above are of the others. DCASE's files have a row \
         for each.",
        left_out.len(),
        scored.len()
    );
    let list = if left_out.is_empty() { Html::all([]) } else { table(&["file", "machine", "is", "why"], rows) };
    Html::all([element("h2").text("Clips that were left out").into(), list, soft(&note)])
}
