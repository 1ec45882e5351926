//! The location of a topic's partitions.

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;

use super::Survey;
use crate::kafka::KafkaAccessError;

/// Partitions and replicas of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// It does not exist.
    Absent,
    /// This client may not see it, which is what Kafka says of a topic that does not exist, too.
    Hidden,
    /// Its partitions, by number.
    Partitions(Vec<Replicas>),
}

/// A partition's replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replicas {
    /// How many there are.
    pub all: usize,
    /// How many of them are in sync.
    pub in_sync: usize,
    /// Whether one of them leads.
    pub has_leader: bool,
}

impl Survey {
    /// The location of a topic's partitions.
    ///
    /// # Errors
    /// [`KafkaAccessError::Unreachable`].
    pub fn placement(&self, topic: &str) -> Result<Placement, KafkaAccessError> {
        let metadata =
            self.reader.fetch_metadata(Some(topic), self.request_timeout).map_err(|error| self.unreachable(&error))?;
        let Some(found) = metadata.topics().first() else { return Ok(Placement::Absent) };
        if found.error().map(RDKafkaErrorCode::from) == Some(RDKafkaErrorCode::TopicAuthorizationFailed) {
            return Ok(Placement::Hidden);
        }
        if found.partitions().is_empty() {
            return Ok(Placement::Absent);
        }
        let replicas = found.partitions().iter().map(|partition| Replicas {
            all: partition.replicas().len(),
            in_sync: partition.isr().len(),
            has_leader: partition.leader() >= 0,
        });
        Ok(Placement::Partitions(replicas.collect()))
    }
}
