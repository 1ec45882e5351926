//! The runner's decisions, without IO: events in, actions out.
//!
//! ```text
//!  Assigned ─► Restoring ─Restored─► Active ─Revoked─► Draining ─► released
//!                                      │ Fetched
//!                                      ▼
//!   buffer ─closes─► computing ─Computed─► waiting ─► committing ─Committed─► state swapped
//!                        └── CommitFailed(Aborted): all of it dropped, state discarded, seek back ──┘
//! ```
//!
//! While one batch commits, the next one is computed on its staged state; a third one is not started. Therefore an
//! abort drops at most the content of these three places, and all of it is read again from the committed offsets.
//!
//! These rules ensure that no result is lost or duplicated:
//!
//! * A partition's **epoch** changes when the partition is assigned, revoked or rewound. A batch carries the epochs
//!   under
//!   which its records were read; results with an old epoch are dropped before they are sent (`Core::drop_stale`).
//! * Offsets are committed in the transaction that contains the results; the core never commits them separately.
//! * The committed position moves only on `Committed`, and a rewind goes back to it (`Core::rewind`).
//! * An unknown outcome (a fatal error during a commit) is never guessed: the clients are replaced, and the position is
//!   read from the broker again (`Core::replace_clients`).
//! * Repeated aborts are retried with increasing delays, separately for each partition (`Core::back_off`), because
//!   aborted
//!   records take space on the brokers like any others.
//! * If a partition ends with offsets that are never delivered (transaction markers, aborted records), a commit of the
//!   offset alone moves the position past them (`Core::skipped`): the lag becomes 0, and retention that deletes a
//!   marker
//!   later deletes nothing unread.
//!
//! The clock is an argument: a [`Duration`] since any fixed start, never the wall clock.

mod action;
mod advance;
mod assignment;
mod event;
mod outcome;
mod partition;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub use action::{Action, Batch, BatchId};
pub use event::Event;
pub use partition::Epoch;
use partition::{Partition, Status};

/// Limits for batches, intake and draining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreConfig {
    /// A batch closes at this many records.
    pub max_batch_records: usize,
    /// A batch closes at this many bytes.
    pub max_batch_bytes: usize,
    /// A batch closes when its oldest record has waited this long.
    pub max_batch_age: Duration,
    /// Intake pauses when records that are buffered or in flight reach this many bytes, and resumes at half of it.
    pub max_buffer_bytes: usize,
    /// After a revoke or a stop, everything not committed by then is dropped.
    pub drain_deadline: Duration,
    /// How long a partition waits after its second abort in a row; doubled with each that follows. The first is done
    /// again at once.
    pub abort_backoff: Duration,
    /// The longest such wait.
    pub max_abort_backoff: Duration,
}

struct Buffered<R> {
    partition: i32,
    offset: i64,
    bytes: usize,
    since: Duration,
    record: R,
}

/// A batch's records of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    epoch: Epoch,
    next_offset: i64,
}

struct InFlight {
    batch: BatchId,
    shares: BTreeMap<i32, Share>,
    bytes: usize,
}

struct Waiting<O> {
    in_flight: InFlight,
    outputs: BTreeMap<i32, Vec<O>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// Between clients: nothing is owned.
    Replacing,
    /// Intake has ended; work in flight may finish until the deadline.
    Stopping {
        deadline: Duration,
    },
    Stopped,
}

/// The state machine. `R` is a record, `O` an output record, `S` a partition's restored state.
pub struct Core<R, O, S> {
    config: CoreConfig,
    phase: Phase,
    partitions: BTreeMap<i32, Partition>,
    last_epoch: u64,
    last_batch: BatchId,
    buffer: VecDeque<Buffered<R>>,
    buffer_bytes: usize,
    computing: Option<InFlight>,
    waiting: Option<Waiting<O>>,
    committing: Option<InFlight>,
    paused: bool,
    actions: Vec<Action<R, O, S>>,
}

impl<R, O, S> Core<R, O, S> {
    /// A core without partitions.
    #[must_use]
    pub fn new(config: CoreConfig) -> Self {
        Self {
            config,
            phase: Phase::Running,
            partitions: BTreeMap::new(),
            last_epoch: 0,
            last_batch: 0,
            buffer: VecDeque::new(),
            buffer_bytes: 0,
            computing: None,
            waiting: None,
            committing: None,
            paused: false,
            actions: Vec::new(),
        }
    }

    /// Processes an event and returns the resulting actions, to be executed in order.
    pub fn handle(&mut self, event: Event<R, O, S>, now: Duration) -> Vec<Action<R, O, S>> {
        if self.phase == Phase::Stopped {
            return Vec::new();
        }
        match event {
            Event::Assigned(partitions) => self.assigned(&partitions),
            Event::Restored { partition, epoch, position, state } => self.restored(partition, epoch, position, state),
            Event::Revoked(partitions) => self.revoked(&partitions, now),
            Event::Lost(partitions) => self.lost(&partitions),
            Event::Fetched { partition, offset, bytes, record } => self.fetched(partition, offset, bytes, record, now),
            Event::Computed { batch, outputs, bytes } => self.computed(batch, outputs, bytes),
            Event::Committed { batch } => self.committed(batch),
            Event::CommitFailed { batch, failure } => self.commit_failed(batch, failure, now),
            Event::Skipped { partition, epoch, from, to } => self.skipped(partition, epoch, from, to),
            Event::ClientFailed(reason) => self.replace_clients(reason),
            Event::ClientsReplaced => {
                if self.phase == Phase::Replacing {
                    self.phase = Phase::Running;
                }
            }
            Event::Stop => self.stop(now),
            Event::Tick => {}
        }
        self.advance(now);
        std::mem::take(&mut self.actions)
    }

    /// The earliest time at which an [`Event::Tick`] would change anything.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let batch = match (&self.computing, &self.waiting, self.next_buffered()) {
            (None, None, Some(oldest)) => Some(oldest.since + self.config.max_batch_age),
            _ => None,
        };
        let retry = self.partitions.values().filter_map(|partition| partition.retry_at).min();
        let drain = self.partitions.values().filter_map(Partition::drain_deadline).min();
        let stop = match self.phase {
            Phase::Stopping { deadline } => Some(deadline),
            _ => None,
        };
        [batch, retry, drain, stop].into_iter().flatten().min()
    }

    /// Bytes of records and results that are buffered or in flight.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let computing = self.computing.as_ref().map_or(0, |batch| batch.bytes);
        let waiting = self.waiting.as_ref().map_or(0, |batch| batch.in_flight.bytes);
        let committing = self.committing.as_ref().map_or(0, |batch| batch.bytes);
        self.buffer_bytes + computing + waiting + committing
    }

    /// Whether intake is paused because of the memory limit.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// The assigned partitions, and whether each one is ready for records.
    pub fn partitions(&self) -> impl Iterator<Item = (i32, bool)> + '_ {
        self.partitions.iter().map(|(number, partition)| (*number, partition.status == Status::Active))
    }

    /// Whether this epoch is the partition's current one.
    #[must_use]
    pub fn is_current(&self, partition: i32, epoch: Epoch) -> bool {
        self.partitions.get(&partition).is_some_and(|owned| owned.epoch == epoch)
    }

    fn next_epoch(&mut self) -> Epoch {
        self.last_epoch += 1;
        Epoch(self.last_epoch)
    }

    fn fetched(&mut self, number: i32, offset: i64, bytes: usize, record: R, now: Duration) {
        if self.phase != Phase::Running {
            return;
        }
        let Some(partition) = self.partitions.get_mut(&number) else { return };
        // Offsets may skip (commit markers, compaction) but never go back: earlier ones were delivered before a rewind.
        if partition.status != Status::Active || offset < partition.next_offset {
            return;
        }
        partition.next_offset = offset + 1;
        self.buffer_bytes += bytes;
        self.buffer.push_back(Buffered { partition: number, offset, bytes, since: now, record });
    }

    fn drop_buffered(&mut self, is_dropped: impl Fn(i32) -> bool) {
        self.buffer.retain(|buffered| !is_dropped(buffered.partition));
        self.buffer_bytes = self.buffer.iter().map(|buffered| buffered.bytes).sum();
    }

    /// The position and epoch of each partition whose delivered records are all committed. Empty while anything is in
    /// flight.
    #[must_use]
    pub fn at_rest(&self) -> Vec<(i32, Epoch, i64)> {
        if self.computing.is_some() || self.waiting.is_some() || self.committing.is_some() {
            return Vec::new();
        }
        let resting = self.partitions.iter().filter(|(_, owned)| {
            owned.status == Status::Active && owned.next_offset == owned.committed && owned.retry_at.is_none()
        });
        resting.map(|(number, owned)| (*number, owned.epoch, owned.committed)).collect()
    }

    fn active(&self) -> Vec<i32> {
        self.partitions.iter().filter(|(_, owned)| owned.status == Status::Active).map(|(number, _)| *number).collect()
    }

    fn stop(&mut self, now: Duration) {
        match self.phase {
            Phase::Running => {
                self.buffer.clear();
                self.buffer_bytes = 0;
                self.phase = Phase::Stopping { deadline: now + self.config.drain_deadline };
            }
            Phase::Replacing => {
                self.phase = Phase::Stopping { deadline: now };
            }
            Phase::Stopping { .. } | Phase::Stopped => {}
        }
    }
}
