//! The newest records of a topic, and the committed records of all its keys.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use auscult_schemas::Headers;
use bytes::Bytes;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Timestamp;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::{Survey, reader};
use crate::kafka::KafkaAccessError;
use crate::kafka::error::{ErrorContext, explain};
use crate::kafka::record::received;

/// The parts of a record used by the doctor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glimpse {
    /// Its partition.
    pub partition: i32,
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Headers,
    /// When it was made, by its producer's clock, or appended, by the broker's; ms since the epoch.
    pub timestamp_ms: Option<i64>,
    /// Whether that is the broker's clock (`message.timestamp.type=LogAppendTime`).
    pub is_broker_time: bool,
}

impl Survey {
    /// The latest committed records of each partition, at most about `each`, limited by the time of a few requests.
    ///
    /// # Errors
    /// [`KafkaAccessError::Unreachable`], [`KafkaAccessError::Read`] with the missing permission.
    pub fn newest(&self, topic: &str, partitions: i32, each: i64) -> Result<Vec<Glimpse>, KafkaAccessError> {
        let mut starts = Vec::new();
        for partition in 0..partitions {
            let (low, end) = self.ends(topic, partition)?;
            if end > low {
                starts.push((partition, low.max(end - each)));
            }
        }
        let mut found = Vec::new();
        self.read(topic, &starts, self.request_timeout * 3, |glimpse| {
            found.push(glimpse);
            true
        })?;
        Ok(found)
    }

    /// Every committed record of a topic, in order within each partition. Returns whether all partitions were read to
    /// their ends.
    ///
    /// # Errors
    /// [`KafkaAccessError::Unreachable`], [`KafkaAccessError::Read`] with the missing permission.
    pub fn all(
        &self,
        topic: &str,
        partitions: i32,
        give_up_after: Duration,
        mut take: impl FnMut(Glimpse),
    ) -> Result<bool, KafkaAccessError> {
        let mut starts = Vec::new();
        for partition in 0..partitions {
            let (low, end) = self.ends(topic, partition)?;
            if end > low {
                starts.push((partition, low));
            }
        }
        let unread = self.read(topic, &starts, give_up_after, |glimpse| {
            take(glimpse);
            true
        })?;
        Ok(unread.is_empty())
    }

    /// Reads from these offsets to the ends of their partitions, or until `take` is content with a partition and says
    /// so with `false`. Gives the partitions that were not read as far.
    pub(super) fn read(
        &self,
        topic: &str,
        starts: &[(i32, i64)],
        give_up_after: Duration,
        mut take: impl FnMut(Glimpse) -> bool,
    ) -> Result<BTreeSet<i32>, KafkaAccessError> {
        let unreadable =
            |error: &KafkaError| KafkaAccessError::Read(explain(error, ErrorContext::Topic(topic, "Read")));
        let mut unread: BTreeSet<i32> = starts.iter().map(|(partition, _)| *partition).collect();
        if unread.is_empty() {
            return Ok(unread);
        }
        // A client of its own for each reading: nothing of another one is in its queue.
        let reader = reader(&self.config, super::CLIENT_ID)?;
        let mut list = TopicPartitionList::new();
        for (partition, offset) in starts {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
                .map_err(|error| unreadable(&error))?;
        }
        reader.assign(&list).map_err(|error| unreadable(&error))?;
        let deadline = Instant::now() + give_up_after;
        while !unread.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match reader.poll(left.min(Duration::from_millis(100))) {
                Some(Ok(message)) => {
                    let is_broker_time = matches!(message.timestamp(), Timestamp::LogAppendTime(_));
                    let record = received(&message);
                    let partition = record.coordinates.partition;
                    if !unread.contains(&partition) {
                        continue;
                    }
                    let glimpse = Glimpse {
                        partition,
                        key: record.key,
                        value: record.value,
                        headers: record.headers,
                        timestamp_ms: record.timestamp_ms,
                        is_broker_time,
                    };
                    if !take(glimpse) {
                        unread.remove(&partition);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    unread.remove(&partition);
                }
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                    return Err(unreadable(&error));
                }
                // librdkafka tries again by itself.
                Some(Err(_)) | None => {}
            }
        }
        Ok(unread)
    }

    /// The first offset of a partition, and the one after its last committed record or marker.
    pub(super) fn ends(&self, topic: &str, partition: i32) -> Result<(i64, i64), KafkaAccessError> {
        self.reader.fetch_watermarks(topic, partition, self.request_timeout).map_err(|error| {
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                    KafkaAccessError::Read(explain(&error, ErrorContext::Topic(topic, "Describe")))
                }
                _ => self.unreachable(&error),
            }
        })
    }

    /// Whether the topic may be read: fetches from the end of its first partition, which returns nothing.
    ///
    /// # Errors
    /// [`KafkaAccessError::Unreachable`], [`KafkaAccessError::Read`] with the missing permission.
    pub fn may_read(&self, topic: &str) -> Result<(), KafkaAccessError> {
        let (_, end) = self.ends(topic, 0)?;
        let unread = self.read(topic, &[(0, end)], self.request_timeout, |_| false)?;
        if unread.is_empty() {
            return Ok(());
        }
        Err(KafkaAccessError::Read(format!("{topic} gave no answer within {} s", self.request_timeout.as_secs())))
    }

    /// The partitions whose readers are blocked by a transaction that was open during the whole of `give_up_after`,
    /// with their offsets. Returns as soon as each one has advanced or is not blocked.
    ///
    /// # Errors
    /// [`KafkaAccessError::Unreachable`], [`KafkaAccessError::Client`].
    pub fn held_up(
        &self,
        topics: &[(&str, i32)],
        give_up_after: Duration,
    ) -> Result<Vec<(String, i32, i64)>, KafkaAccessError> {
        let uncommitted = super::uncommitted(&self.config)?;
        let mut held: BTreeMap<(String, i32), i64> = BTreeMap::new();
        for &(topic, count) in topics {
            for partition in 0..count {
                let (_, stable) = self.ends(topic, partition)?;
                let end = uncommitted.fetch_watermarks(topic, partition, self.request_timeout);
                let (_, end) = end.map_err(|error| self.unreachable(&error))?;
                if end > stable {
                    held.insert((topic.to_owned(), partition), stable);
                }
            }
        }
        let deadline = Instant::now() + give_up_after;
        while !held.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(250));
            let places: Vec<(String, i32)> = held.keys().cloned().collect();
            for (topic, partition) in places {
                let (_, stable) = self.ends(&topic, partition)?;
                if held.get(&(topic.clone(), partition)).is_some_and(|before| stable > *before) {
                    held.remove(&(topic, partition));
                }
            }
        }
        Ok(held.into_iter().map(|((topic, partition), offset)| (topic, partition, offset)).collect())
    }
}
