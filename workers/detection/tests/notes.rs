//! What is promised of chunks that do not fit what the model has learned, and of machines at rest: named, told once,
//! never an alarm of the machine.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::ops::ControlFlow;
use std::sync::LazyLock;

use auscult_detection::notes::of_chunk;
use auscult_detection::{
    ControlRequest, Judgement, Manifest, ModelPackage, Observation, ObservedChunk, Recorded, TrainingClip,
    TrainingOptions, WatchPolicy, apply_control, fall_silent, observe_chunk, train,
};
use auscult_schemas::{
    AlertKind, ChunkId, Control, ControlAction, MachineState, Note, QualityFlag, ScorerState, SensorFault,
};
use support::listening::{at, machine, model};
use support::{clips, log_mel, options};

const LEARNED: Recorded = Recorded { source_rate_hz: 16_000, duration_s: 2.8 };

fn recorded(clips: Vec<TrainingClip>, recorded: Recorded) -> Vec<TrainingClip> {
    clips.into_iter().map(|clip| TrainingClip { recorded: Some(recorded), ..clip }).collect()
}

fn package(at_rest: Vec<TrainingClip>) -> ModelPackage {
    let options = TrainingOptions { at_rest, ..options() };
    train(&recorded(clips(24, 1), LEARNED), &options, &mut |_| ControlFlow::Continue(())).unwrap()
}

static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| package(Vec::new()).manifest().clone());

/// The machine's sound, so many dB louder.
fn resting(level_db: f32) -> Vec<TrainingClip> {
    let mut clips = clips(4, 1);
    for (seed, clip) in clips.iter_mut().enumerate() {
        clip.channels = vec![log_mel(9_000 + seed as u64, 60, 0.0).mapv(|level| level + level_db)];
    }
    clips
}

static WITH_REST: LazyLock<Manifest> = LazyLock::new(|| package(resting(-20.0)).manifest().clone());

fn judgement(manifest: &Manifest, ratio: f64, level_db: f32) -> Judgement {
    let score = ratio * manifest.calibration.threshold;
    let levels = &manifest.drift_reference.mean_band_levels_db;
    Judgement {
        score,
        channel_scores: vec![score],
        p_value: manifest.calibration.p_value(score),
        health_index: manifest.calibration.health_index(score),
        threshold: manifest.calibration.threshold,
        anomalous: ratio > 1.0,
        bands: Vec::new(),
        time_course: None,
        band_levels_db: levels.iter().map(|level| *level as f32 + level_db).collect(),
    }
}

/// One machine and what is remembered of it.
struct Bench {
    manifest: &'static Manifest,
    state: Option<ScorerState>,
    chunks: i64,
}

impl Bench {
    fn new(manifest: &'static Manifest) -> Self {
        Self { manifest, state: None, chunks: 0 }
    }

    fn hear(&mut self, ratio: f64, level_db: f32, recorded: Recorded) -> Observation {
        self.observe(Some(&judgement(self.manifest, ratio, level_db)), recorded, &[])
    }

    fn observe(&mut self, judgement: Option<&Judgement>, recorded: Recorded, faults: &[SensorFault]) -> Observation {
        self.chunks += 1;
        let id = format!("fan-07/0/{}/v1", self.chunks);
        let heard = ObservedChunk {
            id: &id,
            machine: &machine(),
            chunk_id: &ChunkId(id.clone()),
            time: at(10 * self.chunks),
            judgement,
            channels: 1,
            sensor_faults: faults,
            quality: &[],
            recorded: Some(recorded),
            model: &model(),
            manifest: self.manifest,
        };
        let observation = observe_chunk(self.state.as_ref(), &heard, &WatchPolicy::default());
        // What a worker that takes over reads from the changelog.
        let stored = serde_json::to_string(&observation.state).unwrap();
        self.state = Some(serde_json::from_str(&stored).unwrap());
        observation
    }

    fn control(
        &mut self,
        action: ControlAction,
    ) -> Result<auscult_detection::AppliedControl, auscult_detection::ControlError> {
        self.chunks += 1;
        let control = Control { machine: machine(), id: None, by: "anna".to_owned(), at: None, action };
        let asked = ControlRequest {
            id: "a",
            control: &control,
            record_id: &ChunkId("a".to_owned()),
            record_time: at(10 * self.chunks),
            model: &model(),
            manifest: self.manifest,
        };
        let applied = apply_control(self.state.as_ref(), &asked, &WatchPolicy::default().alert)?;
        self.state = Some(applied.state.clone());
        Ok(applied)
    }

    fn healthy(manifest: &'static Manifest) -> Self {
        let mut bench = Self::new(manifest);
        for _ in 0..6 {
            bench.hear(0.5, 0.0, LEARNED);
        }
        assert_eq!(bench.state(), MachineState::Healthy);
        bench
    }

    fn state(&self) -> MachineState {
        self.state.as_ref().unwrap().alert.state
    }
}

fn without_setup(state: &ScorerState) -> ScorerState {
    ScorerState {
        setup: Vec::new(),
        idle_since: None,
        last_heard: None,
        cadence_s: None,
        held_threshold: None,
        ..state.clone()
    }
}

#[test]
fn what_arrives_otherwise_than_learned_is_told_once_and_alarms_nobody() {
    for (otherwise, words) in [
        (Recorded { source_rate_hz: 8_000, ..LEARNED }, "arrives at 8 kHz, learned at 16 kHz"),
        (Recorded { duration_s: 0.56, ..LEARNED }, "chunks of 0.56 s, learned with 2.8 s"),
    ] {
        let mut bench = Bench::healthy(&MANIFEST);
        let before = without_setup(bench.state.as_ref().unwrap());
        let mut told = Vec::new();
        for chunk in 0..120 {
            let heard = bench.hear(30.0, 0.0, otherwise);
            assert_eq!((heard.scored_state, heard.health_index), (MachineState::SetupFault, None));
            assert!(!heard.anomalous && heard.alert.is_none() && heard.drift.is_none(), "chunk {chunk}");
            let chunk_notes: Vec<&str> = heard.notes.iter().map(|note| note.words.as_str()).collect();
            assert_eq!(chunk_notes, [words]);
            assert!(heard.notes.iter().all(|note| !note.remedy.is_empty()));
            told.extend(heard.setup_alert.map(|alert| (chunk, alert)));
        }
        assert_eq!(told.len(), 1, "told once, not with every score: {told:?}");
        let (chunk, alert) = &told[0];
        assert_eq!((*chunk, alert.kind, alert.state), (2, AlertKind::Setup, MachineState::SetupFault));
        let explanation = alert.explanation.as_deref().unwrap();
        assert!(explanation.starts_with(words) && explanation.ends_with("not judged"), "{explanation}");
        assert_eq!(without_setup(bench.state.as_ref().unwrap()), before, "neither evidence nor drift takes notice");

        let again: Vec<Observation> = (0..6).map(|_| bench.hear(0.5, 0.0, LEARNED)).collect();
        assert!(again.iter().all(|heard| heard.scored_state == MachineState::Healthy && heard.notes.is_empty()));
        let over: Vec<&auscult_schemas::Alert> = again.iter().filter_map(|heard| heard.setup_alert.as_ref()).collect();
        assert_eq!(over.len(), 1);
        assert!(over[0].notes.is_empty() && over[0].explanation.as_deref().unwrap().contains("as learned again"));
        assert!(bench.state.as_ref().unwrap().setup.is_empty(), "nothing is left to remember");
    }
}

#[test]
fn sound_that_is_resampled_down_or_nearly_as_long_is_judged_as_ever() {
    for recorded in [
        Recorded { source_rate_hz: 48_000, ..LEARNED },
        Recorded { source_rate_hz: 44_100, ..LEARNED },
        Recorded { duration_s: 2.6, ..LEARNED },
        Recorded { duration_s: 10.0, ..LEARNED },
    ] {
        let mut bench = Bench::healthy(&MANIFEST);
        let last = (0..5).map(|_| bench.hear(3.0, 0.0, recorded)).last().unwrap();
        assert_eq!((last.scored_state, last.notes.len()), (MachineState::Alarm, 0), "{recorded:?}");
    }
}

#[test]
fn a_package_of_an_earlier_version_knows_no_setup_and_notes_none() {
    let earlier = Manifest { learned: None, ..MANIFEST.clone() };
    assert!(!serde_json::to_string(&earlier).unwrap().contains("learned"));
    let heard = judgement(&earlier, 0.5, -60.0);
    let otherwise = Recorded { source_rate_hz: 4_000, duration_s: 0.1 };
    assert_eq!(of_chunk(&earlier, Some(&heard), Some(otherwise), &[]), Default::default());
}

#[test]
fn a_machine_that_is_said_to_rest_is_neither_judged_nor_silent_and_goes_on_where_it_was() {
    let mut bench = Bench::healthy(&MANIFEST);
    for _ in 0..5 {
        bench.hear(3.0, 0.0, LEARNED);
    }
    assert_eq!(bench.state(), MachineState::Alarm);
    let applied = bench.control(ControlAction::Idle { until: None }).unwrap();
    assert!(applied.alert.is_none() && applied.audit.after.idle && !applied.audit.before.idle);
    let evidence = bench.state.as_ref().unwrap().alert.clone();
    for _ in 0..60 {
        let heard = bench.hear(0.1, -8.0, LEARNED);
        assert_eq!((heard.scored_state, heard.health_index, heard.anomalous), (MachineState::Idle, None, false));
        assert!(heard.alert.is_none() && heard.setup_alert.is_none() && heard.drift.is_none());
    }
    let state = bench.state.clone().unwrap();
    assert_eq!(state.alert, evidence, "rest speaks neither for a fault nor against one");
    assert!(fall_silent(&state, at(100_000), "id", &ChunkId("c".to_owned())).is_none());
    bench.control(ControlAction::Running).unwrap();
    assert_eq!(bench.hear(3.0, 0.0, LEARNED).scored_state, MachineState::Alarm);
    let refused = bench.control(ControlAction::Running).unwrap_err();
    assert!(refused.to_string().contains("at rest"), "{refused}");
}

#[test]
fn rest_that_was_said_until_a_time_ends_by_itself() {
    let mut bench = Bench::healthy(&MANIFEST);
    bench.control(ControlAction::Idle { until: Some(at(10 * (bench.chunks + 3))) }).unwrap();
    let states: Vec<MachineState> = (0..3).map(|_| bench.hear(0.5, 0.0, LEARNED).scored_state).collect();
    assert_eq!(states, [MachineState::Idle, MachineState::Healthy, MachineState::Healthy]);
}

#[test]
fn rest_that_training_has_heard_is_idle_without_a_note_and_what_is_only_quieter_is_judged() {
    let mut bench = Bench::healthy(&WITH_REST);
    for _ in 0..10 {
        let heard = bench.hear(30.0, -20.0, LEARNED);
        assert_eq!((heard.scored_state, heard.notes.len()), (MachineState::Idle, 0));
        assert!(heard.alert.is_none() && heard.setup_alert.is_none());
    }
    assert_eq!(bench.state.as_ref().unwrap().idle_since, Some(at(70)));
    assert_eq!(bench.hear(0.5, 0.0, LEARNED).scored_state, MachineState::Healthy);
    assert_eq!(bench.state.as_ref().unwrap().idle_since, None);
    for quieter_db in [-6.0, -10.0, -14.0] {
        let last = (0..5).map(|_| bench.hear(3.0, quieter_db, LEARNED)).last().unwrap();
        assert_eq!(last.scored_state, MachineState::Alarm, "{quieter_db} dB is a machine that has become quieter");
    }
}

#[test]
fn one_band_that_is_louder_than_rest_is_judged() {
    let mut bench = Bench::healthy(&WITH_REST);
    let mut hiss = judgement(&WITH_REST, 3.0, -20.0);
    hiss.band_levels_db[12] += 15.0;
    let last = (0..5).map(|_| bench.observe(Some(&hiss), LEARNED, &[])).last().unwrap();
    assert_eq!(last.scored_state, MachineState::Alarm);
}

#[test]
fn far_below_everything_learned_is_idle_with_a_word_and_some_quieter_is_not() {
    let mut bench = Bench::healthy(&MANIFEST);
    for quieter_db in [-6.0, -12.0, -20.0, -25.0] {
        let mut quieter = Bench::healthy(&MANIFEST);
        let last = (0..5).map(|_| quieter.hear(3.0, quieter_db, LEARNED)).last().unwrap();
        assert_eq!(last.scored_state, MachineState::Alarm, "{quieter_db} dB could be the machine");
    }
    let heard: Vec<Observation> = (0..20).map(|_| bench.hear(30.0, -45.0, LEARNED)).collect();
    assert!(heard.iter().all(|heard| heard.scored_state == MachineState::Idle && heard.alert.is_none()));
    let told: Vec<&str> = heard.iter().filter_map(|heard| heard.setup_alert.as_ref()?.explanation.as_deref()).collect();
    assert_eq!(told.len(), 1, "once, so that a sensor that is off the machine does not go unnoticed: {told:?}");
    assert!(told[0].contains("dB below everything learned") && told[0].contains("--idle"), "{told:?}");
    // Who says that it rests is asked no more.
    bench.control(ControlAction::Idle { until: None }).unwrap();
    assert!(bench.hear(30.0, -45.0, LEARNED).notes.is_empty());
}

#[test]
fn clips_at_rest_that_are_as_loud_as_the_machine_are_refused_in_words() {
    let options = TrainingOptions { at_rest: resting(-5.0), ..options() };
    let refusal = train(&clips(24, 1), &options, &mut |_| ControlFlow::Continue(())).unwrap_err().to_string();
    assert!(refusal.contains("rest cannot be told from running"), "{refusal}");
}

#[test]
fn a_flag_that_training_had_is_no_note_but_what_harms_the_sound_is() {
    let flagged = |quality: Vec<QualityFlag>| {
        let clips = clips(24, 1).into_iter().map(|clip| TrainingClip { quality: quality.clone(), ..clip });
        let clips = recorded(clips.collect(), LEARNED);
        train(&clips, &options(), &mut |_| ControlFlow::Continue(())).unwrap().manifest().clone()
    };
    let words = |manifest: &Manifest, flag| {
        let heard = judgement(manifest, 0.5, 0.0);
        let chunk_notes = of_chunk(manifest, Some(&heard), Some(LEARNED), &[flag]);
        assert_eq!(chunk_notes.unjudged, None, "a note keeps nothing from being judged");
        chunk_notes.notes.into_iter().map(|note: Note| note.words).collect::<Vec<_>>()
    };
    let (without, with) = (flagged(Vec::new()), flagged(vec![QualityFlag::MainsHum, QualityFlag::Joins]));
    assert_eq!(words(&without, QualityFlag::MainsHum).len(), 1);
    assert_eq!(words(&with, QualityFlag::MainsHum), [""; 0]);
    assert_eq!(words(&with, QualityFlag::Joins).len(), 1);
    assert_eq!(words(&without, QualityFlag::Resampled), [""; 0], "no news to whoever sent it");
}

#[test]
fn a_sensor_fault_that_has_been_reported_is_referred_to_by_its_time() {
    let mut bench = Bench::healthy(&MANIFEST);
    let stuck = [SensorFault { channel: 0, flags: vec![QualityFlag::Stuck] }];
    let since: Vec<_> = (0..5).map(|_| bench.observe(None, LEARNED, &stuck).sensor_faults_since).collect();
    assert_eq!(since, [None, None, None, Some(at(70)), Some(at(70))], "with the chunk behind the report");
    let silent = [SensorFault { channel: 0, flags: vec![QualityFlag::Silent] }];
    assert_eq!(bench.observe(None, LEARNED, &silent).sensor_faults_since, None, "another fault is told in full");
}
