//! The vectors that screening compares clips by: the fused detector's own, without what is tried out on altered clips.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::cycle::{Cycle, Spectra};
use super::fitted_pooling::FittedPooling;
use super::pooling::Pooling;

/// Every clip seen in one way.
pub(crate) struct ClipVectors {
    /// How much this way counts beside the others.
    pub weight: f64,
    /// Each clip's channels, `[clips]` of `[channels, n]`.
    pub vectors: Vec<Array2<f64>>,
}

/// The level first, then the cycle, or the swing of a machine that has none. Frames are `step_s` apart.
///
/// The moment is left out: the loudest frame of a normal clip is mostly chance, and a bang beside the machine is no
/// reason to distrust a clip.
pub(crate) fn clip_vectors(clips: &[Vec<ArrayView2<'_, f32>>], step_s: f64) -> Vec<ClipVectors> {
    let spectra = Spectra::of(clips, step_s);
    let channels: Vec<_> = clips.iter().flatten().copied().collect();
    let cycle = Cycle::fit(&channels, &spectra.mean(|_| true), &spectra);
    let fitted_poolings = [FittedPooling::Level, cycle.map_or(FittedPooling::Swing, FittedPooling::Cycle)];
    fitted_poolings
        .into_iter()
        .map(|fitted_pooling| ClipVectors {
            weight: Pooling::weight(fitted_pooling.pooling()),
            vectors: clips.par_iter().map(|channels| fitted_pooling.pool_channels(channels)).collect(),
        })
        .collect()
}
