//! What would be in the topics after a run in which everything went well: made without Kafka.

use std::path::PathBuf;
use std::sync::OnceLock;

use auscult_detection::AppliedControl;
use auscult_schemas::topics::{ALERTS, AUDIT, CHUNKS, DEAD_LETTERS, DRIFT, FEATURES, SCORER_STATE, SCORES};
use auscult_schemas::{
    ChunkId, DeadLetter, DeadLetterCode, Envelope, Features, FeaturesMetadata, Headers, MachineId, RecordCoordinates,
    StageTimings,
};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::features::FEATURE_WORKER;
use super::{Replay, TopicRecord, Topics, is_control, json};
use crate::load::{CONTROL_SHARE, Load, LoadSpec, train_model};

const MAX_CHUNK_BYTES: usize = 131_072;
const PARTITIONS: i32 = 2;

fn model() -> &'static PathBuf {
    static MODEL: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = MODEL.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        train_model(&path, 0).unwrap();
        (folder, path)
    });
    path
}

pub(super) fn replay() -> Replay {
    Replay::of(std::slice::from_ref(model()), MAX_CHUNK_BYTES).unwrap()
}

pub(super) fn push(
    topics: &mut Topics,
    topic: &str,
    partition: i32,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Headers,
) {
    let records = topics.0.entry(topic.to_owned()).or_default();
    let offset = records.iter().filter(|record| record.coordinates.partition == partition).count() as i64;
    let coordinates = RecordCoordinates { topic: topic.to_owned(), partition, offset };
    records.push(TopicRecord { coordinates, timestamp_ms: 1_700_000_000_000, key, value, headers });
}

pub(super) fn push_dead_letter(topics: &mut Topics, record: &TopicRecord, code: DeadLetterCode) {
    let letter = DeadLetter {
        code,
        detail: "it is one".to_owned(),
        source: record.coordinates.clone(),
        worker: "ideal".to_owned(),
        time: Timestamp::UNIX_EPOCH,
        value_omitted: false,
        trace_id: None,
        timestamp_ms: Some(record.timestamp_ms),
        value_bytes: None,
        value_sha256: None,
        omitted: None,
    };
    let mut headers = record.headers.clone();
    letter.append_to(&mut headers);
    let (partition, key, value) = (record.coordinates.partition, record.key.clone(), record.value.clone());
    push(topics, DEAD_LETTERS, partition, key, value, headers);
}

pub(super) fn headers_of(envelope: &Envelope, id: &str, source: &str) -> Headers {
    Envelope { id: ChunkId(id.to_owned()), source: source.to_owned(), ..envelope.clone() }.headers()
}

/// What is in the topics after a run of four machines in which everything went well.
pub(super) fn ideal() -> Topics {
    static IDEAL: OnceLock<Topics> = OnceLock::new();
    IDEAL.get_or_init(make_ideal).clone()
}

fn make_ideal() -> Topics {
    let spec = LoadSpec {
        seed: 3,
        machines: 4,
        chunks: 400,
        rate_per_s: 1.0,
        prefix: "run".to_owned(),
        poison_share: 0.1,
        control_share: CONTROL_SHARE,
    };
    let mut topics = Topics::default();
    for (number, record) in Load::plan(&spec).records().enumerate() {
        let record = record.unwrap();
        let last = record.key.as_ref().map_or(number, |key| usize::from(key[key.len() - 1]));
        let partition = last as i32 % PARTITIONS;
        push(&mut topics, &record.topic, partition, record.key, record.value, record.headers);
    }
    work(&mut topics);
    topics
}

/// What both workers make of the chunks that lie there, where everything goes well.
pub(super) fn work(topics: &mut Topics) {
    let mut worker = replay();
    for chunk in topics.of(CHUNKS).to_vec() {
        if is_control(&chunk) {
            push(topics, FEATURES, chunk.coordinates.partition, chunk.key, chunk.value, chunk.headers);
            continue;
        }
        match worker.extract(&chunk) {
            Ok((envelope, extraction)) => {
                let metadata = FeaturesMetadata {
                    feature_spec: worker.spec_hash(),
                    chunk: chunk.coordinates.clone(),
                    duration_s: 0.3,
                    source_rate_hz: 16_000,
                    quality: extraction.quality,
                    sensor_faults: extraction.sensor_faults,
                    levels: extraction.levels,
                    timings: StageTimings::default(),
                };
                let features = Features {
                    metadata,
                    channels: extraction.channels,
                    frames: extraction.frames,
                    mels: extraction.mels,
                    values: extraction.values.into(),
                };
                let value = Some(features.encode().unwrap());
                let headers = headers_of(&envelope, &envelope.id.0, FEATURE_WORKER);
                push(topics, FEATURES, chunk.coordinates.partition, chunk.key, value, headers);
            }
            Err(code) => push_dead_letter(topics, &chunk, code),
        }
    }
    for message in topics.of(FEATURES).to_vec() {
        let partition = message.coordinates.partition;
        if let Some(applied) = worker.control(&message, |_| None) {
            match applied {
                Ok((envelope, AppliedControl { state, audit, alert })) => {
                    let mut send = |topic: &str, value: Value| {
                        let headers = headers_of(&envelope, &audit.id, "/auscult/scoring-worker");
                        push(topics, topic, partition, message.key.clone(), Some(value.to_string().into()), headers);
                    };
                    send(AUDIT, json(&audit));
                    alert.iter().for_each(|alert| send(ALERTS, json(alert)));
                    send(SCORER_STATE, json(&state));
                }
                Err(code) => push_dead_letter(topics, &message, code),
            }
            continue;
        }
        let (envelope, features) = match worker.read(&message) {
            Ok(read) => read,
            Err(code) => {
                push_dead_letter(topics, &message, code);
                continue;
            }
        };
        let judged = worker.judge(&message, &envelope, &features, None).unwrap();
        let id = judged.score.id.clone();
        let mut send = |topic: &str, value: Value| {
            let headers = headers_of(&envelope, &id, "/auscult/scoring-worker");
            push(topics, topic, partition, message.key.clone(), Some(value.to_string().into()), headers);
        };
        send(SCORES, json(&judged.score));
        for alert in judged
            .observation
            .alert
            .iter()
            .chain(&judged.observation.sensor_alert)
            .chain(&judged.observation.setup_alert)
        {
            send(ALERTS, json(alert));
        }
        if let Some(audit) = &judged.observation.audit {
            send(AUDIT, json(audit));
        }
        if let Some(drift) = &judged.observation.drift {
            send(DRIFT, json(drift));
        }
        send(SCORER_STATE, json(&judged.observation.state));
        let key_of = |machine: &MachineId| Some(machine.as_str().to_owned().into());
        for alert in &judged.neighbours {
            let about = Envelope { machine: alert.machine.clone(), ..envelope.clone() };
            let headers = headers_of(&about, &alert.id, "/auscult/scoring-worker");
            push(topics, ALERTS, partition, key_of(&alert.machine), Some(json(alert).to_string().into()), headers);
        }
        for state in &judged.others {
            let value = Some(json(state).to_string().into());
            push(topics, SCORER_STATE, partition, key_of(&state.machine), value, Headers::default());
        }
    }
}
