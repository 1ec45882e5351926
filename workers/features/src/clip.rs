//! A decoded recording, and what is odd about it.

use auscult_schemas::QualityFlag;

use crate::FeatureError;

/// Most channels that a clip may have.
pub const MAX_CHANNELS: usize = 16;
/// Lowest sample rate, Hz.
pub const MIN_RATE_HZ: u32 = 4_000;
/// Highest sample rate, Hz.
pub const MAX_RATE_HZ: u32 = 192_000;
/// Most samples of a clip, all channels together, before and after resampling: 256 MiB as float32. A FLAC value of a few
/// bytes can claim hours of silence; this bounds what it can cost.
pub const MAX_SAMPLES: u64 = 64 * 1024 * 1024;

/// A decoded recording: one plane of samples per channel, full scale = ±1.0.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// Samples a second and channel, Hz.
    pub sample_rate_hz: u32,
    /// `[channels][samples]`; every channel has the same length.
    pub channels: Vec<Vec<f32>>,
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

/// Largest deviation from the mean of a channel that counts as silent: two steps of 16-bit PCM, -84 dB of full scale.
const SILENT_PEAK: f32 = 2.0 / 32_768.0;
/// From this magnitude on a sample counts as clipped: full scale less 0.1 %.
const CLIPPED_LEVEL: f32 = 0.999;
/// Share of a channel's samples that must be clipped for the flag: 0.1 %, 10 ms of a ten-second clip.
const CLIPPED_SHARE: f64 = 0.001;
/// Magnitude of a channel's mean from which on it counts as an offset: 2 % of full scale, -34 dB.
const DC_OFFSET: f64 = 0.02;

/// Looks at the samples themselves. A flag is raised when *any* channel deserves it, because one dead microphone of
/// eight is a fault of the sensor, whatever the other seven hear:
///
/// - `Silent`: no sample is further than two 16-bit steps (-84 dB of full scale) from the channel's mean;
/// - `Clipped`: at least 0.1 % of the samples reach 99.9 % of full scale;
/// - `DcOffset`: the mean is 2 % of full scale (-34 dB) or more from zero.
///
/// # Errors
/// [`FeatureError::NonFinite`] naming the first sample that is NaN or infinite; [`FeatureError::NoSamples`],
/// [`FeatureError::UnevenChannels`], [`FeatureError::UnsupportedFormat`], [`FeatureError::TooLarge`] when the clip is
/// outside the contract.
pub fn check(clip: &Clip) -> Result<Vec<QualityFlag>, FeatureError> {
    check_shape(clip)?;
    let mut silent = false;
    let mut clipped = false;
    let mut offset = false;
    for (channel, samples) in clip.channels.iter().enumerate() {
        let levels = Levels::measure(samples);
        if !levels.finite {
            let (index, value) = samples
                .iter()
                .copied()
                .enumerate()
                .find(|(_, sample)| !sample.is_finite())
                .expect("the measurement met a sample that is not finite");
            return Err(FeatureError::NonFinite { channel, index, value });
        }
        let mean = levels.mean as f32;
        silent |= (levels.max - mean).max(mean - levels.min) <= SILENT_PEAK;
        clipped |= levels.clipped as f64 >= CLIPPED_SHARE * samples.len() as f64 && levels.clipped > 0;
        offset |= levels.mean.abs() >= DC_OFFSET;
    }
    let mut flags = Vec::new();
    let findings = [(silent, QualityFlag::Silent), (clipped, QualityFlag::Clipped), (offset, QualityFlag::DcOffset)];
    for (found, flag) in findings {
        if found {
            flags.push(flag);
        }
    }
    Ok(flags)
}

/// Refuses a clip outside the contract: channels, rate, length.
fn check_shape(clip: &Clip) -> Result<(), FeatureError> {
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
        return Err(FeatureError::UnsupportedFormat { format, detail: format!("{channels} channels") });
    }
    if !(MIN_RATE_HZ..=MAX_RATE_HZ).contains(&rate_hz) {
        return Err(FeatureError::UnsupportedFormat { format, detail: format!("a sample rate of {rate_hz} Hz") });
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

/// One pass over a channel.
struct Levels {
    finite: bool,
    min: f32,
    max: f32,
    mean: f64,
    clipped: usize,
}

impl Levels {
    /// Blocks of lanes, so that the compiler keeps every sum in vector registers; the mean adds up blocks in f64.
    fn measure(samples: &[f32]) -> Self {
        const LANES: usize = 16;
        const BLOCK: usize = 64 * LANES;
        let mut levels = Self { finite: true, min: f32::INFINITY, max: f32::NEG_INFINITY, mean: 0.0, clipped: 0 };
        let mut total = 0.0_f64;
        for block in samples.chunks(BLOCK) {
            let mut min = [f32::INFINITY; LANES];
            let mut max = [f32::NEG_INFINITY; LANES];
            let mut sum = [0.0_f32; LANES];
            let mut clipped = [0_u32; LANES];
            let mut add = |lane: usize, sample: f32| {
                min[lane] = if sample < min[lane] { sample } else { min[lane] };
                max[lane] = if sample > max[lane] { sample } else { max[lane] };
                sum[lane] += sample;
                clipped[lane] += u32::from(sample.abs() >= CLIPPED_LEVEL);
            };
            let (rows, rest) = block.as_chunks::<LANES>();
            for row in rows {
                for (lane, &sample) in row.iter().enumerate() {
                    add(lane, sample);
                }
            }
            for (lane, &sample) in rest.iter().enumerate() {
                add(lane, sample);
            }
            for lane in 0..LANES {
                levels.min = levels.min.min(min[lane]);
                levels.max = levels.max.max(max[lane]);
                levels.clipped += clipped[lane] as usize;
                total += f64::from(sum[lane]);
            }
            // A NaN or an infinity survives every sum it is part of. A finite sum that overflowed f32 looks the same, so
            // the samples themselves decide.
            levels.finite &= sum.iter().all(|sum| sum.is_finite()) || block.iter().all(|sample| sample.is_finite());
        }
        levels.mean = total / samples.len() as f64;
        levels
    }
}
