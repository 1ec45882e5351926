//! Reads what was committed of a partition before this worker had it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Message, Offset, TopicPartitionList};

use super::WorkerIdentity;
use super::clients::plain_reader;
use super::context::{PlainContext, partition_list};
use super::error::explain;
use super::settings;
use crate::config::KafkaConfig;
use crate::ports::{Failure, LogRestorer, Restored};

/// One request.
const ASKING: Duration = Duration::from_secs(10);
/// How long brokers may be away, or a transaction be open, before a restore gives up. Transactions of the dead are
/// aborted by the broker after `transaction.timeout.ms`.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(50);

/// Reads a partition's committed offset and changelog.
pub struct KafkaRestorer {
    /// Has the group's id, and so its offsets, but never joins.
    committed: BaseConsumer<PlainContext>,
    /// Sees the end of a partition even where a transaction is open.
    uncommitted: BaseConsumer<PlainContext>,
    input_topic: String,
}

impl KafkaRestorer {
    pub(super) fn new(config: &KafkaConfig, identity: &WorkerIdentity) -> Result<Self, KafkaError> {
        let client_id = format!("{}-restore", identity.instance_id);
        Ok(Self {
            committed: plain_reader(config, &identity.group_id, &client_id)?,
            uncommitted: settings::uncommitted_ends(config, &client_id).create_with_context(PlainContext)?,
            input_topic: identity.input_topic.clone(),
        })
    }

    /// The offset to go on from. The broker does not tell it while a transaction that holds offsets of the partition is open
    /// (`UNSTABLE_OFFSET_COMMIT`, KIP-447), and librdkafka asks again then.
    fn position(&self, partition: i32) -> Result<i64, Failure> {
        let list = partition_list(&self.input_topic, [(partition, None)]);
        let committed = patiently("ask for committed offsets", || {
            let answer = self.committed.committed_offsets(list.clone(), ASKING)?;
            // An error of the partition alone stands beside it.
            for element in answer.elements() {
                element.error()?;
            }
            Ok(answer)
        })?;
        let (first, _) = self.ends(&self.committed, &self.input_topic, partition)?;
        let offset = committed.elements_for_topic(&self.input_topic).first().map(|element| element.offset());
        match offset {
            Some(Offset::Offset(offset)) if offset >= first => Ok(offset),
            Some(Offset::Offset(offset)) => {
                let lost = first - offset;
                tracing::error!(
                    partition,
                    offset,
                    first,
                    "{lost} offsets were deleted by retention before they were read"
                );
                Ok(first)
            }
            _ => Ok(first),
        }
    }

    fn ends(&self, client: &BaseConsumer<PlainContext>, topic: &str, partition: i32) -> Result<(i64, i64), Failure> {
        patiently("ask for the ends of a partition", || client.fetch_watermarks(topic, partition, ASKING))
    }

    /// Waits until everything that is in the partition now is committed or aborted. Behind an open transaction (one
    /// of a worker that was taken for dead) a reader of committed records would see an end before the end.
    fn wait_until_settled(&self, topic: &str, partition: i32) -> Result<(), Failure> {
        let (_, end) = self.ends(&self.uncommitted, topic, partition)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (_, stable) = self.ends(&self.committed, topic, partition)?;
            if stable >= end {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let secs = PATIENCE.as_secs();
                return Err(Failure::Fatal(format!(
                    "a transaction in {topic}/{partition} has been open for {secs} s; `kafka-transactions.sh find-hanging` tells whose"
                )));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn read_to_end(&self, topic: &str, partition: i32, restored: &mut Restored) -> Result<(), Failure> {
        let mut deadline = Instant::now() + PATIENCE;
        loop {
            match self.committed.poll(PAUSE) {
                Some(Ok(message)) => {
                    deadline = Instant::now() + PATIENCE;
                    restored.bytes_read += (message.key_len() + message.payload_len()) as u64;
                    // Without a key there is no saying whose state it is, and compaction refuses such records anyway.
                    let Some(key) = message.key().map(Bytes::copy_from_slice) else { continue };
                    match message.payload() {
                        Some(value) => restored.entries.insert(key, Bytes::copy_from_slice(value)),
                        None => restored.entries.remove(&key),
                    };
                }
                Some(Err(KafkaError::PartitionEOF(ended))) if ended == partition => return Ok(()),
                Some(Err(error)) if is_final(&error) => return Err(failed("read the changelog", &error)),
                Some(Err(error)) => tracing::warn!(%error, topic, partition, "reading the changelog is held up"),
                None => {}
            }
            if Instant::now() >= deadline {
                let secs = PATIENCE.as_secs();
                return Err(Failure::Fatal(format!("no end of {topic}/{partition} within {secs} s")));
            }
        }
    }
}

impl LogRestorer for KafkaRestorer {
    fn restore(&mut self, partition: i32, changelog: Option<&str>) -> Result<Restored, Failure> {
        let position = self.position(partition)?;
        let mut restored = Restored { position, entries: HashMap::new(), bytes_read: 0 };
        let Some(topic) = changelog else { return Ok(restored) };
        self.wait_until_settled(topic, partition)?;

        let mut list = TopicPartitionList::new();
        let beginning = list.add_partition_offset(topic, partition, Offset::Beginning);
        beginning.and_then(|()| self.committed.assign(&list)).map_err(|error| failed("read the changelog", &error))?;
        let read = self.read_to_end(topic, partition, &mut restored);
        self.committed.unassign().map_err(|error| failed("leave the changelog", &error))?;
        read.map(|()| restored)
    }
}

/// Asks until there is an answer, or none is to be hoped for.
fn patiently<T>(doing: &'static str, ask: impl Fn() -> Result<T, KafkaError>) -> Result<T, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(error) if is_final(&error) || Instant::now() >= deadline => return Err(failed(doing, &error)),
            Err(error) => {
                tracing::warn!(%error, "cannot {doing} yet, asking again");
                std::thread::sleep(PAUSE);
            }
        }
    }
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

fn failed(doing: &'static str, error: &KafkaError) -> Failure {
    Failure::Fatal(format!("cannot {doing}: {}", explain(error, "")))
}
