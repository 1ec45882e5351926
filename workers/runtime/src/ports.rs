//! The interface between runner and log. Two adapters implement it: `kafka` (rdkafka) and `memory_log` (in this
//! process).
//!
//! A worker consumes one input topic as a member of one group. Partitions are numbers of that topic; outputs and
//! changelog records go to the partition with the same number.
//!
//! | port | thread | may block |
//! |---|---|---|
//! | [`LogConsumer`] | log thread | only in `poll`, for its timeout |
//! | [`LogProducer`] | transaction thread | yes |
//! | [`LogRestorer`] | restore thread | yes |

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::Receiver;

use crate::record::{OutputRecord, Record};

/// The failure of a client, by what must follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The transaction has been aborted and the clients are sound: discard, seek back, go on.
    #[error("transaction aborted: {0}")]
    Aborted(String),
    /// Aborted in the same way, because the log will never accept these records: too large, or invalid for the broker.
    /// Their input records must become dead letters.
    #[error("transaction aborted: {reason}")]
    Refused {
        /// Why, with the remedy.
        reason: String,
        /// Which.
        outputs: Vec<RefusedOutput>,
    },
    /// Fenced, fatal, timed out or not classified: these clients must never be used again.
    #[error("client failed: {0}")]
    Fatal(String),
}

/// A record that the log will never accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedOutput {
    /// Its target topic.
    pub topic: String,
    /// Its partition, which is that of the input, too.
    pub partition: i32,
    /// Its key.
    pub key: Option<Bytes>,
    /// The offset of the input record that it came of.
    pub source_offset: Option<i64>,
    /// Why, with the remedy.
    pub reason: String,
}

impl RefusedOutput {
    /// Whether it is a dead letter.
    #[must_use]
    pub fn is_dead_letter(&self) -> bool {
        self.topic == auscult_schemas::topics::DEAD_LETTERS
    }

    /// From a refused record and the reason.
    #[must_use]
    pub fn of(output: &OutputRecord, reason: String) -> Self {
        let OutputRecord { topic, partition, key, source_offset, .. } = output;
        Self { topic: topic.clone(), partition: *partition, key: key.clone(), source_offset: *source_offset, reason }
    }
}

/// An event of the consumer.
#[derive(Debug)]
pub enum ConsumerEvent {
    /// A record of a started partition.
    Record(Record),
    /// These partitions are this worker's now. Nothing is delivered of them before [`LogConsumer::start`].
    Assigned(Vec<i32>),
    /// The group wants these back. They stay this worker's until [`LogConsumer::release`].
    Revoked(Vec<i32>),
    /// These are gone already: another worker may have them.
    Lost(Vec<i32>),
    /// The consumer is of no use any more.
    Failed(Failure),
}

/// A member of the worker's group.
pub trait LogConsumer {
    /// Proof of membership at one moment, which a transaction shows to the group coordinator.
    type Membership: Send + 'static;

    /// The next event, or `None` after `timeout`. Must be called again and again, also while paused.
    fn poll(&mut self, timeout: Duration) -> Option<ConsumerEvent>;

    /// Receives a token when there may be something to poll for, so that a caller can wait for that and for something
    /// else at once. A token is a hint: it may come without an event, and once in a while an event without it. `None`
    /// if only [`poll`](Self::poll) can wait.
    fn arrivals(&self) -> Option<&Receiver<()>> {
        None
    }

    /// Delivers the partitions' records from these offsets on. Records queued before are never delivered.
    ///
    /// # Errors
    /// [`Failure`] if the client cannot.
    fn start(&mut self, positions: &BTreeMap<i32, i64>) -> Result<(), Failure>;

    /// Releases partitions after [`ConsumerEvent::Revoked`] or [`ConsumerEvent::Lost`].
    ///
    /// # Errors
    /// [`Failure`] if the client cannot.
    fn release(&mut self, partitions: &[i32]) -> Result<(), Failure>;

    /// Pauses delivery of started partitions; queued records may be fetched again later.
    ///
    /// # Errors
    /// [`Failure`] if the client cannot.
    fn pause(&mut self, partitions: &[i32]) -> Result<(), Failure>;

    /// Resumes paused partitions where they stopped.
    ///
    /// # Errors
    /// [`Failure`] if the client cannot.
    fn resume(&mut self, partitions: &[i32]) -> Result<(), Failure>;

    /// The current proof of membership.
    ///
    /// # Errors
    /// [`Failure`] if the client is not a member.
    fn membership(&self) -> Result<Self::Membership, Failure>;

    /// Records between each started partition's position and its end, as last reported. Does not block.
    fn lag(&self) -> BTreeMap<i32, i64>;

    /// The latest progress of each started partition. Empty if nothing has to be watched.
    fn progress(&self) -> BTreeMap<i32, PartitionProgress> {
        BTreeMap::new()
    }

    /// Leaves the group, so that others take over immediately.
    fn close(self);
}

/// The latest progress of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The offset to be delivered next.
    pub position: i64,
    /// When a record was delivered, or the end of the partition was reported.
    pub at: std::time::Instant,
    /// Whether it was the end of the partition.
    pub is_caught_up: bool,
}

/// Reads the end of the input independently of the consumer. Used on the watchdog's thread, and may block.
pub trait LogProbe: Send {
    /// The offset after the last committed record or marker of each of these partitions.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer.
    fn ends(&mut self, partitions: &[i32]) -> Result<BTreeMap<i32, i64>, Failure>;
}

/// The content of one transaction.
pub struct Transaction<M> {
    /// Results, state and dead letters.
    pub outputs: Vec<OutputRecord>,
    /// The next offset to consume, by input partition.
    pub offsets: BTreeMap<i32, i64>,
    /// The membership under which the inputs were consumed.
    pub membership: M,
}

/// The transactional (or, under `at_least_once`, the plain) producer.
pub trait LogProducer: Send + 'static {
    /// The return type of [`LogConsumer::membership`].
    type Membership: Send + 'static;

    /// Begin, send, wait for every delivery report, send offsets, commit. After a retriable error the same call is made
    /// again; after an abortable one the transaction is aborted before [`Failure::Aborted`] or [`Failure::Refused`] is
    /// returned.
    ///
    /// # Errors
    /// [`Failure`].
    fn commit(&mut self, transaction: Transaction<Self::Membership>) -> Result<(), Failure>;
}

/// The restored data of an assigned partition.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// The offset to continue from: the committed one, or the partition's first if there is none.
    pub position: i64,
    /// The changelog's latest value of each key, tombstones left out.
    pub entries: HashMap<Bytes, Bytes>,
    /// Changelog bytes read.
    pub bytes_read: u64,
    /// Input offsets that were deleted by retention before anybody had read them.
    pub expired_offsets: u64,
}

/// Reads the committed data of a partition, written by any earlier owner.
///
/// The order matters: first the committed offset, after waiting until no open transaction holds offsets of the
/// partition, and only then the changelog, with `read_committed`, to the end of the partition. If the changelog were
/// read first, the state of a transaction that commits in between could be missed.
pub trait LogRestorer: Send + 'static {
    /// Reads the position and, if a changelog is given, the state.
    ///
    /// # Errors
    /// [`Failure::Fatal`].
    fn restore(&mut self, partition: i32, changelog: Option<&str>) -> Result<Restored, Failure>;

    /// The end of the input's partition, if nothing between `from` and the end is ever delivered: only transaction
    /// markers and aborted records. `None` if there is something to deliver, or if the log has no such offsets.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer.
    fn undelivered_end(&mut self, _partition: i32, _from: i64) -> Result<Option<i64>, Failure> {
        Ok(None)
    }
}

/// Creates clients, at start and whenever they must be replaced.
pub trait LogClients: Send + 'static {
    /// Proof of membership.
    type Membership: Send + 'static;
    /// Consumer.
    type Consumer: LogConsumer<Membership = Self::Membership>;
    /// Producer.
    type Producer: LogProducer<Membership = Self::Membership>;
    /// Restorer.
    type Restorer: LogRestorer;

    /// Joins the group with new clients. The producer is already fenced: `init_transactions` has returned before the
    /// consumer joins.
    ///
    /// # Errors
    /// [`Failure::Fatal`] with the fix.
    fn connect(&mut self) -> Result<ClientsOf<Self>, Failure>;

    /// The probe of the watchdog; `None` if the log cannot stall.
    ///
    /// # Errors
    /// [`Failure::Fatal`] with the fix.
    fn probe(&self) -> Result<Option<Box<dyn LogProbe>>, Failure> {
        Ok(None)
    }
}

/// The clients that `L` creates.
pub type ClientsOf<L> = Clients<<L as LogClients>::Consumer, <L as LogClients>::Producer, <L as LogClients>::Restorer>;

/// One worker's clients.
pub struct Clients<C, P, R> {
    /// Consumer.
    pub consumer: C,
    /// Producer.
    pub producer: P,
    /// Restorer.
    pub restorer: R,
}
