//! An in-memory log with the properties needed for delivery guarantees: partitions, groups with rebalances,
//! transactions, isolation.
//!
//! It is used by `auscult demo` and the property tests. It is not a broker: nothing is stored on disk, and it serves
//! one process.
//!
//! ```text
//!  append ──► partition ──► consumer (read_committed, up to the first open transaction)
//!                ▲             │ member of a group: assigned, revoked, lost
//!  commit ───────┘             ▼
//!  begin, send, offsets, markers   ◄── injector: fail here, once, in this way
//! ```
//!
//! As on Kafka, commit markers occupy offsets, a new producer of a transactional id fences the old one and aborts its
//! open transaction, transactional offsets are rejected from a member of an old generation (and only from it: ownership
//! of the partition is not checked), and committed offsets are not returned while a transaction that holds some is
//! open.

mod consumer;
mod group;
mod injector;
mod partition_log;
mod producer;
mod restorer;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

pub use consumer::MemoryConsumer;
use group::Group;
pub use group::{MemberId, Membership};
pub use injector::{Fault, Injector, Step};
use partition_log::PartitionLog;
pub use producer::MemoryProducer;
pub use restorer::MemoryRestorer;

use crate::ports::{Clients, Failure, LogClients};
use crate::record::{OutputRecord, Record};

pub(crate) type TransactionNumber = u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Open,
    Committed,
    Aborted,
}

#[derive(Debug, Default)]
pub(crate) struct TransactionalId {
    /// Raised by every new producer of this id; older ones are fenced.
    epoch: u64,
    open: Option<TransactionNumber>,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    topics: BTreeMap<String, Vec<PartitionLog>>,
    groups: HashMap<String, Group>,
    transactional_ids: HashMap<String, TransactionalId>,
    transactions: Vec<Outcome>,
    injector: Injector,
    /// The maximum record size of a topic, bytes; unlimited if absent.
    largest: BTreeMap<String, usize>,
    /// A topic and partition for which no transaction is committed.
    closed: Option<(String, i32)>,
    next_member: u64,
}

/// A handle on the log; clones share the log.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl MemoryLog {
    /// A log without topics.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a topic; does nothing if it exists.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        let count = usize::try_from(partitions).unwrap_or(0);
        let mut inner = self.lock();
        inner.topics.entry(name.to_owned()).or_insert_with(|| (0..count).map(|_| PartitionLog::default()).collect());
    }

    /// Appends a record like a plain producer, and returns its offset.
    ///
    /// # Panics
    /// If there is no such topic or partition.
    pub fn append(&self, record: OutputRecord) -> i64 {
        let offset = self.lock().partition_mut(&record.topic.clone(), record.partition).append(record, None);
        self.shared.changed.notify_all();
        offset
    }

    /// Appends a record in its own committed transaction, as another worker does; the marker takes the next offset.
    /// Returns the record's offset.
    ///
    /// # Panics
    /// If there is no such topic or partition.
    pub fn append_committed(&self, record: OutputRecord) -> i64 {
        let mut inner = self.lock();
        let number = TransactionNumber::try_from(inner.transactions.len()).expect("fewer than 2^64 transactions");
        inner.transactions.push(Outcome::Open);
        let offset = inner.partition_mut(&record.topic.clone(), record.partition).append(record, Some(number));
        inner.end(number, Outcome::Committed);
        drop(inner);
        self.shared.changed.notify_all();
        offset
    }

    /// At most `limit` records from an offset on that are visible to a `read_committed` reader, and the offset to
    /// continue from.
    #[must_use]
    pub fn read(&self, topic: &str, partition: i32, from: i64, limit: usize) -> (Vec<Record>, i64) {
        let inner = self.lock();
        let log = inner.partition(topic, partition);
        let mut position = from;
        let mut records = Vec::new();
        while records.len() < limit
            && let Some((offset, record)) = log.next_committed(position, &inner.transactions)
        {
            records.push(partition_log::delivered(topic, partition, offset, record));
            position = offset + 1;
        }
        if records.len() < limit {
            position = position.max(log.last_stable_offset());
        }
        (records, position)
    }

    /// Number of partitions of a topic; 0 if the topic does not exist.
    #[must_use]
    pub fn partitions(&self, topic: &str) -> i32 {
        let count = self.lock().topics.get(topic).map_or(0, Vec::len);
        i32::try_from(count).unwrap_or(i32::MAX)
    }

    /// The group's committed offset of a partition.
    #[must_use]
    pub fn committed_offset(&self, group: &str, partition: i32) -> Option<i64> {
        self.lock().groups.get(group).and_then(|group| group.committed(partition))
    }

    /// Number of records of `topic` that the group has not committed yet, over all partitions.
    #[must_use]
    pub fn lag(&self, group: &str, topic: &str) -> i64 {
        let inner = self.lock();
        let partitions = inner.topics.get(topic).map_or(&[][..], Vec::as_slice);
        let committed = |partition: usize| {
            let group = inner.groups.get(group)?;
            group.committed(i32::try_from(partition).ok()?)
        };
        let unread =
            |(number, log): (usize, &PartitionLog)| log.unread(committed(number).unwrap_or(0), &inner.transactions);
        partitions.iter().enumerate().map(unread).sum()
    }

    /// Removes a partition's records before an offset, like retention.
    pub fn trim(&self, topic: &str, partition: i32, before: i64) {
        self.lock().partition_mut(topic, partition).trim(before);
    }

    /// Removes a member from its group, like the coordinator after the session timeout.
    pub fn expire_member(&self, group: &str, member: MemberId) {
        if let Some(group) = self.lock().groups.get_mut(group) {
            group.remove(member);
        }
        self.shared.changed.notify_all();
    }

    /// Aborts a transactional id's open transaction and fences its producer, like the coordinator after the transaction
    /// timeout.
    pub fn expire_transaction(&self, transactional_id: &str) {
        self.lock().fence(transactional_id);
        self.shared.changed.notify_all();
    }

    /// From now on, transactions may not write records larger than this many bytes ([`OutputRecord::bytes`]) to the
    /// topic.
    pub fn take_at_most(&self, topic: &str, bytes: usize) {
        self.lock().largest.insert(topic.to_owned(), bytes);
    }

    /// From now on, every transaction that writes to this partition is aborted, for a reason independent of its
    /// records.
    pub fn refuse_whole_transactions_with(&self, topic: &str, partition: i32) {
        self.lock().closed = Some((topic.to_owned(), partition));
    }

    /// Ends these restrictions.
    pub fn take_transactions_again(&self) {
        self.lock().closed = None;
    }

    /// Plans failures.
    pub fn inject(&self, step: Step, fault: Fault) {
        self.lock().injector.plan(step, fault);
    }

    /// Clients of one worker.
    #[must_use]
    pub fn clients(&self, worker: MemoryWorker) -> MemoryClients {
        MemoryClients { log: self.clone(), worker }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under the lock is a bug of this module; the log's content is still useful in a test's report.
        self.shared.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn notify(&self) {
        self.shared.changed.notify_all();
    }

    pub(crate) fn wait<'a>(&self, guard: MutexGuard<'a, Inner>, timeout: Duration) -> MutexGuard<'a, Inner> {
        let waited = self.shared.changed.wait_timeout(guard, timeout);
        waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
    }
}

impl Inner {
    fn partition(&self, topic: &str, partition: i32) -> &PartitionLog {
        let found = usize::try_from(partition).ok().and_then(|number| self.topics.get(topic)?.get(number));
        found.unwrap_or_else(|| {
            panic!("the in-memory log has no partition {partition} of topic {topic:?}; create_topic comes first")
        })
    }

    fn partition_mut(&mut self, topic: &str, partition: i32) -> &mut PartitionLog {
        let found = usize::try_from(partition).ok().and_then(|number| self.topics.get_mut(topic)?.get_mut(number));
        found.unwrap_or_else(|| {
            panic!("the in-memory log has no partition {partition} of topic {topic:?}; create_topic comes first")
        })
    }

    /// Ends a transaction: markers on every partition it wrote to, its offsets applied or dropped.
    fn end(&mut self, transaction: TransactionNumber, outcome: Outcome) {
        let Ok(index) = usize::try_from(transaction) else { return };
        self.transactions[index] = outcome;
        for log in self.topics.values_mut().flatten() {
            log.end(transaction);
        }
        for group in self.groups.values_mut() {
            group.end_transaction(transaction, outcome == Outcome::Committed);
        }
    }

    /// Raises a transactional id's epoch and aborts its open transaction. Returns the new epoch.
    fn fence(&mut self, transactional_id: &str) -> u64 {
        let id = self.transactional_ids.entry(transactional_id.to_owned()).or_default();
        id.epoch += 1;
        let epoch = id.epoch;
        if let Some(open) = id.open.take() {
            self.end(open, Outcome::Aborted);
        }
        epoch
    }
}

/// The identity of a worker.
#[derive(Debug, Clone)]
pub struct MemoryWorker {
    /// Group.
    pub group: String,
    /// Input topic.
    pub topic: String,
    /// Transactional id; two workers must not share one.
    pub transactional_id: String,
    /// A transaction that stays open for longer is aborted when another client waits for it.
    pub transaction_timeout: Duration,
}

/// Creates clients of one worker.
#[derive(Debug, Clone)]
pub struct MemoryClients {
    log: MemoryLog,
    worker: MemoryWorker,
}

impl LogClients for MemoryClients {
    type Membership = Membership;
    type Consumer = MemoryConsumer;
    type Producer = MemoryProducer;
    type Restorer = MemoryRestorer;

    fn connect(&mut self) -> Result<Clients<MemoryConsumer, MemoryProducer, MemoryRestorer>, Failure> {
        let producer = MemoryProducer::fencing(self.log.clone(), &self.worker);
        let restorer = MemoryRestorer::new(self.log.clone(), self.worker.clone());
        let consumer = MemoryConsumer::joining(self.log.clone(), &self.worker);
        Ok(Clients { consumer, producer, restorer })
    }
}
