//! Building blocks of sound: levels, noise, filters, resonance modes.

use std::f64::consts::TAU;

use rand::Rng;
use rand::rngs::SmallRng;

use super::SAMPLE_RATE_HZ;

const RATE: f64 = SAMPLE_RATE_HZ as f64;

/// The level at which the microphone's output reaches full scale as a sine's peak, dB SPL.
const FULL_SCALE_SPL_DB: f64 = 120.0;

/// RMS amplitude, in units of full scale, of a sound pressure level in dB re 20 µPa.
pub(super) fn rms_of_spl(spl_db: f64) -> f64 {
    // A full-scale sine has an RMS of 1/√2.
    10_f64.powf((spl_db - FULL_SCALE_SPL_DB) / 20.0) * std::f64::consts::FRAC_1_SQRT_2
}

/// The amplitude factor of a level, dB.
pub(super) fn gain(db: f64) -> f64 {
    10_f64.powf(db / 20.0)
}

/// An approximately normal number with mean 0 and variance 1: four 16-bit uniform numbers from one draw, summed.
pub(super) fn gaussian(rng: &mut SmallRng) -> f64 {
    let bits: u64 = rng.random();
    let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
    // Four uniform numbers on 0…1 have mean 2 and variance 1/3.
    (sum as f64 / 65_536.0 - 2.0) * 3_f64.sqrt()
}

/// A number in `center ± spread`, uniformly distributed.
pub(super) fn around(rng: &mut SmallRng, center: f64, spread: f64) -> f64 {
    rng.random_range(center - spread..=center + spread)
}

/// White noise, variance 1.
pub(super) fn white(samples: usize, rng: &mut SmallRng) -> Vec<f64> {
    (0..samples).map(|_| gaussian(rng)).collect()
}

/// Scales a signal to a level and adds it; silence stays silence.
pub(super) fn add_at_spl(pressure: &mut [f64], signal: &[f64], spl_db: f64) {
    let power = signal.iter().map(|sample| sample * sample).sum::<f64>() / signal.len() as f64;
    if power > 0.0 {
        let factor = rms_of_spl(spl_db) / power.sqrt();
        for (sum, sample) in pressure.iter_mut().zip(signal) {
            *sum += factor * sample;
        }
    }
}

/// Second-order filter in transposed direct form II; coefficients after R. Bristow-Johnson's Audio EQ Cookbook.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter {
    b: [f64; 3],
    a: [f64; 2],
}

impl Filter {
    pub(super) fn low_pass(hz: f64) -> Self {
        let (cos, alpha) = Self::angle(hz, std::f64::consts::FRAC_1_SQRT_2);
        Self::new([(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0], cos, alpha)
    }

    pub(super) fn high_pass(hz: f64) -> Self {
        let (cos, alpha) = Self::angle(hz, std::f64::consts::FRAC_1_SQRT_2);
        Self::new([f64::midpoint(1.0, cos), -(1.0 + cos), f64::midpoint(1.0, cos)], cos, alpha)
    }

    /// Passes a band `hz / quality` wide around `hz`.
    pub(super) fn band_pass(hz: f64, quality: f64) -> Self {
        let (cos, alpha) = Self::angle(hz, quality);
        Self::new([alpha, 0.0, -alpha], cos, alpha)
    }

    fn angle(hz: f64, quality: f64) -> (f64, f64) {
        // Kept below the Nyquist frequency, where the bilinear transform has no image.
        let (sin, cos) = (TAU * hz.min(0.49 * RATE) / RATE).sin_cos();
        (cos, sin / (2.0 * quality))
    }

    fn new(b: [f64; 3], cos: f64, alpha: f64) -> Self {
        let a0 = 1.0 + alpha;
        Self { b: b.map(|value| value / a0), a: [-2.0 * cos / a0, (1.0 - alpha) / a0] }
    }

    /// Filters in place, with an initial state of zero.
    pub(super) fn run(self, signal: &mut [f64]) {
        let Self { b, a } = self;
        let (mut first, mut second) = (0.0, 0.0);
        for sample in signal {
            let input = *sample;
            let output = b[0] * input + first;
            first = b[1] * input - a[0] * output + second;
            second = b[2] * input - a[1] * output;
            *sample = output;
        }
    }
}

/// A mode of a struck body: it oscillates at `hz` and decays with time constant `decay_s`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mode {
    pub(super) hz: f64,
    pub(super) decay_s: f64,
    /// Relative to the strongest mode.
    pub(super) gain: f64,
}

/// Excites a body at a time: adds its modes with this peak amplitude.
pub(super) fn strike(pressure: &mut [f64], at_s: f64, peak: f64, modes: &[Mode]) {
    for mode in modes {
        let start = (at_s * RATE).max(0.0).ceil();
        // After eight time constants, the level has dropped by 70 dB.
        let length = (8.0 * mode.decay_s * RATE) as usize;
        let shrink = (-1.0 / (mode.decay_s * RATE)).exp();
        let late_s = start / RATE - at_s;
        let (mut sin, mut cos) = (TAU * mode.hz * late_s).sin_cos();
        let (step_sin, step_cos) = (TAU * mode.hz / RATE).sin_cos();
        let mut amplitude = peak * mode.gain * (-late_s / mode.decay_s).exp();
        for sample in pressure.iter_mut().skip(start as usize).take(length) {
            *sample += amplitude * sin;
            amplitude *= shrink;
            (sin, cos) = (sin * step_cos + cos * step_sin, cos * step_cos - sin * step_sin);
        }
    }
}

/// Peak amplitude, in units of full scale, of a peak sound pressure level.
pub(super) fn peak_of_spl(spl_db: f64) -> f64 {
    gain(spl_db - FULL_SCALE_SPL_DB)
}

/// Times of independent rare events, s: a Poisson process.
pub(super) fn poisson_times(rate_hz: f64, seconds: f64, rng: &mut SmallRng) -> Vec<f64> {
    let mut times = Vec::new();
    if rate_hz > 0.0 {
        let mut at_s = 0.0;
        loop {
            at_s -= (1.0 - rng.random::<f64>()).ln() / rate_hz;
            if at_s >= seconds {
                break;
            }
            times.push(at_s);
        }
    }
    times
}

/// Length of a signal, s.
pub(super) fn seconds(samples: &[f64]) -> f64 {
    samples.len() as f64 / RATE
}

/// Time of a sample, s.
pub(super) fn time_of(index: usize) -> f64 {
    index as f64 / RATE
}
