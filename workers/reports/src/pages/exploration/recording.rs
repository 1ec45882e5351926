//! Measurements of one recording: its format, levels and mean spectrum, and the data for its picture.

use auscult_features::{Clip, Extraction};
use auscult_schemas::{FeatureSpec, QualityFlag, Unit};
use ndarray::Array2;

/// The data kept of a recording.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The file name, with folders below the machine's if necessary.
    pub name: String,
    /// Sample rate, Hz.
    pub sample_rate_hz: u32,
    /// Microphones.
    pub channels: usize,
    /// Length, s.
    pub duration_s: f64,
    /// Levels over all channels.
    pub levels: Levels,
    /// The same in physical units, if known.
    pub measured: Option<Measured>,
    /// Its quality flags.
    pub quality: Vec<QualityFlag>,
    /// Mean level of each mel band over frames and channels, dB, `[mels]`.
    pub band_levels_db: Vec<f32>,
    /// A hash of the file: identical files are identical recordings.
    pub file_hash: u64,
    /// Its picture, if it is selected for display.
    pub picture: Option<RecordingPicture>,
}

/// Levels of a recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// Root mean square over all samples of all channels, dB of full scale ±1.0: a sine of that amplitude has -3.0.
    /// Minus infinity for digital silence.
    pub rms_dbfs: f64,
    /// Largest magnitude, dB of full scale.
    pub peak_dbfs: f64,
    /// Share of samples at 99.9 % of full scale or above; 0 for float, which has no full scale.
    pub clipped_share: f64,
}

/// Levels of a recording in physical units.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Root mean square over all samples of all channels.
    pub rms: f64,
    /// Largest magnitude.
    pub peak: f64,
    /// Unit of both: that of the spec's full scale.
    pub unit: Unit,
}

impl Measured {
    /// `None` if the spec has no full scale, or the recording has another quantity.
    #[must_use]
    pub fn of(clip: &Clip, spec: &FeatureSpec) -> Option<Self> {
        let full_scale = spec.full_scale.as_ref()?;
        let (mut squares, mut peak, mut count) = (0.0_f64, 0.0_f64, 0_usize);
        for (channel, samples) in clip.channels.iter().enumerate() {
            let factor = match clip.full_scale.get(channel) {
                Some(said) => said.relative_to(full_scale)?,
                None => 1.0,
            };
            for sample in samples {
                let value = f64::from(*sample) * factor * full_scale.value;
                squares += value * value;
                peak = peak.max(value.abs());
                count += 1;
            }
        }
        Some(Self { rms: (squares / count.max(1) as f64).sqrt(), peak, unit: full_scale.unit.clone() })
    }
}

/// The first channel of a recording, for drawing.
#[derive(Debug, Clone)]
pub struct RecordingPicture {
    /// Minimum and maximum sample of each of equal parts, full scale ±1.0.
    pub envelope: Vec<(f32, f32)>,
    /// `[frames, mels]`, dB.
    pub log_mel: Array2<f32>,
}

const CLIPPED_LEVEL: f32 = 0.999;

/// Parts of a waveform: more parts would be narrower than a pixel.
const ENVELOPE_PARTS: usize = 280;

impl Levels {
    /// Measures all channels together.
    #[must_use]
    pub fn of(clip: &Clip) -> Self {
        let limit = if clip.step.is_some() { CLIPPED_LEVEL } else { f32::INFINITY };
        let (mut square_sum, mut peak, mut clipped, mut count) = (0.0_f64, 0.0_f32, 0_usize, 0_usize);
        for sample in clip.channels.iter().flatten() {
            square_sum += f64::from(*sample).powi(2);
            peak = peak.max(sample.abs());
            clipped += usize::from(sample.abs() >= limit);
            count += 1;
        }
        let count = count.max(1) as f64;
        Self {
            rms_dbfs: 10.0 * (square_sum / count).log10(),
            peak_dbfs: 20.0 * f64::from(peak).log10(),
            clipped_share: clipped as f64 / count,
        }
    }
}

impl RecordingPicture {
    /// Of the first channel.
    #[must_use]
    pub fn of(clip: &Clip, features: &Extraction) -> Self {
        let first = clip.channels.first().map_or(&[][..], Vec::as_slice);
        let part = first.len().div_ceil(ENVELOPE_PARTS).max(1);
        let range = |part: &[f32]| {
            part.iter()
                .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), sample| (low.min(*sample), high.max(*sample)))
        };
        let cells = features.frames * features.mels;
        let log_mel = Array2::from_shape_vec((features.frames, features.mels), features.values[..cells].to_vec())
            .expect("a channel holds frames × mels values");
        Self { envelope: first.chunks(part).map(range).collect(), log_mel }
    }
}

/// Mean level of each mel band over frames and channels, dB, `[mels]`.
#[must_use]
pub fn band_levels(features: &Extraction) -> Vec<f32> {
    let mut sums = vec![0.0_f64; features.mels];
    for row in features.values.chunks_exact(features.mels) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += f64::from(*value);
        }
    }
    let rows = (features.frames * features.channels).max(1) as f64;
    sums.into_iter().map(|sum| (sum / rows) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_scale_sine_has_minus_three_decibels_and_a_square_wave_none() {
        let sine: Vec<f32> = (0..16_000).map(|t| (std::f32::consts::TAU * 101.0 * t as f32 / 16_000.0).sin()).collect();
        let levels = Levels::of(&Clip {
            sample_rate_hz: 16_000,
            channels: vec![sine],
            step: Some(1.0 / 32_768.0),
            ..Clip::default()
        });
        assert!((levels.rms_dbfs + 3.0103).abs() < 1e-3, "{levels:?}");
        assert!(levels.peak_dbfs.abs() < 1e-3, "{levels:?}");
        // |sin| ≥ 0.999 for 2·acos(0.999) of π: 2.8 %.
        assert!((levels.clipped_share - 0.0285).abs() < 2e-3, "{levels:?}");

        let channels = vec![vec![1.0, -1.0], vec![-1.0, 1.0]];
        let square =
            Levels::of(&Clip { sample_rate_hz: 16_000, channels, step: Some(1.0 / 32_768.0), ..Clip::default() });
        assert_eq!(square, Levels { rms_dbfs: 0.0, peak_dbfs: 0.0, clipped_share: 1.0 });
    }

    #[test]
    fn digital_silence_has_no_level() {
        let levels =
            Levels::of(&Clip { sample_rate_hz: 16_000, channels: vec![vec![0.0; 10]], step: None, ..Clip::default() });
        assert_eq!(levels, Levels { rms_dbfs: f64::NEG_INFINITY, peak_dbfs: f64::NEG_INFINITY, clipped_share: 0.0 });
    }
}
