//! Control messages to a machine's partition, and the worker's answers.

use std::time::{Duration, Instant};

use anyhow::Context;
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::{GatewayRecord, ReadFrom, TopicReader};
use auscult_runtime::record::Record;
use auscult_schemas::topics::{AUDIT, CHUNKS, DEAD_LETTERS};
use auscult_schemas::{Audit, ChunkId, Control, DeadLetter, Envelope, JsonMessage};
use bytes::Bytes;
use jiff::Timestamp;

/// The answer from one partition.
#[derive(Debug)]
pub enum Answer {
    /// It was applied.
    Done(Box<Audit>),
    /// It became a dead letter, with this reason.
    Refused(String),
}

/// Reads the workers' answers from now on.
pub struct Answers(TopicReader);

impl Answers {
    /// Starts reading at the current end.
    ///
    /// # Errors
    /// If the topics of answers cannot be read.
    pub fn open(kafka: &KafkaConfig) -> anyhow::Result<Self> {
        let reader = TopicReader::open(kafka, &[AUDIT, DEAD_LETTERS], ReadFrom::End);
        Ok(Self(reader.context("the worker's answer cannot be read; --wait 0s sends without waiting for it")?))
    }

    /// Calls back with each answer; returns the partitions without an answer in time.
    ///
    /// # Errors
    /// If the topics can no longer be read.
    pub fn wait(
        mut self,
        control: &Control,
        mut partitions: Vec<i32>,
        wait: Duration,
        mut tell: impl FnMut(i32, Answer),
    ) -> anyhow::Result<Vec<i32>> {
        let deadline = Instant::now() + wait;
        while !partitions.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let Some(record) = self.0.next(left)? else { continue };
            let partition = record.coordinates.partition;
            let awaited = partitions.iter().position(|awaited| *awaited == partition);
            if let (Some(position), Some(answer)) = (awaited, answer(&record, control)) {
                partitions.remove(position);
                tell(partition, answer);
            }
        }
        Ok(partitions)
    }
}

/// The record as the answer to this message, if it is one.
fn answer(record: &Record, control: &Control) -> Option<Answer> {
    if record.key.as_deref() != Some(control.machine.as_str().as_bytes()) {
        return None;
    }
    if record.coordinates.topic == AUDIT {
        let audit: Audit = serde_json::from_slice(record.value.as_deref()?).ok()?;
        return (audit.control_id == control.id).then(|| Answer::Done(Box::new(audit)));
    }
    // The original message, with the reason in its headers.
    let sent = Control::decode(record.value.as_deref()?).ok()?;
    let letter = DeadLetter::read(&record.headers).ok()?;
    (sent.id == control.id).then(|| Answer::Refused(format!("{}: {}", letter.code.as_str(), letter.detail)))
}

/// The message for one partition. If it goes to several partitions, each message is a separate event with its own audit
/// record; the request id is the same.
///
/// # Errors
/// If the message cannot be encoded.
pub fn control_record(
    control: &Control,
    partition: i32,
    is_one_of_several: bool,
    now: Timestamp,
) -> anyhow::Result<GatewayRecord> {
    let id = control.id.clone().unwrap_or_default();
    let envelope = Envelope {
        id: ChunkId(if is_one_of_several { format!("{id}/partition-{partition}") } else { id }),
        source: "/auscult/control".to_owned(),
        event_type: Envelope::CONTROL.to_owned(),
        time: now,
        machine: control.machine.clone(),
        content_type: Envelope::CONTROL_JSON.to_owned(),
        traceparent: None,
    };
    Ok(GatewayRecord {
        topic: CHUNKS.to_owned(),
        partition: Some(partition),
        key: Some(Bytes::from(control.machine.as_str().to_owned())),
        value: Some(control.encode()?),
        headers: envelope.headers(),
        timestamp_ms: None,
    })
}
