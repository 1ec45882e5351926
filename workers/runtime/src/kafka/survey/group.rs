//! A consumer group: its members, and the records after its offsets.

use std::collections::BTreeMap;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::{Survey, reader};
use crate::kafka::KafkaAccessError;
use crate::kafka::error::{ErrorContext, explain};

/// Maximum number of groups whose committed offsets are asked for, one after the other.
const MOST_ASKED: usize = 50;

/// The state of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFacts {
    /// Kafka's word for what it is about: `Stable`, `Empty`, `PreparingRebalance`, …; `None` where the broker knows no
    /// such group, or does not tell (of KIP-848 groups librdkafka's question is not answered).
    pub state: Option<String>,
    /// Its members, as far as they are told.
    pub members: Vec<Member>,
    /// Every partition of its input.
    pub waiting: Vec<Waiting>,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What it calls itself: a worker's `kafka.instance_id`.
    pub client_id: String,
    /// Where it is.
    pub host: String,
}

/// The unprocessed records of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The partition.
    pub partition: i32,
    /// Whether the group has an offset of it.
    pub is_known: bool,
    /// Offsets that retention has deleted before the group has read them.
    pub deleted: i64,
    /// Offsets between the group's own and the end; markers of transactions are among them.
    pub offsets: i64,
    /// When the first record that waits was made, ms since the epoch; `None` where none waits and all offsets are
    /// markers'.
    pub oldest_ms: Option<i64>,
    /// Whether the first of them was looked for and not found in time.
    pub is_unread: bool,
}

impl Survey {
    /// Reads a group, and its lag on the input's partitions. Commit markers occupy offsets, so reading is required to
    /// know whether a record is waiting.
    ///
    /// # Errors
    /// [`KafkaAccessError::Unreachable`], [`KafkaAccessError::Read`] with the missing permission.
    pub fn group(&self, group: &str, topic: &str, partitions: i32) -> Result<GroupFacts, KafkaAccessError> {
        let input = ErrorContext::Input { group, topic };
        let listed = self.reader.client().fetch_group_list(Some(group), self.request_timeout);
        let listed = listed.map_err(|error| denied(&error, input).unwrap_or_else(|| self.unreachable(&error)))?;
        let found = listed.groups().iter().find(|found| found.name() == group);
        let is_told = |state: &str| !state.is_empty() && state != "Dead";
        let state = found.map(|found| found.state().to_owned()).filter(|state| is_told(state));
        let members = found.map(|found| found.members()).unwrap_or_default();
        let members = members
            .iter()
            .map(|member| Member { client_id: member.client_id().to_owned(), host: member.client_host().to_owned() });
        let members = members.collect();

        let committed = self.committed(group, topic, partitions)?;
        let mut waiting = Vec::new();
        let mut starts = Vec::new();
        for partition in 0..partitions {
            let (low, end) = self.ends(topic, partition)?;
            let known = committed.get(&partition).copied();
            let from = known.unwrap_or(low).max(low);
            if end > from {
                starts.push((partition, from));
            }
            waiting.push(Waiting {
                partition,
                is_known: known.is_some(),
                deleted: known.map_or(0, |known| (low - known).max(0)),
                offsets: (end - from).max(0),
                oldest_ms: None,
                is_unread: false,
            });
        }
        let mut oldest = BTreeMap::new();
        let unread = self.read(topic, &starts, self.request_timeout * 2, |glimpse| {
            oldest.entry(glimpse.partition).or_insert(glimpse.timestamp_ms.unwrap_or_default());
            false
        })?;
        for waiting in &mut waiting {
            waiting.oldest_ms = oldest.get(&waiting.partition).copied();
            waiting.is_unread = unread.contains(&waiting.partition);
        }
        Ok(GroupFacts { state, members, waiting })
    }

    /// The names of all groups that may be share groups (KIP-932). librdkafka 2.12 can describe neither these nor those
    /// of KIP-848 through rdkafka, and reports both as dead. Only a consumer group has committed offsets: groups that
    /// have one in these topics, each with its number of partitions, are left out. Of many groups, the first are asked.
    ///
    /// # Errors
    /// [`KafkaAccessError::Unreachable`].
    pub fn share_groups(&self, topics: &[(&str, i32)]) -> Result<Vec<String>, KafkaAccessError> {
        let listed = self.reader.client().fetch_group_list(None, self.request_timeout);
        let listed = listed.map_err(|error| self.unreachable(&error))?;
        let shared = listed.groups().iter().filter(|group| group.state() == "Dead" || group.protocol_type() == "share");
        let mut names: Vec<String> = shared.map(|group| group.name().to_owned()).collect();
        names.sort_unstable();
        let mut asked = 0;
        names.retain(|group| {
            asked += 1;
            asked > MOST_ASKED || !self.has_committed(group, topics)
        });
        Ok(names)
    }

    /// Whether a group has committed an offset of any of these topics. A group that may not be asked may be anything.
    fn has_committed(&self, group: &str, topics: &[(&str, i32)]) -> bool {
        let mut list = TopicPartitionList::new();
        for (topic, partitions) in topics {
            list.add_partition_range(topic, 0, partitions - 1);
        }
        let Ok(reader) = reader(&self.config, group) else { return false };
        let reader: BaseConsumer<_> = reader;
        let answer = reader.committed_offsets(list, self.request_timeout);
        let is_offset = |offset| matches!(offset, Offset::Offset(_));
        answer.is_ok_and(|answer| answer.elements().iter().any(|element| is_offset(element.offset())))
    }

    fn committed(&self, group: &str, topic: &str, partitions: i32) -> Result<BTreeMap<i32, i64>, KafkaAccessError> {
        let input = ErrorContext::Input { group, topic };
        let reader: BaseConsumer<_> = reader(&self.config, group)?;
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition(topic, partition);
        }
        let failed = |error: &KafkaError| denied(error, input).unwrap_or_else(|| self.unreachable(error));
        let answer = reader.committed_offsets(list, self.request_timeout).map_err(|error| failed(&error))?;
        let mut committed = BTreeMap::new();
        for element in answer.elements() {
            element.error().map_err(|error| failed(&error))?;
            if let Offset::Offset(offset) = element.offset() {
                committed.insert(element.partition(), offset);
            }
        }
        Ok(committed)
    }
}

/// A right that is missing, in words.
fn denied(error: &KafkaError, input: ErrorContext<'_>) -> Option<KafkaAccessError> {
    let code = match error {
        KafkaError::GroupListFetch(code) => Some(*code),
        other => other.rdkafka_error_code(),
    };
    let is_denied =
        matches!(code, Some(RDKafkaErrorCode::GroupAuthorizationFailed | RDKafkaErrorCode::TopicAuthorizationFailed));
    is_denied.then(|| KafkaAccessError::Read(explain(error, input)))
}
