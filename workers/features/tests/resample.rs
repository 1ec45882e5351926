//! What resampling keeps, what it removes, and that it moves nothing.

use std::f64::consts::TAU;

use auscult_features::{FeatureError, MAX_SAMPLES, Resampler};
use auscult_schemas::DeadLetterCode;
use proptest::prelude::*;

const PAIRS: [(u32, u32); 12] = [
    (44_100, 16_000),
    (48_000, 16_000),
    (8_000, 16_000),
    (96_000, 16_000),
    (192_000, 16_000),
    (200_000, 16_000),
    (1_000_000, 16_000),
    (4_000, 16_000),
    (16_001, 16_000),
    (11_025, 44_100),
    (16_000, 44_100),
    (22_050, 16_000),
];

fn tone(hz: f64, rate_hz: u32, samples: usize) -> Vec<f32> {
    (0..samples).map(|index| (TAU * hz * index as f64 / f64::from(rate_hz)).sin() as f32).collect()
}

fn resample(samples: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    let mut output = vec![9.0; 3];
    Resampler::new(to_hz).resample(samples, from_hz, &mut output).expect("the rates are within the contract");
    output
}

/// Root mean square of the middle half, dB of a full-scale sine.
fn level_db(samples: &[f32]) -> f64 {
    let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
    let mean_square = middle.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / middle.len() as f64;
    10.0 * (2.0 * mean_square + 1e-30).log10()
}

#[test]
fn a_tone_stays_where_it_is_in_time_level_and_phase() {
    for (from_hz, to_hz) in PAIRS {
        let hz = 0.2 * f64::from(from_hz.min(to_hz));
        let output = resample(&tone(hz, from_hz, from_hz as usize), from_hz, to_hz);
        let expected = tone(hz, to_hz, output.len());
        let difference: Vec<f32> = output.iter().zip(&expected).map(|(a, b)| a - b).collect();
        assert!(level_db(&difference) < -80.0, "{from_hz} to {to_hz} Hz: {:.1} dB", level_db(&difference));
    }
}

#[test]
fn tones_up_to_95_percent_of_the_lower_nyquist_frequency_are_kept_within_a_tenth_of_a_decibel() {
    for (from_hz, to_hz) in PAIRS {
        for share in [0.01, 0.1, 0.5, 0.8, 0.9, 0.95] {
            let hz = share * 0.5 * f64::from(from_hz.min(to_hz));
            let level = level_db(&resample(&tone(hz, from_hz, from_hz as usize), from_hz, to_hz));
            assert!(level.abs() < 0.1, "{from_hz} to {to_hz} Hz, {hz} Hz: {level:.2} dB");
        }
    }
}

#[test]
fn what_the_new_rate_cannot_hold_is_80_db_down() {
    for (from_hz, to_hz) in PAIRS.into_iter().filter(|(from, to)| from > to) {
        for share in [1.05, 1.2, 1.5, 2.0, 2.9] {
            let hz = share * 0.5 * f64::from(to_hz);
            if hz >= 0.5 * f64::from(from_hz) {
                continue;
            }
            let level = level_db(&resample(&tone(hz, from_hz, from_hz as usize), from_hz, to_hz));
            assert!(level < -80.0, "{from_hz} to {to_hz} Hz: an alias of {hz} Hz at {level:.1} dB");
        }
    }
}

#[test]
fn images_above_the_old_nyquist_frequency_are_80_db_down() {
    for (from_hz, to_hz) in PAIRS.into_iter().filter(|(from, to)| from < to) {
        let hz = 0.9 * 0.5 * f64::from(from_hz);
        let output = resample(&tone(hz, from_hz, from_hz as usize), from_hz, to_hz);
        // Take out the tone itself, at whatever level and phase; what is left are images.
        let middle = &output[output.len() / 4..output.len() * 3 / 4];
        let angle = |index: usize| TAU * hz * index as f64 / f64::from(to_hz);
        let project = |wave: fn(f64) -> f64| {
            let dot: f64 = middle.iter().enumerate().map(|(index, &s)| f64::from(s) * wave(angle(index))).sum();
            2.0 * dot / middle.len() as f64
        };
        let (cosine, sine) = (project(f64::cos), project(f64::sin));
        let rest: f64 = middle
            .iter()
            .enumerate()
            .map(|(index, &s)| (f64::from(s) - cosine * angle(index).cos() - sine * angle(index).sin()).powi(2))
            .sum();
        let level = 10.0 * (2.0 * rest / middle.len() as f64).log10();
        assert!(level < -80.0, "{from_hz} to {to_hz} Hz: images at {level:.1} dB");
    }
}

#[test]
fn an_impulse_stays_where_it_is() {
    for (from_hz, to_hz) in PAIRS {
        let mut samples = vec![0.0; from_hz as usize];
        samples[from_hz as usize / 2] = 1.0;
        let output = resample(&samples, from_hz, to_hz);
        let peak = (0..output.len()).max_by(|&a, &b| output[a].abs().total_cmp(&output[b].abs())).unwrap();
        let expected = (f64::from(from_hz / 2) * f64::from(to_hz) / f64::from(from_hz)).round() as usize;
        assert!(peak.abs_diff(expected) <= 1, "{from_hz} to {to_hz} Hz: at {peak}, not {expected}");
    }
}

#[test]
fn the_same_rate_is_the_same_samples() {
    let samples = tone(440.0, 16_000, 1000);
    assert_eq!(resample(&samples, 16_000, 16_000), samples);
}

#[test]
fn a_resampler_remembers_nothing_of_the_clip_before_nor_of_other_rates() {
    let samples = tone(440.0, 44_100, 10_000);
    let mut resampler = Resampler::new(16_000);
    let mut output = Vec::new();
    for from_hz in (8_000..48_000).step_by(3_000) {
        resampler.resample(&[1.0; 999], from_hz, &mut output).unwrap();
    }
    resampler.resample(&[1.0; 5000], 44_100, &mut output).unwrap();
    resampler.resample(&samples, 44_100, &mut output).unwrap();
    assert_eq!(output, resample(&samples, 44_100, 16_000));
}

#[test]
fn output_beyond_the_bound_is_refused_before_it_is_made() {
    let samples = vec![0.0; MAX_SAMPLES as usize / 40];
    let error = Resampler::new(192_000).resample(&samples, 4_000, &mut Vec::new()).unwrap_err();
    assert_eq!(error.code(), DeadLetterCode::TooLarge);
    let error = Resampler::new(16_000).resample(&[0.0], 1, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, FeatureError::Rate { .. }));
}

#[test]
fn samples_at_the_end_of_the_float_range_are_held_and_stay_finite() {
    for loud in [f32::MAX, f32::MIN, -3.318_913e38, 1e30, f32::INFINITY, f32::NAN] {
        for samples in [vec![0.0, 0.0, loud], vec![loud; 5_000]] {
            let output = resample(&samples, 12_196, 16_000);
            assert!(output.iter().all(|sample| sample.is_finite()), "{loud}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_length_is_the_ratio_s_rounded(samples in 1_usize..20_000, from_hz in 4_000_u32..=192_000, to_hz in 4_000_u32..=192_000) {
        let exact = samples as f64 * f64::from(to_hz) / f64::from(from_hz);
        let mut output = Vec::new();
        match Resampler::new(to_hz).resample(&vec![0.5; samples], from_hz, &mut output) {
            Ok(()) => prop_assert!((output.len() as f64 - exact).abs() <= 0.5 + 1e-9 && output.iter().all(|s| s.is_finite())),
            Err(error) => prop_assert!(exact < 0.5 && error.code() == DeadLetterCode::NoSamples),
        }
    }
}
