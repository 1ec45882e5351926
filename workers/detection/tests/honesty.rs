//! What is promised of a threshold: how many alarms it means, and how sure that is.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use auscult_detection::false_alarms::{ENOUGH_CLIPS, MONTH_S, RateBounds};
use auscult_detection::{
    AlarmCounts, AlertPolicy, Cadence, Calibration, FalseAlarms, GammaFit, mean_alarm_length, mean_chunks_to_alarm,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, LogNormal, Normal};

/// A distribution of scores that is known, as its upper quantile and its survival.
struct Known {
    name: &'static str,
    draw: fn(f64) -> f64,
    survival: fn(f64) -> f64,
}

const SKEWED: GammaFit = GammaFit { shape: 4.0, scale: 0.5, location: 0.0 };
const STEADY: GammaFit = GammaFit { shape: 20.0, scale: 0.3, location: 0.0 };
const LOCATED: GammaFit = GammaFit { shape: 2.0, scale: 0.5, location: 5.0 };

fn log_normal() -> LogNormal {
    LogNormal::new(0.0, 0.25).unwrap()
}

fn bell() -> Normal {
    Normal::new(10.0, 1.0).unwrap()
}

const KNOWN: [Known; 5] = [
    Known { name: "gamma 4", draw: |p| SKEWED.upper_quantile(p), survival: |score| SKEWED.survival(score) },
    Known { name: "gamma 20", draw: |p| STEADY.upper_quantile(p), survival: |score| STEADY.survival(score) },
    Known { name: "located gamma", draw: |p| LOCATED.upper_quantile(p), survival: |score| LOCATED.survival(score) },
    // What a fused detector's scores are about like.
    Known { name: "log-normal", draw: |p| log_normal().inverse_cdf(1.0 - p), survival: |score| log_normal().sf(score) },
    Known { name: "normal", draw: |p| bell().inverse_cdf(1.0 - p), survival: |score| bell().sf(score) },
];

/// Share of simulated trainings whose interval holds the true rate, and of those whose tolerance threshold holds the
/// rate asked for.
fn coverage(known: &Known, clips: usize, rate: f64, trials: u64) -> (f64, f64) {
    let held: Vec<(bool, bool)> = (0..trials)
        .into_par_iter()
        .map(|trial| {
            let mut rng = StdRng::seed_from_u64(1_000 * clips as u64 + trial);
            let scores: Vec<f64> = (0..clips).map(|_| (known.draw)(rng.random_range(1e-9..1.0))).collect();
            let fit = GammaFit::of(&scores).unwrap();
            let bounds = RateBounds::of(&scores, rate, 50, trial).unwrap();
            let truth = (known.survival)(fit.upper_quantile(rate));
            let is_held = bounds.low <= truth && truth <= bounds.high;
            (is_held, (known.survival)(bounds.tolerance_threshold) <= rate)
        })
        .collect();
    let share =
        |which: fn(&(bool, bool)) -> bool| held.iter().filter(|held| which(held)).count() as f64 / trials as f64;
    (share(|held| held.0), share(|held| held.1))
}

#[test]
fn the_interval_holds_the_true_rate_in_85_of_100_trainings_with_8_30_and_100_clips() {
    let mut failed = Vec::new();
    for clips in [8, 30, 100] {
        for known in &KNOWN {
            let (interval, tolerance) = coverage(known, clips, 0.01, 100);
            println!("{clips:>4} clips of {:<14} interval {interval:.3}, tolerance {tolerance:.3}", known.name);
            if interval < 0.85 {
                failed.push((clips, known.name, interval));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn more_clips_make_the_interval_narrower_and_the_same_seed_makes_the_same() {
    // Scores as evenly spread as can be, so that nothing but their number differs.
    let bounds = |clips: u32| {
        let scores = (0..clips).map(|clip| SKEWED.upper_quantile((f64::from(clip) + 0.5) / f64::from(clips)));
        RateBounds::of(&scores.collect::<Vec<_>>(), 0.01, 100, 3).unwrap()
    };
    let widths: Vec<f64> = [8, 30, 100].map(|clips| bounds(clips).high - bounds(clips).low).to_vec();
    assert!(widths.is_sorted_by(|wide, narrow| wide > narrow), "{widths:?}");
    assert_eq!(bounds(30), bounds(30));
    assert!(bounds(8).tolerance_threshold > bounds(100).tolerance_threshold);
    assert!(bounds(100).tolerance_threshold > SKEWED.upper_quantile(0.01));
}

#[test]
fn alarms_a_month_are_what_a_simulation_of_the_policy_gives() {
    let cadence: Cadence = "10s".parse().unwrap();
    let policies = [
        (0.3, 0.6, 4, 5, 5, 300),
        (0.1, 0.8, 2, 5, 4, 0),
        (0.5, 0.5, 1, 1, 1, 0),
        (0.2, 0.75, 3, 3, 7, 3600),
        (0.3, 0.5, 3, 9, 2, 60),
    ];
    for (rate, clear_rate, raise_of, raise_window, clear_after, min_alarm_secs) in policies {
        let policy = AlertPolicy { raise_of, raise_window, clear_after, min_alarm_secs, ..AlertPolicy::default() };
        let expected = AlarmCounts::of(rate, clear_rate, cadence, &policy);
        let mut rng = StdRng::seed_from_u64(u64::from(raise_of));
        let (months, chunks) = (8, (MONTH_S / 10.0) as usize);
        let (mut recent, mut run, mut raised_at, mut alarms) = (Vec::new(), 0, None, 0);
        for chunk in 0..months * chunks {
            let drawn = rng.random_range(0.0..1.0);
            let (is_anomalous, is_clear) = (drawn < rate, drawn >= 1.0 - clear_rate);
            run = if is_clear { run + 1 } else { 0 };
            match raised_at {
                None => {
                    recent.push(is_anomalous);
                    let latest = recent.iter().rev().take(raise_window as usize);
                    if latest.filter(|anomalous| **anomalous).count() >= raise_of as usize {
                        (raised_at, alarms) = (Some(chunk), alarms + 1);
                        run = 0;
                    }
                }
                Some(since) if run >= clear_after && (chunk - since) * 10 >= min_alarm_secs as usize => {
                    raised_at = None;
                    recent.clear();
                }
                Some(_) => {}
            }
        }
        let simulated = f64::from(alarms) / months as f64;
        assert!((simulated / expected.alarms - 1.0).abs() < 0.03, "{policy:?}: {simulated} {expected:?}");
    }
}

#[test]
fn waiting_times_that_are_known_in_closed_form_are_met() {
    // Feller XIII.7: a run of k, each of probability p.
    for (p, k) in [(0.5_f64, 3_u32), (0.01, 3), (0.001, 4)] {
        let all = p.powi(k as i32);
        let run = (1.0 - all) / ((1.0 - p) * all);
        assert!((mean_chunks_to_alarm(p, k, k) / run - 1.0).abs() < 1e-9, "{p} {k}");
    }
    assert!((mean_chunks_to_alarm(0.01, 1, 5) - 100.0).abs() < 1e-6);
    assert_eq!(mean_chunks_to_alarm(1.0, 4, 5), 4.0);
    assert!(mean_chunks_to_alarm(0.0, 1, 5).is_infinite());
    // An alarm stands for its hold and no longer where every chunk is normal.
    assert_eq!((mean_alarm_length(1.0, 5, 360), mean_alarm_length(1.0, 5, 0)), (360.0, 5.0));
}

fn false_alarms(clips: usize, cadence: &str) -> FalseAlarms {
    let mut rng = StdRng::seed_from_u64(9);
    let band_errors: Vec<Vec<f64>> =
        (0..clips).map(|_| vec![SKEWED.upper_quantile(rng.random_range(1e-9..1.0))]).collect();
    let calibration = Calibration::fit(&band_errors, 0.01).unwrap();
    FalseAlarms::of(&calibration, cadence.parse().unwrap(), &AlertPolicy::default(), 1).unwrap()
}

#[test]
fn few_clips_are_told_to_be_few_and_how_many_more_are_needed() {
    let few = false_alarms(8, "10s");
    let words = few.in_words();
    assert!(words[1].starts_with("8 clips: the true rate may lie anywhere between "), "{words:?}");
    assert!(words[1].ends_with("; record at least 42 more"), "{words:?}");
    assert!(few.rate_low < 0.01 && 0.01 < few.rate_high, "{few:?}");
    let enough = false_alarms(ENOUGH_CLIPS, "10s").in_words();
    assert!(
        enough[1].starts_with("50 clips: the true rate lies between ") && !enough[1].contains("record"),
        "{enough:?}"
    );
}

#[test]
fn a_rarer_cadence_has_fewer_alarms_in_proportion() {
    let (often, rarely) = (false_alarms(60, "10s"), false_alarms(60, "5m"));
    assert!((often.per_machine_month.anomalous_chunks - 0.01 * 263_001.6).abs() < 1e-6, "{often:?}");
    assert!((often.per_machine_month.alarms / rarely.per_machine_month.alarms - 30.0).abs() < 0.01);
    // One in a hundred, four of five: about 4 × 0.01⁴ of 263,000. Three of five: about 6 × 0.01³ of them.
    assert!((often.per_machine_month.alarms - 0.0104).abs() < 0.0002, "{often:?}");
    assert!((often.per_machine_month.warnings - 1.54).abs() < 0.05, "{often:?}");
}

#[test]
fn a_cadence_has_a_unit_and_is_above_zero() {
    assert_eq!("5m".parse::<Cadence>().unwrap().seconds(), 300.0);
    assert_eq!("1h 30m".parse::<Cadence>().unwrap().seconds(), 5_400.0);
    assert_eq!(Cadence::default().to_string().parse::<Cadence>().unwrap(), Cadence::default());
    for wrong in ["", "10", "0s", "-10s", "ten seconds", "1 fortnight"] {
        let error = wrong.parse::<Cadence>().unwrap_err();
        assert!(error.contains("such as 10s"), "{wrong}: {error}");
    }
}
