//! What the detectors promise whose networks learn with batch normalisation.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::ops::ControlFlow;
use std::sync::OnceLock;

use auscult_detection::{
    ClipView, DetectorKind, HoldOut, Judgement, Model, ModelPackage, TrainingClip, TrainingEvent, TrainingOptions,
    Weights, train,
};
use candle_core::Device;
use ndarray::Array2;
use support::{clips, log_mel};

const KINDS: [DetectorKind; 3] = [DetectorKind::Wide, DetectorKind::WideMahalanobis, DetectorKind::Convolutional];

fn options(kind: DetectorKind) -> TrainingOptions {
    // The support's small spec, name, time and hold-out; the kind's own schedule and shape, but for fewer epochs.
    let TrainingOptions { spec, model_id, hold_out, created_at, .. } = support::options();
    let suited = TrainingOptions { spec, model_id, hold_out, created_at, ..TrainingOptions::of(kind) };
    let (epochs, batch_size) = if kind == DetectorKind::Convolutional { (8, 16) } else { (12, 64) };
    TrainingOptions { epochs, batch_size, hidden: vec![32, 32, 8, 32, 32], ..suited }
}

/// One model of each kind for all tests that only look at it.
fn trained(kind: DetectorKind) -> &'static ModelPackage {
    static MODELS: [OnceLock<ModelPackage>; KINDS.len()] = [const { OnceLock::new() }; KINDS.len()];
    let index = KINDS.iter().position(|known| *known == kind).unwrap();
    MODELS[index].get_or_init(|| train(&clips(24, 1), &options(kind), &mut |_| ControlFlow::Continue(())).unwrap())
}

fn judge(model: &Model, clip: &Array2<f32>) -> Judgement {
    let (frames, mels) = clip.dim();
    model.judge(&[ClipView { channels: 1, frames, mels, values: clip.as_slice().unwrap() }]).unwrap().remove(0)
}

#[test]
fn a_fault_that_was_never_heard_is_anomalous_and_its_band_is_named_and_normal_sound_is_neither() {
    for kind in KINDS {
        let model = Model::load(trained(kind), &Device::Cpu).unwrap();
        let normal = judge(&model, &log_mel(9_001, 60, 0.0));
        assert!(!normal.anomalous && normal.p_value > 1e-3 && normal.health_index > 50.0, "{kind:?} {normal:?}");
        let faulty = judge(&model, &log_mel(9_001, 60, 12.0));
        assert!(faulty.anomalous && faulty.p_value < 1e-3 && faulty.health_index < 50.0, "{kind:?} {faulty:?}");
        let edges = auscult_detection::explain::band_edges(&support::spec());
        let band = faulty.bands.first().unwrap();
        assert!(band.hz_low <= edges[9].hz_centre && edges[10].hz_centre <= band.hz_high, "{kind:?} {band:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for kind in KINDS {
        let few = TrainingOptions { epochs: 2, ..options(kind) };
        let bytes = |options: &TrainingOptions| {
            let package = train(&clips(12, 1), options, &mut |_| ControlFlow::Continue(())).unwrap();
            package.to_bytes().unwrap()
        };
        assert_eq!(bytes(&few), bytes(&few), "{kind:?}");
        assert_ne!(bytes(&few), bytes(&TrainingOptions { seed: 43, ..few.clone() }), "{kind:?}");
    }
}

#[test]
fn a_package_is_read_back_as_it_was_and_judges_the_same() {
    for kind in KINDS {
        let package = trained(kind);
        let bytes = package.to_bytes().unwrap();
        let read = ModelPackage::from_bytes(&bytes).unwrap();
        assert_eq!(read.weights(), package.weights());
        assert_eq!(read.weights().kind(), kind);
        assert_eq!(read.manifest(), package.manifest());
        assert_eq!(read.to_bytes().unwrap(), bytes);
        let clip = log_mel(7_000, 60, 2.0);
        let [before, after] =
            [package, &read].map(|package| judge(&Model::load(package, &Device::Cpu).unwrap(), &clip));
        assert_eq!(before, after, "{kind:?}");
    }
}

#[test]
fn an_altered_weight_and_a_file_cut_short_are_refused() {
    for kind in KINDS {
        let few = TrainingOptions { epochs: 1, ..options(kind) };
        let package = train(&clips(12, 1), &few, &mut |_| ControlFlow::Continue(())).unwrap();
        let bytes = package.to_bytes().unwrap();
        // All over the weights, which lie between the header and the 32 bytes of the manifest's hash.
        let header = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        for at in (header..bytes.len() - 32).step_by((bytes.len() - header) / 40) {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            let error = ModelPackage::from_bytes(&altered).unwrap_err().to_string();
            assert!(error.contains("not those that the manifest was written for"), "{kind:?} {at}: {error}");
            assert!(ModelPackage::from_bytes(&bytes[..at]).is_err(), "{kind:?} {at}");
        }
    }
}

#[test]
fn candles_own_operations_judge_as_the_cpus_engine_does() {
    for kind in KINDS {
        let package = trained(kind);
        let cpu = Model::load(package, &Device::Cpu).unwrap();
        let tensors = Model::load_as_tensors(package, &Device::Cpu).unwrap();
        for (seed, fault_db) in [(9_100, 0.0), (9_101, 6.0)] {
            let clip = log_mel(seed, 60, fault_db);
            let (cpu, tensors) = (judge(&cpu, &clip), judge(&tensors, &clip));
            assert!((cpu.score / tensors.score - 1.0).abs() < 1e-3, "{kind:?} {} {}", cpu.score, tensors.score);
        }
    }
}

#[test]
fn a_clips_score_does_not_depend_on_its_neighbours_in_the_batch() {
    for kind in KINDS {
        let model = Model::load(trained(kind), &Device::Cpu).unwrap();
        let clips = [log_mel(1, 60, 0.0), log_mel(2, 333, 5.0), log_mel(3, 32, 0.0)];
        let views: Vec<ClipView<'_>> = clips
            .iter()
            .map(|clip| ClipView {
                channels: 1,
                frames: clip.nrows(),
                mels: clip.ncols(),
                values: clip.as_slice().unwrap(),
            })
            .collect();
        let together = model.judge(&views).unwrap();
        let alone: Vec<Judgement> = clips.iter().map(|clip| judge(&model, clip)).collect();
        assert_eq!(together, alone, "{kind:?}");
    }
}

/// A machine that runs faster: all levels change together.
fn of_domain(seed: u64, domain: Option<&str>, shift_db: f32) -> TrainingClip {
    let channel = log_mel(seed, 60, 0.0);
    // The noise of the other conditions is in other bands.
    let louder = log_mel(seed + 50_000, 60, 0.0);
    let channel = Array2::from_shape_fn(channel.dim(), |(row, mel)| {
        let noise = (louder[[row, mel]] * 41.0).sin();
        channel[[row, mel]] + if mel < 4 { shift_db * noise } else { 0.0 }
    });
    TrainingClip {
        name: format!("{seed}.wav"),
        channels: vec![channel],
        domain: domain.map(str::to_owned),
        ..TrainingClip::default()
    }
}

#[test]
fn a_domain_of_its_own_makes_its_normal_sound_no_further_than_the_other_s() {
    let domains = [("source", 1.0_f32), ("target", 8.0)];
    let clips: Vec<TrainingClip> = (0..40)
        .map(|seed| {
            let (name, shift_db) = domains[usize::from(seed % 4 == 0)];
            of_domain(seed, Some(name), shift_db)
        })
        .collect();
    let pooled: Vec<TrainingClip> = clips.iter().map(|clip| TrainingClip { domain: None, ..clip.clone() }).collect();
    let train = |clips: &[TrainingClip]| {
        train(clips, &options(DetectorKind::WideMahalanobis), &mut |_| ControlFlow::Continue(())).unwrap()
    };
    let (selective, single) = (train(&clips), train(&pooled));
    let Weights::WideMahalanobis(detector) = selective.weights() else { panic!("another kind") };
    assert_eq!(detector.domains.keys().map(String::as_str).collect::<Vec<_>>(), ["source", "target"]);
    let Weights::WideMahalanobis(detector) = single.weights() else { panic!("another kind") };
    assert_eq!(detector.domains.len(), 1);

    let ratio = |package: &ModelPackage| {
        let model = Model::load(package, &Device::Cpu).unwrap();
        let mean = |shift_db| {
            (900..910).map(|seed| judge(&model, &of_domain(seed, None, shift_db).channels[0]).score).sum::<f64>() / 10.0
        };
        mean(8.0) / mean(1.0)
    };
    let (selective, single) = (ratio(&selective), ratio(&single));
    assert!(selective < 1.3 && selective < 0.8 * single, "{selective} {single}");
}

#[test]
fn a_clip_shorter_than_a_patch_is_refused_with_both_numbers() {
    let model = Model::load(trained(DetectorKind::Convolutional), &Device::Cpu).unwrap();
    let clip = log_mel(1, 31, 0.0);
    let view = ClipView { channels: 1, frames: 31, mels: 16, values: clip.as_slice().unwrap() };
    let reason = model.check(&view).unwrap_err();
    assert!(reason.contains("31") && reason.contains("32"), "{reason}");
    let mut short = clips(10, 1);
    short[4].channels[0] = clip;
    let error = train(&short, &options(DetectorKind::Convolutional), &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().contains("normal-004.wav") && error.to_string().contains("32"), "{error}");
}

#[test]
fn progress_adds_up_and_a_stop_in_the_first_epoch_still_gives_a_calibrated_model() {
    for kind in KINDS {
        let (mut seen, mut epochs) = (0, 0);
        let long = TrainingOptions { epochs: 500, hold_out: HoldOut::Folds(3), ..options(kind) };
        let package = train(&clips(24, 1), &long, &mut |event| {
            if let TrainingEvent::Epoch { done, .. } = event {
                seen += 1;
                assert_eq!(done, seen);
                epochs += 1;
            }
            ControlFlow::Break(())
        })
        .unwrap();
        assert!(support::learning(&package).stopped_early && epochs < 1500, "{kind:?} {epochs}");
        assert!(package.manifest().calibration.scores.len() >= 20, "{kind:?}");
    }
}

#[test]
fn an_autoencoder_of_the_same_widths_learns_otherwise() {
    let package = trained(DetectorKind::Wide);
    let plain = TrainingOptions { detector: DetectorKind::Autoencoder, ..options(DetectorKind::Wide) };
    let plain = train(&clips(24, 1), &plain, &mut |_| ControlFlow::Continue(())).unwrap();
    let Weights::Wide(wide) = package.weights() else { panic!("another kind") };
    assert_eq!(wide.0.widths(), support::network(&plain).widths());
    assert_ne!(&wide.0, support::network(&plain));
}
