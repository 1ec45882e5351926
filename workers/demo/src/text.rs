//! Labels and symbols shared by screen, plain lines and summary.

use auscult_detection::words;
use auscult_schemas::{DeviatingBand, MachineState};

use super::Truth;

/// A state's symbol and name; symbols differ in shape and case, not only in colour.
pub(super) fn state(state: MachineState) -> (&'static str, &'static str) {
    match state {
        MachineState::Learning => ("·", "listening"),
        MachineState::Healthy => ("✓", "healthy"),
        MachineState::Warning => ("△", "warning"),
        MachineState::Alarm => ("▲", "ALARM"),
        MachineState::Acknowledged => ("▴", "acknowledged"),
        MachineState::Maintenance => ("⚒", "maintenance"),
        MachineState::Silent => ("…", "silent"),
        MachineState::SensorFault => ("?", "sensor fault"),
        MachineState::SetupFault => ("?", "setup fault"),
        MachineState::Idle => ("‖", "idle"),
    }
}

/// The first few deviating bands.
pub(super) fn deviation(bands: &[DeviatingBand], most: usize) -> String {
    words::deviation(&bands[..bands.len().min(most)], None, None)
}

/// `bearing wear, 40 %`; empty without ground truth.
pub(super) fn truth(truth: &Truth) -> String {
    match truth {
        Truth::Unknown => String::new(),
        Truth::Normal => "normal".to_owned(),
        Truth::Faulty { fault, severity: None } => fault.clone(),
        Truth::Faulty { fault, severity: Some(severity) } => format!("{fault}, {:.0} %", 100.0 * severity),
    }
}

/// A sparkline symbol: up to half height at or below the threshold, higher above it.
pub(super) fn spark(ratio: f64) -> char {
    const SIGNS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let height =
        if ratio <= 1.0 { (4.0 * ratio).ceil().clamp(1.0, 4.0) } else { 4.0 + (4.0 * (ratio - 1.0)).ceil().min(4.0) };
    // NaN is shown at full height.
    SIGNS[(height as usize).clamp(1, 8) - 1]
}

/// A number with separators: `12 345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Exactly `width` characters wide: padded with spaces, or truncated with an ellipsis.
pub(super) fn fit(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        format!("{text:<width$}")
    } else {
        text.chars().take(width.saturating_sub(1)).chain(['…']).take(width).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spark_rises_above_half_height_only_above_the_threshold() {
        let sparks: String =
            [0.0, 0.25, 0.5, 0.99, 1.0, 1.01, 1.5, 2.0, 50.0, f64::NAN].into_iter().map(spark).collect();
        assert_eq!(sparks, "▁▁▂▄▄▅▆███");
    }

    #[test]
    fn numbers_and_texts_keep_their_width() {
        assert_eq!((grouped(7), grouped(1_234), grouped(1_234_567)), ("7".into(), "1 234".into(), "1 234 567".into()));
        assert_eq!((fit("fan", 5), fit("compressor", 5)), ("fan  ".into(), "comp…".into()));
    }
}
