//! The whole way of a chunk.

mod wav_bytes;

use auscult_features::{ChunkExtractor, Clip, Extraction, FeatureError, LogMelExtractor};
use auscult_schemas::{FeatureSpec, QualityFlag};
use wav_bytes::WavBytes;

fn tone(hz: f32, rate_hz: f32, samples: usize) -> Vec<f32> {
    (0..samples).map(|index| 0.25 * (std::f32::consts::TAU * hz * index as f32 / rate_hz).sin()).collect()
}

#[test]
fn every_channel_has_its_own_spectrogram_in_order() {
    let channels: Vec<Vec<f32>> = (1..=3).map(|n| tone(500.0 * n as f32, 16_000.0, 16_000)).collect();
    let clip = Clip { sample_rate_hz: 16_000, channels: channels.clone(), ..Clip::default() };
    let mut extractor = ChunkExtractor::new(FeatureSpec::default()).unwrap();
    let extraction = extractor.extract_clip(&clip).unwrap();
    assert_eq!((extraction.channels, extraction.frames, extraction.mels), (3, 32, 64));
    let mut log_mel = LogMelExtractor::new(&FeatureSpec::default()).unwrap();
    let expected: Vec<f32> = channels.iter().flat_map(|channel| log_mel.log_mel(channel).into_iter()).collect();
    assert!(extraction.values == expected);
    assert_eq!((extraction.duration_s, extraction.source_rate_hz), (1.0, 16_000));
    assert!(extraction.quality.is_empty());
    assert!(extraction.timings.decode_s.is_none() && extraction.timings.resample_s.is_none());
    assert!(extraction.timings.log_mel_s.is_some());
}

#[test]
fn each_channel_has_its_own_maximum_as_reference() {
    let loud = tone(500.0, 16_000.0, 16_000);
    let quiet: Vec<f32> = loud.iter().map(|sample| sample / 100.0).collect();
    let clip = Clip { sample_rate_hz: 16_000, channels: vec![loud, quiet], ..Clip::default() };
    let extraction = ChunkExtractor::new(FeatureSpec::reference_method()).unwrap().extract_clip(&clip).unwrap();
    for spectrogram in extraction.values.chunks(extraction.frames * extraction.mels) {
        assert_eq!(spectrogram.iter().copied().fold(f32::NEG_INFINITY, f32::max), 0.0);
        assert!(spectrogram.iter().all(|&value| value >= -80.0));
    }
}

#[test]
fn a_chunk_of_another_rate_is_resampled_and_says_so() {
    let data: Vec<u8> =
        tone(1_000.0, 48_000.0, 48_000).iter().flat_map(|sample| ((sample * 32_768.0) as i16).to_le_bytes()).collect();
    let wav = WavBytes { rate_hz: 48_000, ..WavBytes::default() }.build(&data);
    let mut extractor = ChunkExtractor::new(FeatureSpec::default()).unwrap();
    let fast = extractor.extract("audio/wav", &wav).unwrap();
    assert_eq!(fast.quality, [QualityFlag::Resampled]);
    assert_eq!((fast.duration_s, fast.source_rate_hz, fast.frames), (1.0, 48_000, 32));
    assert!(fast.timings.decode_s.is_some() && fast.timings.resample_s.is_some());
    let plain = Clip { sample_rate_hz: 16_000, channels: vec![tone(1_000.0, 16_000.0, 16_000)], ..Clip::default() };
    let plain = extractor.extract_clip(&plain).unwrap();
    // The band of the tone, 1 kHz, is the same in both but for the first and last frames, where the clip begins and
    // ends.
    let loudest = |values: &[f32]| (0..64).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap();
    for frame in 2..30 {
        let (fast, plain) = (&fast.values[frame * 64..][..64], &plain.values[frame * 64..][..64]);
        let band = loudest(plain);
        assert_eq!(loudest(fast), band);
        assert!((fast[band] - plain[band]).abs() < 0.01);
    }
}

#[test]
fn vibration_current_and_pressure_go_the_way_of_sound() {
    for rate_hz in [100, 1_000, 10_000, 25_600, 200_000, 1_000_000] {
        let spec = FeatureSpec::for_rate(rate_hz);
        let samples = 8 * spec.n_fft;
        // A slow swing with some noise: 16-bit samples of a linear congruential generator.
        let mut state = 1_u32;
        let bytes: Vec<u8> = (0..samples)
            .flat_map(|index| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let swing = 3_000.0 * (0.01 * index as f32).sin();
                (swing as i16 + (state >> 22) as i16 - 512).to_be_bytes()
            })
            .collect();
        let mut extractor = ChunkExtractor::new(spec).unwrap();
        let extraction = extractor.extract(&format!("audio/L16;rate={rate_hz}"), &bytes).unwrap();
        assert_eq!((extraction.frames, extraction.mels, extraction.source_rate_hz), (17, 64, rate_hz));
        assert_eq!(extraction.quality, [], "{rate_hz} Hz");
        assert!(extraction.values.iter().all(|value| *value > -60.0), "{rate_hz} Hz: a band hears nothing");
    }
}

#[test]
fn the_mean_is_kept_or_taken_off_as_the_spec_says() {
    let biased: Vec<f32> = tone(1_000.0, 16_000.0, 16_000).iter().map(|sample| 0.1 * sample + 0.45).collect();
    let plain: Vec<f32> = biased.iter().map(|sample| sample - 0.45).collect();
    for rate_hz in [16_000, 25_600] {
        let of = |remove_mean: bool, samples: &[f32]| {
            let spec = FeatureSpec { remove_mean, ..FeatureSpec::default() };
            let clip =
                Clip { sample_rate_hz: rate_hz, channels: vec![samples.to_vec()], step: None, ..Clip::default() };
            ChunkExtractor::new(spec).unwrap().extract_clip(&clip).unwrap()
        };
        let (kept, taken_off, without) = (of(false, &biased), of(true, &biased), of(false, &plain));
        assert!(kept.sensor_faults.is_empty() && taken_off.sensor_faults.is_empty());
        let lowest = |extraction: &Extraction| extraction.values[64 * 10];
        assert!(lowest(&kept) > lowest(&without) + 30.0, "the mean is in the lowest band");
        let loud = without.values.iter().zip(&taken_off.values).filter(|(value, _)| **value > -60.0);
        assert!(loud.clone().count() > 100 && loud.clone().all(|(a, b)| (a - b).abs() < 0.05), "{rate_hz} Hz");
        assert!(lowest(&taken_off) < lowest(&kept) - 30.0);
    }
}

#[test]
fn a_clip_shorter_than_one_vector_is_padded_and_flagged() {
    for center in [true, false] {
        let spec = FeatureSpec { center, ..FeatureSpec::default() };
        let needed = if center { 4 * 512 } else { 1024 + 4 * 512 };
        let mut extractor = ChunkExtractor::new(spec).unwrap();
        for (samples, is_short) in [(1, true), (700, true), (needed - 1, true), (needed, false)] {
            let clip =
                Clip { sample_rate_hz: 16_000, channels: vec![tone(440.0, 16_000.0, samples); 2], ..Clip::default() };
            let extraction = extractor.extract_clip(&clip).unwrap();
            assert_eq!(extraction.frames, 5, "{samples} samples, center {center}");
            assert_eq!(extraction.values.len(), 2 * 5 * 64);
            assert_eq!(
                extraction.quality.contains(&QualityFlag::Short),
                is_short,
                "{samples} samples, center {center}"
            );
            assert_eq!(extraction.duration_s, samples as f64 / 16_000.0);
        }
    }
}

#[test]
fn a_clip_that_would_grow_beyond_the_bound_is_refused() {
    let spec = FeatureSpec { sample_rate_hz: 192_000, ..FeatureSpec::default() };
    let clip = Clip { sample_rate_hz: 4_000, channels: vec![vec![0.1; 100_000]; 16], ..Clip::default() };
    let error = ChunkExtractor::new(spec).unwrap().extract_clip(&clip).unwrap_err();
    assert!(matches!(error, FeatureError::TooLarge { samples: 76_800_000, .. }), "{error}");
}

#[test]
fn absurd_but_finite_levels_give_finite_features() {
    for spec in [FeatureSpec::default(), FeatureSpec { power: 3.5, ..FeatureSpec::reference_method() }] {
        let mut extractor = ChunkExtractor::new(spec).unwrap();
        for level in [f32::MAX, 1e20, f32::MIN_POSITIVE, 1e-45] {
            let channels = vec![tone(440.0, 16_000.0, 4_000).iter().map(|sample| sample * level).collect()];
            let extraction =
                extractor.extract_clip(&Clip { sample_rate_hz: 16_000, channels, ..Clip::default() }).unwrap();
            assert!(extraction.values.iter().all(|value| value.is_finite()), "{level}");
        }
    }
}

#[test]
fn a_spec_at_fault_is_refused_at_the_start() {
    let spec = FeatureSpec { n_fft: 15, n_mels: 0, ..FeatureSpec::default() };
    let message = ChunkExtractor::new(spec).err().unwrap().to_string();
    assert!(message.contains("n_fft") && message.contains("n_mels"), "{message}");
}
