//! The loop over a channel's frames, compiled for the vector instructions that the machine turns out to have.

use auscult_schemas::FeatureSpec;
use auscult_signal::transform::RealToComplex;
use pulp::{Simd, WithSimd};

use super::Buffers;
use super::decibel::decibels;
use super::mel_bands::MelBands;

/// Powers are held below this, so that a float recording of absurd level gives a finite spectrogram.
const LARGEST_POWER: f32 = 1e30;

/// One pass over one channel, dB before any reference.
pub(super) struct Pass<'a> {
    pub spec: &'a FeatureSpec,
    pub fft: &'a dyn RealToComplex<f64>,
    pub window: &'a [f64],
    pub bands: &'a MelBands,
    pub buffers: &'a mut Buffers,
    pub samples: &'a [f32],
    /// `[frames, mels]`.
    pub spectrogram: &'a mut [f32],
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { spec, fft, window, bands, buffers, samples, spectrogram } = self;
        let Buffers { frame, spectrum, scratch, power } = buffers;
        let pad = if spec.center { spec.n_fft / 2 } else { 0 };
        let amin = spec.amin.max(f32::MIN_POSITIVE);
        for (index, row) in spectrogram.chunks_exact_mut(spec.n_mels).enumerate() {
            window_frame(samples, index * spec.hop_length, pad, window, frame);
            fft.process_with_scratch(frame, spectrum, scratch)
                .expect("the buffers have the lengths that the plan made");
            for (power, bin) in power.iter_mut().zip(spectrum.iter()) {
                *power = ((bin.re * bin.re + bin.im * bin.im) as f32).min(LARGEST_POWER);
            }
            raise(&mut power[..spectrum.len()], spec.power);
            bands.sum(simd, power, row);
            for value in row {
                *value = decibels(value.max(amin));
            }
        }
    }
}

/// Writes the window times the samples that start at `position - pad`; what lies outside the signal is zero.
#[inline(always)]
fn window_frame(samples: &[f32], position: usize, pad: usize, window: &[f64], frame: &mut [f64]) {
    let missing_before = pad.saturating_sub(position);
    let start = (position + missing_before).saturating_sub(pad).min(samples.len());
    let inside = (window.len() - missing_before).min(samples.len() - start);
    let (before, rest) = frame.split_at_mut(missing_before);
    let (middle, after) = rest.split_at_mut(inside);
    before.fill(0.0);
    after.fill(0.0);
    let window = &window[missing_before..missing_before + inside];
    for ((out, &sample), &weight) in middle.iter_mut().zip(&samples[start..start + inside]).zip(window) {
        *out = f64::from(sample) * weight;
    }
}

/// From squared magnitude to magnitude to the `exponent`.
#[inline(always)]
fn raise(power: &mut [f32], exponent: f32) {
    if exponent == 2.0 {
        return;
    }
    if exponent == 1.0 {
        for value in power {
            *value = value.sqrt();
        }
        return;
    }
    for value in power {
        *value = value.powf(exponent / 2.0).min(LARGEST_POWER);
    }
}
