//! Reads the retained records of the requested time range.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::{ReadFrom, TopicReader};
use auscult_schemas::topics::{ALERTS, FEATURES, SCORES};
use auscult_schemas::{Alert, Envelope, Features, JsonMessage, MachineId, RecordCoordinates, Score};
use jiff::Timestamp;

use super::{ChunkSampler, SampleRequest, is_not_running, machines_in_alarm};

/// Timeout for reading all alerts.
const READING_ALERTS: Duration = Duration::from_secs(120);

/// Callbacks while a topic is read.
#[derive(Clone, Copy)]
pub struct TopicReading<'a> {
    /// If set, reading stops with an error.
    pub interrupted: &'a AtomicBool,
    /// Called after each record.
    pub on_record: &'a dyn Fn(),
}

/// The machines that were in alarm in the time range.
///
/// # Errors
/// If `audio.alerts` cannot be read to its end.
pub fn read_machines_in_alarm(
    kafka: &KafkaConfig,
    since: Timestamp,
    until: Timestamp,
) -> anyhow::Result<BTreeSet<MachineId>> {
    let records = TopicReader::open(kafka, &[ALERTS], ReadFrom::Beginning)?.read_to_end(READING_ALERTS)?;
    let mut alerts = Vec::new();
    for record in &records {
        match serde_json::from_slice::<Alert>(record.value.as_deref().unwrap_or_default()) {
            Ok(alert) => alerts.push(alert),
            Err(error) => tracing::warn!(record = %record.coordinates, %error, "is no alert, and is passed over"),
        }
    }
    Ok(machines_in_alarm(alerts.iter(), since, until))
}

/// The chunks of the time range with the verdict idle or setup fault.
///
/// # Errors
/// If `audio.scores` cannot be read, or reading is interrupted.
pub fn read_not_running(
    kafka: &KafkaConfig,
    since: Timestamp,
    until: Timestamp,
    reading: &TopicReading<'_>,
) -> anyhow::Result<HashSet<RecordCoordinates>> {
    let mut reader = TopicReader::open(kafka, &[SCORES], ReadFrom::Beginning)?;
    let mut found = HashSet::new();
    while !reading.interrupted.load(Ordering::Relaxed) {
        let Some(record) = reader.next(Duration::from_millis(200))? else {
            if reader.is_at_end() {
                return Ok(found);
            }
            continue;
        };
        (reading.on_record)();
        if let Ok(score) = Score::decode(record.value.as_deref().unwrap_or_default())
            && (since..until).contains(&score.time)
            && is_not_running(&score)
        {
            found.insert(score.chunk);
        }
    }
    bail!("interrupted while reading; nothing was written")
}

/// Reads all retained features: a record's own timestamp is the time of writing, not of recording.
///
/// # Errors
/// If `audio.features` cannot be read, or reading is interrupted.
pub fn read_samples(
    kafka: &KafkaConfig,
    wanted: SampleRequest,
    reading: &TopicReading<'_>,
) -> anyhow::Result<ChunkSampler> {
    let mut reader = TopicReader::open(kafka, &[FEATURES], ReadFrom::Beginning)?;
    let mut sampler = ChunkSampler::new(wanted);
    while !reading.interrupted.load(Ordering::Relaxed) {
        let Some(record) = reader.next(Duration::from_millis(200))? else {
            if reader.is_at_end() {
                return Ok(sampler);
            }
            continue;
        };
        (reading.on_record)();
        // Records that are not features messages get their dead letters from the scoring worker.
        let key = record.key.as_deref();
        let envelope =
            Envelope::read(&record.headers, key, &record.coordinates, record.timestamp_ms, Envelope::FEATURES);
        let Some(envelope) = envelope.ok().filter(|envelope| !envelope.is_control() && sampler.wants(envelope)) else {
            continue;
        };
        if let Ok(features) = Features::decode(record.value.as_deref().unwrap_or_default()) {
            sampler.take(&envelope, &features);
        }
    }
    bail!("interrupted while reading; nothing was written")
}
