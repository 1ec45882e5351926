//! Reads topics without a group: for `auscult watch` and tests.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::context::PlainContext;
use super::error::{ErrorContext, KafkaAccessError, explain};
use super::plain_reader::plain_reader;
use super::record::received;
use crate::config::KafkaConfig;
use crate::record::Record;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one topic is listened to before it is the next one's turn.
const TURN: Duration = Duration::from_millis(10);

/// Where a reader starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFrom {
    /// At each partition's first record.
    Beginning,
    /// At each partition's end: only what comes from now on.
    End,
    /// At the first record of this time or later, ms since the epoch.
    TimeMs(i64),
}

/// Reads the committed records of all partitions of some topics, without being a group member. Records of one partition
/// are in order; there is no order between partitions or topics.
pub struct TopicReader {
    topics: Vec<OpenTopic>,
    /// Whose turn it is.
    turn: usize,
}

/// One topic with a client of its own: librdkafka tells of an ended partition only its number.
struct OpenTopic {
    topic: String,
    consumer: BaseConsumer<PlainContext>,
    /// Partitions whose end has not been reached.
    unread: BTreeSet<i32>,
}

impl TopicReader {
    /// Finds the topics' partitions and starts reading.
    ///
    /// # Errors
    /// [`KafkaAccessError::Client`], [`KafkaAccessError::Unreachable`], [`KafkaAccessError::NoSuchTopic`].
    pub fn open(config: &KafkaConfig, topics: &[&str], from: ReadFrom) -> Result<Self, KafkaAccessError> {
        let topics = topics.iter().map(|topic| OpenTopic::open(config, topic, from)).collect::<Result<_, _>>()?;
        Ok(Self { topics, turn: 0 })
    }

    /// The next record, or `None` if there is none in time, or no more than existed when the reader was opened
    /// ([`TopicReader::is_at_end`] has just become true).
    ///
    /// # Errors
    /// [`KafkaAccessError::Read`] if no more records can come.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Record>, KafkaAccessError> {
        let deadline = Instant::now() + timeout;
        let was_at_end = self.is_at_end();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let count = self.topics.len();
            // One after another without waiting; only when all are silent is one waited for.
            for wait in std::iter::repeat_n(Duration::ZERO, count).chain([TURN.min(left)]) {
                self.turn = (self.turn + 1) % count.max(1);
                let Some(topic) = self.topics.get_mut(self.turn) else { return Ok(None) };
                if let Some(record) = topic.next(wait)? {
                    return Ok(Some(record));
                }
            }
            let is_done = !was_at_end && self.is_at_end();
            if is_done || left.is_zero() {
                return Ok(None);
            }
        }
    }

    /// Whether the end of every partition was reached at some time since the reader was opened.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.topics.iter().all(|topic| topic.unread.is_empty())
    }

    /// All records up to the ends of all partitions.
    ///
    /// # Errors
    /// [`KafkaAccessError::Read`] if the ends are not reached in time.
    pub fn read_to_end(&mut self, timeout: Duration) -> Result<Vec<Record>, KafkaAccessError> {
        let deadline = Instant::now() + timeout;
        let mut records = Vec::new();
        while !self.is_at_end() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let unread: usize = self.topics.iter().map(|topic| topic.unread.len()).sum();
                let secs = timeout.as_secs();
                return Err(KafkaAccessError::Read(format!(
                    "{unread} partitions are not read to their ends after {secs} s; is a transaction open in them?"
                )));
            }
            records.extend(self.next(left)?);
        }
        Ok(records)
    }
}

impl OpenTopic {
    fn open(config: &KafkaConfig, topic: &str, from: ReadFrom) -> Result<Self, KafkaAccessError> {
        // librdkafka wants a group's name before it lets partitions be assigned; nothing joins it and nothing is
        // committed.
        let consumer = plain_reader(config, "auscult-reader", "auscult-reader")
            .map_err(|error| KafkaAccessError::Client(error.to_string()))?;
        let unreachable = |doing: &'static str| {
            let brokers = config.brokers.clone();
            move |error: KafkaError| KafkaAccessError::Unreachable {
                doing,
                brokers,
                reason: explain(&error, ErrorContext::Cluster),
            }
        };
        let unreadable = |error: KafkaError| KafkaAccessError::Read(format!("topic {topic}: {error}"));

        let metadata = consumer
            .fetch_metadata(Some(topic), REQUEST_TIMEOUT)
            .map_err(unreachable("ask for the topic's partitions"))?;
        let partitions = metadata.topics().first().map(|found| found.partitions()).unwrap_or_default();
        if partitions.is_empty() {
            let error = metadata.topics().first().and_then(|found| found.error()).map(RDKafkaErrorCode::from);
            return Err(match error {
                Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                    let error = KafkaError::Global(RDKafkaErrorCode::TopicAuthorizationFailed);
                    KafkaAccessError::Read(explain(&error, ErrorContext::Topic(topic, "Read")))
                }
                _ => KafkaAccessError::NoSuchTopic(topic.to_owned()),
            });
        }
        let unread: BTreeSet<i32> = partitions.iter().map(|partition| partition.id()).collect();

        let mut list = TopicPartitionList::new();
        for partition in &unread {
            let offset = match from {
                ReadFrom::Beginning => Offset::Beginning,
                // Asked for now and not left to the fetcher, which would begin at whatever the end is by then.
                ReadFrom::End => {
                    let ends = consumer.fetch_watermarks(topic, *partition, REQUEST_TIMEOUT);
                    Offset::Offset(ends.map_err(unreachable("ask for the end of a partition"))?.1)
                }
                // The time stands where the offset stands, and the offset comes back in its place.
                ReadFrom::TimeMs(time) => Offset::Offset(time),
            };
            list.add_partition_offset(topic, *partition, offset).map_err(unreadable)?;
        }
        if let ReadFrom::TimeMs(_) = from {
            list = consumer.offsets_for_times(list, REQUEST_TIMEOUT).map_err(unreachable("ask for offsets by time"))?;
        }
        consumer.assign(&list).map_err(unreadable)?;
        Ok(Self { topic: topic.to_owned(), consumer, unread })
    }

    fn next(&mut self, timeout: Duration) -> Result<Option<Record>, KafkaAccessError> {
        match self.consumer.poll(timeout) {
            Some(Ok(message)) => return Ok(Some(received(&message))),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.unread.remove(&partition);
            }
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                let reason = explain(&error, ErrorContext::Topic(&self.topic, "Read"));
                return Err(KafkaAccessError::Read(reason));
            }
            Some(Err(error)) => {
                if let Some((_, reason)) = self.consumer.client().fatal_error() {
                    return Err(KafkaAccessError::Read(reason));
                }
                tracing::warn!(%error, "reading is held up");
            }
            None => {}
        }
        Ok(None)
    }
}
