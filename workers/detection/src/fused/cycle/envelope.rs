//! Envelopes of wider bands, ready to be asked for their amplitude at any frequency.

use auscult_signal::num_complex::Complex64;
use ndarray::ArrayView2;

use super::BANDS;
use crate::fused::pooling::wide_bands;

/// Envelopes are power to the power of 0.75. Power itself adds up, machine and background, but follows its peaks;
/// amplitude is calmer, and no longer adds up. Between the two is best on made-up faults in made-up backgrounds (0.5:
/// 0.844, 0.65: 0.854, 0.75: 0.854, 1: 0.848 mean AUC).
fn compressed(power: f64) -> f64 {
    let amplitude = power.sqrt();
    amplitude * amplitude.sqrt()
}

/// One channel's envelopes.
pub(super) struct Envelopes {
    /// Their means taken off, under a Hann window whose sum is 2, `[frames, BANDS]`; 0 where there are fewer bands.
    windowed: Vec<f64>,
    /// Variance without the window, by band.
    variance: Vec<f64>,
}

impl Envelopes {
    pub(super) fn of(spectrogram: ArrayView2<'_, f32>) -> Self {
        let powers = wide_bands(spectrogram, BANDS.min(spectrogram.ncols()));
        let frames = spectrogram.nrows();
        let mut window: Vec<f64> = (1..=frames)
            .map(|frame| 0.5 - 0.5 * (std::f64::consts::TAU * frame as f64 / (frames + 1) as f64).cos())
            .collect();
        let sum: f64 = window.iter().sum();
        window.iter_mut().for_each(|weight| *weight *= 2.0 / sum);

        let mut windowed = vec![0.0; frames * BANDS];
        let mut variance = Vec::with_capacity(powers.len());
        for (band, power) in powers.iter().enumerate() {
            let envelope: Vec<f64> = power.iter().map(|power| compressed(*power)).collect();
            let (mean, spread) = super::moments(&envelope);
            variance.push(spread.max(f64::MIN_POSITIVE));
            for (frame, (value, weight)) in envelope.iter().zip(&window).enumerate() {
                windowed[frame * BANDS + band] = (value - mean) * weight;
            }
        }
        Self { windowed, variance }
    }

    /// Complex amplitude of each band at a frequency in cycles per frame.
    pub(super) fn amplitudes(&self, frequency: f64) -> Vec<Complex64> {
        let turn = Complex64::from_polar(1.0, -std::f64::consts::TAU * frequency);
        let bands = self.variance.len();
        // Apart, so that the loop over bands is one over neighbours.
        let (mut real, mut imaginary) = ([0.0; BANDS], [0.0; BANDS]);
        let mut phasor = Complex64::ONE;
        for frame in self.windowed.chunks_exact(BANDS) {
            for ((real, imaginary), value) in real.iter_mut().zip(&mut imaginary).zip(frame) {
                *real += phasor.re * value;
                *imaginary += phasor.im * value;
            }
            phasor *= turn;
        }
        real.iter().zip(&imaginary).take(bands).map(|(real, imaginary)| Complex64::new(*real, *imaginary)).collect()
    }

    /// What part of the bands' variance lies at a frequency, summed over them; twice what a sine would have in truth,
    /// which does not matter where frequencies are compared.
    pub(super) fn explained(&self, frequency: f64) -> f64 {
        self.amplitudes(frequency).iter().zip(&self.variance).map(|(sum, variance)| sum.norm_sqr() / variance).sum()
    }

    /// Squared amplitude at each frequency in units of the band's own mean over all of them, mean over bands.
    pub(super) fn whitened(&self, frequencies: &[f64]) -> Vec<f64> {
        let by_frequency: Vec<Vec<f64>> = frequencies
            .iter()
            .map(|frequency| self.amplitudes(*frequency).iter().map(Complex64::norm_sqr).collect())
            .collect();
        let (bands, count) = (self.variance.len(), frequencies.len() as f64);
        let means: Vec<f64> = (0..bands)
            .map(|band| (by_frequency.iter().map(|of| of[band]).sum::<f64>() / count).max(f64::MIN_POSITIVE))
            .collect();
        let mean_over_bands =
            |of: &Vec<f64>| of.iter().zip(&means).map(|(power, mean)| power / mean).sum::<f64>() / bands as f64;
        by_frequency.iter().map(mean_over_bands).collect()
    }
}
