use std::collections::HashMap;
use std::sync::Arc;

use auscult_detection::{DeviceChoice, TrainingOptions, WatchPolicy, open_device};
use auscult_runtime::processor::{Memory, Processor, StateKey};
use auscult_runtime::record::Record;
use auscult_runtime::telemetry::Metrics;
use auscult_schemas::{
    Features, FeaturesMetadata, Headers, MachineState, QualityFlag, RecordCoordinates, Score, ScorerState, SensorFault,
    StageTimings, topics,
};
use bytes::Bytes;

use crate::reload::tests::{FRAMES, MELS, level, package};
use crate::{ModelLibrary, ModelsConfig, ScoringMetrics, ScoringProcessor, ScoringStage};

/// A scoring worker with one model, and what it remembers.
struct Bench {
    processor: ScoringProcessor,
    metrics: ScoringMetrics,
    states: HashMap<StateKey, ScorerState>,
    offset: i64,
}

impl Bench {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("fan.safetensors"), package(1)).unwrap();
        let config = ModelsConfig { dir: Some(folder.path().to_owned()), default: None, reload_secs: 0 };
        let metrics = Arc::new(Metrics::new("scoring-0").unwrap());
        let scoring_metrics = ScoringMetrics::register(metrics.registry()).unwrap();
        let device = open_device(DeviceChoice::Cpu).unwrap();
        let library = ModelLibrary::open(&config).unwrap();
        let stage =
            ScoringStage::start(library, device, WatchPolicy::default(), metrics, scoring_metrics.clone()).unwrap();
        let processor = ScoringProcessor::new(stage);
        Self { processor, metrics: scoring_metrics, states: HashMap::new(), offset: 0 }
    }

    /// A chunk whose channels sound as in training, or, where they are named, as nothing ever did and flagged so.
    fn hear(&mut self, channels: usize, faulty: &[usize]) -> (Score, usize) {
        self.offset += 1;
        let coordinates =
            |topic: &str| RecordCoordinates { topic: topic.to_owned(), partition: 0, offset: self.offset };
        let channel = |channel: usize| {
            let is_faulty = faulty.contains(&channel);
            (0..FRAMES * MELS).map(move |place| if is_faulty { -100.0 } else { level(place) })
        };
        let fault = |channel: &usize| SensorFault { channel: *channel, flags: vec![QualityFlag::Silent] };
        let features = Features {
            metadata: FeaturesMetadata {
                feature_spec: TrainingOptions::default().spec.hash(),
                chunk: coordinates(topics::CHUNKS),
                duration_s: 0.64,
                source_rate_hz: 16_000,
                quality: if faulty.is_empty() { Vec::new() } else { vec![QualityFlag::Silent] },
                sensor_faults: faulty.iter().map(fault).collect(),
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
        let outputs = self.processor.process(&[record], &mut memory).pop().unwrap().unwrap();
        let written = memory.into_written();
        self.states.extend(written);
        let score = outputs.iter().find(|output| output.topic == topics::SCORES).unwrap();
        (serde_json::from_slice(&score.value).unwrap(), outputs.len())
    }
}

#[test]
fn a_faulty_microphone_is_named_and_left_out_of_the_score() {
    let mut bench = Bench::start();
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
fn a_chunk_that_no_microphone_heard_has_a_score_and_no_verdict() {
    let mut bench = Bench::start();
    let (score, outputs) = bench.hear(2, &[0, 1]);
    assert_eq!(outputs, 1, "neither alert nor drift");
    assert_eq!((score.state, score.previous_state), (MachineState::SensorFault, MachineState::Unknown));
    assert_eq!((score.anomalous, score.score, score.channel_scores.len(), score.p_value), (false, 0.0, 0, 1.0));
    assert_eq!(score.sensor_faults.len(), 2);
    assert_eq!(bench.metrics.sensor_faults.with_label_values(&["silent"]).get(), 2);
    assert_eq!((bench.metrics.unheard_chunks.get(), bench.metrics.anomalous_chunks.get()), (1, 0));
}

#[test]
fn what_is_remembered_of_a_machine_takes_no_notice_of_its_sensors_faults() {
    let mut bench = Bench::start();
    for _ in 0..7 {
        bench.hear(1, &[]);
    }
    let before = bench.states.clone();
    for _ in 0..60 {
        let (score, _) = bench.hear(1, &[0]);
        assert_eq!(score.state, MachineState::SensorFault);
    }
    assert_eq!(bench.states, before, "60 chunks would fill a drift window of 50 and raise an alarm");
    let (again, _) = bench.hear(1, &[]);
    let state = before.values().next().unwrap().alert.state;
    assert_eq!((again.previous_state, again.state), (state, state));
}
