//! The whole way of a chunk, from bytes to a spectrogram per channel.

use std::time::Instant;

use auscult_schemas::{FeatureSpec, QualityFlag, SensorFault, StageTimings};

use crate::clip::check_sample_count;
use crate::{Clip, FeatureError, LogMelExtractor, Quality, QualityChecker, Resampler, decode};

/// What became of a chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Extraction {
    /// Number of channels.
    pub channels: usize,
    /// Number of frames of each channel.
    pub frames: usize,
    /// Number of mel bands.
    pub mels: usize,
    /// `[channels, frames, mels]`, dB, row-major.
    pub values: Vec<f32>,
    /// Length of the recording as it came, s.
    pub duration_s: f64,
    /// Its sample rate as it came, Hz.
    pub source_rate_hz: u32,
    /// What was odd about it, in any channel: sensor faults and notes.
    pub quality: Vec<QualityFlag>,
    /// The channels whose sensor is at fault, ascending.
    pub sensor_faults: Vec<SensorFault>,
    /// Where the time went: `decode_s` (absent for a clip), `resample_s` (absent where there was nothing to resample) and `log_mel_s`.
    pub timings: StageTimings,
}

/// Bytes to features. Keeps its plans and buffers from chunk to chunk, so every thread has one of its own.
pub struct ChunkExtractor {
    checker: QualityChecker,
    log_mel: LogMelExtractor,
    resampler: Resampler,
    /// One channel without its mean, where the spec takes it off.
    centred: Vec<f32>,
    /// One channel at the spec's rate.
    resampled: Vec<f32>,
}

impl ChunkExtractor {
    /// Plans everything for a spec.
    ///
    /// # Errors
    /// [`FeatureError::Spec`] naming every field at fault.
    pub fn new(spec: FeatureSpec) -> Result<Self, FeatureError> {
        let resampler = Resampler::new(spec.sample_rate_hz);
        let log_mel = LogMelExtractor::new(&spec)?;
        Ok(Self { checker: QualityChecker::new(&spec), log_mel, resampler, centred: Vec::new(), resampled: Vec::new() })
    }

    /// The spec that the features follow.
    #[must_use]
    pub fn spec(&self) -> &FeatureSpec {
        self.log_mel.spec()
    }

    /// Decodes, checks, resamples and computes the log-mel spectrogram of every channel.
    ///
    /// # Errors
    /// See [`decode`], [`QualityChecker::check`] and [`extract_clip`](Self::extract_clip).
    pub fn extract(&mut self, content_type: &str, bytes: &[u8]) -> Result<Extraction, FeatureError> {
        let started = Instant::now();
        let clip = decode(content_type, bytes)?;
        let decode_s = started.elapsed().as_secs_f64();
        let mut extraction = self.extract_clip(&clip)?;
        extraction.timings.decode_s = Some(decode_s);
        Ok(extraction)
    }

    /// The same for a clip that is decoded already.
    ///
    /// # Errors
    /// See [`QualityChecker::check`]; [`FeatureError::TooLarge`] when the clip exceeds [`MAX_SAMPLES`](crate::MAX_SAMPLES) once resampled.
    pub fn extract_clip(&mut self, clip: &Clip) -> Result<Extraction, FeatureError> {
        let Quality { flags: mut quality, sensor_faults } = self.checker.check(clip)?;
        let rate_hz = self.resampler.rate_hz();
        let must_resample = clip.sample_rate_hz != rate_hz;
        let samples = self.resampler.output_samples(clip.samples(), clip.sample_rate_hz);
        check_sample_count((samples as u64).saturating_mul(clip.channels.len() as u64))?;
        if clip.incomplete {
            quality.push(QualityFlag::Incomplete);
        }
        if must_resample {
            quality.push(QualityFlag::Resampled);
        }
        let needed = samples_for_one_vector(self.spec());
        let is_short = samples < needed;
        if is_short {
            quality.push(QualityFlag::Short);
        }
        let frames = self.spec().frame_count(samples.max(needed));
        let mels = self.spec().n_mels;
        let mut values = vec![0.0; clip.channels.len() * frames * mels];
        let mut resample_s = 0.0;
        let mut log_mel_s = 0.0;
        for (channel, spectrogram) in clip.channels.iter().zip(values.chunks_exact_mut(frames * mels)) {
            let started = Instant::now();
            // Before resampling, which would ring where the mean begins and ends.
            let channel = if self.log_mel.spec().remove_mean {
                take_off_mean(channel, &mut self.centred);
                &self.centred
            } else {
                channel
            };
            let channel = if must_resample || is_short {
                self.resampler.resample(channel, clip.sample_rate_hz, &mut self.resampled)?;
                self.resampled.resize(samples.max(needed), 0.0);
                &self.resampled
            } else {
                channel
            };
            let resampled = Instant::now();
            self.log_mel.log_mel_into(channel, spectrogram);
            resample_s += (resampled - started).as_secs_f64();
            log_mel_s += resampled.elapsed().as_secs_f64();
        }
        let timings = StageTimings {
            resample_s: must_resample.then_some(resample_s),
            log_mel_s: Some(log_mel_s),
            ..StageTimings::default()
        };
        Ok(Extraction {
            channels: clip.channels.len(),
            frames,
            mels,
            values,
            duration_s: clip.duration_s(),
            source_rate_hz: clip.sample_rate_hz,
            quality,
            sensor_faults,
            timings,
        })
    }
}

/// Replaces what `centred` held by the samples less their mean.
fn take_off_mean(samples: &[f32], centred: &mut Vec<f32>) {
    let mean = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / samples.len().max(1) as f64;
    centred.clear();
    centred.extend(samples.iter().map(|&sample| (f64::from(sample) - mean) as f32));
}

/// Fewest samples, at the spec's rate, that give one stacked vector of frames.
fn samples_for_one_vector(spec: &FeatureSpec) -> usize {
    let steps = (spec.frames - 1) * spec.hop_length;
    if spec.center { steps } else { spec.n_fft + steps }
}
