//! Pieces of one recording count as one where a threshold is calibrated.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::ops::ControlFlow;

use auscult_detection::{
    AlertPolicy, Cadence, Calibration, DetectorKind, FalseAlarms, GammaFit, HoldOut, TrainingClip, TrainingOptions,
    train,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use support::{clips, options};

const SCORES: GammaFit = GammaFit { shape: 20.0, scale: 0.3, location: 0.0 };

fn calibration(scores: &[f64], recordings: &[usize]) -> Calibration {
    let errors: Vec<Vec<f64>> = scores.iter().map(|score| vec![*score]).collect();
    Calibration::of_recordings(scores.to_vec(), recordings, &errors, 0.01).unwrap()
}

#[test]
fn a_recording_counts_once_however_many_pieces_it_has() {
    let mut rng = StdRng::seed_from_u64(3);
    let single: Vec<f64> = (0..40).map(|_| SCORES.upper_quantile(rng.random_range(1e-9..1.0))).collect();
    let each: Vec<usize> = (0..40).collect();
    let expected = calibration(&single, &each);
    assert_eq!(expected.recordings, None);

    // The loudest recording was cut into a hundred pieces, the next one into ten.
    let mut order = each.clone();
    order.sort_by(|one, other| single[*other].total_cmp(&single[*one]));
    let times = |recording: usize| [100, 10].get(order.iter().position(|one| *one == recording).unwrap()).copied();
    let recordings: Vec<usize> = each.iter().flat_map(|one| vec![*one; times(*one).unwrap_or(1)]).collect();
    let scores: Vec<f64> = recordings.iter().map(|recording| single[*recording]).collect();
    let cut = calibration(&scores, &recordings);
    assert_eq!((cut.scores.len(), cut.recordings), (148, Some(40)));
    assert!((cut.threshold / expected.threshold - 1.0).abs() < 1e-6, "{} {}", cut.threshold, expected.threshold);
    let clip_by_clip = calibration(&scores, &(0..148).collect::<Vec<_>>());
    assert!((clip_by_clip.threshold / expected.threshold - 1.0).abs() > 0.02, "{clip_by_clip:?}");
    let clips_of = |calibration: &Calibration| {
        FalseAlarms::of(calibration, Cadence::default(), &AlertPolicy::default(), 1).unwrap().clips
    };
    assert_eq!((clips_of(&cut), clips_of(&clip_by_clip)), (40, 148));
}

/// Recordings of 1 to 30 pieces, whose scores differ more from one to the next than within: how much of what a
/// machine sounds like on another day is above the threshold.
#[test]
fn the_rate_on_other_days_is_nearer_to_the_one_asked_for() {
    let day = |rng: &mut StdRng| SCORES.upper_quantile(rng.random_range(1e-9..1.0));
    let piece = |day: f64, rng: &mut StdRng| day * rng.random_range(0.97..1.03_f64);
    let (mut by_recording, mut by_clip) = (Vec::new(), Vec::new());
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut scores, mut recordings) = (Vec::new(), Vec::new());
        for recording in 0..20 {
            let level = day(&mut rng);
            for _ in 0..if recording % 5 == 0 { 30 } else { 1 } {
                scores.push(piece(level, &mut rng));
                recordings.push(recording);
            }
        }
        let each: Vec<usize> = (0..scores.len()).collect();
        by_recording.push(SCORES.survival(calibration(&scores, &recordings).threshold));
        by_clip.push(SCORES.survival(calibration(&scores, &each).threshold));
    }
    let worst = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        (rates[100], rates[180])
    };
    let (by_recording, by_clip) = (worst(&mut by_recording), worst(&mut by_clip));
    println!("above the threshold, median and the highest of ten: {by_recording:?} by recording, {by_clip:?} by clip");
    assert!(by_recording.1 < 0.05 && by_recording.1 < 0.7 * by_clip.1, "{by_recording:?} {by_clip:?}");
}

/// Three pieces each.
fn in_pieces(count: usize) -> Vec<TrainingClip> {
    let name = |index: usize| Some(format!("recording {}", index / 3));
    clips(count, 1)
        .into_iter()
        .enumerate()
        .map(|(index, clip)| TrainingClip { recording: name(index), ..clip })
        .collect()
}

#[test]
fn only_held_out_recordings_are_counted_by_every_detector() {
    for &detector in DetectorKind::ALL {
        let options = TrainingOptions { detector, hold_out: HoldOut::Share(0.5), ..options() };
        let package = train(&in_pieces(24), &options, &mut |_| ControlFlow::Continue(())).unwrap();
        let calibration = &package.manifest().calibration;
        assert_eq!((calibration.scores.len(), calibration.recordings), (12, Some(4)), "{detector:?}");
        let options = TrainingOptions { hold_out: HoldOut::Folds(4), ..options };
        let package = train(&in_pieces(24), &options, &mut |_| ControlFlow::Continue(())).unwrap();
        let calibration = &package.manifest().calibration;
        assert_eq!((calibration.scores.len(), calibration.recordings), (24, Some(8)), "{detector:?}");
    }
}
