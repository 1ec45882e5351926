//! `audio/L16`: interleaved big-endian 16-bit samples without a header. <https://www.rfc-editor.org/rfc/rfc2586>

use super::SampleBuffers;
use super::samples::{self, Samples};
use crate::clip::{check_format, check_sample_count};
use crate::{Clip, FeatureError};

pub(super) fn decode(
    bytes: &[u8],
    rate_hz: u32,
    channels: usize,
    buffers: &mut SampleBuffers,
) -> Result<Clip, FeatureError> {
    check_format("L16", channels, rate_hz)?;
    let block = 2 * channels;
    if bytes.len() < block {
        let detail = format!("its {} bytes are less than one sample of {channels} channels", bytes.len());
        return Err(FeatureError::Truncated { format: "L16", detail });
    }
    check_sample_count((bytes.len() / block * channels) as u64)?;
    if is_little_endian(bytes, channels) {
        return Err(FeatureError::ByteOrder);
    }
    let Samples { channels, is_mended } =
        samples::read(bytes, channels, buffers, |sample| f32::from(i16::from_be_bytes(sample)) / 32_768.0);
    // Nothing says how long it should be; a block that is not whole says that bytes are missing.
    let incomplete = is_mended || !bytes.len().is_multiple_of(block);
    Ok(Clip { sample_rate_hz: rate_hz, channels, step: Some(1.0 / 32_768.0), incomplete, ..Clip::default() })
}

/// Samples from which on the order of their bytes can be told.
const FEWEST_SAMPLES: usize = 1_000;

/// Whether samples are clearly sound in the other byte order and clearly noise in this one: rough from sample to sample
/// and near full scale, since their high bytes are what low bytes are.
fn is_little_endian(bytes: &[u8], channels: usize) -> bool {
    let samples = bytes.as_chunks::<2>().0;
    let low_bytes_vary = samples.windows(2).any(|pair| pair[0][1] != pair[1][1]);
    if samples.len() < FEWEST_SAMPLES * channels || !low_bytes_vary {
        return false;
    }
    // Mean size, and mean step over mean size: white noise has 1.3 to 1.4.
    let measure = |read: fn([u8; 2]) -> i16| {
        let value = |index: usize| f64::from(read(samples[index]));
        let size: f64 = (0..samples.len()).map(|index| value(index).abs()).sum();
        let step: f64 = (channels..samples.len()).map(|index| (value(index) - value(index - channels)).abs()).sum();
        (size / samples.len() as f64 / 32_768.0, step / size.max(1.0))
    };
    let (size, roughness) = measure(i16::from_be_bytes);
    let (other_size, other_roughness) = measure(i16::from_le_bytes);
    // Uniform noise of full scale has a mean size of 0.5.
    let is_noise = (0.4..0.6).contains(&size) && roughness > 1.1;
    is_noise && (other_size < 0.3 || other_roughness < 0.7 * roughness)
}
