//! What `check` flags and refuses.

use auscult_features::{Clip, FeatureError, MAX_SAMPLES, check};
use auscult_schemas::{DeadLetterCode, QualityFlag};
use proptest::prelude::*;

fn clip(channels: Vec<Vec<f32>>) -> Clip {
    Clip { sample_rate_hz: 16_000, channels }
}

/// A healthy microphone: a tone at a tenth of full scale.
fn tone(samples: usize) -> Vec<f32> {
    (0..samples).map(|index| 0.1 * (0.3 * index as f32).sin()).collect()
}

#[test]
fn a_healthy_clip_has_no_flags() {
    assert_eq!(check(&clip(vec![tone(160_000), tone(160_000)])).unwrap(), []);
}

#[test]
fn one_dead_microphone_of_eight_is_silent() {
    let mut channels = vec![tone(16_000); 8];
    channels[5] = vec![0.0; 16_000];
    assert_eq!(check(&clip(channels)).unwrap(), [QualityFlag::Silent]);
}

#[test]
fn the_last_bits_of_an_unplugged_input_are_silent_and_three_steps_are_not() {
    let steps = |peak: f32| (0..16_000).map(|index| if index % 2 == 0 { peak } else { -peak } / 32_768.0).collect();
    assert_eq!(check(&clip(vec![steps(2.0)])).unwrap(), [QualityFlag::Silent]);
    assert_eq!(check(&clip(vec![steps(3.0)])).unwrap(), []);
}

#[test]
fn a_constant_voltage_is_silent_and_an_offset() {
    assert_eq!(check(&clip(vec![vec![0.5; 16_000]])).unwrap(), [QualityFlag::Silent, QualityFlag::DcOffset]);
}

#[test]
fn a_tone_around_two_percent_has_an_offset() {
    let shifted = |by: f32| tone(16_000).iter().map(|sample| sample + by).collect();
    assert_eq!(check(&clip(vec![shifted(-0.021)])).unwrap(), [QualityFlag::DcOffset]);
    assert_eq!(check(&clip(vec![shifted(0.019)])).unwrap(), []);
}

#[test]
fn a_thousandth_at_full_scale_is_clipped_and_less_is_not() {
    let with_peaks = |peaks: usize| {
        let mut samples = tone(16_000);
        for peak in 0..peaks {
            samples[peak * 1000] = if peak % 2 == 0 { 32_767.0 / 32_768.0 } else { -1.0 };
        }
        clip(vec![samples])
    };
    assert_eq!(check(&with_peaks(16)).unwrap(), [QualityFlag::Clipped]);
    assert_eq!(check(&with_peaks(15)).unwrap(), []);
}

#[test]
fn the_first_sample_that_is_not_finite_is_named() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for index in [0, 1, 1023, 1024, 15_999] {
            let mut channels = vec![tone(16_000), tone(16_000)];
            channels[1][index] = value;
            channels[1][15_999] = value;
            let error = check(&clip(channels)).unwrap_err();
            assert_eq!(error.code(), DeadLetterCode::NonFinite);
            let FeatureError::NonFinite { channel, index: found, .. } = error else { panic!("{error}") };
            assert_eq!((channel, found), (1, index));
        }
    }
}

#[test]
fn infinities_of_both_signs_do_not_cancel() {
    let mut samples = tone(16_000);
    samples[3] = f32::INFINITY;
    samples[4] = f32::NEG_INFINITY;
    assert_eq!(check(&clip(vec![samples])).unwrap_err().code(), DeadLetterCode::NonFinite);
}

#[test]
fn huge_finite_samples_are_clipped_not_refused() {
    assert!(check(&clip(vec![vec![f32::MAX; 16_000]])).unwrap().contains(&QualityFlag::Clipped));
}

#[test]
fn clips_outside_the_contract_are_refused() {
    let code = |clip: &Clip| check(clip).unwrap_err().code();
    assert_eq!(code(&clip(vec![])), DeadLetterCode::UnsupportedFormat);
    assert_eq!(code(&clip(vec![tone(10); 17])), DeadLetterCode::UnsupportedFormat);
    assert_eq!(code(&Clip { sample_rate_hz: 0, channels: vec![tone(10)] }), DeadLetterCode::UnsupportedFormat);
    assert_eq!(code(&clip(vec![vec![], vec![]])), DeadLetterCode::NoSamples);
    assert!(matches!(
        check(&clip(vec![tone(10), tone(9)])),
        Err(FeatureError::UnevenChannels { channel: 1, expected: 10, found: 9 })
    ));
    let too_long = vec![0.0; MAX_SAMPLES as usize / 16 + 1];
    assert_eq!(code(&clip(vec![too_long; 16])), DeadLetterCode::TooLarge);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn flags_are_what_one_sample_after_the_other_gives(
        samples in prop::collection::vec(prop_oneof![-1.0_f32..=1.0, Just(1.0_f32), -1e-4_f32..1e-4], 1..5000),
        scale in prop_oneof![Just(1.0_f32), Just(1e-4), Just(0.01)],
        offset in prop_oneof![Just(0.0_f32), -0.1_f32..0.1],
    ) {
        let samples: Vec<f32> = samples.iter().map(|sample| sample * scale + offset).collect();
        let mean = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / samples.len() as f64;
        let farthest = samples.iter().map(|&sample| (f64::from(sample) - mean).abs()).fold(0.0, f64::max);
        let at_full_scale = samples.iter().filter(|sample| sample.abs() >= 0.999).count();
        // Sums in f32 blocks and in f64 may differ at the very threshold.
        prop_assume!((mean.abs() - 0.02).abs() > 1e-6 && (farthest - 2.0 / 32_768.0).abs() > 1e-7);
        let flags = check(&clip(vec![samples.clone()])).unwrap();
        prop_assert_eq!(flags.contains(&QualityFlag::Silent), farthest <= 2.0 / 32_768.0);
        prop_assert_eq!(flags.contains(&QualityFlag::DcOffset), mean.abs() >= 0.02);
        prop_assert_eq!(flags.contains(&QualityFlag::Clipped), at_full_scale > 0 && at_full_scale * 1000 >= samples.len());
    }
}
