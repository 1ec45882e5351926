//! Derives each chart's limit from the required run length between false alarms.
//!
//! The required false alarm rate, one in a given number of chunks, is divided among the charts. Each chart's limit
//! follows from its share:
//!
//! | chart | run length from |
//! |---|---|
//! | Page–Hinkley | Siegmund's approximation for a random walk above a barrier (1985), one per side |
//! | EWMA | the Markov chain of Lucas and Saccucci (1990) |
//! | Kolmogorov–Smirnov | Stephens' approximation of its null distribution for a sample of n (1970) |
//! | PSI | the multinomial distribution of a window's counts, convolved bin by bin |
//! | band, level | Student's t, because the learned mean and spread are estimates, too; divided among the bands |
//! | quality | the hypergeometric distribution (Fisher's exact test), divided among the flags |

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};
use statrs::function::gamma::ln_gamma;

use super::DriftPolicy;
use super::statistics::{FLOOR, psi_of_counts};

/// Page–Hinkley is tuned to a change of twice this, in standard deviations of the scores.
pub(super) const PAGE_ALLOWANCE: f64 = 0.25;
/// The weight of the latest score in the moving average.
pub(super) const EWMA_WEIGHT: f64 = 0.03;
/// Bins of the population stability index.
pub(super) const PSI_BINS: usize = 10;

/// Each chart's share of the required rate. The sum exceeds 1 because charts on the same scores have the same false
/// alarms; `docs/drift.md` has the measured run lengths.
struct Shares {
    page: f64,
    ewma: f64,
    ks: f64,
    psi: f64,
    band: f64,
    level: f64,
    quality: f64,
}

const SHARES: Shares = Shares { page: 0.41, ewma: 0.41, ks: 0.12, psi: 0.12, band: 0.15, level: 0.10, quality: 0.05 };

/// Maximum error probability of a window test, however short the required run length.
const MAX_PROBABILITY: f64 = 0.05;

/// The limits of all charts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Limits {
    /// Page–Hinkley's sums, in standard deviations of normal scores.
    pub(super) page: f64,
    /// The moving average, in the same unit.
    pub(super) ewma: f64,
    /// The Kolmogorov–Smirnov statistic of a full window's ranks.
    pub(super) ks: f64,
    /// The population stability index of a full window's ranks.
    pub(super) psi: f64,
    /// Probability per window of a false finding in any band.
    pub(super) band_probability: f64,
    /// The same for the mean level.
    pub(super) level_probability: f64,
    /// The same for any quality flag.
    pub(super) quality_probability: f64,
    /// Number of chunks for learning scores and levels: their error is then small compared with what the run length
    /// allows.
    pub(super) learn_chunks: u32,
}

type Known = HashMap<(u32, u64), Arc<Limits>>;

impl Limits {
    /// A worker has one policy; its limits are computed once.
    pub(super) fn of(policy: &DriftPolicy) -> Arc<Self> {
        static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
        /// More policies than any process uses, except a test with random policies.
        const MOST: usize = 256;
        let key = (policy.window_chunks.max(2), policy.false_alarm_every_chunks.max(2));
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(&key) {
            known.clear();
        }
        Arc::clone(known.entry(key).or_insert_with(|| Arc::new(Self::compute(key.0, key.1))))
    }

    fn compute(window_chunks: u32, false_alarm_every_chunks: u64) -> Self {
        let run_length = false_alarm_every_chunks as f64;
        let probability = |share: f64| (share * f64::from(window_chunks) / run_length).min(MAX_PROBABILITY);
        Self {
            page: page_limit(run_length / SHARES.page),
            ewma: ewma_limit(run_length / SHARES.ewma),
            ks: ks_limit(window_chunks, probability(SHARES.ks)),
            psi: psi_limit(window_chunks, probability(SHARES.psi)),
            band_probability: probability(SHARES.band),
            level_probability: probability(SHARES.level),
            quality_probability: probability(SHARES.quality),
            learn_chunks: u32::try_from(false_alarm_every_chunks / 2).unwrap_or(u32::MAX).clamp(100, 1_000_000),
        }
    }
}

/// The value in `low..high` at which an increasing function reaches `wanted`.
fn solve(wanted: f64, low: f64, high: f64, increasing: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (low, high);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if increasing(middle) < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// For two one-sided sums, each must have twice the run length of both together.
fn page_limit(run_length: f64) -> f64 {
    // Siegmund's mean overshoot of normal steps over both ends, 2 x 0.583.
    const OVERSHOOT: f64 = 1.166;
    let one_sided = |limit: f64| {
        let reach = 2.0 * PAGE_ALLOWANCE * (limit + OVERSHOOT);
        (reach.exp() - 1.0 - reach) / (2.0 * PAGE_ALLOWANCE.powi(2))
    };
    solve(2.0 * run_length, 0.1, 60.0, one_sided)
}

fn ewma_limit(run_length: f64) -> f64 {
    let deviation = (EWMA_WEIGHT / (2.0 - EWMA_WEIGHT)).sqrt();
    solve(run_length.ln(), 0.5 * deviation, 8.0 * deviation, |limit| ewma_run_length(limit).max(1.0).ln())
}

/// Mean number of chunks until the average of independent standard normal scores, started at 0, leaves `±limit`.
fn ewma_run_length(limit: f64) -> f64 {
    const STATES: usize = 151;
    let width = 2.0 * limit / STATES as f64;
    let middle = |state: usize| -limit + width * (state as f64 + 0.5);
    let normal = Normal::standard();
    // (I - Q) x = 1, where x is the run length from each state.
    let mut rows: Vec<Vec<f64>> = (0..STATES)
        .map(|from| {
            let kept = (1.0 - EWMA_WEIGHT) * middle(from);
            let edge = |at: f64| normal.cdf((at - kept) / EWMA_WEIGHT);
            let mut row: Vec<f64> =
                (0..STATES).map(|to| edge(middle(to) - 0.5 * width) - edge(middle(to) + 0.5 * width)).collect();
            row[from] += 1.0;
            row.push(1.0);
            row
        })
        .collect();
    // Diagonally dominant, so pivoting is not needed.
    for pivot in 0..STATES {
        let (upper, lower) = rows.split_at_mut(pivot + 1);
        let pivot_row = &upper[pivot];
        for row in lower {
            let factor = row[pivot] / pivot_row[pivot];
            for (value, above) in row[pivot..].iter_mut().zip(&pivot_row[pivot..]) {
                *value -= factor * above;
            }
        }
    }
    let mut lengths = vec![0.0; STATES];
    for state in (0..STATES).rev() {
        let known: f64 = (state + 1..STATES).map(|later| rows[state][later] * lengths[later]).sum();
        lengths[state] = (rows[state][STATES] - known) / rows[state][state];
    }
    lengths[STATES / 2]
}

fn ks_limit(window_chunks: u32, probability: f64) -> f64 {
    let root = f64::from(window_chunks).sqrt();
    ((2.0 / probability).ln() / 2.0).sqrt() / (root + 0.12 + 0.11 / root)
}

/// The smallest index that a window of uniform ranks exceeds with at most this probability.
fn psi_limit(window_chunks: u32, probability: f64) -> f64 {
    /// From this size on, the counts are approximately normal, and the convolution would be slow.
    const MANY: u32 = 400;
    let chi = ChiSquared::new((PSI_BINS - 1) as f64).expect("nine degrees of freedom are positive");
    let as_normal = chi.inverse_cdf(1.0 - probability) / f64::from(window_chunks);
    if window_chunks > MANY {
        return as_normal;
    }
    let window = window_chunks as usize;
    let total = window as f64 + FLOOR * PSI_BINS as f64;
    let expected = 1.0 / PSI_BINS as f64;
    let term = |count: usize| {
        let share = (count as f64 + FLOOR) / total;
        (share - expected) * (share / expected).ln()
    };
    let mut all_in_one = [0.0; PSI_BINS];
    all_in_one[0] = window as f64;
    // Cells are as fine as the limit requires; values far beyond it share the last cell.
    let highest = psi_of_counts(&all_in_one).min(4.0 * as_normal);
    const CELLS: usize = 1_500;
    let cell = highest / CELLS as f64;
    let cell_of: Vec<usize> = (0..=window).map(|count| (term(count) / cell).round().max(0.0) as usize).collect();
    // Of a Poisson variable with the bin's mean: given their sum, ten of them are multinomial. No window is long enough
    // for an underflow.
    let mean = window as f64 * expected;
    let weight: Vec<f64> =
        (0..=window).map(|count| (count as f64 * mean.ln() - mean - ln_gamma(count as f64 + 1.0)).exp()).collect();
    // ways[used][cell]: total weight of the cases in which the bins so far hold `used` scores and have that index.
    let mut ways = vec![vec![0.0; CELLS + 1]; window + 1];
    ways[0][0] = 1.0;
    for _ in 0..PSI_BINS {
        let mut next = vec![vec![0.0; CELLS + 1]; window + 1];
        for (used, of_used) in ways.iter().enumerate() {
            for (at, ways_here) in of_used.iter().enumerate().filter(|(_, ways)| **ways > 0.0) {
                for count in 0..=window - used {
                    next[used + count][(at + cell_of[count]).min(CELLS)] += ways_here * weight[count];
                }
            }
        }
        ways = next;
    }
    let all: f64 = ways[window].iter().sum();
    let mut beyond = 0.0;
    for at in (0..=CELLS).rev() {
        beyond += ways[window][at] / all;
        if beyond > probability {
            return (at as f64 + 0.5) * cell;
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn the_moving_averages_run_length_is_the_published_one() {
        // Lucas and Saccucci 1990: weight 0.03 and a limit of 2.437 deviations give a run length of 500.
        let deviation = (EWMA_WEIGHT / (2.0 - EWMA_WEIGHT)).sqrt();
        let length = ewma_run_length(2.437 * deviation);
        assert!((length / 500.0 - 1.0).abs() < 0.03, "{length}");
    }

    #[test]
    fn a_psi_beyond_its_limit_is_as_rare_as_asked() {
        let mut rng = StdRng::seed_from_u64(11);
        for (window, probability) in [(50_u32, 0.02), (120, 0.05)] {
            let limit = psi_limit(window, probability);
            let trials = 20_000;
            let beyond = (0..trials)
                .filter(|_| {
                    let mut counts = [0.0; PSI_BINS];
                    (0..window).for_each(|_| counts[rng.random_range(0..PSI_BINS)] += 1.0);
                    psi_of_counts(&counts) > limit
                })
                .count() as f64
                / f64::from(trials);
            assert!(beyond <= 1.2 * probability && beyond > 0.6 * probability, "{window}: {beyond}");
        }
        let (exact, limit) = (psi_limit(400, 0.01), psi_limit(401, 0.01));
        assert!((exact / limit - 1.0).abs() < 0.05, "{exact} and {limit} meet");
    }

    #[test]
    fn a_longer_run_length_widens_every_limit() {
        let of = |false_alarm_every_chunks| Limits::compute(50, false_alarm_every_chunks);
        let (short, long) = (of(1_000), of(10_000));
        assert!(short.page < long.page && short.ewma < long.ewma && short.ks < long.ks && short.psi < long.psi);
        assert!(short.band_probability > long.band_probability);
    }
}
