//! What the fused detector promises.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::ops::ControlFlow;

use auscult_detection::{
    ClipView, DetectorKind, DetectorParameters, FusedParameters, Judgement, Model, ModelPackage, Pooling, TrainingClip,
    TrainingOptions, train,
};
use candle_core::Device;
use ndarray::Array2;
use support::{log_mel, options};

fn clips(seeds: std::ops::Range<u64>) -> Vec<TrainingClip> {
    seeds
        .map(|seed| TrainingClip {
            name: format!("normal-{seed}.wav"),
            channels: vec![log_mel(seed, 60, 0.0)],
            domain: None,
        })
        .collect()
}

fn trained(count: u64) -> ModelPackage {
    let options = TrainingOptions { detector: DetectorKind::Fused, ..options() };
    train(&clips(0..count), &options, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn judge(model: &Model, clip: &Array2<f32>) -> Judgement {
    let (frames, mels) = clip.dim();
    model.judge(&[ClipView { channels: 1, frames, mels, values: clip.as_slice().unwrap() }]).unwrap().remove(0)
}

fn model(count: u64) -> Model {
    Model::load(&trained(count), &Device::Cpu).unwrap()
}

#[test]
fn a_package_is_read_back_as_it_was_and_judges_the_same() {
    let package = trained(40);
    let read = ModelPackage::from_bytes(&package.to_bytes().unwrap()).unwrap();
    assert_eq!(read.weights(), package.weights());
    assert_eq!(read.manifest(), package.manifest());
    let clip = log_mel(7_000, 60, 2.0);
    let [before, after] = [&package, &read].map(|package| judge(&Model::load(package, &Device::Cpu).unwrap(), &clip));
    assert_eq!(before, after);
    assert_eq!(trained(40).to_bytes().unwrap(), package.to_bytes().unwrap(), "the same clips give the same bytes");
}

#[test]
fn an_altered_weight_is_refused() {
    let mut bytes = trained(20).to_bytes().unwrap();
    // Before the 32 bytes of the manifest's hash.
    let last = bytes.len() - 40;
    bytes[last] ^= 1;
    let error = ModelPackage::from_bytes(&bytes).unwrap_err().to_string();
    assert!(error.contains("not those that the manifest was written for"), "{error}");
}

#[test]
fn a_fault_that_was_never_heard_is_anomalous_and_normal_sound_is_not() {
    let model = model(60);
    let normal = judge(&model, &log_mel(9_001, 60, 0.0));
    assert!(!normal.anomalous && normal.p_value > 1e-2 && normal.health_index > 50.0, "{normal:?}");
    let louder = log_mel(9_001, 60, 0.0).mapv(|level| level + 6.0);
    let faulty = judge(&model, &louder);
    assert!(faulty.anomalous && faulty.p_value < 1e-3 && faulty.health_index < 50.0, "{faulty:?}");
}

#[test]
fn a_louder_band_is_named_in_95_of_100_trials() {
    let model = model(60);
    let mut named = 0;
    for trial in 0..100_u64 {
        let mut clip = log_mel(20_000 + trial, 60, 0.0);
        let band = 1 + (trial as usize * 5) % 14;
        clip.column_mut(band).mapv_inplace(|level| level + 6.0);
        let edges = auscult_detection::explain::band_edges(&model.manifest().feature_spec)[band];
        let first = judge(&model, &clip).bands.into_iter().next();
        named +=
            usize::from(first.is_some_and(|found| found.hz_low <= edges.hz_centre && edges.hz_centre <= found.hz_high));
    }
    assert!(named >= 95, "{named} of 100");
}

/// Kolmogorov-Smirnov: with 400 fresh clips and 200 held-out ones behind the distribution, a greatest distance of 0.14 is exceeded by chance
/// once in a hundred times.
#[test]
fn p_values_of_fresh_normal_sound_are_uniform() {
    let model = model(200);
    let mut p_values: Vec<f64> = (50_000..50_400).map(|seed| judge(&model, &log_mel(seed, 60, 0.0)).p_value).collect();
    p_values.sort_by(f64::total_cmp);
    let count = p_values.len() as f64;
    let distance = p_values.iter().enumerate().map(|(index, p)| {
        let (below, at) = (index as f64 / count, (index + 1) as f64 / count);
        (p - below).abs().max((at - p).abs())
    });
    let greatest = distance.fold(0.0, f64::max);
    assert!(greatest < 0.14, "{greatest}");
}

#[test]
fn a_part_that_notices_nothing_is_not_in_the_package() {
    // Bands that swing each by themselves have no rhythm in common.
    let restless = |seed: u64| {
        let clip = log_mel(seed, 60, 0.0);
        let noise = log_mel(seed + 400_000, 60, 0.0);
        Array2::from_shape_fn(clip.dim(), |(row, mel)| {
            -40.0 + 3.0 * ((noise[[row, mel]] * 37.0).sin() + (clip[[row, mel]] * 53.0).sin())
        })
    };
    let clips: Vec<TrainingClip> = (0..60)
        .map(|seed| TrainingClip { name: format!("{seed}.wav"), channels: vec![restless(seed)], domain: None })
        .collect();
    let options = TrainingOptions { detector: DetectorKind::Fused, ..options() };
    let package = train(&clips, &options, &mut |_| ControlFlow::Continue(())).unwrap();
    let DetectorParameters::Fused(FusedParameters { parts }) = &package.manifest().detector else { panic!("fused") };
    assert!(parts.iter().all(|part| part.pooling != Pooling::Rhythm), "{parts:?}");
    assert_eq!(parts[0].pooling, Pooling::Level);
}
