//! What an explanation promises: the band, how far its level has moved and in which direction, since when, and when
//! within the clip.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::ops::{ControlFlow, Range};
use std::sync::LazyLock;

use auscult_detection::explain::{BandEdges, band_edges};
use auscult_detection::time_course::most_of_it;
use auscult_detection::{
    AlertPolicy, ClipView, DetectorKind, Judgement, Model, ObservedChunk, TrainingClip, TrainingOptions, WatchPolicy,
    observe_chunk, train, words,
};
use auscult_schemas::{ChunkId, FeatureSpec, MachineId, ModelId, ModelRef, ScorerState};
use candle_core::Device;
use jiff::{Timestamp, ToSpan};
use ndarray::{Array2, Axis, Slice};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const MELS: usize = 64;
/// About ten seconds.
const FRAMES: usize = 313;

fn spec() -> FeatureSpec {
    FeatureSpec::default()
}

/// A machine with a spectrum, a rhythm that all bands share, and noise of its own in every frame and, for the load is
/// never quite the same, in every clip.
fn normal(seed: u64) -> Array2<f32> {
    let mut rng = StdRng::seed_from_u64(seed);
    let phase: f32 = rng.random_range(0.0..6.3);
    let load: Vec<f32> = (0..MELS).map(|_| rng.random_range(-0.8..0.8)).collect();
    Array2::from_shape_fn((FRAMES, MELS), |(frame, mel)| {
        let rhythm = 4.0 * (frame as f32 * 0.21 + phase).sin();
        -40.0 - 0.4 * mel as f32 + load[mel] + rhythm + rng.random_range(-4.0..4.0_f32)
    })
}

fn model(detector: DetectorKind, clips: u64) -> Model {
    let clips: Vec<TrainingClip> = (0..clips)
        .map(|seed| TrainingClip {
            name: format!("{seed:03}.wav"),
            channels: vec![normal(seed)],
            ..TrainingClip::default()
        })
        .collect();
    let options = TrainingOptions {
        detector,
        spec: spec(),
        epochs: 4,
        hidden: vec![16, 4, 16],
        false_alarm_rate: 1e-2,
        ..TrainingOptions::default()
    };
    Model::load(&train(&clips, &options, &mut |_| ControlFlow::Continue(())).unwrap(), &Device::Cpu).unwrap()
}

static FUSED: LazyLock<Model> = LazyLock::new(|| model(DetectorKind::Fused, 80));
static NETWORK: LazyLock<Model> = LazyLock::new(|| model(DetectorKind::Autoencoder, 24));

fn judge(model: &Model, clip: &Array2<f32>) -> Judgement {
    let (frames, mels) = clip.dim();
    model.judge(&[ClipView { channels: 1, frames, mels, values: clip.as_slice().unwrap() }]).unwrap().remove(0)
}

/// Moves the level of some bands in some frames, dB.
fn injected(clip: &Array2<f32>, bands: Range<usize>, frames: Range<usize>, by_db: f32) -> Array2<f32> {
    let mut faulty = clip.clone();
    let mut part = faulty.slice_axis_mut(Axis(1), Slice::from(bands));
    part.slice_axis_mut(Axis(0), Slice::from(frames)).mapv_inplace(|level| level + by_db);
    faulty
}

/// Whether the first band in words is the injected one: at most one mel band too wide or too narrow at either edge, in
/// the right direction, and its level within 1.5 dB.
fn is_localised(judgement: &Judgement, bands: &Range<usize>, by_db: f32, edges: &[BandEdges]) -> bool {
    let text = words::deviation(&judgement.bands, judgement.time_course.as_ref(), None);
    let Some(first) = judgement.bands.first() else { return false };
    let low = edges[bands.start.saturating_sub(1)].hz_low..=edges[bands.start + 1].hz_low;
    let high = edges[bands.end - 2].hz_high..=edges[bands.end.min(MELS - 1)].hz_high;
    let says_where = text.contains(&format!("around {}", words::frequencies(first.hz_low, first.hz_high)));
    let (sign, rest) = text.split_at(if text.starts_with('−') { '−'.len_utf8() } else { 1 });
    let level: f32 = rest.split(' ').next().unwrap().parse().unwrap_or(f32::NAN);
    let level = if sign == "−" { -level } else { level };
    low.contains(&first.hz_low) && high.contains(&first.hz_high) && says_where && (level - by_db).abs() <= 1.5
}

#[test]
fn injected_band_faults_are_named_with_their_level_in_95_of_100_trials() {
    let edges = band_edges(&spec());
    let mut rng = StdRng::seed_from_u64(4_711);
    let (mut trials, mut localised, mut missed) = (0, 0, Vec::new());
    for by_db in [-12.0_f32, -6.0, -4.0, 4.0, 6.0, 12.0] {
        for width in [2_usize, 4, 8, 16] {
            for _ in 0..15 {
                let first = rng.random_range(0..=MELS - width);
                let bands = first..first + width;
                let clip = injected(&normal(100_000 + trials), bands.clone(), 0..FRAMES, by_db);
                let judgement = judge(&FUSED, &clip);
                trials += 1;
                if judgement.anomalous && is_localised(&judgement, &bands, by_db, &edges) {
                    localised += 1;
                } else {
                    missed.push((by_db, bands, words::deviation(&judgement.bands, None, None)));
                }
            }
        }
    }
    println!("{localised} of {trials} localised");
    assert!(trials >= 200 && localised as f64 >= 0.95 * trials as f64, "{localised} of {trials}: {missed:?}");
}

#[test]
fn neighbours_of_which_one_is_louder_and_the_other_quieter_are_two_bands() {
    let clip = injected(&injected(&normal(7), 20..24, 0..FRAMES, 9.0), 24..28, 0..FRAMES, -6.0);
    let text = words::deviation(&judge(&FUSED, &clip).bands, None, None);
    assert!(text.contains("+9 dB around") && text.contains("−6 dB around"), "{text}");
}

/// The frames of an event that begins at some second and lasts some.
fn frames(begin_s: f64, length_s: f64) -> Range<usize> {
    let per_second = f64::from(spec().sample_rate_hz) / spec().hop_length as f64;
    (begin_s * per_second) as usize..((begin_s + length_s) * per_second) as usize
}

#[test]
fn a_short_event_is_found_by_its_seconds_by_either_detector() {
    for (name, model) in [("fused", &*FUSED), ("network", &*NETWORK)] {
        let mut found = 0;
        for trial in 0..40_u64 {
            let begin_s = 0.25 * trial as f64;
            if begin_s > 9.0 {
                continue;
            }
            let first = (trial as usize * 7) % (MELS - 8);
            let clip = injected(&normal(200_000 + trial), first..first + 8, frames(begin_s, 0.5), 30.0);
            let judgement = judge(model, &clip);
            assert!(judgement.anomalous, "{name}, trial {trial}");
            let course = judgement.time_course.as_ref().unwrap();
            assert!(course.shares.len() <= 20 && (course.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            assert!((course.slice_s * course.shares.len() as f64 - 10.016).abs() < 1e-9);
            // A slice is half a second long, and the event may lie across two.
            let most = most_of_it(course);
            found += usize::from(most.is_some_and(|most| most.start >= begin_s - 0.55 && most.end <= begin_s + 1.05));
        }
        println!("{name}: {found} of 37");
        assert!(found >= 35, "{name}: {found} of 37");
    }
}

#[test]
fn a_fault_that_lasts_all_the_clip_is_at_no_point_in_time_and_a_normal_clip_has_no_course() {
    for model in [&*FUSED, &*NETWORK] {
        let faulty = judge(model, &injected(&normal(300_001), 30..40, 0..FRAMES, 9.0));
        assert!(faulty.anomalous);
        assert_eq!(most_of_it(faulty.time_course.as_ref().unwrap()), None, "{faulty:?}");
    }
    let normal = judge(&FUSED, &normal(300_002));
    assert!(!normal.anomalous && normal.time_course.is_none());
}

#[test]
fn two_channels_of_which_one_hears_an_event_still_name_its_time() {
    let (quiet, loud) = (normal(400_001), injected(&normal(400_002), 10..30, frames(6.0, 0.5), 25.0));
    let values: Vec<f32> = quiet.iter().chain(&loud).copied().collect();
    for model in [&*FUSED, &*NETWORK] {
        let clip = ClipView { channels: 2, frames: FRAMES, mels: MELS, values: &values };
        let judgement = model.judge(&[clip]).unwrap().remove(0);
        let most = judgement.time_course.as_ref().and_then(most_of_it).unwrap();
        assert!(most.start >= 5.45 && most.end <= 7.05, "{most:?}");
    }
}

fn observe(before: Option<&ScorerState>, minute: i64, judgement: &Judgement) -> auscult_detection::Observation {
    let time = "2026-03-14T14:00:00Z".parse::<Timestamp>().unwrap() + minute.minutes();
    let heard = ObservedChunk {
        id: &format!("fan-07/0/{minute}/v1"),
        machine: &MachineId::new("fan-07").unwrap(),
        chunk_id: &ChunkId(minute.to_string()),
        time,
        judgement: Some(judgement),
        channels: 1,
        sensor_faults: &[],
        quality: &[],
        recorded: None,
        model: &ModelRef { id: ModelId("fan-07".to_owned()), version: "v1".to_owned() },
        manifest: FUSED.manifest(),
    };
    let alert = AlertPolicy { min_alarm_secs: 0, ..AlertPolicy::default() };
    observe_chunk(before, &heard, &WatchPolicy { alert, ..WatchPolicy::default() })
}

/// Bands moved of chunk after chunk, and what is said of each.
fn explained(chunks: &[&[(Range<usize>, f32)]]) -> Vec<(String, Option<String>)> {
    let mut state: Option<ScorerState> = None;
    let mut said = Vec::new();
    for (minute, faults) in chunks.iter().enumerate() {
        let mut clip = normal(500_000 + minute as u64);
        for (bands, by_db) in *faults {
            clip = injected(&clip, bands.clone(), 0..FRAMES, *by_db);
        }
        // What a worker that takes over reads from the changelog.
        let stored = state.as_ref().map(|state| serde_json::to_string(state).unwrap());
        let before: Option<ScorerState> = stored.map(|stored| serde_json::from_str(&stored).unwrap());
        let observation = observe(before.as_ref(), minute as i64, &judge(&FUSED, &clip));
        let time = "2026-03-14T14:00:00Z".parse::<Timestamp>().unwrap() + (minute as i64).minutes();
        let text = words::deviation(&observation.bands, None, Some(time));
        said.push((text, observation.alert.and_then(|alert| alert.explanation)));
        state = Some(observation.state);
    }
    said
}

#[test]
fn a_band_is_said_to_deviate_since_the_first_chunk_of_its_unbroken_run() {
    let (low, high) = ((10..14, 9.0), (40..46, -6.0));
    let first = [low.clone()];
    let both = [low.clone(), high.clone()];
    let said = explained(&[&[], &first, &first, &both, &both, &[], &first]);
    let low_words = &said[1].0;
    assert!(low_words.starts_with("+9 dB around ") && low_words.ends_with("since 14:01 UTC"), "{low_words}");
    assert!(said[4].0.contains("since 14:01 UTC") && said[4].0.contains("since 14:03 UTC"), "{}", said[4].0);
    let quieter = said[4].0.split("; ").find(|part| part.starts_with("−6 dB")).unwrap();
    assert!(quieter.ends_with("since 14:03 UTC"), "{quieter}");
    assert!(said[6].0.contains("since 14:06 UTC"), "a normal chunk ends the run: {}", said[6].0);
    let alarm = said[4].1.as_deref().unwrap();
    assert!(alarm.contains("+9 dB") && alarm.contains("since 14:01 UTC"), "{alarm}");
}

#[test]
fn a_fault_that_widens_keeps_its_beginning() {
    let said = explained(&[&[(20..23, 6.0)], &[(20..25, 8.0)], &[(18..28, 9.0)]]);
    assert!(said[2].0.contains("since 14:00 UTC"), "{}", said[2].0);
}

#[test]
fn an_alarm_that_is_over_says_since_when_and_when_it_was_raised() {
    let fault = [(10..14, 9.0)];
    let said = explained(&[&fault, &fault, &fault, &fault, &[], &[], &[], &[], &[]]);
    let cleared = said[8].1.as_deref().unwrap();
    assert_eq!(cleared, "sounds as in training since 14:04 UTC, after an alarm at 14:03 UTC");
}
