//! The log-mel spectrogram, equal to librosa's (0.10 and 0.11) to 1e-3 dB.
//!
//! ```text
//!  samples ─ frame t: window ─► FFT ─► |X|^power ─► mel bands ─► 10·log10(max(amin, ·)) ─► row t     … then reference and top_db
//!  f32        [n_fft] f64        f64    f32          f32          f32
//! ```
//!
//! Window and transform are in f64, as librosa's are. A pure tone at full scale leaves bins more than 130 dB below it,
//! where the rounding of an f32 transform is louder than the signal; from the power spectrum on there are only sums of
//! non-negative numbers, for which f32 keeps seven digits.

mod decibel;
mod mel_bands;
mod pass;

use std::sync::Arc;

use auscult_schemas::{FeatureSpec, MelNorm, MelScale, Reference, Window};
use auscult_signal::num_complex::Complex;
use auscult_signal::transform::{self, RealToComplex};
use ndarray::Array2;
use pulp::Arch;

use crate::FeatureError;
use mel_bands::MelBands;
use pass::Pass;

/// Computes log-mel spectrograms by one spec. Plans once, reuses its buffers; every thread has one of its own.
pub struct LogMelExtractor {
    spec: FeatureSpec,
    arch: Arch,
    fft: Arc<dyn RealToComplex<f64>>,
    window: Vec<f64>,
    bands: MelBands,
    buffers: Buffers,
}

/// What one frame needs on its way.
struct Buffers {
    /// Windowed samples, `[n_fft]`.
    frame: Vec<f64>,
    /// `[n_fft / 2 + 1]`.
    spectrum: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    /// `[n_fft / 2 + 1]`, and zeros up to the end of the last band's lanes.
    power: Vec<f32>,
}

impl LogMelExtractor {
    /// Plans the transform and the mel bands.
    ///
    /// # Errors
    /// [`FeatureError::Spec`] naming every field at fault.
    pub fn new(spec: &FeatureSpec) -> Result<Self, FeatureError> {
        spec.validate()?;
        let fft = transform::real_f64(spec.n_fft);
        let Window::Hann = spec.window;
        let (MelScale::Slaney, MelNorm::Slaney) = (spec.mel_scale, spec.mel_norm);
        let bands = MelBands::slaney(spec);
        let buffers = Buffers {
            frame: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            power: vec![0.0; bands.padded_bins()],
        };
        Ok(Self { spec: spec.clone(), arch: Arch::new(), fft, window: periodic_hann(spec.n_fft), bands, buffers })
    }

    /// The spec that the numbers follow.
    #[must_use]
    pub fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    /// The log-mel spectrogram of samples at the spec's rate: `[frames, mels]`, dB, where `frames` is the spec's
    /// [`frame_count`](FeatureSpec::frame_count). Full scale is ±1.0; a sine of that amplitude has power `(n_fft / 4)²`
    /// in its bin.
    #[must_use]
    pub fn log_mel(&mut self, samples: &[f32]) -> Array2<f32> {
        let mut spectrogram = Array2::zeros((self.spec.frame_count(samples.len()), self.spec.n_mels));
        self.log_mel_into(samples, spectrogram.as_slice_mut().expect("a new array is contiguous"));
        spectrogram
    }

    /// The same into a row-major slice of `frames * mels` values.
    pub(crate) fn log_mel_into(&mut self, samples: &[f32], spectrogram: &mut [f32]) {
        debug_assert_eq!(spectrogram.len(), self.spec.frame_count(samples.len()) * self.spec.n_mels);
        self.arch.dispatch(Pass {
            spec: &self.spec,
            fft: self.fft.as_ref(),
            window: &self.window,
            bands: &self.bands,
            buffers: &mut self.buffers,
            samples,
            spectrogram,
        });
        if self.spec.reference == Reference::Fixed && self.spec.top_db.is_none() {
            return;
        }
        let loudest_db = loudest(spectrogram);
        let reference_db = match self.spec.reference {
            Reference::Max => loudest_db,
            Reference::Fixed => 0.0,
        };
        let floor_db = self.spec.top_db.map_or(f32::NEG_INFINITY, |depth| loudest_db - reference_db - depth);
        for value in spectrogram {
            *value = (*value - reference_db).max(floor_db);
        }
    }
}

/// The largest value, in lanes because one comparison after the other would wait for the last.
fn loudest(values: &[f32]) -> f32 {
    let (rows, rest) = values.as_chunks::<8>();
    let mut largest = [f32::NEG_INFINITY; 8];
    for row in rows {
        for (largest, &value) in largest.iter_mut().zip(row) {
            *largest = if value > *largest { value } else { *largest };
        }
    }
    largest.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// `0.5 - 0.5 cos(2πk/n)`: periodic, as scipy's `get_window("hann", n, fftbins=True)`.
fn periodic_hann(n: usize) -> Vec<f64> {
    (0..n).map(|k| 0.5 - 0.5 * (std::f64::consts::TAU * k as f64 / n as f64).cos()).collect()
}
