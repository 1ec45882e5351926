//! A decoded recording, and the bounds of what one may be.

use auscult_schemas::FullScale;

use crate::FeatureError;

/// Most channels that a clip may have.
pub const MAX_CHANNELS: usize = 16;
/// Lowest sample rate, Hz: of pressure or current, say.
pub const MIN_RATE_HZ: u32 = 100;
/// Highest sample rate, Hz: of ultrasound or acoustic emission.
pub const MAX_RATE_HZ: u32 = 1_000_000;
/// Most samples of a clip, all channels together, before and after resampling: 256 MiB as float32. A FLAC value of a
/// few bytes can claim hours of silence; this bounds what it can cost.
pub const MAX_SAMPLES: u64 = 64 * 1024 * 1024;

/// A decoded recording: one plane of samples per channel, full scale = ±1.0 where the format has one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Clip {
    /// Samples a second and channel, Hz.
    pub sample_rate_hz: u32,
    /// `[channels][samples]`; every channel has the same length.
    pub channels: Vec<Vec<f32>>,
    /// The format's own step, of full scale: `2^(1 - bits)` of integers. Absent for float, which has neither steps nor
    /// full scale.
    pub step: Option<f32>,
    /// A part of the recording was lost before it came here: its end is missing, or a damaged part was left out.
    pub incomplete: bool,
    /// What a sample value of 1.0 is, of each channel, where the recording or its header says it; empty where not.
    pub full_scale: Vec<FullScale>,
}

impl Clip {
    /// Samples of each channel.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.channels.first().map_or(0, Vec::len)
    }

    /// Length, s.
    #[must_use]
    pub fn duration_s(&self) -> f64 {
        self.samples() as f64 / f64::from(self.sample_rate_hz)
    }
}

/// Refuses a clip outside the contract: channels, rate, length.
pub(crate) fn check_shape(clip: &Clip) -> Result<(), FeatureError> {
    check_format("clip", clip.channels.len(), clip.sample_rate_hz)?;
    let expected = clip.samples();
    for (channel, samples) in clip.channels.iter().enumerate() {
        if samples.len() != expected {
            return Err(FeatureError::UnevenChannels { channel, expected, found: samples.len() });
        }
    }
    check_sample_count((expected as u64).saturating_mul(clip.channels.len() as u64))
}

/// Refuses a number of channels or a sample rate outside the contract.
pub(crate) fn check_format(format: &'static str, channels: usize, rate_hz: u32) -> Result<(), FeatureError> {
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(FeatureError::Channels { format, channels });
    }
    if !(MIN_RATE_HZ..=MAX_RATE_HZ).contains(&rate_hz) {
        return Err(FeatureError::Rate { format, rate_hz });
    }
    Ok(())
}

/// Refuses no samples, and more than [`MAX_SAMPLES`].
pub(crate) fn check_sample_count(samples: u64) -> Result<(), FeatureError> {
    match samples {
        0 => Err(FeatureError::NoSamples),
        1..=MAX_SAMPLES => Ok(()),
        _ => Err(FeatureError::TooLarge { samples, limit: MAX_SAMPLES }),
    }
}
