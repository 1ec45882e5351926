//! The default detector: how far a clip's pooled log-mel lies from the normal ones, seen in three ways and fused.
//!
//! ```text
//!  log-mel ─┬─► level   ─► Mahalanobis ─► ln d, in held-out normal deviations ─┐
//!  [frames, ├─► swing   ─► Mahalanobis ─► …                                    ├─► weighted mean ─► score
//!   mels]   └─► rhythm  ─► Mahalanobis ─► …  (left out where it notices nothing)┘
//! ```
//!
//! No labels anywhere: what a part is worth is found out on normal clips, some of which are held out and altered ([`trial`]).

mod mahalanobis;
mod pooling;
mod trial;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

pub use mahalanobis::{Mahalanobis, shrunken_covariance};
pub use pooling::Pooling;

use crate::{DetectionError, Examined};

/// One way of looking, with its normal distances.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// How it looks, and what it makes of what it sees.
    pub parameters: PartParameters,
    /// Distances.
    pub distance: Mahalanobis,
}

/// A part's numbers in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartParameters {
    /// How the spectrogram is pooled.
    pub pooling: Pooling,
    /// Mean of the logarithm of held-out normal clips' distances.
    pub log_mean: f64,
    /// Standard deviation of the same.
    pub log_deviation: f64,
    /// The AUC with which it tells held-out normal clips from altered ones.
    pub sensitivity: f64,
}

/// The parts that are used, at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct FusedDetector {
    /// Parts.
    pub parts: Vec<Part>,
}

/// What a fit is worth, seen on clips that it was not fitted to.
pub(crate) struct CrossFitted {
    pub detector: FusedDetector,
    /// Scores of the clips in the folds, by a detector that was not fitted to them.
    pub held_out_scores: Vec<f64>,
    /// The same clips' errors by mel band, dB², `[mels]`.
    pub held_out_errors: Vec<Vec<f64>>,
}

/// Spread of a score's logarithm for one normal deviation of the fused distance: normal scores lie around 1, nearly all below 2.
const LOG_SPREAD: f64 = 0.25;

impl FusedDetector {
    /// What it makes of one channel. The score is dimensionless, 1 for a typical normal channel: the geometric mean of the parts' distances, each in
    /// its own normal deviations. The band errors are those of the mean levels.
    #[must_use]
    pub fn examine(&self, spectrogram: ArrayView2<'_, f32>) -> Examined {
        let (mut sum, mut weights) = (0.0, 0.0);
        let mut band_errors = Vec::new();
        for Part { parameters, distance } in &self.parts {
            let pooled = parameters.pooling.pool(spectrogram);
            sum += parameters.pooling.weight() * parameters.deviations(distance.distance(pooled.view()));
            weights += parameters.pooling.weight();
            if parameters.pooling == Pooling::Level {
                band_errors = (&pooled - &distance.mean).mapv_into(|apart| apart * apart).to_vec();
            }
        }
        Examined { score: (LOG_SPREAD * sum / weights).exp(), band_errors }
    }

    /// Fits all parts to clips (each with its channels), scores the clips of every fold by a detector that was not fitted to them, and
    /// leaves out the parts that notice nothing. `observe` hears of each fold: how many are done, of how many.
    pub(crate) fn cross_fit(
        clips: &[Vec<ArrayView2<'_, f32>>],
        folds: &[Vec<usize>],
        seed: u64,
        observe: &mut dyn FnMut(usize, usize),
    ) -> Result<CrossFitted, DetectionError> {
        let (mut tried, mut held_out_errors) = (Vec::new(), Vec::new());
        for (index, pooling) in Pooling::ALL.into_iter().enumerate() {
            let pooled: Vec<Array2<f64>> = clips.iter().map(|channels| pool_all(pooling, channels)).collect();
            // Mean over channels of the logarithm of the distance, by clip; the first channel's, and that of its alterations, by kind.
            let (mut normal, mut first_channel) = (Vec::new(), Vec::new());
            let mut altered: Vec<Vec<f64>> = vec![Vec::new(); trial::KINDS];
            for (number, fold) in folds.iter().enumerate() {
                let distance = Mahalanobis::fit(&stacked(&pooled, |clip| !fold.contains(&clip)))?;
                for &clip in fold {
                    normal.push(mean_log(&distance, &pooled[clip]));
                    first_channel.push(distance.distance(pooled[clip].row(0)).ln());
                    let mut rng = trial::rng(seed, clip);
                    for (kind, of_kind) in altered.iter_mut().enumerate() {
                        let changed = trial::altered(kind, clips[clip][0], &mut rng);
                        of_kind.push(distance.distance(pooling.pool(changed.view()).view()).ln());
                    }
                }
                if pooling == Pooling::Level {
                    held_out_errors.extend(fold.iter().map(|clip| band_errors(&distance.mean, &pooled[*clip])));
                }
                observe(index * folds.len() + number + 1, Pooling::ALL.len() * folds.len());
            }
            let sensitivity = trial::sensitivity(&first_channel, &altered);
            tried.push(trial::Tried { pooling, pooled, normal, sensitivity });
        }
        let mut parts = Vec::new();
        let mut sums = vec![0.0; held_out_errors.len()];
        let mut weights = 0.0;
        for trial::Tried { pooling, pooled, normal, sensitivity } in trial::keep(tried) {
            let distance = Mahalanobis::fit(&stacked(&pooled, |_| true))?;
            let parameters = PartParameters::of(pooling, &normal, sensitivity)?;
            for (sum, log) in sums.iter_mut().zip(&normal) {
                *sum += pooling.weight() * (log - parameters.log_mean) / parameters.log_deviation;
            }
            weights += pooling.weight();
            parts.push(Part { parameters, distance });
        }
        let held_out_scores = sums.into_iter().map(|sum| (LOG_SPREAD * sum / weights).exp()).collect();
        Ok(CrossFitted { detector: Self { parts }, held_out_scores, held_out_errors })
    }
}

impl PartParameters {
    fn of(pooling: Pooling, logs: &[f64], sensitivity: f64) -> Result<Self, DetectionError> {
        let count = logs.len() as f64;
        let log_mean = logs.iter().sum::<f64>() / count;
        let variance = logs.iter().map(|log| (log - log_mean).powi(2)).sum::<f64>() / count;
        if variance <= 1e-18 {
            let reason = "the held-out scores are all the same; the clips seem to be silent, or copies of one";
            return Err(DetectionError::Training(reason.to_owned()));
        }
        Ok(Self { pooling, log_mean, log_deviation: variance.sqrt(), sensitivity })
    }

    fn deviations(&self, distance: f64) -> f64 {
        (distance.ln() - self.log_mean) / self.log_deviation
    }
}

fn pool_all(pooling: Pooling, channels: &[ArrayView2<'_, f32>]) -> Array2<f64> {
    let rows: Vec<Array1<f64>> = channels.iter().map(|channel| pooling.pool(*channel)).collect();
    let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
    ndarray::stack(Axis(0), &views).expect("all of one pooling are equally long, and a clip has a channel")
}

fn stacked(pooled: &[Array2<f64>], is_used: impl Fn(usize) -> bool) -> Array2<f64> {
    let used: Vec<_> =
        pooled.iter().enumerate().filter(|(clip, _)| is_used(*clip)).map(|(_, rows)| rows.view()).collect();
    ndarray::concatenate(Axis(0), &used).expect("all of one pooling are equally long, and a fold leaves clips over")
}

/// How far each mel band's level is from the mean, squared, mean over channels, dB², `[mels]`.
fn band_errors(mean: &Array1<f64>, channels: &Array2<f64>) -> Vec<f64> {
    let apart = (channels - mean).mapv_into(|apart| apart * apart);
    apart.mean_axis(Axis(0)).expect("a clip has a channel").to_vec()
}

fn mean_log(distance: &Mahalanobis, channels: &Array2<f64>) -> f64 {
    channels.rows().into_iter().map(|channel| distance.distance(channel).ln()).sum::<f64>() / channels.nrows() as f64
}
