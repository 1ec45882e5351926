//! WAV and FLAC: floats are read as values, integers as fractions of their full scale.

use crate::{ImportError, Rate, Series, Source};

pub(crate) fn read(bytes: &[u8]) -> Result<Source, ImportError> {
    let (format, is_float) = match bytes {
        [b'f', b'L', b'a', b'C', ..] => ("FLAC", false),
        _ => ("WAV", is_float(bytes)),
    };
    let clip = auscult_features::decode("", bytes)
        .map_err(|error| ImportError::UnknownFormat { detail: error.to_string() })?;
    let mut source = Source::new(format);
    let count = clip.channels.len();
    for (index, samples) in clip.channels.into_iter().enumerate() {
        let name = if count == 1 { "sound".to_owned() } else { format!("channel {}", index + 1) };
        let rate = Rate { hz: f64::from(clip.sample_rate_hz), from: "its header".to_owned() };
        let values = samples.into_iter().map(f64::from).collect();
        source.series.push(Series { rate: Some(rate), ..Series::new(name, values) });
    }
    if !is_float {
        source.notes.push(
            "whole numbers are taken as shares of their full scale (1.0): say with --scale what full scale is"
                .to_owned(),
        );
    }
    Ok(source)
}

/// Whether the format tag, or that of the extension, says float.
fn is_float(bytes: &[u8]) -> bool {
    const FLOAT: [u8; 2] = [3, 0];
    let Some(at) = bytes.windows(4).take(4096).position(|window| window == b"fmt ") else { return false };
    let tag = bytes.get(at + 8..at + 10);
    let sub_format = bytes.get(at + 32..at + 34);
    tag == Some(&FLOAT) || (tag == Some(&[0xfe, 0xff]) && sub_format == Some(&FLOAT))
}
