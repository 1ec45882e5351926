//! The table that the suite ends with.

use std::fmt::Write as _;
use std::time::Duration;

use super::Outcome;
use crate::verifier::Verdict;

const COLUMNS: [&str; 11] = [
    "fault",
    "protocol",
    "runs",
    "chunks",
    "lost",
    "doubled",
    "reordered",
    "wrong",
    "state mismatches",
    "recovery median",
    "recovery max",
];

/// Rows as they come, one a fault and protocol.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<[String; 11]>,
}

impl Table {
    /// Adds what came of a fault.
    pub fn add(&mut self, fault: &str, protocol: &str, outcome: &Outcome) {
        let sum = |count: fn(&Verdict) -> usize| outcome.verdicts.iter().map(count).sum::<usize>().to_string();
        let mut silences = outcome.silences.clone();
        silences.sort_unstable();
        let median = silences.get(silences.len() / 2).copied().unwrap_or_default();
        let longest = silences.last().copied().unwrap_or_default();
        self.rows.push([
            fault.to_owned(),
            protocol.to_owned(),
            outcome.runs.to_string(),
            sum(|verdict| verdict.chunks),
            sum(|verdict| verdict.lost.len()),
            sum(|verdict| verdict.doubled.len()),
            sum(|verdict| verdict.reordered.len()),
            sum(|verdict| verdict.wrong.len()),
            sum(|verdict| verdict.state_mismatches.len()),
            seconds(median),
            seconds(longest),
        ]);
    }

    /// The rows in the order of these names, as text (or as Markdown, which is text with bars).
    #[must_use]
    pub fn render(&self, order: &[&str]) -> String {
        let mut rows = self.rows.clone();
        rows.sort_by_key(|row| (order.iter().position(|name| *name == row[0]).unwrap_or(usize::MAX), row[1].clone()));
        let header = COLUMNS.map(str::to_owned);
        let widths: Vec<usize> = (0..COLUMNS.len())
            .map(|column| rows.iter().chain([&header]).map(|row| row[column].len()).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        let mut line = |row: &[String; 11]| {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let is_text = column < 2;
                let padded = if is_text { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
                // Writing to a string cannot fail.
                let _ = write!(text, "| {padded} ");
            }
            text.push_str("|\n");
        };
        line(&header);
        let rule: Vec<String> = widths
            .iter()
            .enumerate()
            .map(|(column, width)| if column < 2 { "-".repeat(*width) } else { format!("{}:", "-".repeat(width - 1)) })
            .collect();
        line(&rule.try_into().expect("one rule a column"));
        for row in &rows {
            line(row);
        }
        text
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
