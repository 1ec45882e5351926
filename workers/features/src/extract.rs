//! The whole way of a chunk, from bytes to a spectrogram per channel.

use std::time::Instant;

use auscult_schemas::{FeatureSpec, FullScale, MeasuredLevels, QualityFlag, SensorFault, StageTimings};

use crate::clip::check_sample_count;
use crate::decode::{SampleBuffers, decode_with};
use crate::{Clip, FeatureError, LogMelExtractor, Quality, QualityChecker, Resampler};

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
    /// Each channel's level in the unit of the spec's full scale; `None` where it has none.
    pub levels: Option<MeasuredLevels>,
    /// The full scale that each channel came with, where that was said; empty where not.
    pub full_scale: Vec<FullScale>,
    /// Where the time went: `decode_s` (absent for a clip), `resample_s` (absent where there was nothing to resample)
    /// and `log_mel_s`.
    pub timings: StageTimings,
}

/// Bytes to features. Keeps its plans and buffers from chunk to chunk, so every thread has one of its own.
pub struct ChunkExtractor {
    checker: QualityChecker,
    log_mel: LogMelExtractor,
    resampler: Resampler,
    buffers: SampleBuffers,
    /// One channel without its mean, where the spec takes it off, and of the spec's full scale, where it came with
    /// another.
    prepared: Vec<f32>,
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
        Ok(Self {
            checker: QualityChecker::new(&spec),
            log_mel,
            resampler,
            buffers: SampleBuffers::default(),
            prepared: Vec::new(),
            resampled: Vec::new(),
        })
    }

    /// The spec that the features follow.
    #[must_use]
    pub fn spec(&self) -> &FeatureSpec {
        self.log_mel.spec()
    }

    /// Decodes, checks, resamples and computes the log-mel spectrogram of every channel.
    ///
    /// # Errors
    /// See [`decode`](crate::decode), [`QualityChecker::check`] and [`extract_clip`](Self::extract_clip).
    pub fn extract(&mut self, content_type: &str, bytes: &[u8]) -> Result<Extraction, FeatureError> {
        self.extract_with(content_type, bytes, &[])
    }

    /// The same of a chunk whose header says what a sample value of 1.0 is: of all channels, or of each. It goes before
    /// what the recording says; empty where the header says nothing.
    ///
    /// # Errors
    /// As [`extract`](Self::extract); [`FeatureError::FullScales`] when there are neither one nor as many as channels.
    pub fn extract_with(
        &mut self,
        content_type: &str,
        bytes: &[u8],
        full_scale: &[FullScale],
    ) -> Result<Extraction, FeatureError> {
        let started = Instant::now();
        let mut clip = decode_with(content_type, bytes, &mut self.buffers)?;
        let channels = clip.channels.len();
        match full_scale {
            [] => {}
            [one] => clip.full_scale = vec![one.clone(); channels],
            each if each.len() == channels => clip.full_scale = each.to_vec(),
            each => return Err(FeatureError::FullScales { said: each.len(), channels }),
        }
        let decode_s = started.elapsed().as_secs_f64();
        let extraction = self.extract_clip(&clip);
        self.buffers.give_back(clip.channels);
        let mut extraction = extraction?;
        extraction.timings.decode_s = Some(decode_s);
        Ok(extraction)
    }

    /// The same for a clip that is decoded already. Where clip and spec say their full scale, the clip is scaled to the
    /// spec's.
    ///
    /// # Errors
    /// See [`QualityChecker::check`]; [`FeatureError::OtherQuantity`] when the clip's unit cannot be converted into the
    /// spec's; [`FeatureError::TooLarge`] when the clip exceeds [`MAX_SAMPLES`](crate::MAX_SAMPLES) once resampled.
    pub fn extract_clip(&mut self, clip: &Clip) -> Result<Extraction, FeatureError> {
        let factors = self.factors(clip)?;
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
        let remove_mean = self.spec().remove_mean;
        let mut rms = Vec::with_capacity(clip.channels.len());
        let mut resample_s = 0.0;
        let mut log_mel_s = 0.0;
        for ((channel, factor), spectrogram) in
            clip.channels.iter().zip(&factors).zip(values.chunks_exact_mut(frames * mels))
        {
            let started = Instant::now();
            // Before resampling, which would ring where the mean begins and ends.
            let channel = if remove_mean || *factor != 1.0 {
                prepare(channel, remove_mean, *factor, &mut self.prepared);
                &self.prepared
            } else {
                channel
            };
            if self.log_mel.spec().full_scale.is_some() {
                rms.push(root_mean_square(channel));
            }
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
            levels: self.measured(rms),
            full_scale: clip.full_scale.clone(),
            timings,
        })
    }

    /// What each channel is multiplied by, so that it is of the spec's full scale.
    fn factors(&self, clip: &Clip) -> Result<Vec<f64>, FeatureError> {
        let Some(expected) = &self.spec().full_scale else { return Ok(vec![1.0; clip.channels.len()]) };
        let factor = |(channel, said): (usize, &FullScale)| {
            said.relative_to(expected).ok_or_else(|| FeatureError::OtherQuantity {
                channel,
                unit: said.unit.clone(),
                expected: expected.unit.clone(),
            })
        };
        let mut factors = clip.full_scale.iter().enumerate().map(factor).collect::<Result<Vec<f64>, _>>()?;
        // A channel of which nothing is said is of the spec's.
        factors.resize(clip.channels.len(), 1.0);
        Ok(factors)
    }

    /// Levels of the spec's full scale in its unit.
    fn measured(&self, rms: Vec<f64>) -> Option<MeasuredLevels> {
        let FullScale { value, unit } = self.spec().full_scale.as_ref()?;
        Some(MeasuredLevels {
            unit: unit.clone(),
            channels: Vec::new(),
            rms: rms.into_iter().map(|rms| rms * value).collect(),
        })
    }
}

/// Replaces what `prepared` held by the samples less their mean, where that is wanted, times `factor`.
fn prepare(samples: &[f32], remove_mean: bool, factor: f64, prepared: &mut Vec<f32>) {
    let sum = || samples.iter().map(|&sample| f64::from(sample)).sum::<f64>();
    let mean = if remove_mean { sum() / samples.len().max(1) as f64 } else { 0.0 };
    prepared.clear();
    prepared.extend(samples.iter().map(|&sample| ((f64::from(sample) - mean) * factor) as f32));
}

fn root_mean_square(samples: &[f32]) -> f64 {
    let squares = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>();
    (squares / samples.len().max(1) as f64).sqrt()
}

/// Fewest samples, at the spec's rate, that give one stacked vector of frames.
fn samples_for_one_vector(spec: &FeatureSpec) -> usize {
    let steps = (spec.frames - 1) * spec.hop_length;
    if spec.center { steps } else { spec.n_fft + steps }
}
