//! The actions of a runner.

use std::collections::BTreeMap;

use super::Epoch;

/// Number of a batch; later batches have higher ones.
pub type BatchId = u64;

/// Records to be computed together.
#[derive(Debug)]
pub struct Batch<R> {
    /// Which batch.
    pub id: BatchId,
    /// Its records; those of one partition in their order.
    pub records: Vec<R>,
}

/// What a runner must do, in the given order.
#[derive(Debug)]
pub enum Action<R, O, S> {
    /// Read the committed offset, then the changelog to its end; answer with [`super::Event::Restored`].
    Restore {
        /// Partition.
        partition: i32,
        /// To be given back with the answer.
        epoch: Epoch,
    },
    /// Make this the partition's committed state.
    InstallState {
        /// Partition.
        partition: i32,
        /// The restored state.
        state: S,
    },
    /// Deliver records from these offsets on.
    Start {
        /// Offset by partition.
        positions: BTreeMap<i32, i64>,
    },
    /// Release partitions to the group.
    Release {
        /// Partitions.
        partitions: Vec<i32>,
    },
    /// Stop delivery.
    Pause {
        /// Partitions.
        partitions: Vec<i32>,
    },
    /// Go on with delivery.
    Resume {
        /// Partitions.
        partitions: Vec<i32>,
    },
    /// Process a batch on the committed and staged states; answer with [`super::Event::Computed`].
    Compute(Batch<R>),
    /// Commit a batch with the membership of this very moment; answer with [`super::Event::Committed`] or
    /// [`super::Event::CommitFailed`].
    Commit {
        /// Which batch.
        batch: BatchId,
        /// The records to send.
        outputs: Vec<O>,
        /// The next offset to consume, by partition.
        offsets: BTreeMap<i32, i64>,
    },
    /// The batch is committed: its staged states become the committed states.
    SwapState {
        /// Which batch.
        batch: BatchId,
    },
    /// The batch will not be committed; its staged states belong to partitions that were revoked or rewound.
    DropBatch {
        /// Which batch.
        batch: BatchId,
    },
    /// Forget everything staged.
    DiscardState,
    /// Remove a partition's committed and staged states.
    ForgetState {
        /// Partition.
        partition: i32,
    },
    /// Throw the clients away and connect new ones; answer with [`super::Event::ClientsReplaced`].
    ReplaceClients {
        /// Why.
        reason: String,
    },
    /// Close the clients and end.
    Exit,
}
