//! The events of a runner.

use std::collections::BTreeMap;

use super::{BatchId, Epoch};
use crate::ports::Failure;

/// An event of a runner.
#[derive(Debug)]
pub enum Event<R, O, S> {
    /// The group has assigned these partitions.
    Assigned(Vec<i32>),
    /// The group wants these back.
    Revoked(Vec<i32>),
    /// These are gone without having been asked for.
    Lost(Vec<i32>),
    /// [`super::Action::Restore`] is done.
    Restored {
        /// Partition.
        partition: i32,
        /// The epoch that asked.
        epoch: Epoch,
        /// The offset to go on from.
        position: i64,
        /// The content of the changelog.
        state: S,
    },
    /// A record has come.
    Fetched {
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
        /// Memory use, bytes.
        bytes: usize,
        /// The record.
        record: R,
    },
    /// [`super::Action::Compute`] is done.
    Computed {
        /// Which batch.
        batch: BatchId,
        /// Its outputs by partition, changelog and dead letters included.
        outputs: BTreeMap<i32, Vec<O>>,
        /// Memory use, bytes.
        bytes: usize,
    },
    /// [`super::Action::Commit`] has succeeded.
    Committed {
        /// Which batch.
        batch: BatchId,
    },
    /// [`super::Action::Commit`] has failed.
    CommitFailed {
        /// Which batch.
        batch: BatchId,
        /// The failure, by what must follow.
        failure: Failure,
    },
    /// Nothing between these offsets will ever be delivered: transaction markers, and aborted records.
    Skipped {
        /// Partition.
        partition: i32,
        /// The epoch under which that was found.
        epoch: Epoch,
        /// The committed position.
        from: i64,
        /// The offset after the undelivered ones.
        to: i64,
    },
    /// A client is of no use any more.
    ClientFailed(String),
    /// [`super::Action::ReplaceClients`] is done.
    ClientsReplaced,
    /// SIGTERM, or the end of the demo.
    Stop,
    /// Time has passed.
    Tick,
}
