//! One partition that this worker owns.

use std::time::Duration;

/// A period of reading a partition without interruption. Unique during a worker's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Its state is being read back; nothing is delivered.
    Restoring,
    /// Records are delivered.
    Active,
    /// The group has revoked it; work in flight may finish until the deadline.
    Draining { deadline: Duration },
}

#[derive(Debug)]
pub(super) struct Partition {
    pub epoch: Epoch,
    pub status: Status,
    /// The offset that the next record has at least.
    pub next_offset: i64,
    /// The committed position.
    pub committed: i64,
    /// Transactions with its records that were aborted since one was committed.
    pub aborts: u32,
    /// Its records are not tried again before then, and not delivered meanwhile.
    pub retry_at: Option<Duration>,
}

impl Partition {
    pub fn restoring(epoch: Epoch) -> Self {
        Self { epoch, status: Status::Restoring, next_offset: 0, committed: 0, aborts: 0, retry_at: None }
    }

    /// Its transactions fail repeatedly: it is tried alone, so that its problem does not block other partitions.
    pub fn is_suspect(&self) -> bool {
        const SUSPECT_AFTER: u32 = 3;
        self.aborts >= SUSPECT_AFTER
    }

    pub fn drain_deadline(&self) -> Option<Duration> {
        match self.status {
            Status::Draining { deadline } => Some(deadline),
            Status::Restoring | Status::Active => None,
        }
    }
}
