//! The page of `auscult lives`: each life's scores against its threshold, with its alarms.

use std::path::Path;

use auscult_evaluation::lives::{Life, Point};

use crate::pages::axis::Axis;
use crate::pages::html::{Html, element, page};
use crate::pages::plot::{Plot, figure, legend};
use crate::pages::table::table;

/// The content of the page.
#[derive(Debug, Clone, Copy)]
pub struct LivesPage<'a> {
    /// The lives, in the order of their names.
    pub lives: &'a [Life],
    /// Their source.
    pub data: &'a Path,
}

impl LivesPage<'_> {
    /// The page as one self-contained HTML document.
    #[must_use]
    pub fn html(&self) -> String {
        let title = format!("Lives of {}", self.data.display());
        let rows = self.lives.iter().map(|life| {
            vec![
                life.machine.clone(),
                hours(life.length_s),
                life.alarms.first().map_or_else(|| "none".to_owned(), |alarm| hours(alarm.from_s)),
                life.lead_s().map_or_else(|| "no warning".to_owned(), hours),
                life.alarms_in_first_half().to_string(),
            ]
        });
        let head = ["machine", "life, h", "first alarm, h", "lead time, h", "alarms in the first half"];
        let body = Html::all([
            element("h1").text(&title).into(),
            table(&head, rows),
            legend([("normal", "score"), ("threshold", "threshold"), ("abnormal", "alarm")]),
            element("div").class("row").children(self.lives.iter().map(of_life)).into(),
        ]);
        page(&title, &body)
    }
}

fn of_life(life: &Life) -> Html {
    let of = |point: &Point| (point.at_s / 3600.0, point.score);
    let scores = life.points.iter().map(|point| point.score).chain([life.threshold]);
    let x = Axis::linear("time, h", 0.0, life.length_s / 3600.0);
    let mut plot = Plot::new(format!("{}: score over its life", life.machine), x, Axis::scores("score", scores))
        .line("normal", life.points.iter().map(of))
        .horizontal("threshold", life.threshold)
        .vertical("grid", life.length_s / 7200.0, "half of its life");
    for alarm in &life.alarms {
        let to_s = alarm.to_s.unwrap_or(life.length_s);
        let during = life.points.iter().filter(|point| (alarm.from_s..=to_s).contains(&point.at_s));
        plot = plot.line("abnormal", during.map(of));
    }
    let words = match (life.alarms.first(), life.lead_s()) {
        (Some(alarm), Some(lead_s)) => {
            format!("{}: alarmed after {} h, {} h before its end", life.machine, hours(alarm.from_s), hours(lead_s))
        }
        _ => format!("{}: no alarm; it failed without a warning", life.machine),
    };
    figure(plot.svg(), &words)
}

fn hours(seconds: f64) -> String {
    format!("{:.2}", seconds / 3600.0)
}
