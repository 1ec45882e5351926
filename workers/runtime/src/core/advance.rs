//! The steps that become possible after an event: results are dropped or committed, partitions released, batches
//! closed, intake paused or resumed. The order ensures that stale results are dropped before any of them is sent.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Action, Batch, Buffered, Core, Epoch, InFlight, Partition, Phase, Share, Status, Waiting};
use crate::fault_injection::{Mutation, is_mutated};

impl<R, O, S> Core<R, O, S> {
    /// Does whatever has become possible.
    pub(super) fn advance(&mut self, now: Duration) {
        self.expire(now);
        self.drop_stale();
        self.begin_commit();
        self.release_drained();
        self.finish_stop();
        self.end_back_off(now);
        self.close_batch(now);
        self.regulate_intake();
    }

    /// Changes the epoch of partitions that have not finished by their deadline, so that their results are stale.
    fn expire(&mut self, now: Duration) {
        let stop_expired = matches!(self.phase, Phase::Stopping { deadline } if now >= deadline);
        let expired: Vec<i32> = self
            .partitions
            .iter()
            .filter(|(_, owned)| stop_expired || owned.drain_deadline().is_some_and(|deadline| now >= deadline))
            .map(|(number, _)| *number)
            .collect();
        let committing: Vec<i32> = self.committing.iter().flat_map(|batch| batch.shares.keys().copied()).collect();
        for number in expired {
            // A transaction that is being committed cannot be called back; its outcome is awaited.
            if !committing.contains(&number) {
                let epoch = self.next_epoch();
                self.partitions.get_mut(&number).expect("listed just above").epoch = epoch;
            }
        }
    }

    /// Rule 3: results of an old epoch are dropped before they are sent.
    fn drop_stale(&mut self) {
        if is_mutated(Mutation::KeepStale) {
            return;
        }
        let Some(mut waiting) = self.waiting.take() else { return };
        let partitions = &self.partitions;
        waiting
            .in_flight
            .shares
            .retain(|number, share| partitions.get(number).is_some_and(|owned| owned.epoch == share.epoch));
        waiting.outputs.retain(|number, _| waiting.in_flight.shares.contains_key(number));
        if waiting.in_flight.shares.is_empty() {
            // Nothing to commit. Its staged state is gone with the epochs: forgotten, or discarded by the rewind.
            self.actions.push(Action::DropBatch { batch: waiting.in_flight.batch });
        } else {
            self.waiting = Some(waiting);
        }
    }

    fn begin_commit(&mut self) {
        if self.committing.is_some() {
            return;
        }
        let Some(Waiting { in_flight, outputs }) = self.waiting.take() else { return };
        let offsets = in_flight.shares.iter().map(|(number, share)| (*number, share.next_offset)).collect();
        let outputs = outputs.into_values().flatten().collect();
        self.actions.push(Action::Commit { batch: in_flight.batch, outputs, offsets });
        self.committing = Some(in_flight);
    }

    fn is_in_flight(&self, number: i32, epoch: Epoch) -> bool {
        let waiting = self.waiting.as_ref().map(|waiting| &waiting.in_flight);
        [self.computing.as_ref(), waiting, self.committing.as_ref()]
            .into_iter()
            .flatten()
            .any(|batch| batch.shares.get(&number).is_some_and(|share| share.epoch == epoch))
    }

    fn release_drained(&mut self) {
        let drained: Vec<i32> = self
            .partitions
            .iter()
            .filter(|(number, owned)| owned.drain_deadline().is_some() && !self.is_in_flight(**number, owned.epoch))
            .map(|(number, _)| *number)
            .collect();
        if !drained.is_empty() {
            self.release(&drained);
        }
    }

    fn finish_stop(&mut self) {
        if !matches!(self.phase, Phase::Stopping { .. }) {
            return;
        }
        let is_busy = self.partitions.iter().any(|(number, owned)| self.is_in_flight(*number, owned.epoch));
        if is_busy || self.committing.is_some() {
            return;
        }
        let owned: Vec<i32> = self.partitions.keys().copied().collect();
        if !owned.is_empty() {
            self.release(&owned);
        }
        self.phase = Phase::Stopped;
        self.actions.push(Action::Exit);
    }

    fn close_batch(&mut self, now: Duration) {
        if self.phase != Phase::Running || self.computing.is_some() || self.waiting.is_some() {
            return;
        }
        let Some(oldest) = self.next_buffered() else { return };
        let is_full =
            self.buffer.len() >= self.config.max_batch_records || self.buffer_bytes >= self.config.max_batch_bytes;
        let is_due = now >= oldest.since + self.config.max_batch_age;
        // Below the bound nothing more comes in while intake is paused, so waiting would be in vain.
        if !is_full && !is_due && !self.paused {
            return;
        }
        // A partition whose transactions keep failing is processed alone, and the others without it.
        let first = oldest.partition;
        let is_alone = self.partitions.get(&first).is_some_and(Partition::is_suspect);
        let mut records = Vec::new();
        let mut shares = BTreeMap::new();
        let mut bytes = 0;
        let mut left = VecDeque::new();
        while let Some(next) = self.buffer.front() {
            let has_room = records.len() < self.config.max_batch_records
                && (records.is_empty() || bytes + next.bytes <= self.config.max_batch_bytes);
            if !has_room {
                break;
            }
            let taken = self.buffer.pop_front().expect("the front was just seen");
            let owned = self.partitions.get(&taken.partition).expect("only owned partitions are buffered");
            let belongs = if is_alone { taken.partition == first } else { !owned.is_suspect() };
            if !belongs || owned.retry_at.is_some() {
                left.push_back(taken);
                continue;
            }
            shares.insert(taken.partition, Share { epoch: owned.epoch, next_offset: taken.offset + 1 });
            bytes += taken.bytes;
            records.push(taken.record);
        }
        // Skipped records keep their place before those not examined.
        left.append(&mut self.buffer);
        self.buffer = left;
        self.buffer_bytes -= bytes;
        self.last_batch += 1;
        self.computing = Some(InFlight { batch: self.last_batch, shares, bytes });
        self.actions.push(Action::Compute(Batch { id: self.last_batch, records }));
    }

    /// The oldest record that may be tried now.
    pub(super) fn next_buffered(&self) -> Option<&Buffered<R>> {
        let may_be_tried = |number: &i32| self.partitions.get(number).is_some_and(|owned| owned.retry_at.is_none());
        self.buffer.iter().find(|buffered| may_be_tried(&buffered.partition))
    }

    /// Partitions that have waited long enough after an abort are delivered again.
    fn end_back_off(&mut self, now: Duration) {
        let mut due = Vec::new();
        for (number, partition) in &mut self.partitions {
            if partition.retry_at.is_some_and(|retry_at| now >= retry_at) {
                partition.retry_at = None;
                due.push(*number);
            }
        }
        due.retain(|number| self.partitions[number].status == Status::Active);
        if !due.is_empty() && !self.paused && self.phase == Phase::Running {
            self.actions.push(Action::Resume { partitions: due });
        }
    }

    fn regulate_intake(&mut self) {
        if self.phase != Phase::Running {
            return;
        }
        let held = self.held_bytes();
        let backing_off = |number: &i32| self.partitions[number].retry_at.is_some();
        let active: Vec<i32> = self.active().into_iter().filter(|number| !backing_off(number)).collect();
        if !self.paused && held >= self.config.max_buffer_bytes {
            self.paused = true;
            self.actions.push(Action::Pause { partitions: active });
        } else if self.paused && held <= self.config.max_buffer_bytes / 2 {
            self.paused = false;
            self.actions.push(Action::Resume { partitions: active });
        }
    }
}
