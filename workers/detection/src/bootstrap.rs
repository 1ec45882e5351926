//! How far a figure would move on other test clips like these: bootstrap confidence intervals.
//!
//! Each resample draws clips with replacement, within each class (stratified), so that every one has as many normal and
//! as many abnormal clips as the test set; the interval is between the 2.5th and the 97.5th percentile of what the
//! resamples give (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13). Clips count as
//! independent: recordings cut from one session resemble each other more than that, and then the true interval is
//! wider.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use serde::Serialize;

use crate::evaluate;

/// Resamples that DCASE-sized test sets are well served with: the ends of the interval then wander by about 0.1 of its
/// width.
pub const RESAMPLES: usize = 2000;

const LOW_SHARE: f64 = 0.025;
const HIGH_SHARE: f64 = 0.975;

/// The middle 95 % of a figure over all resamples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// 2.5th percentile.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

/// 95 % confidence intervals of a test set's figures, with the abnormal class positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Intervals {
    /// Area under the ROC curve.
    pub auc: Interval,
    /// Partial AUC up to a false-positive rate of 0.1, standardised.
    pub pauc: Interval,
    /// F1 at the threshold.
    pub f1: Interval,
    /// Recall at the threshold.
    pub recall: Interval,
}

/// Resamples the test clips' scores. The same scores, number and seed give the same intervals, however many cores there
/// are.
///
/// `None` when a class is empty, a score is NaN, or `resamples` is 0.
#[must_use]
pub fn bootstrap(normal: &[f64], abnormal: &[f64], threshold: f64, resamples: usize, seed: u64) -> Option<Intervals> {
    let whole = evaluate(normal, abnormal, threshold);
    if whole.auc.is_none() || resamples == 0 {
        return None;
    }
    // One seed a resample, drawn in order, so that the threads' order does not matter.
    let mut seeds = StdRng::seed_from_u64(seed);
    let seeds: Vec<u64> = (0..resamples).map(|_| seeds.random()).collect();
    let figures: Option<Vec<[f64; 4]>> = seeds
        .into_par_iter()
        .map(|seed| {
            let mut rng = StdRng::seed_from_u64(seed);
            let (normal, abnormal) = (drawn(normal, &mut rng), drawn(abnormal, &mut rng));
            let again = evaluate(&normal, &abnormal, threshold);
            Some([again.auc?, again.pauc?, again.abnormal_positive.f1, again.abnormal_positive.recall])
        })
        .collect();
    let figures = figures?;
    let interval = |figure: usize| {
        let mut values: Vec<f64> = figures.iter().map(|figures| figures[figure]).collect();
        values.sort_by(f64::total_cmp);
        Interval { low: quantile(&values, LOW_SHARE), high: quantile(&values, HIGH_SHARE) }
    };
    Some(Intervals { auc: interval(0), pauc: interval(1), f1: interval(2), recall: interval(3) })
}

fn drawn(scores: &[f64], rng: &mut StdRng) -> Vec<f64> {
    (0..scores.len()).map(|_| scores[rng.random_range(0..scores.len())]).collect()
}

/// Linear between the two nearest ranks, as `numpy.quantile` has it.
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let rank = share * (ascending.len() - 1) as f64;
    let (below, above) = (ascending[rank.floor() as usize], ascending[rank.ceil() as usize]);
    below + (above - below) * rank.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(count: usize, shift: f64) -> Vec<f64> {
        // A Weyl sequence: spread evenly, nothing random about it.
        (0..count).map(|index| shift + (index as f64 * 0.618_034).fract()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_intervals_on_any_number_of_threads() {
        let (normal, abnormal) = (scores(40, 0.0), scores(30, 0.3));
        let drawn = |threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bootstrap(&normal, &abnormal, 0.9, 300, seed)).unwrap()
        };
        assert_eq!(drawn(1, 42), drawn(3, 42));
        assert_ne!(drawn(1, 42), drawn(1, 43));
    }

    #[test]
    fn an_interval_holds_the_figure_and_narrows_with_more_clips() {
        let width = |clips| {
            let (normal, abnormal) = (scores(clips, 0.0), scores(clips, 0.3));
            let whole = evaluate(&normal, &abnormal, 0.9);
            let intervals = bootstrap(&normal, &abnormal, 0.9, 400, 1).unwrap();
            let holds = |interval: Interval, figure| interval.low <= figure && figure <= interval.high;
            assert!(holds(intervals.auc, whole.auc.unwrap()), "{intervals:?} {whole:?}");
            assert!(holds(intervals.pauc, whole.pauc.unwrap()), "{intervals:?} {whole:?}");
            assert!(holds(intervals.f1, whole.abnormal_positive.f1), "{intervals:?} {whole:?}");
            assert!(holds(intervals.recall, whole.abnormal_positive.recall), "{intervals:?} {whole:?}");
            intervals.auc.high - intervals.auc.low
        };
        assert!(width(400) < 0.5 * width(20));
    }

    #[test]
    fn a_recalls_interval_is_that_of_the_binomial_distribution() {
        // 50 of 100 found: a standard deviation of 0.05, and 1.96 of them to either side.
        let abnormal = [vec![0.0; 50], vec![2.0; 50]].concat();
        let recall = bootstrap(&[0.0; 10], &abnormal, 1.0, RESAMPLES, 7).unwrap().recall;
        assert!((recall.low - 0.402).abs() < 0.015 && (recall.high - 0.598).abs() < 0.015, "{recall:?}");
    }

    #[test]
    fn perfect_scores_leave_no_room_and_one_class_no_interval() {
        let perfect = bootstrap(&[1.0; 5], &[2.0; 5], 1.5, 50, 3).unwrap();
        assert_eq!(perfect.auc, Interval { low: 1.0, high: 1.0 });
        assert_eq!(bootstrap(&[1.0; 5], &[], 1.5, 50, 3), None);
        assert_eq!(bootstrap(&[1.0; 5], &[2.0], 1.5, 0, 3), None);
    }

    #[test]
    fn quantiles_are_numpys() {
        let values = [1.0, 2.0, 4.0, 8.0, 16.0];
        assert!((quantile(&values, 0.025) - 1.1).abs() < 1e-12);
        assert!((quantile(&values, 0.975) - 15.2).abs() < 1e-12);
        assert_eq!(quantile(&[5.0], 0.975), 5.0);
    }
}
