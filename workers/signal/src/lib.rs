//! Signal processing that more than one crate needs: Fourier transforms, resampling, linear prediction.
//!
//! The libraries' transforms are generic, and a crate that plans one for a type compiles all their algorithms for that
//! type: 14 s of processor time. Nothing here is generic, so they are compiled once, at the highest level. Other crates
//! get trait objects. docs/building.md has the figures.
//!
//! | module | what it holds |
//! |---|---|
//! | [`transform`] | plans of real and complex transforms |
//! | [`resampling`] | a rate pair's resampler |
//! | [`prediction`] | linear prediction |

pub mod prediction;
pub mod resampling;
pub mod transform;

pub use realfft::num_complex;
