//! What `check` flags and refuses.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::f32::consts::TAU;

use auscult_features::{Clip, FeatureError, MAX_SAMPLES, QualityChecker, Resampler, check};
use auscult_schemas::{DeadLetterCode, FeatureSpec, QualityFlag, Quantity};
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const RATE_HZ: u32 = 16_000;

fn clip(channels: Vec<Vec<f32>>) -> Clip {
    Clip { sample_rate_hz: RATE_HZ, channels, ..Clip::default() }
}

fn flags(samples: Vec<f32>) -> Vec<QualityFlag> {
    check(&clip(vec![samples])).unwrap().flags
}

/// A tone at a tenth of full scale.
fn tone(samples: usize) -> Vec<f32> {
    (0..samples).map(|index| 0.1 * (0.3 * index as f32).sin()).collect()
}

/// A machine: harmonics of its speed in noise that falls with frequency, rounded to 16 bits.
fn machine(samples: usize, seed: u64) -> Vec<f32> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let speed_hz = rng.random_range(20.0..70.0_f32);
    let mut rumble = 0.0;
    (0..samples)
        .map(|index| {
            let time = index as f32 / RATE_HZ as f32;
            let white = rng.random_range(-1.0..1.0_f32);
            rumble = 0.9 * rumble + 0.1 * white;
            let harmonics: f32 = (1..=8_u8).map(|order| (TAU * speed_hz * f32::from(order) * time).sin()).sum();
            as_16_bit(0.02 * harmonics + 0.05 * rumble + 0.005 * white)
        })
        .collect()
}

fn noise(samples: usize, rms_db: f32, seed: u64) -> Vec<f32> {
    let mut rng = SmallRng::seed_from_u64(seed);
    // Uniform noise of this amplitude has the wanted RMS.
    let amplitude = 3.0_f32.sqrt() * 10.0_f32.powf(rms_db / 20.0);
    (0..samples).map(|_| as_16_bit(rng.random_range(-amplitude..amplitude))).collect()
}

fn as_16_bit(sample: f32) -> f32 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) / 32_768.0
}

#[test]
fn a_healthy_clip_has_no_flags() {
    assert_eq!(check(&clip(vec![tone(160_000), machine(160_000, 1)])).unwrap(), Default::default());
}

#[test]
fn one_dead_microphone_of_eight_is_named() {
    let mut channels = vec![tone(16_000); 8];
    channels[5] = vec![0.0; 16_000];
    let quality = check(&clip(channels)).unwrap();
    assert_eq!(quality.flags, [QualityFlag::Silent]);
    assert_eq!(quality.sensor_faults.len(), 1);
    assert_eq!(
        (quality.sensor_faults[0].channel, &quality.sensor_faults[0].flags[..]),
        (5, &[QualityFlag::Silent][..])
    );
}

/// In steps of a format of so many bits.
fn in_bits(samples: &[f32], bits: i32) -> Clip {
    let steps = 2.0_f64.powi(bits - 1);
    let rounded = samples.iter().map(|&sample| ((f64::from(sample) * steps).round() / steps) as f32).collect();
    Clip { sample_rate_hz: RATE_HZ, channels: vec![rounded], step: Some((1.0 / steps) as f32), ..Clip::default() }
}

fn at_level(mut samples: Vec<f32>, rms_db: f32) -> Vec<f32> {
    let power = samples.iter().map(|sample| f64::from(sample * sample)).sum::<f64>() / samples.len() as f64;
    let gain = 10.0_f32.powf(rms_db / 20.0) / power.sqrt() as f32;
    samples.iter_mut().for_each(|sample| *sample *= gain);
    samples
}

#[test]
fn a_quiet_machine_lives_where_its_format_has_steps_for_it() {
    for rms_db in [-75.0, -100.0, -120.0] {
        let quiet = at_level(machine(32_000, 7), rms_db);
        assert_eq!(check(&in_bits(&quiet, 24)).unwrap(), Default::default(), "24 bits, {rms_db} dB");
        assert_eq!(check(&clip(vec![quiet])).unwrap(), Default::default(), "float, {rms_db} dB");
    }
    for rms_db in [-60.0, -75.0, -80.0] {
        assert_eq!(
            check(&in_bits(&at_level(machine(32_000, 7), rms_db), 16)).unwrap(),
            Default::default(),
            "{rms_db} dB"
        );
    }
}

#[test]
fn nothing_but_two_steps_either_way_is_a_dead_sensor() {
    let mut rng = SmallRng::seed_from_u64(9);
    let dither: Vec<f32> = (0..32_000).map(|_| f32::from(rng.random_range(-2..=2_i8)) / 32_768.0).collect();
    for (bits, name) in [(16, "16 bits"), (24, "16 bits in 24")] {
        let quality = check(&in_bits(&dither, bits)).unwrap();
        assert_eq!(quality.flags, [QualityFlag::Silent], "{name}");
        assert_eq!(quality.sensor_faults[0].flags, [QualityFlag::Silent], "{name}");
    }
    assert_eq!(flags(dither), [QualityFlag::Silent], "the same as float");
}

#[test]
fn a_machine_that_pauses_for_most_of_a_clip_is_no_sensor_fault() {
    let mut samples = noise(160_000, -75.0, 3);
    samples[20_000..40_000].copy_from_slice(&machine(20_000, 3));
    assert_eq!(flags(samples), []);
}

#[test]
fn a_frozen_converter_is_stuck() {
    let mut samples = machine(160_000, 4);
    samples[70_000..].fill(0.031);
    assert_eq!(flags(samples.clone()), [QualityFlag::Stuck]);
    samples = machine(160_000, 4);
    samples[150_000..].fill(0.031);
    assert_eq!(flags(samples), [], "a short one at the end");
    assert_eq!(flags(vec![0.5; 16_000]), [QualityFlag::Silent, QualityFlag::Stuck]);
}

#[test]
fn lost_packets_are_a_dropout_and_a_lead_in_is_none() {
    let mut samples = machine(160_000, 5);
    for begin in [10_000, 60_000, 110_000] {
        samples[begin..begin + 320].fill(0.0);
    }
    assert_eq!(flags(samples), [QualityFlag::DroppedOut]);
    let mut samples = machine(160_000, 5);
    samples[100_000..140_000].fill(0.0);
    assert_eq!(flags(samples), [QualityFlag::DroppedOut]);
    let mut samples = machine(160_000, 5);
    samples[..4_000].fill(0.0);
    samples[158_000..].fill(0.0);
    assert_eq!(flags(samples), []);
}

#[test]
fn an_offset_that_outweighs_the_signal_is_a_note_and_of_pressure_not_even_that() {
    let shifted = |by: f32| {
        let samples: Vec<f32> = machine(160_000, 6).iter().map(|sample| sample + by).collect();
        in_bits(&samples, 16)
    };
    let quality = check(&shifted(-0.11)).unwrap();
    assert_eq!((quality.flags, quality.sensor_faults), (vec![QualityFlag::DcOffset], vec![]));
    assert_eq!(check(&shifted(0.06)).unwrap().flags, []);
    let pressure = FeatureSpec { quantity: Some(Quantity::Pressure), ..FeatureSpec::default() };
    assert_eq!(QualityChecker::new(&pressure).check(&shifted(0.4)).unwrap(), Default::default());
    let loud = (0..16_000).map(|index| 0.12 + 0.4 * (0.3 * index as f32).sin()).collect();
    assert_eq!(flags(loud), []);
}

#[test]
fn an_overdriven_input_is_clipped_and_the_peaks_of_a_loud_machine_are_not() {
    let driven = |gain: f32| machine(160_000, 8).iter().map(|sample| as_16_bit(gain * sample)).collect::<Vec<f32>>();
    assert_eq!(flags(driven(30.0)), [QualityFlag::Clipped]);
    let turned_down = driven(30.0).iter().map(|sample| 0.37 * sample).collect();
    assert_eq!(flags(turned_down), [QualityFlag::Clipped], "clipped before a gain");
    let one_sided = machine(160_000, 8).iter().map(|sample| sample.min(0.03)).collect();
    assert_eq!(flags(one_sided), [QualityFlag::Clipped]);
    let with_peaks = |peaks: usize| {
        let mut samples = machine(16_000, 8);
        for peak in 0..peaks {
            samples[peak * 100] = if peak % 2 == 0 { 32_767.0 / 32_768.0 } else { -1.0 };
        }
        samples
    };
    assert_eq!(flags(with_peaks(160)), [QualityFlag::Clipped]);
    assert_eq!(flags(with_peaks(159)), []);
}

#[test]
fn physical_units_in_float_have_no_full_scale() {
    for unit in [0.8, 1.0, 3.2, 30.0, 9_810.0] {
        let samples: Vec<f32> = machine(32_000, 8).iter().map(|sample| unit * sample / 0.2).collect();
        assert_eq!(flags(samples), [], "{unit}");
        assert_eq!(flags((0..32_000).map(|index| unit * (TAU * index as f32 / 16.0).sin()).collect()), [], "{unit}");
    }
}

#[test]
fn sound_of_a_lower_rate_than_it_says_is_told() {
    for (from_hz, to_hz) in [(8_000, 16_000), (16_000, 44_100), (16_000, 48_000), (22_050, 48_000)] {
        let mut upsampled = Vec::new();
        Resampler::new(to_hz).resample(&machine(2 * from_hz as usize, 9), from_hz, &mut upsampled).unwrap();
        let channels = vec![upsampled.into_iter().map(as_16_bit).collect()];
        let quality = check(&Clip { sample_rate_hz: to_hz, channels, ..Clip::default() }).unwrap();
        assert_eq!(quality.flags, [QualityFlag::WrongRate], "{from_hz} Hz as {to_hz} Hz");
    }
}

#[test]
fn a_dull_housing_is_no_wrong_rate() {
    // Four poles at 1 kHz: 24 dB an octave.
    let mut poles = [0.0_f32; 4];
    let muffled = machine(160_000, 10).into_iter().map(|sample| {
        let mut value = 4.0 * sample;
        for pole in &mut poles {
            *pole += 0.32 * (value - *pole);
            value = *pole;
        }
        as_16_bit(value)
    });
    assert_eq!(flags(muffled.collect()), []);
}

#[test]
fn a_lower_rate_is_noted_only_where_the_spec_s_bands_miss_something() {
    let upsampled = |from_hz: u32, to_hz: u32| {
        let mut samples = Vec::new();
        Resampler::new(to_hz).resample(&machine(2 * from_hz as usize, 9), from_hz, &mut samples).unwrap();
        Clip {
            sample_rate_hz: to_hz,
            channels: vec![samples.into_iter().map(as_16_bit).collect()],
            step: None,
            ..Clip::default()
        }
    };
    let mut of_16_khz = QualityChecker::new(&FeatureSpec::default());
    for to_hz in [44_100, 48_000] {
        assert_eq!(of_16_khz.check(&upsampled(16_000, to_hz)).unwrap(), Default::default(), "16 kHz as {to_hz} Hz");
        let quality = of_16_khz.check(&upsampled(8_000, to_hz)).unwrap();
        assert_eq!(
            (quality.flags, quality.sensor_faults),
            (vec![QualityFlag::WrongRate], vec![]),
            "8 kHz as {to_hz} Hz"
        );
    }
    assert_eq!(of_16_khz.check(&upsampled(8_000, 16_000)).unwrap().flags, [QualityFlag::WrongRate]);
}

#[test]
fn nothing_but_mains_is_noted_as_hum_and_a_motor_near_mains_speed_is_not() {
    let hum = |mains_hz: f32| -> Vec<f32> {
        let sound = |(index, sample): (usize, &f32)| {
            let time = index as f64 / f64::from(RATE_HZ);
            let harmonic = |order: f64| (std::f64::consts::TAU * f64::from(mains_hz) * order * time).sin() / order;
            sample + 0.1 * (harmonic(1.0) + harmonic(3.0) + harmonic(5.0)) as f32
        };
        noise(160_000, -65.0, 11).iter().enumerate().map(sound).collect()
    };
    for mains_hz in [50.0, 60.0, 49.93] {
        let quality = check(&clip(vec![hum(mains_hz)])).unwrap();
        assert_eq!((quality.flags, quality.sensor_faults), (vec![QualityFlag::MainsHum], vec![]), "{mains_hz} Hz");
        let motor = hum(mains_hz).iter().zip(machine(160_000, 11)).map(|(hum, machine)| hum + 0.5 * machine).collect();
        assert_eq!(flags(motor), [], "{mains_hz} Hz");
        for quantity in [Quantity::Current, Quantity::Pressure] {
            let spec = FeatureSpec { quantity: Some(quantity), ..FeatureSpec::default() };
            assert_eq!(QualityChecker::new(&spec).check(&clip(vec![hum(mains_hz)])).unwrap().flags, []);
        }
    }
    for shaft_hz in [47.0, 49.5, 50.5, 58.0, 59.3, 61.0] {
        assert_eq!(flags(hum(shaft_hz)), [], "{shaft_hz} Hz");
    }
}

#[test]
fn a_noise_gate_is_noted_and_the_machine_between_its_silences_is_judged() {
    let mut samples = machine(160_000, 12);
    for (index, sample) in samples.iter_mut().enumerate() {
        // Open for 0.5 s of 2 s, with 20 ms to close.
        let at = index % 32_000;
        let open = (1.0 - (at as f32 - 8_000.0) / 320.0).clamp(0.0, 1.0);
        *sample = as_16_bit(*sample * open * open);
    }
    let quality = check(&clip(vec![samples])).unwrap();
    assert_eq!((quality.flags, quality.sensor_faults), (vec![QualityFlag::Processed], vec![]));
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
            let FeatureError::NonFinite { channel, index: found, count, .. } = error else { panic!("{error}") };
            assert_eq!((channel, found, count), (1, index, if index == 15_999 { 1 } else { 2 }));
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
fn huge_finite_samples_are_checked_like_any_others() {
    assert_eq!(flags(vec![f32::MAX; 16_000]), [QualityFlag::Silent, QualityFlag::Stuck]);
    let huge = (0..16_000).map(|index| if index % 2 == 0 { f32::MAX } else { f32::MIN }).collect();
    assert!(!flags(huge).contains(&QualityFlag::Silent));
    let cut_off = machine(16_000, 8).iter().map(|sample| (1e37 * sample).clamp(-1e35, 1e35)).collect();
    assert_eq!(flags(cut_off), [QualityFlag::Clipped]);
}

#[test]
fn clips_outside_the_contract_are_refused() {
    let code = |clip: &Clip| check(clip).unwrap_err().code();
    assert_eq!(code(&clip(vec![])), DeadLetterCode::UnsupportedFormat);
    assert_eq!(code(&clip(vec![tone(10); 17])), DeadLetterCode::UnsupportedFormat);
    assert_eq!(
        code(&Clip { sample_rate_hz: 0, channels: vec![tone(10)], ..Clip::default() }),
        DeadLetterCode::UnsupportedFormat
    );
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
    fn a_machine_of_any_kind_raises_no_flag(seed: u64, seconds in 1..4_usize, gain_db in -20.0_f32..10.0) {
        let gain = 10.0_f32.powf(gain_db / 20.0);
        let samples = machine(seconds * RATE_HZ as usize, seed).iter().map(|sample| as_16_bit(gain * sample)).collect();
        prop_assert_eq!(flags(samples), []);
    }
}

#[test]
fn a_relay_a_tachometer_and_an_inverter_are_judged_whatever_they_measure() {
    type Signal = fn(f64) -> f32;
    let signals: [(&str, Signal); 4] = [
        ("solenoid, pulses of 2 ms", |time| if time * 4.0 % 1.0 < 0.008 { 0.5 } else { 0.0 }),
        ("relay, most of the time on", |time| if time % 0.7 < 0.5 { 24.0 } else { 0.0 }),
        ("tachometer", |time| if time * 24.7 % 1.0 < 0.2 { 5.0 } else { 0.0 }),
        ("inverter", |time| [0.0, 310.0, 0.0, -310.0][(time * 800.0) as usize % 4]),
    ];
    for (name, signal) in signals {
        for quantity in [Quantity::Sound, Quantity::Vibration, Quantity::Current, Quantity::Pressure] {
            let spec = FeatureSpec { quantity: Some(quantity), ..FeatureSpec::for_rate(RATE_HZ) };
            let samples = (0..48_000).map(|index| signal(f64::from(index) / f64::from(RATE_HZ))).collect();
            let quality = QualityChecker::new(&spec).check(&clip(vec![samples])).unwrap();
            assert!(quality.sensor_faults.is_empty(), "{name}, {quantity:?}: {quality:?}");
        }
    }
}

#[test]
fn samples_that_are_written_twice_are_of_another_rate() {
    let half = machine(80_000, 5);
    assert!(!flags(half.clone()).contains(&QualityFlag::WrongRate));
    let twice: Vec<f32> = half.iter().flat_map(|sample| [*sample; 2]).collect();
    assert!(flags(twice).contains(&QualityFlag::WrongRate));
}
