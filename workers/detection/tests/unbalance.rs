//! From samples to a score: an unbalance of any strength, at any shaft speed, is judged, and is the more anomalous the
//! stronger it is.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::f64::consts::TAU;
use std::ops::ControlFlow;

use auscult_detection::{ClipView, DetectorKind, Model, TrainingClip, TrainingOptions, train};
use auscult_features::{ChunkExtractor, Clip, Extraction};
use auscult_schemas::{FeatureSpec, Quantity};
use candle_core::Device;
use ndarray::Array2;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Half a second of a rotor with a ball bearing, g, as 24 bits of ±50 g or as float; `unbalance` in multiples of the
/// usual one.
fn recorded(shaft_hz: f64, unbalance: f64, is_float: bool, seed: u64) -> Clip {
    let rate_hz = 25_600;
    let mut rng = StdRng::seed_from_u64(seed);
    let begins: f64 = rng.random_range(0.0..1.0);
    let sample = |index: u32| {
        let time = begins + f64::from(index) / f64::from(rate_hz);
        let rotor = 0.05 * unbalance * (TAU * shaft_hz * time).sin() + 0.02 * (TAU * 2.0 * shaft_hz * time).sin();
        let mesh = 0.03 * (TAU * 3_000.0 * time).sin();
        let acceleration = rotor + mesh + 0.05 * rng.random_range(-1.0..1.0_f64);
        let steps = 8_388_608.0 / 50.0;
        (if is_float { acceleration } else { (acceleration * steps).round() / 8_388_608.0 }) as f32
    };
    let step = (!is_float).then_some(1.0 / 8_388_608.0);
    Clip { sample_rate_hz: rate_hz, channels: vec![(0..rate_hz / 2).map(sample).collect()], step, ..Clip::default() }
}

fn view(features: &Extraction) -> ClipView<'_> {
    let Extraction { channels, frames, mels, values, .. } = features;
    ClipView { channels: *channels, frames: *frames, mels: *mels, values }
}

#[test]
fn an_unbalance_is_judged_at_any_speed_and_the_more_anomalous_the_stronger() {
    let spec = FeatureSpec { quantity: Some(Quantity::Vibration), ..FeatureSpec::for_rate(25_600) };
    let mut extractor = ChunkExtractor::new(spec.clone()).unwrap();
    let of_support = support::clips(1, 1).remove(0);
    for (shaft_hz, is_float) in [(10.0, false), (29.95, true), (49.5, false), (50.0, true), (59.3, true), (60.0, false)]
    {
        let training: Vec<TrainingClip> = (0..16)
            .map(|seed| {
                let features = extractor.extract_clip(&recorded(shaft_hz, 1.0, is_float, seed)).unwrap();
                let channel = Array2::from_shape_vec((features.frames, features.mels), features.values).unwrap();
                TrainingClip { name: format!("{seed}.wav"), channels: vec![channel], ..of_support.clone() }
            })
            .collect();
        for detector in [DetectorKind::Pooled, DetectorKind::Knn] {
            let options = TrainingOptions { detector, spec: spec.clone(), ..support::options() };
            let package = train(&training, &options, &mut |_| ControlFlow::Continue(())).unwrap();
            let model = Model::load(&package, &Device::Cpu).unwrap();
            let mut last = f64::NEG_INFINITY;
            for unbalance in [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0] {
                let features = extractor.extract_clip(&recorded(shaft_hz, unbalance, is_float, 1_000)).unwrap();
                let what = format!("{shaft_hz} Hz, {unbalance} times, {}", detector.name());
                assert!(features.sensor_faults.is_empty(), "{what}: {:?}", features.sensor_faults);
                let judgement = model.judge(&[view(&features)]).unwrap().remove(0);
                assert!(judgement.score > last, "{what}: {} after {last}", judgement.score);
                assert!(unbalance < 4.0 || judgement.anomalous, "{what}: {} is normal", judgement.score);
                last = judgement.score;
            }
        }
    }
}
