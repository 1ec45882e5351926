//! The spectrum of a band's squared envelope, over its noise floor.

use std::sync::Arc;

use auscult_signal::num_complex::Complex;
use auscult_signal::transform::{self, Fft};

/// Zeros are put behind the envelope until it is so many times as long: a line between two frequencies of the plain
/// spectrum would lose up to 1.4 dB there (Hann window), and be sought in the wrong place.
pub(super) const PADDING: usize = 4;
/// Share of a band's width over which it fades in and out, so that its edges do not ring.
const FADE: f64 = 0.1;

/// More segments than these make a spectrum no smoother to speak of, but fill the memory.
const MOST_SEGMENTS: usize = 64;
/// A tone may be so many times as high as the median of the spectrum around it. Noise exceeds 4 medians in one value of
/// 70,000; a tone that does is a motor's, a gear's or the mains', and two of them in one band beat at their distance,
/// which is a line in every envelope.
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
}

/// Transforms for the envelope of one band, at a rate that just holds it: a band a quarter of the spectrum wide has a
/// quarter of the samples, and its squared envelope, which is twice as wide, half of them.
struct BandEnvelope {
    first: usize,
    /// Weight of each value of the segment's spectrum from `first` on.
    weights: Vec<f64>,
    /// Hann window over the envelope's samples.
    window: Vec<f64>,
    inverse: Arc<dyn Fft<f64>>,
    padded: Arc<dyn Fft<f64>>,
}

impl EnvelopeAnalyser {
    pub fn new(rate_hz: f64, segment: usize, shaft_hz: f64) -> Self {
        Self {
            rate_hz,
            segment,
            tone_block: (TONE_BLOCK_ORDERS * shaft_hz * segment as f64 / rate_hz) as usize,
            forward: transform::forward_f64(segment),
        }
    }

    /// The spectra of the segments from 0 Hz to half the rate, each without its mean. Segments overlap by half; of a
    /// long recording [`MOST_SEGMENTS`] are taken, evenly spread.
    pub fn spectra_of(&self, samples: &[f32]) -> Vec<Vec<Complex<f64>>> {
        let step = (self.segment / 2).max((samples.len() - self.segment) / (MOST_SEGMENTS - 1)).max(1);
        let starts = (0..=samples.len() - self.segment).step_by(step);
        let spectrum = |start: usize| {
            let segment = &samples[start..start + self.segment];
            let mean = segment.iter().map(|&sample| f64::from(sample)).sum::<f64>() / self.segment as f64;
            let mut values: Vec<Complex<f64>> =
                segment.iter().map(|&sample| Complex::new(f64::from(sample) - mean, 0.0)).collect();
            self.forward.process(&mut values);
            values.truncate(self.segment / 2 + 1);
            values.shrink_to_fit();
            // A segment of few turns does not tell tones from a comb's own lines.
            if self.tone_block >= FEWEST_IN_TONE_BLOCK {
                limit_tones(&mut values, self.tone_block);
            }
            values
        };
        starts.map(spectrum).collect()
    }

    /// The envelope spectrum of one band up to `top_hz`: the power mean over segments, over the median within
    /// `floor_hz` around.
    pub fn envelope_spectrum(
        &self,
        spectra: &[Vec<Complex<f64>>],
        band: Band,
        top_hz: f64,
        floor_hz: f64,
    ) -> EnvelopeSpectrum {
        let step_hz = self.rate_hz / (PADDING * self.segment) as f64;
        let kept = (top_hz / step_hz).ceil() as usize + 2;
        let of_band = BandEnvelope::of(band, self.rate_hz / self.segment as f64, self.segment / 2, kept);
        let mut power = vec![0.0_f64; kept];
        for spectrum in spectra {
            of_band.add_power(spectrum, &mut power);
        }
        let magnitudes: Vec<f64> = power.iter().map(|power| power.sqrt()).collect();
        let half_width = ((floor_hz / step_hz) as usize / 2).max(1);
        let over_floor = |(&magnitude, floor): (&f64, f64)| {
            // A signal that is zero has no lines.
            if floor > 0.0 { (magnitude / floor).max(f64::MIN_POSITIVE).ln() } else { 0.0 }
        };
        let log_heights = magnitudes.iter().zip(running_median(&magnitudes, half_width)).map(over_floor).collect();
        EnvelopeSpectrum { step_hz, log_heights }
    }
}

impl BandEnvelope {
    /// For spectra with `hz_per_bin` from one value to the next and `highest` as the last, of which `kept` values of
    /// the envelope's are wanted.
    fn of(band: Band, hz_per_bin: f64, highest: usize, kept: usize) -> Self {
        let fade_hz = FADE * (band.high_hz - band.low_hz);
        let first = (band.low_hz / hz_per_bin).ceil() as usize;
        let last = ((band.high_hz / hz_per_bin).floor() as usize).min(highest);
        let weight = |bin: usize| {
            let hz = bin as f64 * hz_per_bin;
            let from_edge = ((hz - band.low_hz).min(band.high_hz - hz) / fade_hz).clamp(0.0, 1.0);
            // Twice, since the analytic signal has no negative frequencies.
            1.0 - (std::f64::consts::PI * from_edge).cos()
        };
        let weights: Vec<f64> = (first..=last).map(weight).collect();
        // A squared envelope is twice as wide as its band, from minus the width to plus.
        let samples = smooth_length((2 * weights.len()).max(2 * kept.div_ceil(PADDING)) + 1);
        let phase = std::f64::consts::TAU / (samples - 1) as f64;
        let window = (0..samples).map(|index| 0.5 - 0.5 * (phase * index as f64).cos()).collect();
        let (inverse, padded) = (transform::inverse_f64(samples), transform::forward_f64(PADDING * samples));
        Self { first, weights, window, inverse, padded }
    }

    /// Adds the power spectrum of one segment's squared envelope, without its mean, under a Hann window.
    fn add_power(&self, spectrum: &[Complex<f64>], power: &mut [f64]) {
        let samples = self.window.len();
        let mut values = vec![Complex::new(0.0, 0.0); samples];
        // Where the band begins changes the analytic signal's phase, not its magnitude.
        for ((value, weight), bin) in values.iter_mut().zip(&self.weights).zip(&spectrum[self.first..]) {
            *value = bin * *weight;
        }
        self.inverse.process(&mut values);
        let mean = values.iter().map(Complex::norm_sqr).sum::<f64>() / samples as f64;
        for (value, window) in values.iter_mut().zip(&self.window) {
            *value = Complex::new((value.norm_sqr() - mean) * window, 0.0);
        }
        values.resize(PADDING * samples, Complex::new(0.0, 0.0));
        self.padded.process(&mut values);
        for (sum, value) in power.iter_mut().zip(values) {
            *sum += value.norm_sqr();
        }
    }
}

/// The next number of that many or more that has no other prime factors than 2, 3 and 5: transforms of such lengths are
/// fast.
fn smooth_length(fewest: usize) -> usize {
    let is_smooth = |length: &usize| {
        let rest = [2, 3, 5].into_iter().fold(*length, |mut rest, prime| {
            while rest % prime == 0 {
                rest /= prime;
            }
            rest
        });
        rest == 1
    };
    (fewest.max(1)..).find(is_smooth).expect("there is a power of two above every number")
}

/// Median of the values up to `half_width` to both sides of each; fewer at the ends.
fn running_median(values: &[f64], half_width: usize) -> impl Iterator<Item = f64> {
    let mut sorted: Vec<f64> = Vec::with_capacity(2 * half_width + 2);
    let place = |sorted: &[f64], value: f64| sorted.partition_point(|other| other.total_cmp(&value).is_lt());
    for &value in values.iter().take(half_width) {
        sorted.insert(place(&sorted, value), value);
    }
    (0..values.len()).map(move |index| {
        if let Some(&enters) = values.get(index + half_width) {
            sorted.insert(place(&sorted, enters), enters);
        }
        if let Some(leaves) = index.checked_sub(half_width + 1) {
            sorted.remove(place(&sorted, values[leaves]));
        }
        sorted[sorted.len() / 2]
    })
}

/// Lowers what stands out of a spectrum to [`TONE_LIMIT`] medians of its surroundings. A bearing's ringing is wide and
/// stays.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_median_is_that_of_the_window() {
        let values: Vec<f64> = (0..200).map(|index| f64::from(index * index * 7 % 101)).collect();
        for half_width in [1, 7, 150] {
            let medians: Vec<f64> = running_median(&values, half_width).collect();
            for (index, median) in medians.into_iter().enumerate() {
                let mut window = values[index.saturating_sub(half_width)..200.min(index + half_width + 1)].to_vec();
                window.sort_by(f64::total_cmp);
                assert_eq!(median, window[window.len() / 2], "{half_width} {index}");
            }
        }
    }

    /// A carrier of 3 kHz whose strength comes and goes 40 times a second.
    #[test]
    fn the_envelope_of_a_modulated_carrier_has_its_line() {
        let (rate_hz, segment) = (16_000.0, 16_000);
        let samples: Vec<f32> = (0..segment)
            .map(|index| {
                let turn = std::f64::consts::TAU * f64::from(index) / rate_hz;
                ((1.0 + 0.5 * (40.0 * turn).cos()) * (3_000.0 * turn).sin()) as f32
            })
            .collect();
        let analyser = EnvelopeAnalyser::new(rate_hz, segment as usize, 1.0);
        let spectra = analyser.spectra_of(&samples);
        let band = Band { low_hz: 2_000.0, high_hz: 4_000.0 };
        // One floor for all: the window is wider than the spectrum.
        let EnvelopeSpectrum { step_hz, log_heights } = analyser.envelope_spectrum(&spectra, band, 300.0, 2_000.0);
        let highest = (0..log_heights.len()).max_by(|one, other| log_heights[*one].total_cmp(&log_heights[*other]));
        assert_eq!(highest.map(|index| index as f64 * step_hz), Some(40.0));
        // (1 + m cos)² has 2m at the rate and m²/2 at twice the rate: 1 and 1/8.
        let at = |hz: f64| log_heights[(hz / step_hz) as usize];
        assert!((at(40.0) - at(80.0) - 8.0_f64.ln()).abs() < 0.1, "{} {}", at(40.0), at(80.0));
    }
}
