//! Reads a file's bytes, and holds what comes out against what should.

use auscult_import::{Imported, Options, read_bytes};

pub fn read(name: &str, bytes: &[u8]) -> Imported {
    read_bytes(name, bytes, &Options::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn at_rate(name: &str, bytes: &[u8], rate_hz: f64) -> Imported {
    let options = Options { rate_hz: Some(rate_hz), ..Options::default() };
    read_bytes(name, bytes, &options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn refusal(name: &str, bytes: &[u8], options: &Options) -> String {
    read_bytes(name, bytes, options).expect_err("must be refused").to_string()
}

/// One recording of these channels, to 1e-6.
pub fn assert_holds(imported: &Imported, rate_hz: f64, channels: &[&[f64]]) {
    assert_eq!(imported.recordings.len(), 1, "{:?}", imported.notes);
    let recording = &imported.recordings[0];
    assert_eq!(recording.rate.hz, rate_hz, "{}", recording.rate.from);
    assert_eq!(recording.channels.len(), channels.len());
    for (channel, expected) in recording.channels.iter().zip(channels) {
        assert_eq!(channel.samples.len(), expected.len(), "{}: {:?}", channel.name, imported.notes);
        for (found, expected) in channel.samples.iter().zip(*expected) {
            assert!(
                (f64::from(*found) - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                "{}: {found} {expected}",
                channel.name
            );
        }
    }
}

pub fn rounded(values: &[f64], digits: i32) -> Vec<f64> {
    values.iter().map(|value| (value * 10_f64.powi(digits)).round() / 10_f64.powi(digits)).collect()
}

pub fn lines(rows: impl Iterator<Item = String>) -> Vec<u8> {
    rows.map(|row| row + "\n").collect::<String>().into_bytes()
}
