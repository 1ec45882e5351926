//! The spectrum of a band's squared envelope, over its noise floor.

use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

/// Zeros are put behind the envelope until it is so many times as long: a line between two frequencies of the plain
/// spectrum would lose up to 1.4 dB there (Hann window), and be sought in the wrong place.
pub(super) const PADDING: usize = 4;
/// Share of a band's width over which it fades in and out, so that its edges do not ring.
const FADE: f64 = 0.1;

/// More segments than these make a spectrum no smoother to speak of, but fill the memory.
const MOST_SEGMENTS: usize = 64;
/// A tone may be so many times as high as the median of the spectrum around it. Noise exceeds 4 medians in one value of 70,000; a tone that
/// does is a motor's, a gear's or the mains', and two of them in one band beat at their distance, which is a line in every envelope.
const TONE_LIMIT: f64 = 4.0;
/// The median is that of so many shaft frequencies.
const TONE_BLOCK_ORDERS: f64 = 4.0;
/// A whole segment of 32 turns has so many values in that.
const FEWEST_IN_TONE_BLOCK: usize = 120;
/// … and of so many values at least.
const FEWEST_IN_BLOCK: usize = 16;

/// A band of the vibration, Hz.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Band {
    pub low_hz: f64,
    pub high_hz: f64,
}

/// Height of the squared envelope's spectrum over its noise floor.
#[derive(Debug, Clone)]
pub(super) struct EnvelopeSpectrum {
    /// Distance of two values, Hz.
    pub step_hz: f64,
    /// Natural logarithm of the ratio of magnitudes, from 0 Hz on.
    pub log_heights: Vec<f64>,
}

/// Makes envelope spectra of segments of one length.
pub(super) struct EnvelopeAnalyser {
    rate_hz: f64,
    segment: usize,
    /// Values of a segment's spectrum over which its level is taken.
    tone_block: usize,
    forward: Arc<dyn Fft<f64>>,
    inverse: Arc<dyn Fft<f64>>,
    padded: Arc<dyn Fft<f64>>,
}

impl EnvelopeAnalyser {
    pub fn new(rate_hz: f64, segment: usize, shaft_hz: f64) -> Self {
        let mut planner = FftPlanner::new();
        Self {
            rate_hz,
            segment,
            tone_block: (TONE_BLOCK_ORDERS * shaft_hz * segment as f64 / rate_hz) as usize,
            forward: planner.plan_fft_forward(segment),
            inverse: planner.plan_fft_inverse(segment),
            padded: planner.plan_fft_forward(PADDING * segment),
        }
    }

    /// The spectra of the segments, `[segment]`, each without its mean. Segments overlap by half; of a long recording
    /// [`MOST_SEGMENTS`] are taken, evenly spread.
    pub fn spectra_of(&self, samples: &[f32]) -> Vec<Vec<Complex<f64>>> {
        let step = (self.segment / 2).max((samples.len() - self.segment) / (MOST_SEGMENTS - 1)).max(1);
        let starts = (0..=samples.len() - self.segment).step_by(step);
        let spectrum = |start: usize| {
            let segment = &samples[start..start + self.segment];
            let mean = segment.iter().map(|&sample| f64::from(sample)).sum::<f64>() / self.segment as f64;
            let mut values: Vec<Complex<f64>> =
                segment.iter().map(|&sample| Complex::new(f64::from(sample) - mean, 0.0)).collect();
            self.forward.process(&mut values);
            // A segment of few turns does not tell tones from a comb's own lines.
            if self.tone_block >= FEWEST_IN_TONE_BLOCK {
                limit_tones(&mut values[..=self.segment / 2], self.tone_block);
            }
            values
        };
        starts.map(spectrum).collect()
    }

    /// The envelope spectrum of one band up to `top_hz`: the power mean over segments, over the median within `floor_hz` around.
    pub fn envelope_spectrum(
        &self,
        spectra: &[Vec<Complex<f64>>],
        band: Band,
        top_hz: f64,
        floor_hz: f64,
    ) -> EnvelopeSpectrum {
        let step_hz = self.rate_hz / (PADDING * self.segment) as f64;
        let kept = (top_hz / step_hz).ceil() as usize + 2;
        let mut power = vec![0.0_f64; kept];
        for spectrum in spectra {
            let envelope = self.squared_envelope(spectrum, band);
            for (sum, value) in power.iter_mut().zip(self.spectrum_of(&envelope)) {
                *sum += value.norm_sqr();
            }
        }
        let magnitudes: Vec<f64> = power.iter().map(|power| power.sqrt()).collect();
        let half_width = ((floor_hz / step_hz) as usize / 2).max(1);
        let mut window = Vec::with_capacity(2 * half_width + 1);
        let log_heights = (0..kept)
            .map(|index| {
                window.clear();
                window
                    .extend_from_slice(&magnitudes[index.saturating_sub(half_width)..kept.min(index + half_width + 1)]);
                let middle = window.len() / 2;
                let (_, &mut floor, _) = window.select_nth_unstable_by(middle, f64::total_cmp);
                // A signal that is zero has no lines.
                if floor > 0.0 { (magnitudes[index] / floor).max(f64::MIN_POSITIVE).ln() } else { 0.0 }
            })
            .collect();
        EnvelopeSpectrum { step_hz, log_heights }
    }

    /// `|a(t)|²` of the analytic signal of a band: its positive frequencies alone, twice.
    fn squared_envelope(&self, spectrum: &[Complex<f64>], band: Band) -> Vec<f64> {
        let hz_per_bin = self.rate_hz / self.segment as f64;
        let fade_hz = FADE * (band.high_hz - band.low_hz);
        let mut analytic = vec![Complex::new(0.0, 0.0); self.segment];
        let first = (band.low_hz / hz_per_bin).ceil() as usize;
        let last = ((band.high_hz / hz_per_bin).floor() as usize).min(self.segment / 2);
        for bin in first..=last {
            let hz = bin as f64 * hz_per_bin;
            let from_edge = ((hz - band.low_hz).min(band.high_hz - hz) / fade_hz).clamp(0.0, 1.0);
            let weight = 0.5 - 0.5 * (std::f64::consts::PI * from_edge).cos();
            analytic[bin] = spectrum[bin] * (2.0 * weight);
        }
        self.inverse.process(&mut analytic);
        analytic.iter().map(Complex::norm_sqr).collect()
    }

    /// Spectrum of an envelope, without its mean, under a Hann window.
    fn spectrum_of(&self, envelope: &[f64]) -> Vec<Complex<f64>> {
        let mean = envelope.iter().sum::<f64>() / envelope.len() as f64;
        let phase = std::f64::consts::TAU / (self.segment - 1) as f64;
        let mut values = vec![Complex::new(0.0, 0.0); PADDING * self.segment];
        for (index, (value, sample)) in values.iter_mut().zip(envelope).enumerate() {
            value.re = (sample - mean) * (0.5 - 0.5 * (phase * index as f64).cos());
        }
        self.padded.process(&mut values);
        values
    }
}

/// Lowers what stands out of a spectrum to [`TONE_LIMIT`] medians of its surroundings. A bearing's ringing is wide and stays.
fn limit_tones(values: &mut [Complex<f64>], block: usize) {
    let block = block.max(FEWEST_IN_BLOCK);
    let median = |values: &[Complex<f64>]| {
        let mut magnitudes: Vec<f64> = values.iter().map(|value| value.norm()).collect();
        let middle = magnitudes.len() / 2;
        let (_, &mut median, _) = magnitudes.select_nth_unstable_by(middle, f64::total_cmp);
        median
    };
    let medians: Vec<f64> = values.chunks(block).map(median).collect();
    let last = medians.len() - 1;
    for (index, value) in values.iter_mut().enumerate() {
        // Between the middles of two blocks the level goes from one to the other.
        let place = ((index as f64 + 0.5) / block as f64 - 0.5).clamp(0.0, last as f64);
        let (lower, share) = (place as usize, place.fract());
        let level = medians[lower] * (1.0 - share) + medians[(lower + 1).min(last)] * share;
        let (magnitude, limit) = (value.norm(), TONE_LIMIT * level);
        // A spectrum that is empty but for a few lines has no level to hold them to.
        if level > 0.0 && magnitude > limit {
            *value *= limit / magnitude;
        }
    }
}
