//! What training promises.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::ops::ControlFlow;

use auscult_detection::{
    ClipView, DetectionError, HoldOut, MIN_CLIPS, Model, Phase, TrainingClip, TrainingEvent, TrainingOptions, train,
};
use candle_core::Device;
use support::{clips, learning, log_mel, options, trained};

fn on(_: TrainingEvent) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn the_same_seed_gives_the_same_file_bit_for_bit() {
    let (first, second) = (trained(&options()), trained(&options()));
    assert_eq!(first.to_bytes().unwrap(), second.to_bytes().unwrap());
    assert_eq!(first.model_ref(), second.model_ref());
    assert_eq!(first.to_bytes().unwrap(), first.to_bytes().unwrap());
}

#[test]
fn another_seed_gives_other_weights() {
    let other = trained(&TrainingOptions { seed: 43, ..options() });
    assert_ne!(trained(&options()).weights(), other.weights());
}

#[test]
fn the_loss_falls_and_the_best_epoch_is_kept() {
    let mut losses = Vec::new();
    let package = train(&clips(24, 1), &options(), &mut |event| {
        if let TrainingEvent::Epoch { phase: Phase::Model, validation_loss_db2, .. } = event {
            losses.push(validation_loss_db2);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(losses.len(), 6);
    assert!(best < 0.8 * losses[0], "{losses:?}");
    let training = learning(&package);
    assert!((training.validation_loss_db2 - best).abs() < 1e-9);
    assert!((losses[training.best_epoch - 1] - best).abs() < 1e-9);
}

#[test]
fn every_clip_is_held_out_once_under_cross_fitting() {
    let package = trained(&options());
    let manifest = package.manifest();
    assert_eq!(manifest.calibration.scores.len(), 24);
    assert_eq!(manifest.training.fitted_clips, 24);
    assert_eq!(manifest.training.hold_out, HoldOut::Folds(3));
}

#[test]
fn held_out_clips_are_not_fitted_under_one_hold_out() {
    let package = trained(&TrainingOptions { hold_out: HoldOut::Share(0.5), ..options() });
    assert_eq!(package.manifest().calibration.scores.len(), 12);
    assert_eq!(package.manifest().training.fitted_clips, 12);
}

#[test]
fn progress_adds_up_to_the_epochs_announced() {
    let mut seen = Vec::new();
    let mut held_out = 0;
    train(&clips(24, 1), &options(), &mut |event| {
        match event {
            TrainingEvent::Epoch { done, total, .. } => seen.push((done, total)),
            TrainingEvent::Fold { .. } => panic!("an autoencoder is trained"),
            TrainingEvent::Calibrating { held_out: clips } => held_out = clips,
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    let total = seen.len();
    assert_eq!(seen, (1..=total).map(|done| (done, total)).collect::<Vec<_>>());
    assert_eq!(held_out, 24);
}

#[test]
fn a_fault_that_was_never_heard_in_training_is_anomalous_and_its_band_is_named() {
    let model = Model::load(&trained(&options()), &Device::Cpu).unwrap();
    let judge = |seed: u64, fault_db: f32| {
        let clip = log_mel(seed, 60, fault_db);
        let (frames, mels) = clip.dim();
        let view = ClipView { channels: 1, frames, mels, values: clip.as_slice().unwrap() };
        model.judge(&[view]).unwrap().remove(0)
    };
    let normal = judge(9_001, 0.0);
    assert!(!normal.anomalous && normal.p_value > 1e-3 && normal.health_index > 50.0, "{normal:?}");
    let faulty = judge(9_001, 12.0);
    assert!(faulty.anomalous && faulty.p_value < 1e-3 && faulty.health_index < 50.0, "{faulty:?}");

    let edges = auscult_detection::explain::band_edges(&support::spec());
    let band = faulty.bands.first().unwrap();
    assert!(band.hz_low <= edges[9].hz_centre && edges[10].hz_centre <= band.hz_high, "{band:?} {edges:?}");
    assert!(band.hz_high - band.hz_low < 4.0 * (edges[10].hz_high - edges[9].hz_low), "{band:?}");
    assert!(band.share > 0.5, "{band:?}");
}

#[test]
fn eight_channels_of_eight_clips_can_be_trained_on() {
    let package = train(&clips(MIN_CLIPS, 8), &options(), &mut on).unwrap();
    assert_eq!(package.manifest().calibration.scores.len(), MIN_CLIPS);
    assert_eq!(package.manifest().training.vectors, 8 * 8 * 58);
}

#[test]
fn fewer_clips_than_can_be_calibrated_with_are_refused_with_both_numbers() {
    let error = train(&clips(MIN_CLIPS - 1, 1), &options(), &mut on).unwrap_err();
    assert_eq!(
        error.to_string(),
        "7 different clips of normal sound are too few to calibrate a threshold with; at least 8 are needed"
    );
    let share = TrainingOptions { hold_out: HoldOut::Share(0.2), ..options() };
    let error = train(&clips(30, 1), &share, &mut on).unwrap_err();
    assert!(matches!(error, DetectionError::TooFewClips { have: 30, need: 38 }), "{error}");
    assert!(train(&clips(38, 1), &share, &mut on).is_ok());
}

#[test]
fn stopping_in_the_first_epoch_still_gives_a_calibrated_model() {
    let mut epochs = 0;
    let package = train(&clips(24, 1), &TrainingOptions { epochs: 1000, ..options() }, &mut |event| {
        epochs += usize::from(matches!(event, TrainingEvent::Epoch { .. }));
        ControlFlow::Break(())
    })
    .unwrap();
    let training = learning(&package);
    assert!(training.stopped_early && training.epochs_run < 1000, "{training:?}");
    assert!(package.manifest().calibration.scores.len() >= 20);
    assert!(epochs < 3000, "{epochs}");
}

#[test]
fn stopping_once_the_model_is_done_leaves_out_folds_but_not_the_threshold() {
    let mut after = 0;
    let options = TrainingOptions { hold_out: HoldOut::Folds(12), ..options() };
    let clips = clips(60, 1);
    let package = train(&clips, &options, &mut |event| match event {
        TrainingEvent::Epoch { phase: Phase::Fold { fold, .. }, .. } if fold >= 5 => {
            after += 1;
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })
    .unwrap();
    let held_out = package.manifest().calibration.scores.len();
    assert!((20..60).contains(&held_out), "{held_out} held out, {after} epochs after");
    assert!(learning(&package).stopped_early);
    assert_eq!(learning(&package).epochs_run, 6);
}

#[test]
fn without_standardisation_the_network_sees_decibels() {
    let package = trained(&TrainingOptions { standardise: false, ..options() });
    assert_eq!(package.manifest().standardisation, None);
    // The folded network is the network itself: its layer takes what the file holds.
    let raw = learning(&package).validation_loss_db2;
    assert!(raw.is_finite() && raw > 0.0);
}

#[test]
fn another_clip_or_another_name_is_another_fingerprint() {
    let fingerprint = |clips: &[TrainingClip]| {
        train(clips, &options(), &mut |_| ControlFlow::Break(())).unwrap().manifest().training.fingerprint.clone()
    };
    let clips = clips(8, 1);
    let mut renamed = clips.clone();
    renamed[3].name.push('x');
    let mut altered = clips.clone();
    altered[3].channels[0][[5, 5]] += 1e-3;
    let original = fingerprint(&clips);
    assert_eq!(original, fingerprint(&clips));
    assert_ne!(original, fingerprint(&renamed));
    assert_ne!(original, fingerprint(&altered));
}

#[test]
fn unusable_clips_are_refused_by_name() {
    type Spoil = fn(&mut TrainingClip);
    let spoils: [(Spoil, &str); 4] = [
        (|clip| clip.channels.clear(), "no channel"),
        (|clip| clip.channels[0][[0, 0]] = f32::NAN, "not a finite number"),
        (|clip| clip.channels[0] = ndarray::Array2::zeros((60, 7)), "7 mel bands"),
        (|clip| clip.channels[0] = ndarray::Array2::zeros((2, 16)), "2 frames"),
    ];
    for (spoil, reason) in spoils {
        let mut clips = clips(10, 1);
        spoil(&mut clips[6]);
        let error = train(&clips, &options(), &mut on).unwrap_err().to_string();
        assert!(error.contains("normal-006.wav") && error.contains(reason), "{error}");
    }
}

#[test]
fn sound_without_any_change_of_level_is_refused_in_words() {
    let silent: Vec<TrainingClip> = clips(10, 1)
        .into_iter()
        .enumerate()
        .map(|(index, clip)| TrainingClip {
            channels: vec![ndarray::Array2::from_elem((60 + index, 16), -100.0)],
            ..clip
        })
        .collect();
    for standardise in [true, false] {
        let error = train(&silent, &TrainingOptions { standardise, ..options() }, &mut on).unwrap_err();
        assert!(error.to_string().contains("is the sensor connected?"), "{error}");
    }
}

#[test]
fn copies_of_a_clip_count_once() {
    let copy = clips(1, 1).remove(0);
    let renamed = (0..20).map(|index| TrainingClip { name: format!("{index}.wav"), ..copy.clone() });
    let error = train(&renamed.collect::<Vec<_>>(), &options(), &mut on).unwrap_err();
    assert!(matches!(error, DetectionError::TooFewClips { have: 1, need: MIN_CLIPS }), "{error}");
}

#[test]
fn contradictory_options_are_all_named_at_once() {
    let options = TrainingOptions { epochs: 0, batch_size: 0, false_alarm_rate: 0.0, ..options() };
    let error = train(&clips(10, 1), &options, &mut on).unwrap_err().to_string();
    for name in ["epochs", "batch_size", "false_alarm_rate"] {
        assert!(error.contains(name), "{error}");
    }
}
