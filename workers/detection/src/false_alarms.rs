//! What a threshold means: how often normal sound exceeds it, in alarms a month, and how sure that is with the clips
//! there were.
//!
//! A threshold from few scores is itself uncertain. The parametric bootstrap says by how much (Efron and Tibshirani,
//! *An Introduction to the Bootstrap*, 1993, chapter 6): as many scores as were held out are drawn from the fitted
//! distribution, a threshold is taken from them as training takes it, and the fitted distribution tells at which rate
//! normal sound would exceed that one. Which of its two distributions is the right one few scores cannot tell either:
//! both are tried, and the interval is as wide as both together. What no fit can know is not counted: that the machine
//! may sound otherwise tomorrow than in any of the clips.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use serde::Serialize;

use crate::calibration::{P_VALUE_FLOOR, quantile};
use crate::{AlertPolicy, Calibration, DetectionError, GammaFit};

/// A mean month, s: 30.44 days.
pub const MONTH_S: f64 = 30.44 * 86_400.0;

/// Refits of each distribution behind an interval: its ends then wander by about a tenth of its width.
pub const RESAMPLES: usize = 500;

/// The interval is to hold the true rate in nine of ten trainings. Refits from a distribution that is itself fitted
/// spread a little less than those from the true one, so that the middle 94 % are taken for it; `tests/honesty.rs`
/// counts how many are held.
const LOW_SHARE: f64 = 0.03;
const HIGH_SHARE: f64 = 0.97;

/// With fewer clips than that a rate is hardly known.
pub const ENOUGH_CLIPS: usize = 50;

/// How often a machine is listened to: one clip in that time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cadence(f64);

impl Default for Cadence {
    /// One clip each ten seconds: nothing is missed.
    fn default() -> Self {
        Self(10.0)
    }
}

impl Cadence {
    /// s.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}s", self.0)
    }
}

impl FromStr for Cadence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration: Option<SignedDuration> = text.parse().ok();
        match duration.map(|duration| duration.as_secs_f64()) {
            Some(seconds) if seconds > 0.0 => Ok(Self(seconds)),
            _ => Err("must be a time above zero with its unit, such as 10s, 5m or 1h".to_owned()),
        }
    }
}

/// What a rate of false alarms comes to in a month of one machine that is well.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AlarmCounts {
    /// Chunks judged anomalous.
    pub anomalous_chunks: f64,
    /// Warnings that begin, those that grow into an alarm among them.
    pub warnings: f64,
    /// Alarms raised. Chunks are taken to be independent of each other; in truth a noise lasts, so that there are more.
    pub alarms: f64,
}

impl AlarmCounts {
    /// At a rate of anomalous chunks, and a rate of chunks that are normal again, from chunk to chunk of a machine that
    /// is well.
    ///
    /// From healthy to alarm and back is one cycle, and a month has as many alarms as cycles (renewal). Both parts are
    /// exact for independent chunks, and warnings are counted as if alarms took no time from them: see [`mean_chunks_to_alarm`]
    /// and [`mean_alarm_length`].
    #[must_use]
    pub fn of(rate: f64, clear_rate: f64, cadence: Cadence, policy: &AlertPolicy) -> Self {
        let chunks = MONTH_S / cadence.0;
        let hold = (f64::from(policy.min_alarm_secs) / cadence.0).ceil() as u64;
        let stand = mean_alarm_length(clear_rate, policy.clear_after, hold);
        let cycles = |of: u32, window: u32| chunks / (mean_chunks_to_alarm(rate, of, window) + stand);
        Self {
            anomalous_chunks: rate * chunks,
            warnings: cycles(policy.warn_of, policy.warn_window),
            alarms: cycles(policy.raise_of, policy.raise_window),
        }
    }
}

/// What a threshold means, and how sure that is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FalseAlarms {
    /// Held-out clips that the threshold was taken from; pieces of one recording count as one.
    pub clips: usize,
    /// One clip in that time, s.
    pub cadence_s: f64,
    /// Anomalous chunks that raise an alarm.
    pub raise_of: u32,
    /// Among so many of the latest.
    pub raise_window: u32,
    /// Share of normal clips that was asked to exceed the threshold at the most.
    pub rate: f64,
    /// Low end of the interval in which the true rate lies in nine of ten trainings with so many clips.
    pub rate_low: f64,
    /// Its high end.
    pub rate_high: f64,
    /// A machine-month at the rate asked for.
    pub per_machine_month: AlarmCounts,
    /// At the low end.
    pub per_machine_month_low: AlarmCounts,
    /// At the high end.
    pub per_machine_month_high: AlarmCounts,
    /// The threshold that would hold the rate asked for with a confidence of 95 % (an upper tolerance bound). It is not
    /// the one that is used.
    pub tolerance_threshold: f64,
}

impl FalseAlarms {
    /// Of a calibration. Refits are drawn with `seed`: the same one gives the same figures.
    ///
    /// # Errors
    /// [`DetectionError::Training`] when its scores are none that a distribution can be fitted to.
    pub fn of(
        calibration: &Calibration,
        cadence: Cadence,
        policy: &AlertPolicy,
        seed: u64,
    ) -> Result<Self, DetectionError> {
        let rate = calibration.false_alarm_rate;
        // Pieces of one recording are not independent of each other: they tell no more than one clip would.
        let clips = calibration.recordings.unwrap_or(calibration.scores.len());
        let bounds = RateBounds::around(&calibration.gamma, &calibration.scores, clips, rate, RESAMPLES, seed)?;
        let median = quantile(&calibration.scores, 0.5);
        let clear = median + policy.clear_ratio * (calibration.threshold - median);
        let clear_rate = (1.0 - calibration.gamma.survival(clear)).clamp(0.0, 1.0);
        // Where more chunks are anomalous than was asked for, fewer are normal again.
        let counts = |of: f64| AlarmCounts::of(of, clear_rate.min(1.0 - of), cadence, policy);
        Ok(Self {
            clips,
            cadence_s: cadence.0,
            raise_of: policy.raise_of,
            raise_window: policy.raise_window,
            rate,
            rate_low: bounds.low,
            rate_high: bounds.high,
            per_machine_month: counts(rate),
            per_machine_month_low: counts(bounds.low),
            per_machine_month_high: counts(bounds.high),
            tolerance_threshold: bounds.tolerance_threshold,
        })
    }

    /// In words, one line a thought.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        let Self { clips, raise_of, raise_window, .. } = self;
        let month = self.per_machine_month;
        let mut lines = vec![format!(
            "at one clip each {} s a well machine has {} anomalous chunks a month and {} alarms ({raise_of} of {raise_window}; more in truth, for chunks are not independent), {} warnings",
            self.cadence_s,
            count(month.anomalous_chunks),
            count(month.alarms),
            count(month.warnings)
        )];
        let between = format!(
            "between {} and {}, {} to {} alarms a month",
            percent(self.rate_low),
            percent(self.rate_high),
            count(self.per_machine_month_low.alarms),
            count(self.per_machine_month_high.alarms)
        );
        lines.push(if *clips < ENOUGH_CLIPS {
            let more = ENOUGH_CLIPS - clips;
            format!("{clips} clips: the true rate may lie anywhere {between}; record at least {more} more")
        } else {
            format!("{clips} clips: the true rate lies {between} in nine of ten trainings like this")
        });
        lines
    }
}

/// The mean number of chunks until `of` among the latest `window` are anomalous, each with this probability and
/// independent of the others. Exact, up to a relative error of 1e-9: the Markov chain of the latest `window - 1` chunks
/// is followed until it leaves at a steady rate, and from then on the wait is geometric. Only positive numbers are
/// added, so that a rare event loses no digits. A `window` beyond 16 is cut to it.
#[must_use]
pub fn mean_chunks_to_alarm(rate: f64, of: u32, window: u32) -> f64 {
    let window = window.clamp(1, AlertPolicy::MAX_WINDOW);
    let of = of.clamp(1, window);
    if rate <= 0.0 {
        return f64::INFINITY;
    }
    let mask = (1_usize << (window - 1)) - 1;
    let mut alive = vec![0.0; mask + 1];
    alive[0] = 1.0;
    let (mut wait, mut last_rate, mut steady) = (0.0, 0.0_f64, 0);
    loop {
        let survival: f64 = alive.iter().sum();
        if survival < 1e-15 {
            return wait;
        }
        let mut next = vec![0.0; mask + 1];
        let mut raised = 0.0;
        for (recent, mass) in alive.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
            next[recent << 1 & mask] += mass * (1.0 - rate);
            if recent.count_ones() + 1 >= of {
                raised += mass * rate;
            } else {
                next[(recent << 1 | 1) & mask] += mass * rate;
            }
        }
        let leaving = raised / survival;
        steady = if (leaving - last_rate).abs() <= 1e-12 * leaving && leaving > 0.0 { steady + 1 } else { 0 };
        if steady > window {
            return wait + survival / leaving;
        }
        wait += survival;
        (alive, last_rate) = (next, leaving);
    }
}

/// The mean number of chunks that an alarm stands after the chunk that raised it: until `run` chunks in a row are
/// normal again, each with this probability, but at least `hold`. Exact for independent chunks: the run's length is
/// followed through the hold, and from run `j` on the mean wait for run `k` is `W(k) - W(j)` with
/// `W(k) = (1 - p^k) / ((1 - p) p^k)` (Feller, *An Introduction to Probability Theory and Its Applications* I, 3rd
/// edition, XIII.7).
#[must_use]
pub fn mean_alarm_length(clear_rate: f64, run: u32, hold: u64) -> f64 {
    let run = run.max(1) as usize;
    let waiting = |run: usize| {
        if clear_rate >= 1.0 {
            return run as f64;
        }
        let all = clear_rate.powi(run as i32);
        (1.0 - all) / ((1.0 - clear_rate) * all)
    };
    // After the chunk that comes when the hold is over, the alarm is cleared if the run is long enough.
    let mut runs = vec![0.0; run + 1];
    runs[0] = 1.0;
    let hold = hold.max(1);
    // Beyond some thousand chunks the run's length has long forgotten where it began.
    for _ in 0..hold.min(10_000) {
        let mut next = vec![0.0; run + 1];
        for (length, mass) in runs.iter().enumerate() {
            next[0] += mass * (1.0 - clear_rate);
            next[(length + 1).min(run)] += mass * clear_rate;
        }
        runs = next;
    }
    let rest: f64 = runs
        .iter()
        .enumerate()
        .map(|(length, mass)| if *mass > 0.0 { mass * (waiting(run) - waiting(length)) } else { 0.0 })
        .sum();
    hold as f64 + rest
}

/// `1.2 %`.
fn percent(rate: f64) -> String {
    let percent = 100.0 * rate;
    if percent >= 1.0 {
        format!("{percent:.1} %")
    } else if percent >= 1e-3 {
        // Two digits that mean something.
        let digits = (1.0 - percent.log10().floor()) as usize;
        format!("{percent:.digits$} %")
    } else {
        "0.001 %".to_owned()
    }
}

/// A number of events: `2630`, `0.26`, `less than 0.01`.
fn count(events: f64) -> String {
    match events {
        events if events < 0.01 => "less than 0.01".to_owned(),
        events if events < 10.0 => format!("{events:.2}"),
        events => format!("{events:.0}"),
    }
}

/// Where the true rate at a threshold lies that was taken from so many scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateBounds {
    /// Low end of the 90 % interval.
    pub low: f64,
    /// High end.
    pub high: f64,
    /// The threshold that would be exceeded at no more than the rate asked for with a confidence of 95 %.
    pub tolerance_threshold: f64,
}

impl RateBounds {
    /// Of held-out scores and the rate that is asked for. `resamples` refits of each of the two distributions; the same
    /// on any number of cores.
    ///
    /// # Errors
    /// [`DetectionError::Training`] when no gamma distribution can be fitted.
    pub fn of(scores: &[f64], rate: f64, resamples: usize, seed: u64) -> Result<Self, DetectionError> {
        Self::around(&GammaFit::of(scores)?, scores, scores.len(), rate, resamples, seed)
    }

    /// As [`RateBounds::of`], around the fit that is used, of scores that tell no more than so many independent ones
    /// would, at least 3.
    fn around(
        used: &GammaFit,
        scores: &[f64],
        independent: usize,
        rate: f64,
        resamples: usize,
        seed: u64,
    ) -> Result<Self, DetectionError> {
        let mut seeds = StdRng::seed_from_u64(seed);
        let (mut low, mut high, mut safe) = (rate, rate, rate);
        for truth in [GammaFit::from_zero(scores)?, GammaFit::located(scores)?] {
            let seeds: Vec<u64> = (0..resamples).map(|_| seeds.random()).collect();
            let threshold = truth.upper_quantile(rate);
            let refitted = |seed: u64| {
                let mut rng = StdRng::seed_from_u64(seed);
                let drawn: Vec<f64> = (0..independent.max(3)).map(|_| variate(&truth, &mut rng)).collect();
                let refit = GammaFit::of_roughly(&drawn).ok()?;
                Some((truth.survival(refit.upper_quantile(rate)), refit.survival(threshold)))
            };
            let (mut rates, mut claims): (Vec<f64>, Vec<f64>) = seeds.into_par_iter().filter_map(refitted).unzip();
            rates.sort_by(f64::total_cmp);
            claims.sort_by(f64::total_cmp);
            if rates.is_empty() {
                return Err(DetectionError::Training("no resample of the held-out scores can be fitted".to_owned()));
            }
            low = low.min(next_quantile(&rates, LOW_SHARE));
            high = high.max(next_quantile(&rates, HIGH_SHARE));
            // A threshold at which a refit claims the rate `claim` is the true one for the rate asked for: what nearly
            // all claim at least is safe.
            safe = safe.min(next_quantile(&claims, LOW_SHARE));
        }
        Ok(Self { low, high, tolerance_threshold: used.upper_quantile(safe.max(P_VALUE_FLOOR)) })
    }
}

/// The value that the next one of a sample lies below with this probability (type 6 of Hyndman and Fan 1996): farther
/// out than the sample's own quantile.
fn next_quantile(ascending: &[f64], probability: f64) -> f64 {
    let count = ascending.len() as f64;
    quantile(ascending, (probability * (count + 1.0) - 1.0) / (count - 1.0).max(1.0))
}

/// A variate of a fitted distribution (Marsaglia and Tsang, *A simple method for generating gamma variables*, 2000).
/// Positive, as scores are.
fn variate(fit: &GammaFit, rng: &mut StdRng) -> f64 {
    let uniform = |rng: &mut StdRng| rng.random_range(f64::MIN_POSITIVE..1.0);
    // Below shape 1 a variate of the next greater shape, times a power of a uniform one.
    let (shape, factor) =
        if fit.shape < 1.0 { (fit.shape + 1.0, uniform(rng).powf(fit.shape.recip())) } else { (fit.shape, 1.0) };
    let d = shape - 1.0 / 3.0;
    let c = (9.0 * d).sqrt().recip();
    loop {
        // Box and Muller's normal variate.
        let normal = (-2.0 * uniform(rng).ln()).sqrt() * (std::f64::consts::TAU * uniform(rng)).cos();
        let cube = (1.0 + c * normal).powi(3);
        if cube > 0.0 && uniform(rng).ln() < 0.5 * normal * normal + d - d * cube + d * cube.ln() {
            return (fit.location + fit.scale * factor * d * cube).max(f64::MIN_POSITIVE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variates_have_the_mean_and_the_variance_of_their_distribution() {
        let mut rng = StdRng::seed_from_u64(5);
        for (shape, scale, location) in [(0.4, 2.0, 0.0), (1.0, 1.0, 3.0), (4.0, 0.5, 0.0), (200.0, 0.1, -5.0)] {
            let fit = GammaFit { shape, scale, location };
            let values: Vec<f64> = (0..100_000).map(|_| variate(&fit, &mut rng)).collect();
            let mean = values.iter().sum::<f64>() / 1e5;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 1e5;
            assert!((mean - location - shape * scale).abs() < 0.02 * shape.sqrt() * scale, "{fit:?}: {mean}");
            assert!((variance / (shape * scale * scale) - 1.0).abs() < 0.06, "{fit:?}: {variance}");
        }
    }
}
