//! Evidence that a clip continues another one.
//!
//! Most sound is coloured: the next samples can be predicted from the previous ones except for a residual (linear
//! prediction). The prediction errors of the first sixteen samples after the joint are compared under two hypotheses:
//! the clip continues (errors as within the clip before), or it does not (errors as after any other segment of nearby
//! sound). The evidence is the log-likelihood ratio; both likelihoods are Student's with five degrees of freedom,
//! because sound has bursts. White noise gives no evidence for either hypothesis. A joint that fits by chance with
//! evidence `e` (natural logarithm) occurs once in exp(e) clips.
//!
//! A single joint gives little evidence: 1.0 to 2.0 on average for microphones at 16 kHz, while the maximum of 3,000
//! false joints was 4.0. Therefore the evidence of neighbours is summed.

use auscult_signal::prediction::{ORDER, predictor_of};
use ndarray::Array2;

use crate::cholesky::Cholesky;

/// Number of predicted samples after the joint.
const BEHIND: usize = 16;
/// Number of samples before the joint used to fit the predictor.
const LEARNED: usize = 16_384;
/// Number of samples before the joint used to measure the prediction error: over all of them, and over the last ones,
/// whichever is worse.
const COMPARED: usize = 4_096;
const LAST: usize = 512;
/// Errors of samples used for fitting are too small by some percent.
const OPTIMISM: f64 = 1.05;
/// Samples on each side of the joint from which other segments are taken; more distant sound may be louder.
const NEAR: usize = 4_096;
/// Number of segments per side.
const STRETCHES: usize = 160;
/// Degrees of freedom.
const FREEDOM: f64 = 5.0;
/// If the sum of squared errors, in units of the usual one, is below this, the errors are not those of the sound: by
/// chance once in 4,000 joints.
const LEAST_SQUARES: f64 = 3.5;
/// Minimum number of samples.
const FEWEST: usize = 2_048;

/// The start of a clip.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Start {
    /// Its first samples, at most [`NEAR`].
    samples: Vec<f32>,
}

/// The end of a clip, and the prediction after it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    /// Weights of the previous samples, the latest first.
    predictor: Vec<f64>,
    mean: f64,
    /// The last [`ORDER`] samples minus the mean.
    last: Vec<f64>,
    /// Root mean square of the prediction error of one sample.
    error: f64,
    /// Of errors if other segments near the end follow it: the inverse factor of the matrix, and the logarithm of the
    /// determinant.
    other: Spread,
}

/// A covariance of errors, prepared for evaluation.
#[derive(Debug, Clone, PartialEq)]
struct Spread {
    inverse_factor: Array2<f64>,
    log_determinant: f64,
}

impl Start {
    pub(super) fn of(samples: &[f32]) -> Self {
        Self { samples: samples[..samples.len().min(NEAR)].to_vec() }
    }
}

impl End {
    /// `None` for a clip that is too short, silent or too close to white noise.
    pub(super) fn of(samples: &[f32]) -> Option<Self> {
        if samples.len() < FEWEST {
            return None;
        }
        let learned = &samples[samples.len().saturating_sub(LEARNED)..];
        let mean = learned.iter().map(|&sample| f64::from(sample)).sum::<f64>() / learned.len() as f64;
        let values: Vec<f64> = learned.iter().map(|&sample| f64::from(sample) - mean).collect();
        let predictor = predictor_of(&values)?;
        let error_of_last = |count: usize| {
            let from = values.len().saturating_sub(count).max(ORDER);
            let squares = (from..values.len()).map(|at| error(&predictor, &values[at - ORDER..at], values[at]).powi(2));
            (squares.sum::<f64>() / (values.len() - from) as f64).sqrt()
        };
        let error = OPTIMISM * error_of_last(COMPARED).max(error_of_last(LAST));
        if !(error > 0.0 && error.is_finite()) {
            return None;
        }
        let last = values[values.len() - ORDER..].to_vec();
        let near = &samples[samples.len().saturating_sub(NEAR)..];
        let other = spread(&predictor, mean, &last, near)?;
        Some(Self { predictor, mean, last, error, other })
    }
}

/// The evidence that a clip continues another one, natural logarithm; `None` if there is no evidence.
pub(super) fn evidence(before: &End, after: &Start) -> Option<f64> {
    if after.samples.len() < FEWEST {
        return None;
    }
    let End { predictor, mean, last, error, other } = before;
    let errors = errors_behind(predictor, *mean, last, &after.samples[..BEHIND]);
    let of_after = spread(predictor, *mean, last, &after.samples)?;
    let squares: f64 = errors.iter().map(|found| (found / error).powi(2)).sum();
    // Both sides of the joint are quiet, between sounds: the joint would fit any quiet clip.
    if squares < LEAST_SQUARES {
        return Some(0.0);
    }
    let goes_on = log_likelihood(squares, 2.0 * BEHIND as f64 * error.ln());
    let is_other = other.log_likelihood(&errors).max(of_after.log_likelihood(&errors));
    Some(goes_on - is_other).filter(|evidence| evidence.is_finite())
}

impl Spread {
    fn log_likelihood(&self, errors: &[f64]) -> f64 {
        let whitened = self.inverse_factor.dot(&ndarray::ArrayView1::from(errors));
        log_likelihood(whitened.iter().map(|value| value * value).sum(), self.log_determinant)
    }
}

/// Of Student's distribution in [`BEHIND`] dimensions, up to a constant.
fn log_likelihood(squares: f64, log_determinant: f64) -> f64 {
    -0.5 * log_determinant - 0.5 * (FREEDOM + BEHIND as f64) * (squares / FREEDOM).ln_1p()
}

/// The covariance of errors if segments of `near` follow the end.
fn spread(predictor: &[f64], mean: f64, last: &[f64], near: &[f32]) -> Option<Spread> {
    let (first, room) = (4 * BEHIND, near.len().checked_sub(5 * BEHIND)?);
    let mut covariance = Array2::<f64>::zeros((BEHIND, BEHIND));
    for stretch in 0..STRETCHES {
        let at = first + room.saturating_sub(first) * stretch / STRETCHES;
        let errors = errors_behind(predictor, mean, last, &near[at..at + BEHIND]);
        for row in 0..BEHIND {
            for column in 0..BEHIND {
                covariance[[row, column]] += errors[row] * errors[column] / STRETCHES as f64;
            }
        }
    }
    // The covariance of so few segments is not exact.
    for row in 0..BEHIND {
        for column in 0..BEHIND {
            if row != column {
                covariance[[row, column]] *= 0.95;
            }
        }
    }
    let Cholesky { inverse_factor, log_determinant } = Cholesky::of(&covariance)?;
    Some(Spread { inverse_factor, log_determinant })
}

/// Prediction errors of the samples of `behind`, each predicted from all samples before it.
fn errors_behind(predictor: &[f64], mean: f64, last: &[f64], behind: &[f32]) -> Vec<f64> {
    let values: Vec<f64> = last.iter().copied().chain(behind.iter().map(|&sample| f64::from(sample) - mean)).collect();
    (ORDER..values.len()).map(|at| error(predictor, &values[at - ORDER..at], values[at])).collect()
}

fn error(predictor: &[f64], before: &[f64], value: f64) -> f64 {
    value - predictor.iter().zip(before.iter().rev()).map(|(weight, value)| weight * value).sum::<f64>()
}
