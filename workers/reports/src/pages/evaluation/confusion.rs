//! Confusion matrices at the threshold, with either class as the positive one.

use auscult_detection::metrics::Confusion;

use super::Figures;
use crate::pages::html::{Element, Html, element};
use crate::pages::table::table;

pub(super) fn section(figures: &Figures<'_>) -> Html {
    let confusion = Confusion::at_threshold(&figures.normal, &figures.abnormal, figures.threshold);
    let matrices =
        [matrix("abnormal", "normal", confusion), matrix("normal", "abnormal", confusion.with_normal_positive())];
    Html::all([
        element("h2").text("Decisions at the threshold").into(),
        element("div").class("row").children(matrices).into(),
    ])
}

fn matrix(positive: &str, negative: &str, confusion: Confusion) -> Element {
    let Confusion { true_positives, false_positives, true_negatives, false_negatives } = confusion;
    let head = ["the clip is".to_owned(), format!("called {positive}"), format!("called {negative}")];
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let counts = [
        vec![format!("{positive} (positive)"), true_positives.to_string(), false_negatives.to_string()],
        vec![format!("{negative} (negative)"), false_positives.to_string(), true_negatives.to_string()],
    ];
    let rates = [
        ("precision", confusion.precision()),
        ("recall", confusion.recall()),
        ("F1", confusion.f1()),
        ("accuracy", confusion.accuracy()),
    ];
    let rates = rates.map(|(name, rate)| vec![name.to_owned(), format!("{rate:.4}")]);
    element("div")
        .child(element("h3").text(format!("{positive} as the positive class")))
        .child(table(&head, counts))
        .child(table(&["rate", "figure"], rates))
}
