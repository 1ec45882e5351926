//! The simulator against the real feature extraction and a real model.

#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the report")]

use std::ops::ControlFlow;

use auscult_detection::{ClipView, HoldOut, Judgement, Model, TrainingClip, TrainingOptions, train};
use auscult_features::{ChunkExtractor, Extraction};
use auscult_schemas::FeatureSpec;
use auscult_simulator::{Condition, Fault, Machine, MachineKind, SAMPLE_RATE_HZ, wav_bytes};
use ndarray::Array2;

fn features(machine: &Machine, index: u64, condition: Condition) -> Extraction {
    let wav = wav_bytes(&machine.chunk(index, condition), SAMPLE_RATE_HZ);
    ChunkExtractor::new(FeatureSpec::default()).unwrap().extract("audio/wav", &wav).unwrap()
}

fn judge(model: &Model, features: &Extraction) -> Judgement {
    let view = ClipView {
        channels: features.channels,
        frames: features.frames,
        mels: features.mels,
        values: &features.values,
    };
    model.judge(&[view]).unwrap().remove(0)
}

fn model_of(machine: &Machine) -> Model {
    let clips: Vec<TrainingClip> = (0..100)
        .map(|index| {
            let features = features(machine, index, Condition::NORMAL);
            let log_mel = Array2::from_shape_vec((features.frames, features.mels), features.values).unwrap();
            TrainingClip { name: index.to_string(), channels: vec![log_mel], ..TrainingClip::default() }
        })
        .collect();
    let options =
        TrainingOptions { hold_out: HoldOut::Share(0.25), false_alarm_rate: 1e-3, ..TrainingOptions::default() };
    let package = train(&clips, &options, &mut |_| ControlFlow::Continue(())).unwrap();
    Model::load(&package, &candle_core::Device::Cpu).unwrap()
}

/// Chunks that are listened to in each condition, none of them heard in training.
const HEARD: std::ops::Range<u64> = 5_000..5_020;

fn judgements(model: &Model, machine: &Machine, condition: Condition) -> Vec<Judgement> {
    HEARD.map(|index| judge(model, &features(machine, index, condition))).collect()
}

fn anomalous(judgements: &[Judgement]) -> usize {
    judgements.iter().filter(|judgement| judgement.anomalous).count()
}

fn mean_score(judgements: &[Judgement]) -> f64 {
    judgements.iter().map(|judgement| judgement.score).sum::<f64>() / judgements.len() as f64
}

#[test]
fn every_grown_fault_is_heard_a_growing_one_scores_higher_and_normal_sound_is_left_in_peace() {
    for kind in MachineKind::ALL {
        let machine = Machine::new(kind, format!("{kind}-1"), 42);
        let model = model_of(&machine);
        let normal = judgements(&model, &machine, Condition::NORMAL);
        let false_alarms = anomalous(&normal);
        assert!(false_alarms <= 1, "{kind}: {false_alarms} false alarms in {} chunks", normal.len());

        for &fault in kind.faults() {
            let half = judgements(&model, &machine, Condition::faulty(fault, 0.5));
            let grown = judgements(&model, &machine, Condition::faulty(fault, 1.0));
            let found = anomalous(&grown);
            assert!(found >= grown.len() - 1, "{kind}, {fault}: {found} of {} heard", grown.len());
            let scores = [&normal, &half, &grown].map(|judgements| mean_score(judgements));
            assert!(scores.is_sorted(), "{kind}, {fault}: {scores:?} as it grows");
        }
    }
}

#[test]
fn the_bands_that_deviate_are_those_of_the_fault_s_physics() {
    let machine = Machine::new(MachineKind::Fan, "fan-1", 42);
    let model = model_of(&machine);
    // The housing's resonance lies at 3.2 kHz ± 250 Hz; an unbalanced rotor shakes at its 24.6 turns a second.
    for (fault, hz) in [(Fault::BearingWear, 2_950.0..3_450.0), (Fault::Imbalance, 0.0..50.0)] {
        let judged = judgements(&model, &machine, Condition::faulty(fault, 1.0));
        for judgement in &judged {
            let named = judgement.bands.iter().take(2).any(|band| band.hz_low < hz.end && band.hz_high > hz.start);
            assert!(named, "{fault}: {:?}", judgement.bands);
        }
    }
}
