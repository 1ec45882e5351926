//! From held-out normal scores to a threshold, p-values and a health index.
//!
//! A clip's score is a mean of many squared errors. Most normal clips score within a narrow range, and a few (a door, a
//! truck, a pump that starts) far above it: the distribution rises late and falls slowly. A gamma distribution from
//! zero on cannot be both narrow and skewed; one with a location can (`scipy.stats.gamma.fit(scores)`), but three
//! parameters of a few scores follow their accidents. So both are fitted by maximum likelihood, and the corrected
//! Akaike criterion decides (Hurvich and Tsai 1989).
//!
//! What a p-value presupposes: that the machine's normal sound goes on as it was in training. Another season, load or
//! neighbour is no fault and yet unlikely; that is what drift reports are for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Gamma};
use statrs::function::gamma::{digamma, ln_gamma};

use crate::DetectionError;

/// The fewest clips that a threshold is calibrated with. Of eight scores a gamma distribution's shape has a standard
/// error of half its value (`sqrt(2 / 8)`): a threshold to begin with, no more.
pub const MIN_CLIPS: usize = 8;

/// The smallest p-value that is ever claimed. A few hundred clips cannot vouch for rarer events than one in a million,
/// however far the fitted tail is followed; and a p-value of zero would say that normal sound *cannot* score so high.
pub const P_VALUE_FLOOR: f64 = 1e-6;

/// How finely the best parameters are searched for.
#[derive(Debug, Clone, Copy)]
struct Search {
    /// Rounds of the search for the location, each 32 times as fine as the one before.
    rounds: usize,
    /// Halvings of the interval that the shape lies in.
    bisections: usize,
}

const FINE: Search = Search { rounds: 6, bisections: 100 };
const ROUGH: Search = Search { rounds: 2, bisections: 10 };

/// How far below the lowest score the location may lie.
const MAX_LOCATION_DEVIATIONS: f64 = 1000.0;

/// A gamma distribution from a location on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GammaFit {
    /// Shape k.
    pub shape: f64,
    /// Scale θ, in the scores' unit.
    pub scale: f64,
    /// Location: no value lies below it, in the scores' unit.
    pub location: f64,
}

impl GammaFit {
    /// The better of [`GammaFit::from_zero`] and [`GammaFit::located`] by the corrected Akaike criterion.
    ///
    /// # Errors
    /// [`DetectionError::Training`] when a score is not positive and finite, or when they are all the same.
    pub fn of(scores: &[f64]) -> Result<Self, DetectionError> {
        Self::better(&Weighted::equally(scores), FINE)
    }

    /// As [`GammaFit::of`], where each score counts with a weight. Their sum is the number of independent scores.
    ///
    /// # Errors
    /// As [`GammaFit::of`].
    pub(crate) fn of_weighted(scores: &[f64], weights: &[f64]) -> Result<Self, DetectionError> {
        Self::better(&Weighted { scores, weights: weights.to_vec() }, FINE)
    }

    /// As [`GammaFit::of`], with a location that is searched for less finely: for fits by the hundred, of which only
    /// the spread counts.
    pub(crate) fn of_roughly(scores: &[f64]) -> Result<Self, DetectionError> {
        Self::better(&Weighted::equally(scores), ROUGH)
    }

    fn better(scores: &Weighted<'_>, search: Search) -> Result<Self, DetectionError> {
        scores.check()?;
        let from_zero = Self::at_location(scores, 0.0, FINE.bisections);
        let located = Self::located_by(scores, search);
        let count = scores.count();
        let criterion = |fit: &Self, parameters: f64| {
            let room = count - parameters - 1.0;
            let correction = if room > 0.0 { 2.0 * parameters * (parameters + 1.0) / room } else { f64::INFINITY };
            2.0 * parameters - 2.0 * count * fit.mean_log_likelihood(scores) + correction
        };
        Ok(if criterion(&located, 3.0) < criterion(&from_zero, 2.0) { located } else { from_zero })
    }

    /// The maximum-likelihood fit with location 0 (`scipy.stats.gamma.fit(scores, floc=0)`).
    ///
    /// # Errors
    /// [`DetectionError::Training`] when a score is not positive and finite, or when they are all the same.
    pub fn from_zero(scores: &[f64]) -> Result<Self, DetectionError> {
        let scores = Weighted::equally(scores);
        scores.check()?;
        Ok(Self::at_location(&scores, 0.0, FINE.bisections))
    }

    /// The maximum-likelihood fit with all three parameters. Two bounds make it well-posed where SciPy's may run away:
    /// the shape is at least 1 (below, the likelihood grows without bound towards the lowest score; Cheng and Traylor
    /// 1995), and the location is at most a thousand standard deviations below the lowest score, where the distribution
    /// is as good as normal.
    ///
    /// # Errors
    /// [`DetectionError::Training`] when a score is not positive and finite, or when they are all the same.
    pub fn located(scores: &[f64]) -> Result<Self, DetectionError> {
        let scores = Weighted::equally(scores);
        scores.check()?;
        Ok(Self::located_by(&scores, FINE))
    }

    fn located_by(scores: &Weighted<'_>, search: Search) -> Self {
        let (mean, deviation) = scores.moments();
        let lowest = scores.scores.iter().copied().fold(f64::INFINITY, f64::min);
        // For each location the best shape and scale are known, so only the location is searched for: by its distance
        // below the lowest score, on a logarithmic scale, coarse first and then around the best.
        let (mut low, mut high) = ((1e-6 * deviation).ln(), (MAX_LOCATION_DEVIATIONS * deviation).ln());
        // The bound itself: shape 1, whose likelihood is greatest with the lowest score as location.
        let mut best = Self { shape: 1.0, scale: mean - lowest, location: lowest };
        let mut best_likelihood = best.mean_log_likelihood(scores);
        for _ in 0..search.rounds {
            let step = (high - low) / 64.0;
            let mut best_at = low;
            for index in 0..=64 {
                let at = low + step * f64::from(index);
                let candidate = Self::at_location(scores, lowest - at.exp(), search.bisections);
                let likelihood = candidate.mean_log_likelihood(scores);
                if candidate.shape >= 1.0 && likelihood > best_likelihood {
                    (best, best_likelihood, best_at) = (candidate, likelihood, at);
                }
            }
            (low, high) = (best_at - step, best_at + step);
        }
        best
    }

    /// The best shape and scale for a location below all scores.
    fn at_location(scores: &Weighted<'_>, location: f64, bisections: usize) -> Self {
        let mean = scores.mean(|score| score - location);
        // ln(mean) - mean(ln), which is 0 for equal scores and grows with their spread.
        let spread = -scores.mean(|score| ((score - location) / mean).ln());
        // The likelihood is greatest where ln k - ψ(k) = spread; the left side falls from ∞ to 0 and lies between 1/2k
        // and 1/k.
        let (mut low, mut high) = (0.5 / spread, 1.0 / spread);
        for _ in 0..bisections {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high {
                // Neighbours: no number lies between.
                break;
            }
            if middle.ln() - digamma(middle) > spread {
                low = middle;
            } else {
                high = middle;
            }
        }
        let shape = f64::midpoint(low, high);
        Self { shape, scale: mean / shape, location }
    }

    fn mean_log_likelihood(&self, scores: &Weighted<'_>) -> f64 {
        let mean = scores.mean(|score| {
            let scaled = (score - self.location) / self.scale;
            // At shape 1 the logarithm has no part, and at the location itself it is infinite.
            if self.shape == 1.0 { -scaled } else { (self.shape - 1.0) * scaled.ln() - scaled }
        });
        mean - ln_gamma(self.shape) - self.scale.ln()
    }

    fn standard(&self) -> Gamma {
        Gamma::new(self.shape, 1.0).expect("the shape is positive: fitted so, or checked when read")
    }

    /// Probability of a value at least as high.
    #[must_use]
    pub fn survival(&self, score: f64) -> f64 {
        self.standard().sf((score - self.location) / self.scale)
    }

    /// The value that is exceeded with this probability.
    #[must_use]
    pub fn upper_quantile(&self, probability: f64) -> f64 {
        self.location + self.scale * self.standard().inverse_cdf(1.0 - probability)
    }
}

/// Scores that count differently.
struct Weighted<'a> {
    scores: &'a [f64],
    /// One for each score. Their sum is the number of independent scores.
    weights: Vec<f64>,
}

impl<'a> Weighted<'a> {
    fn equally(scores: &'a [f64]) -> Self {
        Self { scores, weights: vec![1.0; scores.len()] }
    }

    /// Number of independent scores.
    fn count(&self) -> f64 {
        self.weights.iter().sum()
    }

    fn mean(&self, of: impl Fn(f64) -> f64) -> f64 {
        self.scores.iter().zip(&self.weights).map(|(score, weight)| weight * of(*score)).sum::<f64>() / self.count()
    }

    /// Mean and standard deviation.
    fn moments(&self) -> (f64, f64) {
        let mean = self.mean(|score| score);
        (mean, self.mean(|score| (score - mean).powi(2)).sqrt())
    }

    fn check(&self) -> Result<(), DetectionError> {
        if !self.scores.iter().all(|score| score.is_finite() && *score > 0.0) {
            let reason = "a held-out clip's score is not a positive number; is the sound silent?";
            return Err(DetectionError::Training(reason.to_owned()));
        }
        let (mean, deviation) = self.moments();
        if self.scores.len() < 2 || deviation <= 1e-9 * mean {
            let reason = "the held-out scores are all the same; the clips seem to be silent, or copies of one";
            return Err(DetectionError::Training(reason.to_owned()));
        }
        Ok(())
    }
}

/// What held-out normal clips say of normal scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Scores of clips that the judging detector had not been fitted to, ascending, in its unit.
    pub scores: Vec<f64>,
    /// How many recordings those clips are pieces of, each of which counts once; absent where each is one by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recordings: Option<usize>,
    /// The distribution fitted to them.
    pub gamma: GammaFit,
    /// The share of normal clips that may score above the threshold.
    pub false_alarm_rate: f64,
    /// Scores above it are anomalous: the gamma distribution's quantile, dB².
    pub threshold: f64,
    /// The scores' own quantile, for comparison, dB². With fewer than `1 / false_alarm_rate` scores it cannot lie
    /// beyond the highest.
    pub empirical_threshold: f64,
    /// Mean over the held-out clips of each mel band's squared error, dB², `[mels]`.
    pub band_error_mean_db2: Vec<f64>,
    /// Standard deviation over the held-out clips of each mel band's squared error, dB², `[mels]`.
    pub band_error_deviation_db2: Vec<f64>,
}

impl Calibration {
    /// Calibrates on held-out clips: the squared error of each mel band of each clip, `[clips][mels]`, dB². A clip's
    /// score is the mean over its bands.
    ///
    /// # Errors
    /// [`DetectionError::Training`] when no gamma distribution can be fitted.
    pub fn fit(band_errors: &[Vec<f64>], false_alarm_rate: f64) -> Result<Self, DetectionError> {
        let scores = band_errors.iter().map(|bands| bands.iter().sum::<f64>() / bands.len() as f64).collect();
        Self::of_scores(scores, band_errors, false_alarm_rate)
    }

    /// As [`Calibration::fit`], for a detector whose score is not the mean of its bands' errors: one score a clip.
    ///
    /// # Errors
    /// [`DetectionError::Training`] when no gamma distribution can be fitted.
    pub fn of_scores(
        scores: Vec<f64>,
        band_errors: &[Vec<f64>],
        false_alarm_rate: f64,
    ) -> Result<Self, DetectionError> {
        let each = (0..scores.len()).collect::<Vec<usize>>();
        Self::of_recordings(scores, &each, band_errors, false_alarm_rate)
    }

    /// As [`Calibration::of_scores`], for clips that are pieces of recordings: the number of each score's recording. A
    /// recording counts once, however many pieces it has, since its pieces are not independent of each other.
    ///
    /// # Errors
    /// [`DetectionError::Training`] when no gamma distribution can be fitted.
    pub fn of_recordings(
        mut scores: Vec<f64>,
        recordings: &[usize],
        band_errors: &[Vec<f64>],
        false_alarm_rate: f64,
    ) -> Result<Self, DetectionError> {
        let mut pieces: BTreeMap<usize, usize> = BTreeMap::new();
        recordings.iter().for_each(|recording| *pieces.entry(*recording).or_default() += 1);
        let weights: Vec<f64> = recordings.iter().map(|recording| 1.0 / pieces[recording] as f64).collect();
        let gamma = GammaFit::of_weighted(&scores, &weights)?;
        scores.sort_by(f64::total_cmp);

        let clips = band_errors.len() as f64;
        let bands = band_errors.first().map_or(0, Vec::len);
        let mut mean = vec![0.0; bands];
        for clip in band_errors {
            for (sum, error) in mean.iter_mut().zip(clip) {
                *sum += error / clips;
            }
        }
        let mut deviation = vec![0.0; bands];
        for clip in band_errors {
            for ((sum, error), mean) in deviation.iter_mut().zip(clip).zip(&mean) {
                *sum += (error - mean).powi(2) / (clips - 1.0).max(1.0);
            }
        }
        deviation.iter_mut().for_each(|variance| *variance = variance.sqrt());

        Ok(Self {
            threshold: gamma.upper_quantile(false_alarm_rate),
            empirical_threshold: quantile(&scores, 1.0 - false_alarm_rate),
            recordings: (pieces.len() < scores.len()).then_some(pieces.len()),
            scores,
            gamma,
            false_alarm_rate,
            band_error_mean_db2: mean,
            band_error_deviation_db2: deviation,
        })
    }

    /// The probability that normal sound scores this high or higher, never below [`P_VALUE_FLOOR`].
    #[must_use]
    pub fn p_value(&self, score: f64) -> f64 {
        self.gamma.survival(score).clamp(P_VALUE_FLOOR, 1.0)
    }

    /// 100 at or below the median of normal scores, 50 at the threshold, and towards 0 beyond it.
    ///
    /// With `z` the distance from the median in units of the threshold's: `100 - 50 z` up to the threshold, `50 / z`
    /// beyond. The two meet with the same slope; the hyperbola still tells a bad machine from a worse one where a
    /// straight line has long been at 0.
    #[must_use]
    pub fn health_index(&self, score: f64) -> f64 {
        health_index(score, quantile(&self.scores, 0.5), self.threshold)
    }
}

/// [`Calibration::health_index`] for any median and threshold.
pub(crate) fn health_index(score: f64, median: f64, threshold: f64) -> f64 {
    let distance = (score - median) / (threshold - median).max(f64::MIN_POSITIVE);
    if distance <= 0.0 {
        100.0
    } else if distance <= 1.0 {
        100.0 - 50.0 * distance
    } else {
        50.0 / distance
    }
}

/// The quantile of ascending values, linear between neighbours (NumPy's default, type 7 of Hyndman and Fan 1996).
///
/// # Panics
/// When there are no values.
#[must_use]
pub fn quantile(ascending: &[f64], probability: f64) -> f64 {
    let position = probability.clamp(0.0, 1.0) * (ascending.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(ascending.len() - 1);
    ascending[below] + (position - below as f64) * (ascending[above] - ascending[below])
}
