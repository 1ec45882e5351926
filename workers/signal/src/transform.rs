//! Plans of Fourier transforms, unscaled in both directions, as rustfft and realfft make them.
//!
//! A plan fits one length and is used by many threads; buffers and scratch space are the caller's.

use std::sync::Arc;

use realfft::RealFftPlanner;
pub use realfft::RealToComplex;
pub use rustfft::Fft;
use rustfft::FftPlanner;

/// The transform of `length` real samples to `length / 2 + 1` bins, in `f64`.
#[must_use]
pub fn real_f64(length: usize) -> Arc<dyn RealToComplex<f64>> {
    RealFftPlanner::new().plan_fft_forward(length)
}

/// The transform of `length` real samples to `length / 2 + 1` bins, in `f32`.
#[must_use]
pub fn real_f32(length: usize) -> Arc<dyn RealToComplex<f32>> {
    RealFftPlanner::new().plan_fft_forward(length)
}

/// The transform of `length` complex samples in place, in `f64`.
#[must_use]
pub fn forward_f64(length: usize) -> Arc<dyn Fft<f64>> {
    FftPlanner::new().plan_fft_forward(length)
}

/// The inverse of [`forward_f64`] times `length`.
#[must_use]
pub fn inverse_f64(length: usize) -> Arc<dyn Fft<f64>> {
    FftPlanner::new().plan_fft_inverse(length)
}
