//! The whole way of a chunk in one process: both workers on the in-memory log, from bytes to a judged state.

#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the report")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;
use auscult_detection::{DeviceChoice, ModelPackage, TrainingClip, TrainingOptions, WatchPolicy, open_device, train};
use auscult_features::ChunkExtractor;
use auscult_processes::in_memory::{Pipeline, PipelineConfig, ResultReader, SentChunk};
use auscult_schemas::topics::{ALERTS, DEAD_LETTERS, DRIFT, SCORER_STATE, SCORES};
use auscult_schemas::{
    Alert, ChunkId, DeadLetter, Drift, FeatureSpec, MachineId, MachineState, ModelId, Score, ScorerState,
};
use auscult_scoring_worker::ModelLibrary;
use auscult_simulator::{Condition, Fault, Machine, MachineKind, SAMPLE_RATE_HZ, wav_bytes};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use ndarray::Array2;

const SEED: u64 = 7;
const TRAINING_CHUNKS: u64 = 24;
/// Chunks of the stream are numbered from here, so that none of them was trained on.
const STREAM: u64 = 1_000;

fn machine_id(name: &str) -> MachineId {
    MachineId::new(name).unwrap()
}

fn train_on(machine: &Machine, name: &str) -> Result<ModelPackage> {
    let mut extractor = ChunkExtractor::new(FeatureSpec::default())?;
    let mut clips = Vec::new();
    for index in 0..TRAINING_CHUNKS {
        let wav = wav_bytes(&machine.chunk(index, Condition::NORMAL), SAMPLE_RATE_HZ);
        let features = extractor.extract("audio/wav", &wav)?;
        let channel = Array2::from_shape_vec((features.frames, features.mels), features.values)?;
        clips.push(TrainingClip { name: index.to_string(), channels: vec![channel], ..TrainingClip::default() });
    }
    let options = TrainingOptions { model_id: ModelId(name.to_owned()), ..TrainingOptions::default() };
    Ok(train(&clips, &options, &mut |_| ControlFlow::Continue(()))?)
}

fn start(machines: &[(&str, &Machine)]) -> Result<Pipeline> {
    let packages: Result<Vec<(MachineId, ModelPackage)>> =
        machines.iter().map(|(name, machine)| Ok((machine_id(name), train_on(machine, name)?))).collect();
    let mut watch = WatchPolicy::default();
    watch.drift.window_chunks = 20;
    let config =
        PipelineConfig { spec: FeatureSpec::default(), partitions: 3, watch, max_batch_age: Duration::from_millis(5) };
    Pipeline::start(ModelLibrary::of(packages?), open_device(DeviceChoice::Cpu)?, &config)
}

/// A time that can be: those of 1970 are replaced by the time of arrival.
fn begun() -> Timestamp {
    "2026-03-14T06:00:00Z".parse().unwrap()
}

fn sent(machine: &str, number: u64, sound: Vec<u8>) -> SentChunk {
    SentChunk {
        id: ChunkId(format!("{machine}-{number}")),
        machine: machine_id(machine),
        content_type: "audio/wav".to_owned(),
        time: begun() + SignedDuration::from_secs(i64::try_from(number).unwrap() * 10),
        sound: Bytes::from(sound),
    }
}

#[derive(Default)]
struct Results {
    scores: BTreeMap<String, Vec<Score>>,
    alerts: Vec<Alert>,
    drift: Vec<Drift>,
    dead_letters: Vec<DeadLetter>,
}

fn read(pipeline: &Pipeline) -> Results {
    let mut results = Results::default();
    for record in ResultReader::new(pipeline.log()).take_new() {
        let value = record.value.as_deref().unwrap_or_default();
        match record.coordinates.topic.as_str() {
            SCORES => {
                let score: Score = serde_json::from_slice(value).unwrap();
                results.scores.entry(score.machine.to_string()).or_default().push(score);
            }
            ALERTS => results.alerts.push(serde_json::from_slice(value).unwrap()),
            DRIFT => results.drift.push(serde_json::from_slice(value).unwrap()),
            DEAD_LETTERS => results.dead_letters.push(DeadLetter::read(&record.headers).unwrap()),
            other => unreachable!("{other}"),
        }
    }
    results
}

#[test]
fn a_fault_is_alarmed_with_its_bands_and_a_sound_machine_is_left_alone() {
    let (fan, pump) = (Machine::new(MachineKind::Fan, "fan-1", SEED), Machine::new(MachineKind::Pump, "pump-1", SEED));
    let pipeline = start(&[("fan-1", &fan), ("pump-1", &pump)]).unwrap();
    for number in 0..40 {
        let condition = if number < 20 { Condition::NORMAL } else { Condition::faulty(Fault::BearingWear, 1.0) };
        pipeline.send(sent("fan-1", number, wav_bytes(&fan.chunk(STREAM + number, condition), SAMPLE_RATE_HZ)));
        let healthy = pump.chunk(STREAM + number, Condition::NORMAL);
        pipeline.send(sent("pump-1", number, wav_bytes(&healthy, SAMPLE_RATE_HZ)));
    }
    pipeline.drain(Duration::from_secs(60)).unwrap();
    let results = read(&pipeline);

    for machine in ["fan-1", "pump-1"] {
        let chunks: Vec<String> = results.scores[machine].iter().map(|score| score.chunk_id.to_string()).collect();
        let expected: Vec<String> = (0..40).map(|number| format!("{machine}-{number}")).collect();
        assert_eq!(chunks, expected, "exactly one score a chunk, in order");
    }
    let alarms: Vec<&Alert> = results.alerts.iter().filter(|alert| alert.state == MachineState::Alarm).collect();
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0].machine, machine_id("fan-1"));
    let onset = begun() + SignedDuration::from_secs(200);
    assert_eq!(alarms[0].since, onset, "since the first faulty chunk");
    assert!(!alarms[0].bands.is_empty(), "it says where to look");
    assert_eq!(results.drift.len(), 4, "two windows a machine, the fan's second cut short by what was found");
    let of_fan =
        |window: usize| results.drift.iter().filter(|drift| drift.machine == machine_id("fan-1")).nth(window).unwrap();
    assert!(of_fan(1).score_psi > of_fan(0).score_psi, "the faulty window has drifted further");
    assert!(results.dead_letters.is_empty(), "{:?}", results.dead_letters);

    let mut states = BTreeMap::new();
    for partition in 0..3 {
        for record in pipeline.log().read(SCORER_STATE, partition, 0, usize::MAX).0 {
            let state: ScorerState = serde_json::from_slice(&record.value.unwrap()).unwrap();
            states.insert(state.machine.to_string(), state);
        }
    }
    assert_eq!(states["fan-1"].alert.state, MachineState::Alarm);
    assert_eq!(states["fan-1"].chunks, 40);
    assert_eq!(states["pump-1"].alert.state, MachineState::Healthy);
    pipeline.stop().unwrap();
}

#[test]
fn bad_input_becomes_a_dead_letter_that_says_why_and_what_follows_is_judged() {
    let fan = Machine::new(MachineKind::Fan, "fan-1", SEED);
    let pipeline = start(&[("fan-1", &fan)]).unwrap();
    let good = wav_bytes(&fan.chunk(STREAM, Condition::NORMAL), SAMPLE_RATE_HZ);
    let mut samples = fan.chunk(STREAM, Condition::NORMAL);
    samples.truncate(4);
    let float = |value: f32| {
        let mut wav = wav_bytes(&samples, SAMPLE_RATE_HZ);
        // Format 3 is IEEE float; the four 16-bit samples become two 32-bit ones.
        wav[20] = 3;
        wav[32] = 4;
        wav[34] = 32;
        wav[44..48].copy_from_slice(&value.to_le_bytes());
        wav[48..52].copy_from_slice(&0.5_f32.to_le_bytes());
        wav
    };
    let oversize = {
        let mut wav = good.clone();
        wav.resize(auscult_schemas::topics::MAX_MESSAGE_BYTES + 1, 0);
        wav
    };
    let no_samples = wav_bytes(&[], SAMPLE_RATE_HZ);
    let cases: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("truncated", "audio/wav", good[..good.len() / 2].to_vec(), "truncated"),
        ("empty", "audio/wav", Vec::new(), "empty"),
        ("letter", "audio/wav", b"Dear Sir or Madam, this is not a sound".to_vec(), "not_audio"),
        ("no samples", "audio/wav", no_samples, "no_samples"),
        ("mp3", "audio/mpeg", good.clone(), "unsupported_content_type"),
        ("wav as flac", "audio/flac", good.clone(), "not_audio"),
        ("nan", "audio/wav", float(f32::NAN), "non_finite"),
        ("infinite", "audio/wav", float(f32::INFINITY), "non_finite"),
        ("oversize", "audio/wav", oversize, "too_large"),
    ];
    for (number, (id, content_type, sound, _)) in cases.iter().enumerate() {
        let chunk = sent("fan-1", u64::try_from(number).unwrap(), sound.clone());
        pipeline.send(SentChunk { id: ChunkId((*id).to_owned()), content_type: (*content_type).to_owned(), ..chunk });
    }
    pipeline.send(SentChunk { id: ChunkId("stranger".to_owned()), ..sent("no-such-machine", 0, good.clone()) });
    pipeline.send(SentChunk { id: ChunkId("good".to_owned()), ..sent("fan-1", 99, good) });
    pipeline.drain(Duration::from_secs(60)).unwrap();
    let results = read(&pipeline);

    let mut expected: Vec<&str> = cases.iter().map(|(_, _, _, code)| *code).collect();
    expected.push("unknown_machine");
    expected.sort_unstable();
    let mut found: Vec<&str> = results.dead_letters.iter().map(|letter| letter.code.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, expected, "{:#?}", results.dead_letters);
    let judged: Vec<String> = results.scores["fan-1"].iter().map(|score| score.chunk_id.to_string()).collect();
    assert_eq!(judged, ["good"], "the partition has moved on");

    let metrics =
        auscult_tests::Metrics(pipeline.metrics[0].encode(&auscult_runtime::telemetry::Health::default()).unwrap());
    assert_eq!(metrics.sum("auscult_dead_letters_total", &[("reason", "not_audio")]), Some(2.0));
    assert_eq!(metrics.sum("auscult_dead_letters_total", &[("reason", "non_finite")]), Some(2.0));
    pipeline.stop().unwrap();
}

#[test]
fn features_of_another_spec_are_refused() {
    let fan = Machine::new(MachineKind::Fan, "fan-1", SEED);
    let package = train_on(&fan, "fan-1").unwrap();
    let config = PipelineConfig {
        spec: FeatureSpec { hop_length: 256, ..FeatureSpec::default() },
        partitions: 1,
        watch: WatchPolicy::default(),
        max_batch_age: Duration::from_millis(5),
    };
    let library = ModelLibrary::of([(machine_id("fan-1"), package)]);
    let pipeline = Pipeline::start(library, open_device(DeviceChoice::Cpu).unwrap(), &config).unwrap();
    pipeline.send(sent("fan-1", 0, wav_bytes(&fan.chunk(STREAM, Condition::NORMAL), SAMPLE_RATE_HZ)));
    pipeline.drain(Duration::from_secs(60)).unwrap();
    let results = read(&pipeline);
    assert!(results.scores.is_empty());
    assert_eq!(results.dead_letters[0].code.as_str(), "feature_spec_mismatch");
    pipeline.stop().unwrap();
}
