//! Detectors on pooled log-mels: one vector a channel, and how far it lies from normal ones.
//!
//! ```text
//!  spectrogram ─► pool_all ─► vector ─┬─► Mahalanobis       one cloud, full covariance, shrunk
//!  [frames, mels]             [mels]  ├─► GaussianMixture   one to four of them: a machine with several ways of running
//!  table of vectors ──────────────────┘   BandNeighbours    no shape at all: near to something heard before, group of bands by group of bands
//!                                         └─► ln d, in held-out normal deviations, mean over parts ─► score
//! ```
//!
//! The distances know vectors only, of any length: [`judge_vectors`] fits them to a table's, [`PooledDetector`] to what
//! it pools itself.

mod judge;
mod mixture;
mod neighbours;
mod ranked;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use judge::{VectorScores, judge_vectors};
pub use mixture::{GaussianMixture, MixtureShape};
pub use neighbours::{BandNeighbours, NeighboursShape};
pub use ranked::{RankPooling, pool_all};

use crate::DetectionError;
use crate::examined::Examined;
use crate::fused::{LOG_SPREAD, Mahalanobis};
use crate::tensors::{NamedTensor, TensorFile};

/// How far a vector lies from those that it was fitted to.
pub(crate) trait VectorDistance: Sized + Send + Sync {
    /// What a reader must know to read its tensors.
    type Shape;

    /// Its tensors' number.
    fn tensor_count(shape: &Self::Shape) -> usize;

    /// Fits it to vectors, `[vectors, n]`.
    fn fit(vectors: &Array2<f64>, seed: u64) -> Result<Self, DetectionError>;

    /// Squared and divided by the vector's length: about 1 for normal vectors; positive.
    fn distance(&self, vector: ArrayView1<'_, f64>) -> f64;

    /// How far each element is from what was expected of it, squared, `[n]`.
    fn errors(&self, vector: ArrayView1<'_, f64>) -> Array1<f64>;

    fn shape(&self) -> Self::Shape;

    /// Named with a prefix.
    fn tensors(&self, prefix: &str) -> Vec<NamedTensor>;

    /// Reads it back, for vectors of length `size`.
    fn read(shape: &Self::Shape, size: usize, prefix: &str, file: &TensorFile<'_>) -> Result<Self, DetectionError>;

    /// Whether distances come out as numbers.
    fn check(&self) -> Result<(), String>;
}

/// A Mahalanobis distance's shape: there is nothing to say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MahalanobisShape {}

impl VectorDistance for Mahalanobis {
    type Shape = MahalanobisShape;

    fn tensor_count(_shape: &MahalanobisShape) -> usize {
        3
    }

    fn fit(vectors: &Array2<f64>, _seed: u64) -> Result<Self, DetectionError> {
        Self::fit(vectors)
    }

    fn distance(&self, vector: ArrayView1<'_, f64>) -> f64 {
        self.distance(vector)
    }

    fn errors(&self, vector: ArrayView1<'_, f64>) -> Array1<f64> {
        (&vector - &self.mean).mapv_into(|apart| apart * apart)
    }

    fn shape(&self) -> MahalanobisShape {
        MahalanobisShape {}
    }

    fn tensors(&self, prefix: &str) -> Vec<NamedTensor> {
        use crate::tensors::doubles;
        vec![
            doubles(format!("{prefix}.mean"), &self.mean),
            doubles(format!("{prefix}.deviation"), &self.deviation),
            doubles(format!("{prefix}.precision"), &self.precision),
        ]
    }

    fn read(
        _shape: &MahalanobisShape,
        size: usize,
        prefix: &str,
        file: &TensorFile<'_>,
    ) -> Result<Self, DetectionError> {
        Ok(Self {
            mean: file.doubles_1d(&format!("{prefix}.mean"), size)?,
            deviation: file.doubles_1d(&format!("{prefix}.deviation"), size)?,
            precision: file.doubles_2d(&format!("{prefix}.precision"), (size, size))?,
        })
    }

    fn check(&self) -> Result<(), String> {
        let mut values = self.mean.iter().chain(&self.deviation).chain(&self.precision);
        if !values.all(|value| value.is_finite()) {
            return Err("a weight is not a finite number".to_owned());
        }
        if self.deviation.iter().any(|deviation| *deviation <= 0.0) {
            return Err("a deviation is not positive".to_owned());
        }
        Ok(())
    }
}

/// What held-out normal distances are like, by their logarithm: what makes different distances comparable.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogScale {
    /// Mean of the logarithm of held-out normal distances.
    pub mean: f64,
    /// Standard deviation of the same.
    pub deviation: f64,
}

impl LogScale {
    fn of(logs: &[f64]) -> Result<Self, DetectionError> {
        let count = logs.len() as f64;
        let mean = logs.iter().sum::<f64>() / count;
        let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / count;
        // A logarithm that is no number ends here, too.
        if variance.is_nan() || variance <= 1e-18 {
            let reason = "the held-out scores are all the same; the clips seem to be silent, or copies of one";
            return Err(DetectionError::Training(reason.to_owned()));
        }
        Ok(Self { mean, deviation: variance.sqrt() })
    }

    fn deviations(&self, log: f64) -> f64 {
        (log - self.mean) / self.deviation
    }
}

/// A mean of normal deviations as a score: positive, 1 for a typical normal clip.
fn score(mean_deviations: f64) -> f64 {
    (LOG_SPREAD * mean_deviations).exp()
}

/// One way of pooling, with its normal distances.
#[derive(Debug, Clone, PartialEq)]
pub struct PooledPart<D> {
    /// How the spectrogram is pooled.
    pub pooling: RankPooling,
    /// What normal distances are like.
    pub scale: LogScale,
    /// Distances.
    pub distance: D,
}

/// The distances of one kind, one for each way of pooling; at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct PooledDetector<D> {
    /// Parts.
    pub parts: Vec<PooledPart<D>>,
}

#[expect(
    private_bounds,
    reason = "a detector of another distance is a kind of its own, and those are listed in this crate"
)]
impl<D: VectorDistance> PooledDetector<D> {
    /// What it makes of one channel, `[frames, mels]`, dB. The score is dimensionless, 1 for a typical normal channel;
    /// band errors are the mean over the parts.
    #[must_use]
    pub fn examine(&self, spectrogram: ArrayView2<'_, f32>) -> Examined {
        let poolings: Vec<RankPooling> = self.parts.iter().map(|part| part.pooling).collect();
        let mut sum = 0.0;
        let mut errors = Array1::zeros(spectrogram.ncols());
        for (part, pooled) in self.parts.iter().zip(pool_all(&poolings, spectrogram)) {
            sum += part.scale.deviations(part.distance.distance(pooled.view()).ln());
            errors += &part.distance.errors(pooled.view());
        }
        let count = self.parts.len() as f64;
        Examined { score: score(sum / count), band_errors: (errors / count).to_vec() }
    }

    /// Fits all parts to clips (each with its channels), and scores the clips of every fold by distances that were not
    /// fitted to them. `observe` hears of each part: how many are done, of how many.
    pub(crate) fn cross_fit(
        poolings: &[RankPooling],
        clips: &[Vec<ArrayView2<'_, f32>>],
        folds: &[Vec<usize>],
        seed: u64,
        observe: &mut dyn FnMut(usize, usize),
    ) -> Result<CrossFittedParts<D>, DetectionError> {
        let pooled = pooled_by_part(poolings, clips);
        let mut parts = Vec::with_capacity(poolings.len());
        let held_out = folds.iter().map(Vec::len).sum();
        let mut sums = vec![0.0; held_out];
        let mut errors: Vec<Array1<f64>> = Vec::new();
        for (index, (pooling, vectors)) in poolings.iter().zip(&pooled).enumerate() {
            let CrossFitted { distance, scale, logs, errors: own } = cross_fit(vectors, folds, seed)?;
            for (sum, log) in sums.iter_mut().zip(&logs) {
                *sum += scale.deviations(*log);
            }
            if errors.is_empty() {
                errors = own;
            } else {
                errors.iter_mut().zip(&own).for_each(|(sum, own)| *sum += own);
            }
            parts.push(PooledPart { pooling: *pooling, scale, distance });
            observe(index + 1, poolings.len());
        }
        let count = parts.len() as f64;
        Ok(CrossFittedParts {
            detector: Self { parts },
            held_out_scores: sums.into_iter().map(|sum| score(sum / count)).collect(),
            held_out_errors: errors.into_iter().map(|sum| (sum / count).to_vec()).collect(),
        })
    }
}

/// A detector, and what it says of clips that it was not fitted to.
pub(crate) struct CrossFittedParts<D> {
    pub detector: PooledDetector<D>,
    /// One score a held-out clip, fold after fold.
    pub held_out_scores: Vec<f64>,
    /// The same clips' errors by mel band, dB², `[mels]`.
    pub held_out_errors: Vec<Vec<f64>>,
}

/// Each part's vectors, `[parts][clips]` of `[channels, mels]`.
fn pooled_by_part(poolings: &[RankPooling], clips: &[Vec<ArrayView2<'_, f32>>]) -> Vec<Vec<Array2<f64>>> {
    let by_clip: Vec<Vec<Vec<Array1<f64>>>> = clips
        .par_iter()
        .map(|channels| channels.iter().map(|channel| pool_all(poolings, *channel)).collect())
        .collect();
    let of_part = |part: usize| {
        let of_clip = |channels: &Vec<Vec<Array1<f64>>>| {
            let rows: Vec<_> = channels.iter().map(|pooled| pooled[part].view()).collect();
            ndarray::stack(Axis(0), &rows).expect("a clip's channels have equally many bands, and there is one")
        };
        by_clip.iter().map(of_clip).collect()
    };
    (0..poolings.len()).map(of_part).collect()
}

/// A distance, and what it says of clips that it was not fitted to.
struct CrossFitted<D> {
    /// Fitted to all clips.
    distance: D,
    scale: LogScale,
    /// Mean over channels of the distance's logarithm of each held-out clip, fold after fold.
    logs: Vec<f64>,
    /// The same clips' errors, mean over channels, `[n]`.
    errors: Vec<Array1<f64>>,
}

/// Fits a distance to clips, each with a vector a channel, `[channels, n]`, and to all but each of the folds.
fn cross_fit<D: VectorDistance>(
    clips: &[Array2<f64>],
    folds: &[Vec<usize>],
    seed: u64,
) -> Result<CrossFitted<D>, DetectionError> {
    let of_fold = |fold: &Vec<usize>| -> Result<Vec<(f64, Array1<f64>)>, DetectionError> {
        let distance = D::fit(&stacked(clips, |clip| !fold.contains(&clip)), seed)?;
        Ok(fold.iter().map(|clip| held_out(&distance, &clips[*clip])).collect())
    };
    let by_fold = folds.par_iter().map(of_fold).collect::<Result<Vec<_>, _>>()?;
    let (logs, errors): (Vec<f64>, Vec<Array1<f64>>) = by_fold.into_iter().flatten().unzip();
    let scale = LogScale::of(&logs)?;
    Ok(CrossFitted { distance: D::fit(&stacked(clips, |_| true), seed)?, scale, logs, errors })
}

fn held_out<D: VectorDistance>(distance: &D, channels: &Array2<f64>) -> (f64, Array1<f64>) {
    let count = channels.nrows() as f64;
    let mut log = 0.0;
    let mut errors = Array1::zeros(channels.ncols());
    for channel in channels.rows() {
        log += distance.distance(channel).ln();
        errors += &distance.errors(channel);
    }
    (log / count, errors / count)
}

fn stacked(clips: &[Array2<f64>], is_used: impl Fn(usize) -> bool) -> Array2<f64> {
    let used: Vec<_> =
        clips.iter().enumerate().filter(|(clip, _)| is_used(*clip)).map(|(_, rows)| rows.view()).collect();
    ndarray::concatenate(Axis(0), &used).expect("all are equally long, and a fold leaves clips over")
}
