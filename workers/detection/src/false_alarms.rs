//! What a threshold means: how often normal sound exceeds it, in alarms a month, and how sure that is with the clips there were.
//!
//! A threshold from few scores is itself uncertain. The parametric bootstrap says by how much (Efron and Tibshirani, *An Introduction to the
//! Bootstrap*, 1993, chapter 6): as many scores as were held out are drawn from the fitted distribution, a threshold is taken from them as training
//! takes it, and the fitted distribution tells at which rate normal sound would exceed that one. What the fit cannot know, it does not count:
//! that the machine may sound otherwise tomorrow than in any of the clips.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use serde::Serialize;

use crate::calibration::{P_VALUE_FLOOR, quantile};
use crate::{AlertPolicy, Calibration, GammaFit};

/// A mean month, s: 30.44 days.
pub const MONTH_S: f64 = 30.44 * 86_400.0;

/// Refits behind an interval: its ends then wander by about a tenth of its width.
pub const RESAMPLES: usize = 500;

/// The interval holds the middle 90 %.
const LOW_SHARE: f64 = 0.05;
const HIGH_SHARE: f64 = 0.95;

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
    /// Alarms raised. Chunks are taken to be independent of each other; in truth a noise lasts, so that there are more.
    pub alarms: f64,
}

impl AlarmCounts {
    /// At a rate of false alarms from clip to clip.
    ///
    /// From healthy to alarm and back is one cycle: the mean waiting time for a run of `k` successes of probability `p` is
    /// `(1 - p^k) / ((1 - p) p^k)` (Feller, *An Introduction to Probability Theory and Its Applications* I, 3rd edition, XIII.7), once for anomalous chunks and
    /// once for normal ones.
    #[must_use]
    pub fn of(rate: f64, cadence: Cadence, policy: &AlertPolicy) -> Self {
        let chunks = MONTH_S / cadence.0;
        let waiting = |p: f64, run: u32| {
            let all = p.powf(f64::from(run));
            if p >= 1.0 { f64::from(run) } else { (1.0 - all) / ((1.0 - p) * all) }
        };
        let cycle = waiting(rate, policy.raise_after.max(1)) + waiting(1.0 - rate, policy.clear_after.max(1));
        Self { anomalous_chunks: rate * chunks, alarms: chunks / cycle }
    }
}

/// What a threshold means, and how sure that is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FalseAlarms {
    /// Held-out clips that the threshold was taken from.
    pub clips: usize,
    /// One clip in that time, s.
    pub cadence_s: f64,
    /// Anomalous chunks in a row that raise an alarm.
    pub raise_after: u32,
    /// Share of normal clips that was asked to exceed the threshold at the most.
    pub rate: f64,
    /// 5 % quantile of the rates that thresholds from so many clips have.
    pub rate_low: f64,
    /// 95 % quantile of the same.
    pub rate_high: f64,
    /// A machine-month at the rate asked for.
    pub per_machine_month: AlarmCounts,
    /// At the low end.
    pub per_machine_month_low: AlarmCounts,
    /// At the high end.
    pub per_machine_month_high: AlarmCounts,
    /// The threshold that would hold the rate asked for with a confidence of 95 % (an upper tolerance bound). It is not the one that is used.
    pub tolerance_threshold: f64,
}

impl FalseAlarms {
    /// Of a calibration. Refits are drawn with `seed`: the same one gives the same figures.
    #[must_use]
    pub fn of(calibration: &Calibration, cadence: Cadence, policy: &AlertPolicy, seed: u64) -> Self {
        let (rate, clips) = (calibration.false_alarm_rate, calibration.scores.len());
        let bounds = RateBounds::of(&calibration.gamma, clips, rate, RESAMPLES, seed);
        let counts = |rate: f64| AlarmCounts::of(rate, cadence, policy);
        Self {
            clips,
            cadence_s: cadence.0,
            raise_after: policy.raise_after,
            rate,
            rate_low: bounds.low,
            rate_high: bounds.high,
            per_machine_month: counts(rate),
            per_machine_month_low: counts(bounds.low),
            per_machine_month_high: counts(bounds.high),
            tolerance_threshold: bounds.tolerance_threshold,
        }
    }

    /// In words, one line a thought.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        let Self { clips, raise_after, .. } = self;
        let month = self.per_machine_month;
        let mut lines = vec![format!(
            "at one clip each {} s a well machine has {} anomalous chunks a month and {} alarms ({raise_after} in a row; more in truth, for chunks are not independent)",
            self.cadence_s,
            count(month.anomalous_chunks),
            count(month.alarms)
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
            format!("{clips} clips: the true rate lies {between} (90 % of thresholds like this)")
        });
        lines
    }
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
    /// 5 % quantile.
    pub low: f64,
    /// 95 % quantile.
    pub high: f64,
    /// The threshold that would be exceeded at no more than the rate asked for with a confidence of 95 %.
    pub tolerance_threshold: f64,
}

impl RateBounds {
    /// Draws `clips` scores from the fit, `resamples` times, and fits again. The same on any number of cores.
    #[must_use]
    pub fn of(fit: &GammaFit, clips: usize, rate: f64, resamples: usize, seed: u64) -> Self {
        let threshold = fit.upper_quantile(rate);
        let mut seeds = StdRng::seed_from_u64(seed);
        let seeds: Vec<u64> = (0..resamples).map(|_| seeds.random()).collect();
        let refitted = |seed: u64| {
            let mut rng = StdRng::seed_from_u64(seed);
            // Uniform above 0, and not so near that the quantile is no number.
            let scores: Vec<f64> =
                (0..clips).map(|_| fit.upper_quantile(rng.random_range(1e-12..1.0)).max(f64::MIN_POSITIVE)).collect();
            let refit = GammaFit::of_roughly(&scores).ok()?;
            Some((fit.survival(refit.upper_quantile(rate)), refit.survival(threshold)))
        };
        let (mut rates, mut claims): (Vec<f64>, Vec<f64>) = seeds.into_par_iter().filter_map(refitted).unzip();
        rates.sort_by(f64::total_cmp);
        claims.sort_by(f64::total_cmp);
        if rates.is_empty() {
            return Self { low: 0.0, high: 1.0, tolerance_threshold: threshold };
        }
        // A refit that asks for the rate `claim` at its own threshold asks for the true one's: what 95 % of them claim at least is safe.
        let safe = quantile(&claims, LOW_SHARE).clamp(P_VALUE_FLOOR, rate);
        Self {
            low: quantile(&rates, LOW_SHARE),
            high: quantile(&rates, HIGH_SHARE),
            tolerance_threshold: fit.upper_quantile(safe),
        }
    }
}
