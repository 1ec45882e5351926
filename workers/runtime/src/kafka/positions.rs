//! Stores the position of a reader that is not a group member as the committed offsets of a group: for bridges to other
//! systems.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::context::PlainContext;
use super::error::{ErrorContext, KafkaAccessError, explain};
use super::plain_reader::{fetch_token, plain_reader};
use crate::config::KafkaConfig;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Offsets by topic and partition.
pub type Positions = BTreeMap<(String, i32), i64>;

/// The committed offsets of a group without members: every reader with its name reads all partitions, and the offsets
/// show the next reader what was processed. Kafka's own tools show them, with the lag.
pub struct GroupPositions {
    consumer: BaseConsumer<PlainContext>,
    group_id: String,
    brokers: String,
}

impl GroupPositions {
    /// Creates it without connecting.
    ///
    /// # Errors
    /// [`KafkaAccessError::Client`] if a property is invalid.
    pub fn new(config: &KafkaConfig, group_id: &str) -> Result<Self, KafkaAccessError> {
        let consumer =
            plain_reader(config, group_id, group_id).map_err(|error| KafkaAccessError::Client(error.to_string()))?;
        Ok(Self { consumer, group_id: group_id.to_owned(), brokers: config.brokers.clone() })
    }

    fn unreachable(&self, doing: &'static str) -> impl Fn(KafkaError) -> KafkaAccessError {
        let (brokers, group) = (self.brokers.clone(), self.group_id.clone());
        move |error| {
            let reason = explain(&error, ErrorContext::Input { group: &group, topic: "any" });
            KafkaAccessError::Unreachable { doing, brokers: brokers.clone(), reason }
        }
    }

    /// The number of partitions of each topic.
    ///
    /// # Errors
    /// [`KafkaAccessError::Unreachable`].
    pub fn partitions(&self, topics: &[&str]) -> Result<BTreeMap<String, usize>, KafkaAccessError> {
        fetch_token(&self.consumer);
        let mut counts = BTreeMap::new();
        for topic in topics {
            let asked = self.consumer.fetch_metadata(Some(topic), REQUEST_TIMEOUT);
            let metadata = asked.map_err(self.unreachable("ask for a topic's partitions"))?;
            let count = metadata.topics().first().map_or(0, |found| found.partitions().len());
            counts.insert((*topic).to_owned(), count);
        }
        Ok(counts)
    }

    /// The committed offsets of all partitions of these topics; partitions without one are omitted.
    ///
    /// # Errors
    /// [`KafkaAccessError::Unreachable`].
    pub fn committed(&self, topics: &[&str]) -> Result<Positions, KafkaAccessError> {
        let mut list = TopicPartitionList::new();
        for (topic, count) in self.partitions(topics)? {
            for partition in 0..i32::try_from(count).unwrap_or(i32::MAX) {
                list.add_partition(&topic, partition);
            }
        }
        let asked = self.consumer.committed_offsets(list, REQUEST_TIMEOUT);
        let committed = asked.map_err(self.unreachable("ask for the group's offsets"))?;
        let known = committed.elements().into_iter().filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some(((element.topic().to_owned(), element.partition()), offset)),
            _ => None,
        });
        Ok(known.collect())
    }

    /// Commits offsets: each is the offset after the last processed record.
    ///
    /// # Errors
    /// [`KafkaAccessError::Unreachable`]; also if a consumer has joined the group and manages its offsets.
    pub fn commit(&self, positions: &Positions) -> Result<(), KafkaAccessError> {
        if positions.is_empty() {
            return Ok(());
        }
        fetch_token(&self.consumer);
        let failed = self.unreachable("commit the group's offsets");
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offset) in positions {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).map_err(&failed)?;
        }
        self.consumer.commit(&list, CommitMode::Sync).map_err(&failed)
    }
}
