//! Misclassified clips to listen to: false alarms and missed faults, the worst first.

use auscult_evaluation::judged::JudgedClip;

use super::Figures;
use crate::pages::html::{Element, Html, element};
use crate::pages::table::table;

/// Maximum number of clips listed on each side of the threshold.
const MOST_NAMED: usize = 20;

pub(super) fn section(figures: &Figures<'_>) -> Html {
    let threshold = figures.threshold;
    let called_wrong = |clip: &&JudgedClip| clip.is_abnormal != (clip.score > threshold);
    let (mut missed, mut false_alarms): (Vec<&JudgedClip>, Vec<&JudgedClip>) =
        figures.clips.iter().filter(called_wrong).partition(|clip| clip.is_abnormal);
    false_alarms.sort_by(|a, b| b.score.total_cmp(&a.score));
    missed.sort_by(|a, b| a.score.total_cmp(&b.score));
    let lists = [
        list("False alarms", "highest score first", &false_alarms),
        list("Missed faults", "lowest score first", &missed),
    ];
    Html::all([element("h2").text("Clips to listen to").into(), element("div").class("row").children(lists).into()])
}

fn list(name: &str, order: &str, clips: &[&JudgedClip]) -> Element {
    if clips.is_empty() {
        return element("div").child(element("h3").text(format!("{name}: none")));
    }
    let shown = clips.len().min(MOST_NAMED);
    let heading = element("h3").text(format!("{name}, {order}: {shown} of {}", clips.len()));
    let rows = clips.iter().take(shown).map(|clip| {
        let file = clip.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = if clip.is_abnormal { clip.fault_name() } else { "normal" };
        vec![file, clip.machine.clone(), kind.to_owned(), format!("{:.4}", clip.score)]
    });
    element("div").child(heading).child(table(&["file", "machine", "is", "score"], rows))
}
