//! Reads the partitions of machines from a live installation.

use std::time::{Duration, Instant};

use auscult_schemas::MachineId;
use auscult_schemas::topics::{CHUNKS, SCORER_STATE};

use super::survey::{Placement, Survey};
use super::{KafkaAccessError, ReadFrom, TopicReader};
use crate::config::KafkaConfig;
use crate::machine_places::MachinePlaces;

/// What may be fetched ahead, bytes: a worker reads its states beside its work, and its memory is bounded.
const PREFETCH_BYTES: usize = 2 * 1024 * 1024;
/// How long the brokers may take to be found, and one question may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads all states: ten thousand machines take under half a second from a nearby broker.
///
/// # Errors
/// If the topic is missing, access is denied, or its end is not reached within `give_up_after`.
pub fn machine_places(config: &KafkaConfig, give_up_after: Duration) -> Result<MachinePlaces, KafkaAccessError> {
    let config = KafkaConfig { prefetch_bytes: config.prefetch_bytes.min(PREFETCH_BYTES), ..config.clone() };
    let mut reader = TopicReader::open(&config, &[SCORER_STATE], ReadFrom::Beginning)?;
    let deadline = Instant::now() + give_up_after;
    let mut places = MachinePlaces::default();
    while !reader.is_at_end() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(KafkaAccessError::Read(format!(
                "{SCORER_STATE} is not read to its end after {} s; is a transaction open in it? `auscult doctor` tells",
                give_up_after.as_secs()
            )));
        }
        if let Some(record) = reader.next(left.min(Duration::from_millis(200)))? {
            places.note_record(&record);
        }
    }
    Ok(places)
}

/// The partitions on which one of the newest `each` records of `audio.chunks` is the machine's: for machines whose
/// chunks have not been scored yet.
///
/// # Errors
/// If the topic is missing or access is denied.
pub fn recent_partitions(config: &KafkaConfig, machine: &MachineId, each: i64) -> Result<Vec<i32>, KafkaAccessError> {
    let (survey, _) = Survey::connect(config, REQUEST_TIMEOUT, REQUEST_TIMEOUT)?;
    let Placement::Partitions(partitions) = survey.placement(CHUNKS)? else {
        return Err(KafkaAccessError::NoSuchTopic(CHUNKS.to_owned()));
    };
    let count = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
    let newest = survey.newest(CHUNKS, count, each)?;
    let own = newest.iter().filter(|glimpse| glimpse.key.as_deref() == Some(machine.as_str().as_bytes()));
    let mut partitions: Vec<i32> = own.map(|glimpse| glimpse.partition).collect();
    partitions.sort_unstable();
    partitions.dedup();
    Ok(partitions)
}

/// The number of partitions of `audio.chunks`.
///
/// # Errors
/// If the topic is missing or access is denied.
pub fn chunk_partitions(config: &KafkaConfig) -> Result<i32, KafkaAccessError> {
    let (survey, _) = Survey::connect(config, REQUEST_TIMEOUT, REQUEST_TIMEOUT)?;
    match survey.placement(CHUNKS)? {
        Placement::Partitions(partitions) => Ok(i32::try_from(partitions.len()).unwrap_or(i32::MAX)),
        _ => Err(KafkaAccessError::NoSuchTopic(CHUNKS.to_owned())),
    }
}
