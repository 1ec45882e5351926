//! Formats metrics as text.

use auscult_detection::bootstrap::Interval;

/// Four decimals, or a dash if there is no value.
#[must_use]
pub fn figure_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
}

/// `0.8123 to 0.9012`.
#[must_use]
pub fn interval_or_dash(interval: Option<Interval>) -> String {
    interval.map_or_else(|| "–".to_owned(), |interval| format!("{:.4} to {:.4}", interval.low, interval.high))
}
