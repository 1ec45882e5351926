//! Reads the committed data of a partition from before its assignment to this worker.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{Message, Offset, TopicPartitionList};

use super::context::{PlainContext, partition_list};
use super::error::{ErrorContext, explain};
use super::identity::WorkerIdentity;
use super::plain_reader::{fetch_token, plain_reader};
use super::settings;
use crate::config::{Delivery, KafkaConfig};
use crate::ports::{Failure, LogRestorer, Restored};
use crate::record::NEXT_OFFSET_HEADER;

/// One request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of a restore while brokers are unavailable or a transaction is open. The broker aborts transactions of dead
/// producers after `transaction.timeout.ms`.
const GIVE_UP_AFTER: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Reads a partition's committed offset and changelog.
pub struct KafkaRestorer {
    /// Has the group's id, and so its offsets, but never joins.
    committed: BaseConsumer<PlainContext>,
    /// Reaches the end of a partition even while a transaction is open.
    uncommitted: BaseConsumer<PlainContext>,
    input_topic: String,
    group: String,
    delivery: Delivery,
}

/// The broker's information about the position.
struct Position {
    /// The group's committed offset.
    committed: Option<i64>,
    /// The partition's first offset.
    first: i64,
}

impl KafkaRestorer {
    pub(super) fn new(config: &KafkaConfig, identity: &WorkerIdentity) -> Result<Self, KafkaError> {
        let client_id = format!("{}-restore", identity.instance_id);
        let uncommitted = settings::uncommitted_ends(config, &client_id).create_with_context(PlainContext::default())?;
        fetch_token(&uncommitted);
        Ok(Self {
            committed: plain_reader(config, &identity.group_id, &client_id)?,
            uncommitted,
            input_topic: identity.input_topic.clone(),
            group: identity.group_id.clone(),
            delivery: config.delivery,
        })
    }

    /// The offset to continue from. The broker does not return it while a transaction that holds offsets of the
    /// partition is open (`UNSTABLE_OFFSET_COMMIT`, KIP-447), and librdkafka retries.
    fn position(&self, partition: i32) -> Result<Position, Failure> {
        let input = ErrorContext::Input { group: &self.group, topic: &self.input_topic };
        let list = partition_list(&self.input_topic, [(partition, None)]);
        let committed = retry_until_answered("ask for committed offsets", input, || {
            let answer = self.committed.committed_offsets(list.clone(), REQUEST_TIMEOUT)?;
            // Errors of a single partition are in its element.
            for element in answer.elements() {
                element.error()?;
            }
            Ok(answer)
        })?;
        let (first, _) = self.ends(&self.committed, &self.input_topic, partition)?;
        let offset = committed.elements_for_topic(&self.input_topic).first().map(|element| element.offset());
        let committed = match offset {
            Some(Offset::Offset(offset)) => Some(offset),
            _ => None,
        };
        Ok(Position { committed, first })
    }

    /// The offset to continue from, and the number of deleted unread records. A group that was away for long has no
    /// offsets any more; the changelog, written in the same transactions, still has them. A stage without state then
    /// starts at the beginning.
    fn conclude(&self, partition: i32, position: &Position, in_changelog: Option<i64>, restored: &mut Restored) {
        let Position { committed, first } = *position;
        let known = committed.or(in_changelog.filter(|_| self.delivery == Delivery::ExactlyOnce));
        if committed.is_none()
            && let Some(offset) = known
        {
            tracing::warn!(
                partition,
                offset,
                "the group has no offset of this partition any more; going on where the changelog ends"
            );
        }
        restored.position = known.unwrap_or(first).max(first);
        restored.expired_offsets = known.map_or(0, |known| u64::try_from(first - known).unwrap_or(0));
        if restored.expired_offsets > 0 {
            let lost = restored.expired_offsets;
            tracing::error!(partition, first, "{lost} offsets were deleted by retention before they were read");
        }
    }

    /// A position after the end of the input belongs to an earlier topic of the same name, which was deleted and
    /// recreated, or restored from elsewhere. Continuing there would silently skip everything up to it.
    fn ensure_within(&self, partition: i32, position: i64) -> Result<(), Failure> {
        /// A newly elected leader may need a moment to know its end offset.
        const METADATA_SETTLES_WITHIN: Duration = Duration::from_secs(10);
        let deadline = Instant::now() + METADATA_SETTLES_WITHIN;
        loop {
            let (_, end) = self.ends(&self.uncommitted, &self.input_topic, partition)?;
            if position <= end {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let (topic, group) = (&self.input_topic, &self.group);
                return Err(Failure::Fatal(format!(
                    "{topic}/{partition} ends at offset {end}, and group {group} is to go on at {position}: the topic was deleted and made anew, or restored \
                     without what followed. Reset the group's offsets; where state is kept, delete and make audio.scorer-state anew, too \
                     (docs/operations/recovery.md)"
                )));
            }
            std::thread::sleep(LONGEST_PAUSE);
        }
    }

    fn ends(&self, client: &BaseConsumer<PlainContext>, topic: &str, partition: i32) -> Result<(i64, i64), Failure> {
        retry_until_answered("ask for the ends of a partition", ErrorContext::Topic(topic, "Read"), || {
            client.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)
        })
    }

    /// Waits until everything that is in the partition now is committed or aborted. Behind an open transaction (one
    /// of a worker that was taken for dead) a reader of committed records would see an end before the end.
    fn wait_until_settled(&self, topic: &str, partition: i32) -> Result<(), Failure> {
        let (_, end) = self.ends(&self.uncommitted, topic, partition)?;
        let deadline = Instant::now() + GIVE_UP_AFTER;
        loop {
            let (_, stable) = self.ends(&self.committed, topic, partition)?;
            if stable >= end {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let secs = GIVE_UP_AFTER.as_secs();
                return Err(Failure::Fatal(format!(
                    "a transaction in {topic}/{partition} has been open for {secs} s; `kafka-transactions.sh find-hanging` tells whose"
                )));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Whether the end of the assigned partitions comes before any record.
    fn is_empty_to_end(&self, partition: i32) -> bool {
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        while Instant::now() < deadline {
            match self.committed.poll(PAUSE) {
                Some(Ok(_)) => return false,
                Some(Err(KafkaError::PartitionEOF(ended))) if ended == partition => return true,
                // It is looked at again later.
                Some(Err(_)) => return false,
                None => {}
            }
        }
        false
    }

    /// Returns the input offset to continue from, if the changelog has one.
    fn read_to_end(&self, topic: &str, partition: i32, restored: &mut Restored) -> Result<Option<i64>, Failure> {
        let mut next_offset = None;
        let mut deadline = Instant::now() + GIVE_UP_AFTER;
        loop {
            match self.committed.poll(PAUSE) {
                Some(Ok(message)) => {
                    deadline = Instant::now() + GIVE_UP_AFTER;
                    restored.bytes_read += (message.key_len() + message.payload_len()) as u64;
                    // Without a key the machine is unknown, and compaction rejects such records anyway.
                    let Some(key) = message.key().map(Bytes::copy_from_slice) else { continue };
                    next_offset = next_offset.max(next_offset_of(&message));
                    match message.payload() {
                        Some(value) => restored.entries.insert(key, Bytes::copy_from_slice(value)),
                        None => restored.entries.remove(&key),
                    };
                }
                Some(Err(KafkaError::PartitionEOF(ended))) if ended == partition => return Ok(next_offset),
                Some(Err(error)) if is_final(&error) => {
                    return Err(failed("read the changelog", &error, ErrorContext::Topic(topic, "Read")));
                }
                // One for each connection that is lost, and librdkafka logs those, too.
                Some(Err(error)) => tracing::debug!(%error, topic, partition, "reading the changelog is held up"),
                None => {}
            }
            if Instant::now() >= deadline {
                let secs = GIVE_UP_AFTER.as_secs();
                return Err(Failure::Fatal(format!("no end of {topic}/{partition} within {secs} s")));
            }
        }
    }
}

impl LogRestorer for KafkaRestorer {
    fn restore(&mut self, partition: i32, changelog: Option<&str>) -> Result<Restored, Failure> {
        fetch_token(&self.committed);
        fetch_token(&self.uncommitted);
        let position = self.position(partition)?;
        let mut restored = Restored::default();
        let Some(topic) = changelog else {
            self.conclude(partition, &position, None, &mut restored);
            self.ensure_within(partition, restored.position)?;
            return Ok(restored);
        };
        self.wait_until_settled(topic, partition)?;

        let mut list = TopicPartitionList::new();
        let beginning = list.add_partition_offset(topic, partition, Offset::Beginning);
        beginning
            .and_then(|()| self.committed.assign(&list))
            .map_err(|error| failed("read the changelog", &error, ErrorContext::Topic(topic, "Read")))?;
        let read = self.read_to_end(topic, partition, &mut restored);
        self.committed
            .unassign()
            .map_err(|error| failed("leave the changelog", &error, ErrorContext::Topic(topic, "Read")))?;
        self.conclude(partition, &position, read?, &mut restored);
        self.ensure_within(partition, restored.position)?;
        Ok(restored)
    }

    /// Asked from the broker, and not from the member's own position: what is skipped here is never read again.
    fn undelivered_end(&mut self, partition: i32, from: i64) -> Result<Option<i64>, Failure> {
        let (_, end) = self.ends(&self.committed, &self.input_topic, partition)?;
        if end <= from {
            return Ok(None);
        }
        let topic = &self.input_topic;
        let unreadable = |error: KafkaError| failed("read the input's end", &error, ErrorContext::Topic(topic, "Read"));
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(from))
            .and_then(|()| self.committed.assign(&list))
            .map_err(unreadable)?;
        let is_empty = self.is_empty_to_end(partition);
        self.committed.unassign().map_err(unreadable)?;
        // The end was read first: later records are after it.
        Ok(is_empty.then_some(end))
    }
}

fn next_offset_of(message: &BorrowedMessage<'_>) -> Option<i64> {
    let headers = message.headers()?;
    let header = headers.iter().find(|header| header.key == NEXT_OFFSET_HEADER)?;
    std::str::from_utf8(header.value?).ok()?.parse().ok()
}

/// Asks until there is an answer, or none is to be hoped for.
fn retry_until_answered<T>(
    doing: &'static str,
    about: ErrorContext<'_>,
    ask: impl Fn() -> Result<T, KafkaError>,
) -> Result<T, Failure> {
    /// Brokers that have just come back do not know all of their partitions yet.
    const METADATA_SETTLES_WITHIN: Duration = Duration::from_secs(5);
    let started = Instant::now();
    let deadline = started + GIVE_UP_AFTER;
    let mut pause = PAUSE;
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(error) if is_final(&error) && !(is_unknown(&error) && started.elapsed() < METADATA_SETTLES_WITHIN) => {
                return Err(failed(doing, &error, about));
            }
            Err(error) if Instant::now() >= deadline => return Err(failed(doing, &error, about)),
            Err(error) => {
                tracing::warn!(%error, "cannot {doing} yet, asking again");
                std::thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

fn is_unknown(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code();
    matches!(code, Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition))
}

fn is_final(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let is_refusal = matches!(
        error.rdkafka_error_code(),
        Some(
            Code::UnknownTopicOrPartition
                | Code::UnknownTopic
                | Code::UnknownPartition
                | Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::Authentication
                | Code::SaslAuthenticationFailed
        )
    );
    is_refusal || matches!(error, KafkaError::MessageConsumptionFatal(_))
}

fn failed(doing: &'static str, error: &KafkaError, about: ErrorContext<'_>) -> Failure {
    Failure::Fatal(format!("cannot {doing}: {}", explain(error, about)))
}
