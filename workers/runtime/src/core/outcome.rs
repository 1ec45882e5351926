//! Handles the outcome of a batch: computed, committed or dropped.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Action, BatchId, Core, Epoch, InFlight, Phase, Share, Status, Waiting};
use crate::fault_injection::{Mutation, is_mutated};
use crate::ports::{Failure, RefusedOutput};

impl<R, O, S> Core<R, O, S> {
    pub(super) fn computed(&mut self, batch: BatchId, outputs: BTreeMap<i32, Vec<O>>, output_bytes: usize) {
        let Some(mut in_flight) = self.computing.take_if(|computing| computing.batch == batch) else { return };
        debug_assert!(self.waiting.is_none(), "a batch is computed only while none waits");
        in_flight.bytes += output_bytes;
        self.waiting = Some(Waiting { in_flight, outputs });
    }

    pub(super) fn committed(&mut self, batch: BatchId) {
        let Some(in_flight) = self.committing.take_if(|committing| committing.batch == batch) else { return };
        for (number, share) in &in_flight.shares {
            if let Some(partition) = self.partitions.get_mut(number)
                && partition.epoch == share.epoch
            {
                debug_assert!(share.next_offset >= partition.committed, "commits never go back");
                partition.committed = share.next_offset;
                partition.aborts = 0;
                partition.retry_at = None;
            }
        }
        self.actions.push(Action::SwapState { batch });
    }

    pub(super) fn commit_failed(&mut self, batch: BatchId, failure: Failure, now: Duration) {
        let Some(in_flight) = self.committing.take_if(|committing| committing.batch == batch) else { return };
        match failure {
            // A refused output becomes a dead letter: that is progress, unless the dead letter was refused.
            Failure::Refused { outputs, .. } if !outputs.iter().any(RefusedOutput::is_dead_letter) => self.rewind(),
            Failure::Aborted(_) | Failure::Refused { .. } => {
                self.back_off(&in_flight, now);
                self.rewind();
            }
            Failure::Fatal(reason) => self.replace_clients(reason),
        }
    }

    /// Notes an abort of the partitions that were in the batch. The first is done again at once, since most come from a
    /// rebalance; those that follow wait twice as long each.
    pub(super) fn back_off(&mut self, in_flight: &InFlight, now: Duration) {
        for (number, share) in &in_flight.shares {
            let Some(partition) = self.partitions.get_mut(number).filter(|owned| owned.epoch == share.epoch) else {
                continue;
            };
            partition.aborts = partition.aborts.saturating_add(1);
            if partition.aborts > 1 {
                let doublings = (partition.aborts - 2).min(20);
                let wait = self.config.abort_backoff.saturating_mul(1 << doublings).min(self.config.max_abort_backoff);
                partition.retry_at = Some(now + wait);
            }
        }
    }

    /// Nothing between `from` and `to` is ever delivered. Commits `to`, if `from` is still the committed position and
    /// no record has arrived since.
    pub(super) fn skipped(&mut self, number: i32, epoch: Epoch, from: i64, to: i64) {
        let is_idle = self.computing.is_none() && self.waiting.is_none() && self.committing.is_none();
        if !is_idle || self.phase != Phase::Running {
            return;
        }
        let Some(partition) = self.partitions.get_mut(&number) else { return };
        let is_at_rest = partition.epoch == epoch
            && partition.status == Status::Active
            && partition.committed == from
            && partition.next_offset == from;
        // To the same place: the position is that of the log's first record, and has not been committed yet.
        if !is_at_rest || to < from {
            return;
        }
        partition.next_offset = to;
        self.last_batch += 1;
        let shares = BTreeMap::from([(number, Share { epoch, next_offset: to })]);
        self.committing = Some(InFlight { batch: self.last_batch, shares, bytes: 0 });
        self.actions.push(Action::Commit {
            batch: self.last_batch,
            outputs: Vec::new(),
            offsets: BTreeMap::from([(number, to)]),
        });
    }

    /// After an abort: nothing that is in flight may be sent, and every partition is read again from its committed
    /// offset.
    pub(super) fn rewind(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.actions.push(Action::DropBatch { batch: waiting.in_flight.batch });
        }
        self.buffer.clear();
        self.buffer_bytes = 0;
        self.actions.push(Action::DiscardState);
        let draining: Vec<i32> = self
            .partitions
            .iter()
            .filter(|(_, owned)| owned.drain_deadline().is_some())
            .map(|(number, _)| *number)
            .collect();
        if !draining.is_empty() {
            self.release(&draining);
        }
        if is_mutated(Mutation::NoSeek) {
            return;
        }
        let mut positions = BTreeMap::new();
        let active: Vec<i32> = self.active();
        for number in active {
            let epoch = self.next_epoch();
            let partition = self.partitions.get_mut(&number).expect("listed just above");
            partition.epoch = epoch;
            partition.next_offset = partition.committed;
            positions.insert(number, partition.committed);
        }
        let is_intake_open = self.phase == Phase::Running;
        if is_intake_open && !positions.is_empty() {
            let is_held = |number: &i32| self.paused || self.partitions[number].retry_at.is_some();
            let held: Vec<i32> = positions.keys().copied().filter(|number| is_held(number)).collect();
            self.actions.push(Action::Start { positions });
            if !held.is_empty() {
                self.actions.push(Action::Pause { partitions: held });
            }
        }
    }

    pub(super) fn replace_clients(&mut self, reason: String) {
        if self.phase == Phase::Replacing {
            return;
        }
        let owned: Vec<i32> = self.partitions.keys().copied().collect();
        for number in owned {
            self.forget(number);
        }
        self.waiting = None;
        self.committing = None;
        self.paused = false;
        self.actions.push(Action::DiscardState);
        if self.phase == Phase::Running {
            self.phase = Phase::Replacing;
            self.actions.push(Action::ReplaceClients { reason });
        }
    }
}
