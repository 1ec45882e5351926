//! What is said of a recording: what it is, and what the other commands will say of it.

use auscult_import::Recording;
use auscult_schemas::topics::MAX_MESSAGE_BYTES;

/// What a recording is, with the rate and who says it.
pub(super) fn describe(recording: &Recording, is_unit_given: bool) -> String {
    let names: Vec<&str> = recording.channels.iter().map(|channel| channel.name.as_str()).collect();
    let names = match names.as_slice() {
        [one] => (*one).to_owned(),
        [first, .., last] if names.len() > 4 => format!("{} channels ({first} … {last})", names.len()),
        _ => format!("{} channels ({})", names.len(), names.join(", ")),
    };
    let mut units: Vec<&str> =
        recording.channels.iter().map(|channel| channel.unit.as_deref().unwrap_or("none")).collect();
    units.dedup();
    let unit = match units.as_slice() {
        ["none"] => "no unit (--unit names it)".to_owned(),
        units => format!("unit {}{}", units.join(", "), if is_unit_given { " by --unit" } else { "" }),
    };
    format!(
        "{names}, {} samples at {} Hz ({:.3} s), the rate by {}, {unit}",
        recording.samples(),
        recording.rate.hz,
        recording.duration_s(),
        recording.rate.from
    )
}

/// What the other commands will say of it.
pub(super) fn remarks(recording: &Recording, bytes: usize) -> Vec<String> {
    let mut remarks = Vec::new();
    let (hz, written) = (recording.rate.hz, recording.rate_hz());
    if (f64::from(written) / hz - 1.0).abs() > 1e-9 {
        let percent = 100.0 * (f64::from(written) / hz - 1.0);
        remarks.push(format!("WAV has whole rates: {hz} Hz is written as {written} Hz ({percent:+.5} %)"));
    }
    let (lowest, highest) = (auscult_features::MIN_RATE_HZ, auscult_features::MAX_RATE_HZ);
    if !(lowest..=highest).contains(&written) {
        remarks.push(format!("the other commands take {lowest} to {highest} Hz, not {written} Hz"));
    }
    if bytes > MAX_MESSAGE_BYTES {
        remarks.push(format!(
            "larger than the {} MiB of a Kafka message: --chunk-secs cuts it for train, explore and send",
            MAX_MESSAGE_BYTES >> 20
        ));
    }
    remarks
}
