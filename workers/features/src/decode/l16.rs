//! `audio/L16`: interleaved big-endian 16-bit samples without a header. <https://www.rfc-editor.org/rfc/rfc2586>

use super::wav::deinterleave;
use crate::clip::{check_format, check_sample_count};
use crate::{Clip, FeatureError};

pub(super) fn decode(bytes: &[u8], rate_hz: u32, channels: usize) -> Result<Clip, FeatureError> {
    check_format("L16", channels, rate_hz)?;
    let block = 2 * channels;
    if !bytes.len().is_multiple_of(block) {
        return Err(FeatureError::Truncated {
            format: "L16",
            detail: format!("{} bytes are no whole number of {block}-byte blocks of {channels} channels", bytes.len()),
        });
    }
    check_sample_count(bytes.len() as u64 / 2)?;
    let channels = deinterleave(bytes, channels, |sample| f32::from(i16::from_be_bytes(sample)) / 32_768.0);
    Ok(Clip { sample_rate_hz: rate_hz, channels, step: Some(1.0 / 32_768.0) })
}
