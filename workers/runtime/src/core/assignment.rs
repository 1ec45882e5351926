//! Handles assignment, restoring and revocation of partitions.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Action, Core, Epoch, Partition, Phase, Status};

impl<R, O, S> Core<R, O, S> {
    pub(super) fn assigned(&mut self, partitions: &[i32]) {
        if self.phase != Phase::Running {
            // A stopping worker accepts no partitions; its clients are closed soon, and the group reassigns the
            // partitions.
            return;
        }
        for &number in partitions {
            if self.partitions.contains_key(&number) {
                self.forget(number);
            }
            let epoch = self.next_epoch();
            self.partitions.insert(number, Partition::restoring(epoch));
            self.actions.push(Action::Restore { partition: number, epoch });
        }
    }

    pub(super) fn restored(&mut self, number: i32, epoch: Epoch, position: i64, state: S) {
        let Some(partition) = self.partitions.get_mut(&number) else { return };
        if partition.epoch != epoch || partition.status != Status::Restoring {
            return;
        }
        partition.status = Status::Active;
        partition.next_offset = position;
        partition.committed = position;
        self.actions.push(Action::InstallState { partition: number, state });
        self.actions.push(Action::Start { positions: BTreeMap::from([(number, position)]) });
        if self.paused {
            self.actions.push(Action::Pause { partitions: vec![number] });
        }
    }

    pub(super) fn revoked(&mut self, partitions: &[i32], now: Duration) {
        let deadline = now + self.config.drain_deadline;
        self.drop_buffered(|number| partitions.contains(&number));
        for &number in partitions {
            match self.partitions.get_mut(&number) {
                Some(partition) if partition.status == Status::Active => {
                    partition.status = Status::Draining { deadline };
                }
                Some(partition) if partition.status == Status::Restoring => self.release(&[number]),
                Some(_) => {}
                // Not known here (it came while stopping): the group still wants its answer.
                None => self.actions.push(Action::Release { partitions: vec![number] }),
            }
        }
    }

    pub(super) fn lost(&mut self, partitions: &[i32]) {
        self.drop_buffered(|number| partitions.contains(&number));
        self.release(partitions);
    }

    /// Releases partitions. Their work in flight is stale from here on, because they are no longer owned.
    pub(super) fn release(&mut self, partitions: &[i32]) {
        for &number in partitions {
            self.forget(number);
        }
        self.actions.push(Action::Release { partitions: partitions.to_vec() });
    }

    pub(super) fn forget(&mut self, number: i32) {
        if self.partitions.remove(&number).is_some() {
            self.drop_buffered(|partition| partition == number);
            self.actions.push(Action::ForgetState { partition: number });
        }
    }
}
