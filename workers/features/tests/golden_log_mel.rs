//! The log-mel spectrogram against librosa 0.11's, on the vectors that `golden/make_golden.py` made.

use std::path::PathBuf;

use auscult_features::LogMelExtractor;
use auscult_schemas::FeatureSpec;
use ndarray::{Array1, Array2, Array3, Axis};

/// The bound that the design promises, dB.
const BOUND_DB: f32 = 1e-3;

fn golden<T: ndarray_npy::ReadableElement, D: ndarray::Dimension>(name: &str) -> ndarray::Array<T, D> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    ndarray_npy::read_npy(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `[signals, samples]`, full scale ±1.
fn signals(name: &str) -> Vec<Vec<f32>> {
    let steps: Array2<i16> = golden(name);
    steps.outer_iter().map(|row| row.iter().map(|&step| f32::from(step) / 32_768.0).collect()).collect()
}

fn signals_16000() -> Vec<Vec<f32>> {
    let tone: Array1<f32> = golden("tone_16000.npy");
    signals("signals_16000.npy").into_iter().chain([tone.to_vec()]).collect()
}

/// Largest difference over all signals, dB.
fn largest_difference(spec: &FeatureSpec, signals: &[Vec<f32>], golden_name: &str) -> f32 {
    let expected: Array3<f32> = golden(golden_name);
    assert_eq!(expected.len_of(Axis(0)), signals.len());
    let mut extractor = LogMelExtractor::new(spec).expect("the spec is valid");
    let mut largest = 0.0_f32;
    for (signal, expected) in signals.iter().zip(expected.outer_iter()) {
        let found = extractor.log_mel(signal);
        assert_eq!(found.dim(), expected.dim());
        let difference =
            (&found - &expected).mapv(f32::abs).fold(0.0, |a: f32, &b| if b > a || b.is_nan() { b } else { a });
        println!("{golden_name}: {difference:.1e} dB");
        largest = if difference > largest || difference.is_nan() { difference } else { largest };
    }
    largest
}

#[test]
fn the_default_spec_equals_librosa() {
    let difference = largest_difference(&FeatureSpec::default(), &signals_16000(), "log_mel_default.npy");
    assert!(difference <= BOUND_DB, "{difference} dB");
}

#[test]
fn the_reference_method_s_spec_equals_librosa() {
    let spec = FeatureSpec::reference_method();
    let difference = largest_difference(&spec, &signals_16000(), "log_mel_reference_method.npy");
    assert!(difference <= BOUND_DB, "{difference} dB");
}

#[test]
fn n_fft_2048_with_128_bands_at_44100_hz_equals_librosa() {
    let spec = FeatureSpec { sample_rate_hz: 44_100, n_fft: 2048, n_mels: 128, ..FeatureSpec::default() };
    let difference = largest_difference(&spec, &signals("signals_44100.npy"), "log_mel_wide_44100.npy");
    assert!(difference <= BOUND_DB, "{difference} dB");
}

#[test]
fn every_other_field_of_the_spec_means_what_it_means_in_librosa() {
    let spec = FeatureSpec {
        n_fft: 800,
        hop_length: 300,
        n_mels: 40,
        f_min_hz: 50.0,
        f_max_hz: Some(7_000.0),
        power: 1.0,
        center: false,
        amin: 2.220_446e-16,
        top_db: Some(60.0),
        ..FeatureSpec::default()
    };
    let difference = largest_difference(&spec, &signals_16000(), "log_mel_magnitude_uncentred.npy");
    assert!(difference <= BOUND_DB, "{difference} dB");
}

#[test]
fn an_extractor_remembers_nothing_of_the_clip_before() {
    let signals = signals_16000();
    let mut used = LogMelExtractor::new(&FeatureSpec::reference_method()).unwrap();
    let first = used.log_mel(&signals[0]);
    let _ = used.log_mel(&signals[3][..777]);
    assert_eq!(used.log_mel(&signals[0]), first);
}

#[test]
fn an_impulse_at_the_very_end_is_heard_through_the_padding() {
    // In every bin it has the power of the window at its distance from the frame's centre; a band's weights add up to
    // about one over the width of a bin.
    let bin_width_db = 10.0 * (16_000.0_f64 / 1024.0).log10();
    let mut extractor = LogMelExtractor::new(&FeatureSpec::default()).unwrap();
    for samples in [1, 2, 500, 512, 513, 800, 1023, 1024, 1025, 5000] {
        let mut clip = vec![0.0; samples];
        clip[samples - 1] = 1.0;
        let spectrogram = extractor.log_mel(&clip);
        let last_frame = samples / 512;
        assert_eq!(spectrogram.nrows(), last_frame + 1);
        let distance = samples as f64 - 1.0 - 512.0 * last_frame as f64;
        let window = 0.5 + 0.5 * (std::f64::consts::TAU * distance / 1024.0).cos();
        let expected = (20.0 * window.log10() - bin_width_db).max(-100.0);
        let found = f64::from(spectrogram[[last_frame, 63]]);
        assert!((found - expected).abs() < 0.1, "{samples} samples: {found} dB is not {expected} dB");
    }
    assert!(extractor.log_mel(&[]).iter().all(|&value| (value + 100.0).abs() < 1e-3));
}
