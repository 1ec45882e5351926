//! What a loaded model promises.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use auscult_detection::{ClipView, DetectionError, Model, TrainingOptions};
use candle_core::Device;
use ndarray::Array2;
use proptest::prelude::*;
use support::{log_mel, network, options, trained};

fn view(values: &[f32], channels: usize) -> ClipView<'_> {
    ClipView { channels, frames: values.len() / 16 / channels, mels: 16, values }
}

fn clip(seed: u64, rows: usize, channels: u64, fault_db: f32) -> Vec<f32> {
    (0..channels).flat_map(|channel| log_mel(seed * 10 + channel, rows, fault_db).into_raw_vec_and_offset().0).collect()
}

/// The score by its definition: vectors copied out one by one, candle's plain operations on the standardised input.
fn by_definition(package: &auscult_detection::ModelPackage, channel: &Array2<f32>) -> f64 {
    let scaling = package.manifest().standardisation.as_ref();
    let mut total = 0.0;
    let vectors = channel.nrows() - 2;
    for vector in 0..vectors {
        let mut input = Vec::new();
        for frame in 0..3 {
            for mel in 0..16 {
                let value = f64::from(channel[[vector + frame, mel]]);
                input.push(scaling.map_or(value, |s| (value - f64::from(s.mean_db[mel])) / f64::from(s.deviation_db)));
            }
        }
        let mut activation = input.clone();
        let layers = &network(package).layers;
        for (index, layer) in layers.iter().enumerate() {
            let outputs = layer.weight.rows().into_iter().zip(&layer.bias);
            activation = outputs
                .map(|(weights, bias)| {
                    let product: f64 = weights.iter().zip(&activation).map(|(w, a)| f64::from(*w) * a).sum();
                    let sum = product + f64::from(*bias);
                    if index + 1 < layers.len() { sum.max(0.0) } else { sum }
                })
                .collect();
        }
        let squares: f64 = input.iter().zip(&activation).map(|(wanted, got)| (wanted - got).powi(2)).sum();
        total += squares / input.len() as f64;
    }
    total / vectors as f64 * scaling.map_or(1.0, |s| f64::from(s.deviation_db).powi(2))
}

#[test]
fn the_score_is_the_mean_squared_error_in_decibels_squared() {
    for standardise in [true, false] {
        let package = trained(&TrainingOptions { standardise, ..options() });
        let channel = log_mel(77, 50, 3.0);
        let wanted = by_definition(&package, &channel);
        let model = Model::load(&package, &Device::Cpu).unwrap();
        let got = model.judge(&[view(channel.as_slice().unwrap(), 1)]).unwrap()[0].score;
        assert!((got - wanted).abs() <= 1e-5 * wanted, "standardise {standardise}: {got} {wanted}");
    }
}

#[test]
fn both_engines_give_the_same_scores() {
    let package = trained(&options());
    let cpu = Model::load(&package, &Device::Cpu).unwrap();
    let tensors = Model::load_as_tensors(&package, &Device::Cpu).unwrap();
    let clips = [clip(1, 60, 1, 0.0), clip(2, 1000, 2, 8.0), clip(3, 3, 1, 0.0), clip(4, 61, 8, 0.0)];
    let views: Vec<_> = clips.iter().zip([1, 2, 1, 8]).map(|(values, channels)| view(values, channels)).collect();
    for (a, b) in cpu.judge(&views).unwrap().iter().zip(&tensors.judge(&views).unwrap()) {
        assert_eq!(a.channel_scores.len(), b.channel_scores.len());
        for (a, b) in a.channel_scores.iter().zip(&b.channel_scores) {
            assert!((a - b).abs() <= 1e-5 * a, "{a} {b}");
        }
        assert_eq!(a.bands.len(), b.bands.len());
    }
}

#[test]
fn a_clips_score_is_the_mean_of_its_channels() {
    let model = Model::load(&trained(&options()), &Device::Cpu).unwrap();
    let both = clip(5, 60, 2, 4.0);
    let (left, right) = both.split_at(both.len() / 2);
    let judgement = model.judge(&[view(&both, 2)]).unwrap().remove(0);
    let alone = |values| model.judge(&[view(values, 1)]).unwrap()[0].score;
    assert_eq!(judgement.channel_scores, [alone(left), alone(right)]);
    assert_eq!(judgement.score, (alone(left) + alone(right)) / 2.0);
}

#[test]
fn band_levels_are_the_means_that_drift_is_measured_on() {
    let model = Model::load(&trained(&options()), &Device::Cpu).unwrap();
    let values = clip(6, 60, 2, 0.0);
    let levels = model.judge(&[view(&values, 2)]).unwrap().remove(0).band_levels_db;
    for (mel, level) in levels.iter().enumerate() {
        let mean = values.iter().skip(mel).step_by(16).sum::<f32>() / 120.0;
        assert!((level - mean).abs() < 1e-3, "{level} {mean}");
    }
}

#[test]
fn clips_that_do_not_fit_are_refused_with_their_place_and_reason() {
    let model = Model::load(&trained(&options()), &Device::Cpu).unwrap();
    let good = clip(7, 60, 1, 0.0);
    let mut infinite = good.clone();
    infinite[100] = f32::INFINITY;
    let huge = vec![3e38; 60 * 16];
    let cases = [
        (ClipView { mels: 20, frames: 48, ..view(&good, 1) }, "20 mel bands"),
        (ClipView { frames: 61, ..view(&good, 1) }, "960 values"),
        (ClipView { channels: usize::MAX, ..view(&good, 1) }, "960 values"),
        (ClipView { channels: 0, frames: 60, mels: 16, values: &[] }, "no channel"),
        (view(&good[..32], 1), "2 frames"),
        (view(&infinite, 1), "not a finite number"),
        (view(&huge, 1), "not a number"),
    ];
    for (bad, reason) in cases {
        let error = model.judge(&[view(&good, 1), bad]).unwrap_err();
        assert!(matches!(error, DetectionError::Clip { index: 1, .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    assert!(model.judge(&[]).unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Replay must not depend on how chunks happened to be batched.
    #[test]
    fn a_judgement_does_not_depend_on_what_else_is_in_the_batch(
        shapes in prop::collection::vec((0_u64..1000, 3_usize..400, 1_u64..4), 1..8),
    ) {
        thread_local! {
            static MODEL: Model = Model::load(&trained(&options()), &Device::Cpu).unwrap();
        }
        let clips: Vec<_> = shapes.iter().map(|(seed, rows, channels)| clip(*seed, *rows, *channels, 2.0)).collect();
        let views: Vec<_> =
            clips.iter().zip(&shapes).map(|(values, (_, _, channels))| view(values, *channels as usize)).collect();
        MODEL.with(|model| {
            let together = model.judge(&views).unwrap();
            for (view, judgement) in views.iter().zip(together) {
                prop_assert_eq!(&model.judge(&[*view]).unwrap()[0], &judgement);
            }
            Ok(())
        })?;
    }
}
