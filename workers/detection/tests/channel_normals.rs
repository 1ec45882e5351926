//! Unlike microphones each get a normal of their own; alike ones share one.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::ops::ControlFlow;

use auscult_detection::metrics::roc_auc;
use auscult_detection::{
    ClipView, DetectorKind, HealthyClip, Judgement, Model, ModelPackage, TrainingClip, TrainingOptions, train,
};
use auscult_schemas::{QualityFlag, SensorFault};
use candle_core::Device;
use ndarray::Array2;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use support::{log_mel, options};

const FRAMES: usize = 60;
const FAULT_DB: f32 = 0.5;

/// At the machine: steady but for a decibel of load. A fault lifts one band.
fn near(seed: u64, fault_db: f32) -> Array2<f32> {
    let mut rng = StdRng::seed_from_u64(seed);
    let load: f32 = rng.random_range(-1.0..1.0);
    let mut sound = log_mel(seed, FRAMES, 0.0) + load;
    sound.column_mut(6).mapv_inplace(|level| level + fault_db);
    sound
}

/// Across the hall: its noise, which is another in each clip and drowns the machine.
fn far(seed: u64) -> Array2<f32> {
    let mut rng = StdRng::seed_from_u64(seed + 77_777);
    let (level, tilt): (f32, f32) = (rng.random_range(-6.0..6.0), rng.random_range(-0.8..0.8));
    let noise = log_mel(seed + 50_000, FRAMES, 0.0);
    let mels = noise.ncols();
    noise + Array2::from_shape_fn((FRAMES, mels), |(_, mel)| 8.0 + level + tilt * (mel as f32 - 8.0))
}

fn training(channels: impl Fn(u64) -> Vec<Array2<f32>>, numbers: &[usize]) -> Vec<TrainingClip> {
    let clip = |seed: u64| TrainingClip {
        name: format!("normal-{seed:03}.wav"),
        channels: channels(seed),
        numbers: numbers.to_vec(),
        ..TrainingClip::default()
    };
    (0..60).map(clip).collect()
}

fn package(kind: DetectorKind, clips: &[TrainingClip]) -> ModelPackage {
    let options = TrainingOptions { detector: kind, ..options() };
    train(clips, &options, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn loaded(package: &ModelPackage) -> Model {
    // Through its bytes: what a worker reads is what was learned.
    Model::load(&ModelPackage::from_bytes(&package.to_bytes().unwrap()).unwrap(), &Device::Cpu).unwrap()
}

/// A clip's channels without those that are at fault.
fn judged(model: &Model, channels: &[Array2<f32>], at_fault: &[usize]) -> Judgement {
    let values: Vec<f32> = channels.iter().flatten().copied().collect();
    let (frames, mels) = channels[0].dim();
    let clip = ClipView { channels: channels.len(), frames, mels, values: &values };
    let fault = |channel: &usize| SensorFault { channel: *channel, flags: vec![QualityFlag::Silent] };
    let faults: Vec<SensorFault> = at_fault.iter().map(fault).collect();
    model.judge_heard(&[HealthyClip::of(&clip, None, &faults).unwrap()]).unwrap().remove(0)
}

fn auc(model: &Model, channels: impl Fn(u64, f32) -> Vec<Array2<f32>>) -> f64 {
    let scores = |seeds: std::ops::Range<u64>, fault_db: f32| -> Vec<f64> {
        seeds.map(|seed| judged(model, &channels(seed, fault_db), &[]).score).collect()
    };
    roc_auc(&scores(1_000..1_040, 0.0), &scores(2_000..2_040, FAULT_DB)).unwrap()
}

#[test]
fn a_fault_at_the_near_microphone_is_found_as_well_beside_a_far_one_as_without_it() {
    for kind in [DetectorKind::Fused, DetectorKind::Pooled, DetectorKind::Gmm, DetectorKind::Knn] {
        let alone = loaded(&package(kind, &training(|seed| vec![near(seed, 0.0)], &[])));
        let both = package(kind, &training(|seed| vec![near(seed, 0.0), far(seed)], &[]));
        let channels: Vec<usize> = both.manifest().channel_normals.iter().map(|normal| normal.channel).collect();
        assert_eq!(channels, [0, 1], "{}", kind.name());
        let alone = auc(&alone, |seed, fault_db| vec![near(seed, fault_db)]);
        let both = auc(&loaded(&both), |seed, fault_db| vec![near(seed, fault_db), far(seed)]);
        println!("{}: AUC {alone:.3} alone, {both:.3} beside the far one", kind.name());
        assert!(alone > 0.8 && both > alone - 0.02, "{}: {alone:.3} alone, {both:.3} with both", kind.name());
    }
}

#[test]
fn a_microphone_at_fault_is_left_out_and_the_other_is_judged_by_its_own_normal() {
    let package = package(DetectorKind::Fused, &training(|seed| vec![near(seed, 0.0), far(seed)], &[]));
    let model = loaded(&package);
    let normal: Vec<Judgement> =
        (3_000..3_020).map(|seed| judged(&model, &[near(seed, 0.0), far(seed)], &[0])).collect();
    assert!(normal.iter().filter(|judgement| judgement.anomalous).count() <= 2);
    // The level is as if both were there: no drift, no rest, no change of the machine.
    let learned = &package.manifest().drift_reference.mean_band_levels_db;
    for at_fault in [&[][..], &[0], &[1]] {
        let clips = (3_000..3_040).map(|seed| judged(&model, &[near(seed, 0.0), far(seed)], at_fault).band_levels_db);
        let clips: Vec<Vec<f32>> = clips.collect();
        for (band, learned) in learned.iter().enumerate() {
            let mean = clips.iter().map(|clip| f64::from(clip[band])).sum::<f64>() / clips.len() as f64;
            assert!((mean - learned).abs() < 2.5, "{at_fault:?}, band {band}: {mean:.1}, learned {learned:.1}");
        }
    }
    let fault = judged(&model, &[near(9, 8.0), far(9)], &[1]);
    assert!(fault.anomalous && fault.channel_scores.len() == 1);
    let fault = judged(&model, &[near(9, 8.0), far(9)], &[]);
    assert!(fault.anomalous && fault.bands[0].level_change_db > Some(0.0), "{fault:?}");
}

#[test]
fn a_channel_without_a_normal_is_refused_by_its_number() {
    let package = package(DetectorKind::Fused, &training(|seed| vec![near(seed, 0.0), far(seed)], &[1, 3]));
    let model = loaded(&package);
    let clip = near(5, 0.0);
    let (frames, mels) = clip.dim();
    let values = clip.as_slice().unwrap();
    // Whose number nobody tells is taken for the first one.
    assert!(model.judge(&[ClipView { channels: 1, frames, mels, values }]).is_ok());
    let heard = |channel: usize| HealthyClip { channels: vec![channel], frames, mels, values: values.into() };
    assert!(model.judge_heard(&[heard(3)]).is_ok());
    let refusal = model.judge_heard(&[heard(2)]).unwrap_err().to_string();
    assert!(refusal.contains("channel 2 has no normal") && refusal.contains("channels 1, 3"), "{refusal}");
}

#[test]
fn alike_microphones_and_too_few_clips_share_one_normal() {
    let alike = training(|seed| vec![near(seed, 0.0), near(seed, 0.0) + 0.1], &[]);
    assert!(package(DetectorKind::Fused, &alike).manifest().channel_normals.is_empty());
    let few = training(|seed| vec![near(seed, 0.0), far(seed)], &[]);
    assert!(package(DetectorKind::Fused, &few[..19]).manifest().channel_normals.is_empty());
    assert!(package(DetectorKind::Autoencoder, &few[..24]).manifest().channel_normals.is_empty());
}
