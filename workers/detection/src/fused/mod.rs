//! The default detector: how far a clip's pooled log-mel lies from the normal ones, seen in several ways and fused.
//!
//! ```text
//!  log-mel ─┬─► level ─► Mahalanobis ─► ln d, in held-out normal deviations ───────┐
//!  [frames, ├─► cycle ─► Mahalanobis ─► …  (where the machine has one)             ├─► weighted mean ─► + ─► score
//!   mels]   ├─► swing ─► Mahalanobis ─► …  (where it has none)                     ┘                  ▲
//!           └─► moment ─► Mahalanobis ─► …, what it is beyond anything normal ────────────────────────┘
//! ```
//!
//! No labels anywhere: what a part is worth is found out on normal clips, some of which are held out and altered
//! ([`trial`]).

mod cycle;
mod fitted_pooling;
mod mahalanobis;
mod pooling;
mod power;
mod trial;
mod views;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

pub use cycle::{Cycle, CycleParameters};
pub use fitted_pooling::FittedPooling;
pub(crate) use mahalanobis::LEAST_DEVIATION_DB;
pub use mahalanobis::{Mahalanobis, shrunken_covariance};
pub use pooling::Pooling;
pub(crate) use views::{ClipVectors, clip_vectors};

use self::cycle::Spectra;

use crate::DetectionError;
use crate::examined::Examined;

/// One way of looking, with its normal distances.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it makes of what it sees.
    pub parameters: PartParameters,
    /// How it looks.
    pub fitted_pooling: FittedPooling,
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

/// Spread of a score's logarithm for one normal deviation of the fused distance: normal scores lie around 1, nearly all
/// below 2.
pub(crate) const LOG_SPREAD: f64 = 0.25;

impl FusedDetector {
    /// The machine's cycle, where a part is about it.
    #[must_use]
    pub fn cycle(&self) -> Option<&Cycle> {
        self.parts.iter().find_map(|part| match &part.fitted_pooling {
            FittedPooling::Cycle(cycle) => Some(cycle),
            FittedPooling::Level | FittedPooling::Swing | FittedPooling::Moment => None,
        })
    }

    /// What it makes of one channel. The score is dimensionless, 1 for a typical normal channel: the geometric mean of
    /// the parts' distances, each in its own normal deviations, and what a moment adds. The band errors are those of
    /// the mean levels, and those of a moment that is beyond anything normal.
    #[must_use]
    pub fn examine(&self, spectrogram: ArrayView2<'_, f32>) -> Examined {
        let mut fusion = Fusion::default();
        let mut band_errors = Array1::zeros(0);
        let mut level_deviation: Option<&Array1<f64>> = None;
        for Part { parameters, fitted_pooling, distance } in &self.parts {
            let pooled = fitted_pooling.pool(spectrogram);
            let deviations = parameters.deviations(distance.distance(pooled.view()));
            fusion.add(parameters.pooling, deviations);
            match level_deviation {
                // The first part is the level.
                None => {
                    band_errors = (&pooled - &distance.mean).mapv_into(|apart| apart * apart);
                    level_deviation = Some(&distance.deviation);
                }
                // A moment that is beyond anything normal explains, too: by the error that as many deviations of the
                // level would be. Swing and cycle know only wider bands, and would blur what the level says.
                Some(level_deviation) if parameters.pooling == Pooling::Moment && deviations > BEYOND_NORMAL => {
                    let scaled = distance.scaled(pooled.view()).to_vec();
                    let of_mels = pooling::of_mels(&scaled, band_errors.len());
                    for ((error, apart), deviation) in band_errors.iter_mut().zip(of_mels).zip(level_deviation) {
                        *error = f64::max(*error, (apart * deviation).powi(2));
                    }
                }
                Some(_) => {}
            }
        }
        Examined { score: fusion.score(), band_errors: band_errors.to_vec() }
    }

    /// Fits all parts to clips (each with its channels), scores the clips of every fold by a detector that was not
    /// fitted to them, and leaves out the parts that notice nothing. Frames are `step_s` apart. `observe` hears of each
    /// fold: how many are done, of how many.
    pub(crate) fn cross_fit(
        clips: &[Vec<ArrayView2<'_, f32>>],
        folds: &[Vec<usize>],
        step_s: f64,
        seed: u64,
        observe: &mut dyn FnMut(usize, usize),
    ) -> Result<CrossFitted, DetectionError> {
        let spectra = Spectra::of(clips, step_s);
        let (mut tried, mut held_out_errors) = (Vec::new(), Vec::new());
        for (index, pooling) in Pooling::ALL.into_iter().enumerate() {
            let fitted = trial::fitted(pooling, clips, &spectra, folds, seed, &mut |done| {
                observe(index * folds.len() + done, Pooling::ALL.len() * folds.len());
            })?;
            // A machine without a cycle.
            let Some(fitted) = fitted else { continue };
            if pooling == Pooling::Level {
                let of_fold = |(fold, distance): (&Vec<usize>, &Mahalanobis)| -> Vec<Vec<f64>> {
                    fold.iter().map(|clip| band_errors(&distance.mean, &fitted.pooled[*clip])).collect()
                };
                held_out_errors = folds.iter().zip(&fitted.distances).flat_map(of_fold).collect();
            }
            tried.push(fitted);
        }
        let mut parts = Vec::new();
        let mut fusions = vec![Fusion::default(); held_out_errors.len()];
        for trial::TrialFit { fitted_pooling, pooled, normal, sensitivity, .. } in trial::keep(tried) {
            let distance = Mahalanobis::fit(&stacked(&pooled, |_| true))?;
            let pooling = fitted_pooling.pooling();
            let parameters = PartParameters::of(pooling, &normal, sensitivity)?;
            for (fusion, log) in fusions.iter_mut().zip(&normal) {
                fusion.add(pooling, (log - parameters.log_mean) / parameters.log_deviation);
            }
            parts.push(Part { parameters, fitted_pooling, distance });
        }
        let held_out_scores = fusions.iter().map(Fusion::score).collect();
        Ok(CrossFitted { detector: Self { parts }, held_out_scores, held_out_errors })
    }
}

/// From how many deviations of held-out normal clips on a part is beyond anything normal.
const BEYOND_NORMAL: f64 = 3.0;
/// What each deviation from there on adds: two or three of them decide by themselves.
const MOMENT_GAIN: f64 = 2.0;

/// What the parts of one channel or clip come to, in deviations of held-out normal ones.
#[derive(Debug, Clone, Default)]
struct Fusion {
    sum: f64,
    weights: f64,
    /// What a moment is beyond anything normal. It adds and never takes away, so that no steady normality hides a
    /// knock.
    excess: f64,
}

impl Fusion {
    fn add(&mut self, pooling: Pooling, deviations: f64) {
        self.sum += pooling.weight() * deviations;
        self.weights += pooling.weight();
        if pooling == Pooling::Moment {
            self.excess = MOMENT_GAIN * (deviations - BEYOND_NORMAL).max(0.0);
        }
    }

    fn score(&self) -> f64 {
        (LOG_SPREAD * (self.sum / self.weights + self.excess)).exp()
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
