//! What `check` flags and refuses.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::f32::consts::TAU;
use std::path::{Path, PathBuf};

use auscult_features::{ChunkExtractor, Clip, FeatureError, MAX_SAMPLES, Resampler, check, content_type_of, decode};
use auscult_schemas::{DeadLetterCode, FeatureSpec, QualityFlag};
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

#[test]
fn a_muted_microphone_that_is_quiet_noise_is_a_sensor_fault_not_an_anomaly() {
    for rms_db in [-96.0, -90.0, -80.0, -72.0] {
        let mut extractor = ChunkExtractor::new(FeatureSpec::default()).unwrap();
        let extraction = extractor.extract_clip(&clip(vec![noise(160_000, rms_db, 7)])).unwrap();
        assert_eq!(extraction.quality, [QualityFlag::Silent], "{rms_db} dB");
        assert_eq!(extraction.sensor_faults.len(), 1);
    }
    assert_eq!(flags(noise(160_000, -66.0, 7)), [], "a quiet machine");
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
    assert_eq!(flags(vec![0.5; 16_000]), [QualityFlag::Silent, QualityFlag::DcOffset, QualityFlag::Stuck]);
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
fn an_offset_that_outweighs_the_signal_is_a_fault_and_an_accelerometer_s_bias_is_none() {
    let shifted = |by: f32| machine(160_000, 6).iter().map(|sample| sample + by).collect::<Vec<f32>>();
    assert_eq!(flags(shifted(-0.11)), [QualityFlag::DcOffset]);
    assert_eq!(flags(shifted(0.06)), []);
    let loud = (0..16_000).map(|index| 0.12 + 0.4 * (0.3 * index as f32).sin()).collect();
    assert_eq!(flags(loud), []);
}

#[test]
fn an_overdriven_input_is_clipped_and_the_peaks_of_a_loud_machine_are_not() {
    let driven = |gain: f32| machine(160_000, 8).iter().map(|sample| as_16_bit(gain * sample)).collect::<Vec<f32>>();
    assert_eq!(flags(driven(30.0)), [QualityFlag::Clipped]);
    let with_peaks = |peaks: usize| {
        let mut samples = tone(16_000);
        for peak in 0..peaks {
            samples[peak * 100] = if peak % 2 == 0 { 32_767.0 / 32_768.0 } else { -1.0 };
        }
        samples
    };
    assert_eq!(flags(with_peaks(160)), [QualityFlag::Clipped]);
    assert_eq!(flags(with_peaks(159)), []);
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
fn nothing_but_mains_is_hum_and_a_motor_at_mains_speed_is_not() {
    for mains_hz in [50.0, 60.0, 49.8] {
        let hum: Vec<f32> = noise(160_000, -65.0, 11)
            .iter()
            .enumerate()
            .map(|(index, sample)| {
                let time = index as f32 / RATE_HZ as f32;
                let harmonic = |order: f32| (TAU * mains_hz * order * time).sin() / order;
                sample + 0.1 * (harmonic(1.0) + harmonic(3.0) + harmonic(5.0))
            })
            .collect();
        assert_eq!(flags(hum.clone()), [QualityFlag::MainsHum], "{mains_hz} Hz");
        let motor = hum.iter().zip(machine(160_000, 11)).map(|(hum, machine)| hum + 0.5 * machine);
        assert_eq!(flags(motor.collect()), [], "{mains_hz} Hz");
    }
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
    assert!(flags(vec![f32::MAX; 16_000]).contains(&QualityFlag::Clipped));
    let alternating = (0..16_000).map(|index| if index % 2 == 0 { f32::MAX } else { f32::MIN }).collect();
    assert!(flags(alternating).contains(&QualityFlag::Clipped));
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

/// Every clip of the public sets, normal or abnormal: a machine's fault must never pass for the sensor's. `AUSCULT_TEST_DATA` names a
/// folder that holds some of them (see README, "Recordings").
#[test]
fn no_recording_of_a_machine_is_a_sensor_fault() {
    let Some(data) = std::env::var_os("AUSCULT_TEST_DATA").map(PathBuf::from) else {
        println!("skipped: AUSCULT_TEST_DATA names no folder of recordings");
        return;
    };
    let sets = [
        "air-compressor",
        "air-compressor-6db",
        "air-compressor-0db",
        "air-compressor-0db-shift",
        "lathe",
        "mimii-fan-id00-0db",
        "dcase2020-fan",
        "dcase2020-pump",
        "dcase2020-slider",
        "bldc-motor",
        "cwru-bearing-48k",
    ];
    let mut flagged = Vec::new();
    for set in sets {
        let files = recordings_below(&data.join(set));
        for file in &files {
            let content_type = content_type_of(&file.to_string_lossy()).unwrap();
            let clip = decode(content_type, &std::fs::read(file).unwrap()).unwrap();
            let quality = check(&clip).unwrap();
            if !quality.flags.is_empty() {
                flagged.push(format!("{}: {:?}", file.display(), quality.sensor_faults));
            }
        }
        println!("{set}: {} clips", files.len());
    }
    assert!(flagged.is_empty(), "{} clips are flagged:\n{}", flagged.len(), flagged.join("\n"));
}

fn recordings_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped: {} is not there", folder.display());
        return Vec::new();
    };
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(recordings_below(&path));
        } else if content_type_of(&path.to_string_lossy()).is_some() {
            files.push(path);
        }
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn levels_are_what_one_sample_after_the_other_gives(
        samples in prop::collection::vec(prop_oneof![-1.0_f32..=1.0, Just(1.0_f32), -1e-4_f32..1e-4], 1..5000),
        scale in prop_oneof![Just(1.0_f32), Just(1e-4), Just(0.01)],
        offset in prop_oneof![Just(0.0_f32), -0.4_f32..0.4],
    ) {
        let samples: Vec<f32> = samples.iter().map(|sample| sample * scale + offset).collect();
        let count = samples.len() as f64;
        let mean = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / count;
        let farthest = samples.iter().map(|&sample| (f64::from(sample) - mean).abs()).fold(0.0, f64::max);
        let variance = samples.iter().map(|&sample| (f64::from(sample) - mean).powi(2)).sum::<f64>() / count;
        let at_full_scale = samples.iter().filter(|sample| sample.abs() >= 0.999).count();
        // Sums in f32 blocks and in f64 may differ at the very threshold.
        prop_assume!((mean.abs() - 0.1).abs() > 1e-6 && (mean * mean - variance).abs() > 1e-6);
        prop_assume!((farthest - 2.0 / 32_768.0).abs() > 1e-7 && (variance / 1e-7 - 1.0).abs() > 0.5);
        let flags = flags(samples);
        prop_assert_eq!(flags.contains(&QualityFlag::Silent), farthest <= 2.0 / 32_768.0 || variance <= 1e-7);
        prop_assert_eq!(flags.contains(&QualityFlag::DcOffset), mean.abs() >= 0.1 && mean * mean > variance);
        prop_assert_eq!(flags.contains(&QualityFlag::Clipped), at_full_scale > 0 && at_full_scale as f64 >= 0.01 * count);
    }

    #[test]
    fn a_machine_of_any_kind_raises_no_flag(seed: u64, seconds in 1..4_usize, gain_db in -20.0_f32..10.0) {
        let gain = 10.0_f32.powf(gain_db / 20.0);
        let samples = machine(seconds * RATE_HZ as usize, seed).iter().map(|sample| as_16_bit(gain * sample)).collect();
        prop_assert_eq!(flags(samples), []);
    }
}
