//! What is promised of alert state and drift: a change takes its full count, replay is exact, another model starts
//! anew.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::sync::LazyLock;

use auscult_detection::{
    AlertPolicy, DriftPolicy, Judgement, Manifest, Observation, ObservedChunk, WatchPolicy, observe_chunk,
};
use auscult_schemas::{ChunkId, Classification, MachineId, MachineState, ModelId, ModelRef, ScorerState};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use support::{options, trained};

static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| trained(&options()).manifest().clone());

fn judgement(anomalous: bool, level_db: f32) -> Judgement {
    let threshold = MANIFEST.calibration.threshold;
    let score = if anomalous { threshold * 2.0 } else { MANIFEST.calibration.scores[12] };
    let levels = &MANIFEST.drift_reference.mean_band_levels_db;
    Judgement {
        score,
        channel_scores: vec![score],
        p_value: MANIFEST.calibration.p_value(score),
        health_index: MANIFEST.calibration.health_index(score),
        threshold,
        anomalous,
        bands: Vec::new(),
        time_course: None,
        band_levels_db: levels.iter().map(|level| *level as f32 + level_db).collect(),
    }
}

fn time(index: usize) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + (10 * index as i64).seconds()
}

fn model(version: &str) -> ModelRef {
    ModelRef { id: ModelId("fan-07".to_owned()), version: version.to_owned() }
}

/// Observes chunk `index` under the model of this version.
fn observe(
    before: Option<&ScorerState>,
    index: usize,
    judgement: &Judgement,
    version: &str,
    policy: &WatchPolicy,
) -> Observation {
    let heard = ObservedChunk {
        id: &format!("fan-07/0/{index}/{version}"),
        machine: &MachineId::new("fan-07").unwrap(),
        chunk_id: &ChunkId(format!("chunk-{index}")),
        time: time(index),
        judgement: Some(judgement),
        channels: 1,
        sensor_faults: &[],
        quality: &[],
        recorded: None,
        model: &model(version),
        manifest: &MANIFEST,
    };
    observe_chunk(before, &heard, policy)
}

fn run(anomalous: &[bool], policy: &WatchPolicy) -> Vec<Observation> {
    let mut observations: Vec<Observation> = Vec::new();
    for (index, anomalous) in anomalous.iter().enumerate() {
        let before = observations.last().map(|observation| &observation.state);
        observations.push(observe(before, index, &judgement(*anomalous, 0.0), "v1", policy));
    }
    observations
}

/// Nothing stands longer than its chunks say.
fn brisk() -> WatchPolicy {
    WatchPolicy { alert: AlertPolicy { min_alarm_secs: 0, ..AlertPolicy::default() }, ..WatchPolicy::default() }
}

#[test]
fn four_of_five_anomalous_chunks_raise_an_alarm_and_five_normal_ones_clear_it() {
    let heard = [[false; 5].as_slice(), &[true, true, true, false, true], &[false; 5]].concat();
    let observations = run(&heard, &brisk());
    let alerts: Vec<_> = observations.iter().enumerate().filter_map(|(i, o)| Some((i, o.alert.clone()?))).collect();
    let changes: Vec<_> = alerts.iter().map(|(i, alert)| (*i, alert.previous_state, alert.state)).collect();
    use MachineState::{Alarm, Healthy, Learning, Warning};
    assert_eq!(changes, [(4, Learning, Healthy), (7, Healthy, Warning), (9, Warning, Alarm), (14, Alarm, Healthy)]);

    let alarm = &alerts[2].1;
    assert_eq!((alarm.since, alarm.time), (time(5), time(9)));
    assert_eq!((alarm.previous_since, alarm.previous_seconds), (Some(time(7)), Some(20.0)));
    assert_eq!(alarm.classification, Some(Classification::Persistent));
    assert_eq!(alerts[1].1.classification, Some(Classification::Pointwise));
    assert_eq!(alarm.id, "fan-07/0/9/v1");
    assert_eq!(alarm.chunk_id.0, "chunk-9");
    let (learnt, cleared) = (&alerts[0].1, &alerts[3].1);
    assert_eq!((learnt.previous_since, learnt.since), (Some(time(0)), time(0)));
    assert_eq!((cleared.since, cleared.classification), (time(10), None));
}

#[test]
fn an_alarm_stands_for_an_hour_however_soon_the_machine_sounds_normal_again() {
    let heard = [[false; 5].as_slice(), &[true; 4], &[false; 400]].concat();
    let observations = run(&heard, &WatchPolicy::default());
    let cleared =
        observations.iter().position(|o| o.alert.as_ref().is_some_and(|a| a.previous_state == MachineState::Alarm));
    // Raised by chunk 8; chunks are 10 s apart.
    assert_eq!(cleared, Some(8 + 360));
}

#[test]
fn the_first_chunk_ever_has_no_state_before_it() {
    let alert = AlertPolicy { raise_of: 1, raise_window: 1, ..AlertPolicy::default() };
    let policy = WatchPolicy { alert, ..WatchPolicy::default() };
    let alert = run(&[true], &policy)[0].alert.clone().unwrap();
    assert_eq!((alert.previous_state, alert.previous_since), (MachineState::Learning, None));
}

#[test]
fn another_model_starts_scores_evidence_and_window_anew_and_an_alarm_goes_on_under_it() {
    let policy = brisk();
    let observations = run(&[true, true, true, true, false, false], &policy);
    let before = &observations[5].state;
    assert_eq!((before.alert.state, before.alert.streak), (MachineState::Alarm, 2));
    let after = observe(Some(before), 6, &judgement(false, 0.0), "v2", &policy).state;
    assert_eq!(after.alert.state, MachineState::Alarm);
    assert_eq!(after.alert.since, before.alert.since);
    assert_eq!((after.alert.streak, after.alert.streak_since, after.alert.recent), (1, Some(time(6)), 0));
    assert_eq!(after.recent_scores.len(), 1);
    assert_eq!(after.drift.scores.len(), 1);
    assert_eq!(after.drift.window_start, Some(time(6)));
    assert_eq!(after.model, model("v2"));
    assert_eq!(after.chunks, 7);

    let healthy = &run(&[false; 6], &policy)[5].state;
    let learning = observe(Some(healthy), 6, &judgement(false, 0.0), "v2", &policy);
    let alert = learning.alert.unwrap();
    assert_eq!((alert.previous_state, alert.state), (MachineState::Healthy, MachineState::Learning));
}

#[test]
fn a_full_window_reports_how_far_level_and_band_have_moved() {
    let policy =
        WatchPolicy { drift: DriftPolicy { window_chunks: 20, ..DriftPolicy::default() }, ..WatchPolicy::default() };
    let mut state: Option<ScorerState> = None;
    let mut reports = Vec::new();
    for index in 0..40 {
        let mut judgement = judgement(index >= 20, 3.0);
        judgement.band_levels_db[11] -= 16.0;
        let observation = observe(state.as_ref(), index, &judgement, "v1", &policy);
        reports.extend(observation.drift);
        state = Some(observation.state);
    }
    assert_eq!(reports.len(), 2);
    let (first, second) = (&reports[0], &reports[1]);
    assert!((first.level_shift_db - (3.0 - 16.0 / 16.0)).abs() < 1e-3, "{first:?}");
    assert!((first.max_band_shift_db - 13.0).abs() < 1e-3, "{first:?}");
    let edges = auscult_detection::explain::band_edges(&MANIFEST.feature_spec);
    assert_eq!(first.max_band_shift_hz, edges[11].hz_centre);
    assert_eq!((first.window_start, first.window_end, first.chunks), (time(0), time(19), 20));
    assert_eq!(second.window_start, time(20));
    assert_eq!(second.score_ks, 1.0);
    assert!(second.score_ks_p_value < 1e-9 && second.score_psi > 1.0, "{second:?}");
}

#[test]
fn a_state_of_another_layout_is_not_misread_but_started_anew() {
    let policy = WatchPolicy::default();
    let mut before = run(&[true; 10], &policy)[9].state.clone();
    before.version += 1;
    let after = observe(Some(&before), 10, &judgement(false, 0.0), "v1", &policy);
    assert_eq!(after.previous_state, MachineState::Learning);
    assert_eq!((after.state.chunks, after.state.version), (1, ScorerState::VERSION));
}

proptest! {
    /// What another worker restores from the changelog goes on exactly as the one before would have.
    #[test]
    fn replay_from_any_stored_state_is_exact(
        heard in prop::collection::vec(any::<bool>(), 2..120),
        from in any::<prop::sample::Index>(),
    ) {
        let policy = WatchPolicy { drift: DriftPolicy { window_chunks: 7, ..DriftPolicy::default() }, ..WatchPolicy::default() };
        let observations = run(&heard, &policy);
        let from = from.index(heard.len() - 1);
        let stored = serde_json::to_string(&observations[from].state).unwrap();
        let mut state: ScorerState = serde_json::from_str(&stored).unwrap();
        for index in from + 1..heard.len() {
            let observation = observe(Some(&state), index, &judgement(heard[index], 0.0), "v1", &policy);
            prop_assert_eq!(&observation, &observations[index]);
            state = observation.state;
        }
    }
}
