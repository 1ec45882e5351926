use std::collections::HashMap;
use std::sync::Arc;

use auscult_detection::{DeviceChoice, Recorded, TrainingOptions, WatchPolicy, open_device};
use auscult_runtime::processor::{Memory, Output, Processor, Rejection, StateKey};
use auscult_runtime::record::Record;
use auscult_runtime::telemetry::Metrics;
use auscult_schemas::{
    Alert, AlertKind, DeadLetterCode, Features, FeaturesMetadata, Headers, MachineState, QualityFlag,
    RecordCoordinates, Score, ScorerState, SensorFault, StageTimings, topics,
};
use bytes::Bytes;

use crate::reload::tests::{FRAMES, MELS, level, package, package_of};
use crate::{ModelLibrary, ModelsConfig, ScoringMetrics, ScoringProcessor, ScoringStage};

/// A scoring worker with one model, and what it remembers.
struct Worker {
    processor: ScoringProcessor,
    metrics: ScoringMetrics,
    states: HashMap<StateKey, ScorerState>,
    offset: i64,
}

impl Worker {
    fn start() -> Self {
        Self::with(&package(1))
    }

    fn with(package: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("fan.safetensors"), package).unwrap();
        let config = ModelsConfig { dir: Some(folder.path().to_owned()), default: None, reload_secs: 0 };
        let metrics = Arc::new(Metrics::new("scoring-0").unwrap());
        let scoring_metrics = ScoringMetrics::register(metrics.registrar(), 10).unwrap();
        let device = open_device(DeviceChoice::Cpu).unwrap();
        let library = ModelLibrary::open(&config).unwrap();
        let stage =
            ScoringStage::start(library, device, WatchPolicy::default(), metrics, scoring_metrics.clone()).unwrap();
        let processor = ScoringProcessor::new(stage);
        Self { processor, metrics: scoring_metrics, states: HashMap::new(), offset: 0 }
    }

    /// A chunk whose channels sound as in training, or, where they are named, as nothing ever did and flagged so.
    fn hear(&mut self, channels: usize, faulty: &[usize]) -> (Score, Vec<Alert>) {
        self.hear_recorded(channels, faulty, Recorded { source_rate_hz: 16_000, duration_s: 0.64 }, 0.0)
    }

    /// The same, recorded in this way and so many dB louder.
    fn hear_recorded(
        &mut self,
        channels: usize,
        faulty: &[usize],
        recorded: Recorded,
        level_db: f32,
    ) -> (Score, Vec<Alert>) {
        let outputs = self.process(channels, faulty, recorded, level_db).unwrap();
        let score = outputs.iter().find(|output| output.topic == topics::SCORES).unwrap();
        let alerts = outputs.iter().filter(|output| output.topic == topics::ALERTS);
        let alerts: Vec<Alert> = alerts.map(|output| serde_json::from_slice(&output.value).unwrap()).collect();
        // A drift report may be among them: the same sound over and over is not what training sound was like.
        let known = [topics::SCORES, topics::ALERTS, topics::DRIFT];
        assert!(outputs.iter().all(|output| known.contains(&output.topic)));
        (serde_json::from_slice(&score.value).unwrap(), alerts)
    }

    fn process(
        &mut self,
        channels: usize,
        faulty: &[usize],
        recorded: Recorded,
        level_db: f32,
    ) -> Result<Vec<Output>, Rejection> {
        self.offset += 1;
        let coordinates =
            |topic: &str| RecordCoordinates { topic: topic.to_owned(), partition: 0, offset: self.offset };
        let channel = |channel: usize| {
            let is_faulty = faulty.contains(&channel);
            (0..FRAMES * MELS).map(move |place| if is_faulty { -100.0 } else { level(place) + level_db })
        };
        let fault = |channel: &usize| SensorFault { channel: *channel, flags: vec![QualityFlag::Silent] };
        let features = Features {
            metadata: FeaturesMetadata {
                feature_spec: TrainingOptions::default().spec.hash(),
                chunk: coordinates(topics::CHUNKS),
                duration_s: recorded.duration_s,
                source_rate_hz: recorded.source_rate_hz,
                quality: if faulty.is_empty() { Vec::new() } else { vec![QualityFlag::Silent] },
                sensor_faults: faulty.iter().map(fault).collect(),
                levels: None,
                timings: StageTimings::default(),
            },
            channels,
            frames: FRAMES,
            mels: MELS,
            values: (0..channels).flat_map(channel).collect::<Vec<f32>>().into(),
        };
        let record = Record {
            coordinates: coordinates(topics::FEATURES),
            key: Some(Bytes::from_static(b"fan")),
            value: Some(features.encode().unwrap()),
            headers: Headers::default(),
            timestamp_ms: Some(1_700_000_000_000),
        };
        let mut memory = Memory::over(&self.states);
        let outputs = self.processor.process(&[record], &mut memory).pop().unwrap();
        let written = memory.into_written();
        self.states.extend(written);
        outputs
    }
}

#[test]
fn a_faulty_microphone_is_named_and_left_out_of_the_score() {
    let mut bench = Worker::start();
    let (whole, _) = bench.hear(2, &[]);
    let (one_left, _) = bench.hear(3, &[1]);
    assert_eq!(one_left.channel_scores, whole.channel_scores);
    assert_eq!((one_left.score, one_left.anomalous), (whole.score, whole.anomalous));
    assert_eq!(one_left.sensor_faults, [SensorFault { channel: 1, flags: vec![QualityFlag::Silent] }]);
    assert_ne!(one_left.state, MachineState::SensorFault);
    assert_eq!(bench.metrics.sensor_faults.with_label_values(&["silent"]).get(), 1);
    assert_eq!(bench.metrics.unheard_chunks.get(), 0);
}

#[test]
fn a_model_judges_the_channels_that_it_was_trained_with_and_refuses_a_chunk_without_them() {
    let mut bench = Worker::with(&package_of(1, Some(vec![0, 2])));
    let (score, _) = bench.hear(3, &[1]);
    assert_eq!((score.channel_scores.len(), score.sensor_faults.len()), (2, 0), "the second is not listened to");
    let (score, _) = bench.hear(3, &[1, 2]);
    assert_eq!(score.sensor_faults, [SensorFault { channel: 2, flags: vec![QualityFlag::Silent] }]);
    assert_eq!(score.channel_scores.len(), 1);
    let (unheard, _) = bench.hear(3, &[0, 2]);
    assert_eq!((unheard.state, unheard.channel_scores.len()), (MachineState::SensorFault, 0));

    let recorded = Recorded { source_rate_hz: 16_000, duration_s: 0.64 };
    let refusal = bench.process(2, &[], recorded, 0.0).unwrap_err();
    assert_eq!(refusal.code, DeadLetterCode::InvalidFeatures);
    assert!(refusal.detail.contains("lacks channel 2") && refusal.detail.contains("model-1"), "{}", refusal.detail);
}

#[test]
fn a_chunk_that_no_microphone_heard_has_a_score_and_no_verdict() {
    let mut bench = Worker::start();
    let (score, alerts) = bench.hear(2, &[0, 1]);
    assert!(alerts.is_empty(), "one chunk is no report yet");
    assert_eq!(score.health_index, None, "a machine that nobody hears is not healthy");
    assert_eq!(score.explanation.as_deref(), Some("not judged: microphone 1: silent; microphone 2: silent"));
    assert_eq!((score.state, score.previous_state), (MachineState::SensorFault, MachineState::Learning));
    assert_eq!((score.anomalous, score.score, score.channel_scores.len(), score.p_value), (false, 0.0, 0, 1.0));
    assert_eq!(score.sensor_faults.len(), 2);
    assert_eq!(bench.metrics.sensor_faults.with_label_values(&["silent"]).get(), 2);
    assert_eq!((bench.metrics.unheard_chunks.get(), bench.metrics.anomalous_chunks.get()), (1, 0));
}

#[test]
fn what_is_remembered_of_a_machine_takes_no_notice_of_its_sensors_faults() {
    let mut bench = Worker::start();
    for _ in 0..7 {
        bench.hear(1, &[]);
    }
    let before = bench.states.clone();
    for _ in 0..60 {
        let (score, _) = bench.hear(1, &[0]);
        assert_eq!(score.state, MachineState::SensorFault);
    }
    let without_sensors = |states: &HashMap<StateKey, ScorerState>| {
        states.values().map(|state| ScorerState { sensors: Vec::new(), ..state.clone() }).collect::<Vec<_>>()
    };
    let (after, had) = (without_sensors(&bench.states), without_sensors(&before));
    assert_eq!(after, had, "60 chunks would fill a drift window of 50 and raise an alarm");
    let (again, _) = bench.hear(1, &[]);
    let state = before.values().next().unwrap().alert.state;
    assert_eq!((again.previous_state, again.state), (state, state));
}

#[test]
fn a_sensor_that_fails_is_reported_after_three_chunks_and_when_it_hears_again_after_five() {
    let mut bench = Worker::start();
    for _ in 0..6 {
        bench.hear(3, &[]);
    }
    let mut reported = Vec::new();
    for (chunk, faulty) in [&[2][..]; 4].into_iter().chain([&[][..]; 7]).enumerate() {
        let (score, alerts) = bench.hear(3, faulty);
        assert_ne!(score.state, MachineState::SensorFault, "two of three still hear");
        assert!(score.health_index.is_some());
        reported.extend(alerts.into_iter().map(|alert| (chunk, alert)));
    }
    let chunks: Vec<usize> = reported.iter().map(|(chunk, _)| *chunk).collect();
    assert_eq!(chunks, [2, 8]);
    let [failed, again] = [0, 1].map(|index| &reported[index].1);
    assert!(reported.iter().all(|(_, alert)| alert.kind == AlertKind::Sensor && alert.score.is_none()));
    assert_eq!(failed.sensor_faults, [SensorFault { channel: 2, flags: vec![QualityFlag::Silent] }]);
    assert!(failed.explanation.as_deref().unwrap().starts_with("microphone 3: silent, since "), "{failed:?}");
    let own = bench.states.values().next().unwrap().alert.state;
    assert_eq!((failed.state, failed.previous_state), (own, own), "a sensor's fault is none of the machine");
    assert!(failed.id.ends_with("/sensor"));
    assert!(again.sensor_faults.is_empty() && again.sensors_well_again == [2]);
    assert!(again.explanation.as_deref().unwrap().starts_with("microphone 3 hears again since "), "{again:?}");
    assert!(bench.states.values().all(|state| state.sensors.is_empty()), "nothing is left to remember");
}

#[test]
fn a_machine_that_nobody_hears_any_more_is_reported_so_and_goes_on_as_it_was() {
    let mut bench = Worker::start();
    for _ in 0..6 {
        bench.hear(1, &[]);
    }
    let mut alerts = Vec::new();
    for faulty in [&[0][..]; 5].into_iter().chain([&[][..]; 5]) {
        alerts.extend(bench.hear(1, faulty).1);
    }
    let own = bench.states.values().next().unwrap().alert.state;
    assert_ne!(own, MachineState::Learning, "or the test could not fail");
    let changes: Vec<_> = alerts.iter().map(|alert| (alert.previous_state, alert.state)).collect();
    assert_eq!(changes, [(own, MachineState::SensorFault), (MachineState::SensorFault, own)]);
    assert!(alerts[0].explanation.as_deref().unwrap().ends_with("nothing can be said of it"), "{:?}", alerts[0]);
}

#[test]
fn a_sensor_of_a_machine_that_was_never_heard_is_reported_too() {
    let mut bench = Worker::start();
    let alerts: Vec<Alert> = (0..4).flat_map(|_| bench.hear(1, &[0]).1).collect();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!((alerts[0].previous_state, alerts[0].state), (MachineState::Learning, MachineState::SensorFault));
    let (heard, _) = bench.hear(1, &[]);
    assert_eq!(bench.states.values().next().unwrap().chunks, 1, "only what was judged counts");
    assert_eq!(heard.previous_state, MachineState::Learning);
}

#[test]
fn a_sensor_fault_is_told_in_full_until_it_is_reported_and_briefly_from_then_on() {
    let mut bench = Worker::start();
    bench.hear(2, &[]);
    let scores: Vec<Score> = (0..5).map(|_| bench.hear(2, &[1]).0).collect();
    let said = |chunk: usize| scores[chunk].explanation.as_deref().unwrap();
    assert!(said(2).ends_with("left out: microphone 2: silent"), "{}", said(2));
    assert!(said(3).ends_with("left out: microphone 2, at fault since 22:13 UTC"), "{}", said(3));
    assert!(scores[2].sensor_faults_since.is_none() && scores[4].sensor_faults_since.is_some());
}

#[test]
fn chunks_that_arrive_at_another_rate_or_length_are_noted_and_alarm_nobody() {
    for (otherwise, kind, words) in [
        (Recorded { source_rate_hz: 8_000, duration_s: 0.64 }, "other_rate", "arrives at 8 kHz, learned at 16 kHz"),
        (Recorded { source_rate_hz: 16_000, duration_s: 0.1 }, "shorter", "chunks of 0.1 s, learned with 0.64 s"),
    ] {
        let mut bench = Worker::start();
        for _ in 0..6 {
            bench.hear(1, &[]);
        }
        let own = bench.states.values().next().unwrap().alert.clone();
        let anomalous_before = bench.metrics.anomalous_chunks.get();
        let mut alerts = Vec::new();
        for _ in 0..60 {
            // As loud as nothing ever was.
            let (score, message) = bench.hear_recorded(1, &[], otherwise, 40.0);
            assert_eq!((score.state, score.previous_state), (MachineState::SetupFault, own.state));
            assert_eq!((score.health_index, score.anomalous, score.p_value), (None, false, 1.0));
            assert!(score.score > score.threshold, "or the test could not fail");
            assert_eq!(score.explanation.as_deref(), Some(format!("not judged: {words}").as_str()));
            assert_eq!((score.notes[0].kind.as_str(), score.notes[0].words.as_str()), (kind, words));
            alerts.extend(message);
        }
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert_eq!((alerts[0].kind, alerts[0].state), (AlertKind::Setup, MachineState::SetupFault));
        assert!(alerts[0].id.ends_with("/setup"));
        assert_eq!(bench.states.values().next().unwrap().alert, own, "neither for a fault nor against one");
        assert_eq!(bench.metrics.notes.with_label_values(&[kind]).get(), 60);
        assert_eq!(bench.metrics.anomalous_chunks.get(), anomalous_before);
        assert_eq!(bench.metrics.machines.with_label_values(&["setup_fault"]).get(), 1, "it is not guarded");
        let (again, _) = bench.hear(1, &[]);
        assert!(again.state == own.state && again.health_index.is_some() && again.notes.is_empty());
    }
}

#[test]
fn a_machine_far_below_everything_learned_is_idle_and_counted_so() {
    let mut bench = Worker::start();
    for _ in 0..6 {
        bench.hear(1, &[]);
    }
    let learned = Recorded { source_rate_hz: 16_000, duration_s: 0.64 };
    for _ in 0..10 {
        let (score, message) = bench.hear_recorded(1, &[], learned, -45.0);
        assert_eq!((score.state, score.health_index, score.anomalous), (MachineState::Idle, None, false));
        assert!(message.iter().all(|alert| alert.kind == AlertKind::Setup));
    }
    assert_eq!(bench.metrics.machines.with_label_values(&["idle"]).get(), 1);
    bench.hear(1, &[]);
    assert_eq!(bench.metrics.machines.with_label_values(&["idle"]).get(), 0);
}

#[test]
fn a_sensor_that_now_and_then_drops_out_is_not_reported() {
    let mut bench = Worker::start();
    for chunk in 0..30 {
        let (_, alerts) = bench.hear(2, if chunk % 3 == 2 { &[] } else { &[1] });
        assert!(alerts.iter().all(|alert| alert.kind == AlertKind::Machine), "chunk {chunk}");
    }
}
