//! The threads other than the log thread. Each one receives from its own channel until that is closed, and answers on
//! the shared channel.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::Sender;

use super::RunnerError;
use crate::compute::{Compute, Computed};
use crate::core::{Batch, BatchId, Epoch};
use crate::fault_injection::{self, Step};
use crate::ports::{Failure, LogProducer, LogRestorer, RefusedOutput, Restored, Transaction};
use crate::processor::Processor;
use crate::record::Record;
use crate::telemetry::{Metrics, stage};

/// The channel of batches to commit.
pub(super) type Commits<M> = Sender<(BatchId, Transaction<M>)>;

/// Commands of the compute thread, in order.
pub(super) enum ComputeCommand {
    Install {
        partition: i32,
        entries: HashMap<Bytes, Bytes>,
    },
    Process(Batch<Record>),
    /// The log will never accept these.
    Refuse {
        outputs: Vec<RefusedOutput>,
    },
    Swap {
        batch: BatchId,
    },
    Drop {
        batch: BatchId,
    },
    Discard,
    Forget {
        partition: i32,
    },
}

/// Results of the threads.
pub(super) enum Completion {
    Computed {
        batch: BatchId,
        computed: Computed,
    },
    Committed {
        batch: BatchId,
    },
    CommitFailed {
        batch: BatchId,
        failure: Failure,
    },
    Restored {
        partition: i32,
        epoch: Epoch,
        restored: Restored,
        took: Duration,
    },
    RestoreFailed {
        partition: i32,
        epoch: Epoch,
        failure: Failure,
    },
    /// The end of a partition after its last record, if any.
    EndChecked {
        partition: i32,
        epoch: Epoch,
        from: i64,
        end: Option<i64>,
    },
    ThreadEnded(&'static str),
}

/// Sends a notice if its thread panics, so that the log thread does not wait forever.
struct EndNotice {
    name: &'static str,
    completed: Sender<Completion>,
}

impl Drop for EndNotice {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.completed.send(Completion::ThreadEnded(self.name));
        }
    }
}

fn spawn(
    name: &'static str,
    completed: Sender<Completion>,
    body: impl FnOnce(Sender<Completion>) + Send + 'static,
) -> Result<(), RunnerError> {
    let notice = EndNotice { name, completed: completed.clone() };
    let run = move || {
        let _notice = notice;
        body(completed);
    };
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map(drop).map_err(|source| RunnerError::Thread { name, source })
}

pub(super) fn spawn_compute<P: Processor>(
    mut compute: Compute<P>,
    completed: Sender<Completion>,
    metrics: Arc<Metrics>,
) -> Result<Sender<ComputeCommand>, RunnerError> {
    let (commands, received) = crossbeam_channel::unbounded();
    spawn("compute", completed, move |completed| {
        for command in received {
            match command {
                ComputeCommand::Install { partition, entries } => {
                    compute.install(partition, entries);
                }
                ComputeCommand::Process(batch) => {
                    fault_injection::reach(Step::Process);
                    let started = Instant::now();
                    let computed = compute.process(&batch);
                    metrics.observe_stage(stage::PROCESS, started.elapsed());
                    let _ = completed.send(Completion::Computed { batch: batch.id, computed });
                }
                ComputeCommand::Refuse { outputs } => compute.refuse(&outputs),
                ComputeCommand::Swap { batch } => {
                    compute.swap(batch);
                    fault_injection::reach(Step::AfterSwap);
                }
                ComputeCommand::Drop { batch } => compute.states().drop_batch(batch),
                ComputeCommand::Discard => compute.discard(),
                ComputeCommand::Forget { partition } => compute.forget(partition),
            }
        }
    })?;
    Ok(commands)
}

pub(super) fn spawn_transactions<P: LogProducer>(
    mut producer: P,
    completed: Sender<Completion>,
) -> Result<Commits<P::Membership>, RunnerError> {
    let (transactions, received) = crossbeam_channel::unbounded::<(BatchId, Transaction<P::Membership>)>();
    spawn("transactions", completed, move |completed| {
        for (batch, transaction) in received {
            let completion = match producer.commit(transaction) {
                Ok(()) => Completion::Committed { batch },
                Err(failure) => Completion::CommitFailed { batch, failure },
            };
            let is_over = matches!(&completion, Completion::CommitFailed { failure: Failure::Fatal(_), .. });
            let _ = completed.send(completion);
            if is_over {
                // Rule 5: this producer is never used again.
                return;
            }
        }
    })?;
    Ok(transactions)
}

/// Commands of the restore thread.
pub(super) enum RestoreCommand {
    Restore {
        partition: i32,
        epoch: Epoch,
    },
    /// Find the end of a partition, if nothing is delivered from this offset on.
    CheckEnd {
        partition: i32,
        epoch: Epoch,
        from: i64,
    },
}

pub(super) fn spawn_restores<R: LogRestorer>(
    mut restorer: R,
    changelog: Option<&'static str>,
    completed: Sender<Completion>,
) -> Result<Sender<RestoreCommand>, RunnerError> {
    let (restores, received) = crossbeam_channel::unbounded::<RestoreCommand>();
    spawn("restore", completed, move |completed| {
        for command in received {
            let started = Instant::now();
            let completion = match command {
                RestoreCommand::Restore { partition, epoch } => match restorer.restore(partition, changelog) {
                    Ok(restored) => Completion::Restored { partition, epoch, restored, took: started.elapsed() },
                    Err(failure) => Completion::RestoreFailed { partition, epoch, failure },
                },
                RestoreCommand::CheckEnd { partition, epoch, from } => {
                    let checked = restorer.undelivered_end(partition, from);
                    // It is asked again while the lag remains.
                    let end = checked
                        .inspect_err(|failure| tracing::debug!(%failure, partition, "cannot ask for a partition's end"))
                        .ok()
                        .flatten();
                    Completion::EndChecked { partition, epoch, from, end }
                }
            };
            let _ = completed.send(completion);
        }
    })?;
    Ok(restores)
}
