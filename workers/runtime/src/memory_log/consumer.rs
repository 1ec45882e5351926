//! A member of a group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::group::Notice;
use super::{Inner, MemberId, Membership, MemoryLog, MemoryWorker, partition_log};
use crate::ports::{ConsumerEvent, Failure, LogConsumer};
use crate::record::Record;

/// A member of a group, with its positions. It leaves the group when dropped.
#[derive(Debug)]
pub struct MemoryConsumer {
    log: MemoryLog,
    group: String,
    topic: String,
    member: MemberId,
    owned: BTreeSet<i32>,
    positions: BTreeMap<i32, i64>,
    paused: BTreeSet<i32>,
    /// The partition that was served last, so that all have their turn.
    served: i32,
}

impl MemoryConsumer {
    pub(crate) fn joining(log: MemoryLog, worker: &MemoryWorker) -> Self {
        let mut consumer = Self {
            log,
            group: worker.group.clone(),
            topic: worker.topic.clone(),
            member: MemberId(0),
            owned: BTreeSet::new(),
            positions: BTreeMap::new(),
            paused: BTreeSet::new(),
            served: -1,
        };
        consumer.join();
        consumer
    }

    /// Its member id, for [`MemoryLog::expire_member`].
    #[must_use]
    pub fn member(&self) -> MemberId {
        self.member
    }

    fn join(&mut self) {
        let partitions = self.log.partitions(&self.topic);
        let mut inner = self.log.lock();
        inner.next_member += 1;
        self.member = MemberId(inner.next_member);
        inner.groups.entry(self.group.clone()).or_default().join(self.member, partitions);
        drop(inner);
        self.log.notify();
    }

    fn next_event(&mut self, inner: &mut Inner) -> Option<ConsumerEvent> {
        let group = inner.groups.get_mut(&self.group)?;
        match group.next_notice(self.member) {
            Some(Notice::Assigned(partitions)) => {
                self.owned.extend(partitions.iter().copied());
                return Some(ConsumerEvent::Assigned(partitions));
            }
            Some(Notice::Revoked(partitions)) => return Some(ConsumerEvent::Revoked(partitions)),
            None => {}
        }
        self.next_record(inner).map(ConsumerEvent::Record)
    }

    fn next_record(&mut self, inner: &Inner) -> Option<Record> {
        let is_after = |partition: &i32| *partition > self.served;
        let numbers: Vec<i32> = self.positions.keys().copied().collect();
        let in_turn = numbers.iter().copied().filter(is_after).chain(numbers.iter().copied().filter(|n| !is_after(n)));
        for partition in in_turn {
            if self.paused.contains(&partition) {
                continue;
            }
            let position = self.positions[&partition];
            let log = inner.partition(&self.topic, partition);
            if let Some((offset, record)) = log.next_committed(position, &inner.transactions) {
                let delivered = partition_log::delivered(&self.topic, partition, offset, record);
                self.positions.insert(partition, offset + 1);
                self.served = partition;
                return Some(delivered);
            }
        }
        None
    }
}

impl LogConsumer for MemoryConsumer {
    type Membership = Membership;

    fn poll(&mut self, timeout: Duration) -> Option<ConsumerEvent> {
        let deadline = Instant::now() + timeout;
        let log = self.log.clone();
        let mut inner = log.lock();
        loop {
            let is_member = inner.groups.get(&self.group).is_some_and(|group| group.contains(self.member));
            if !is_member {
                drop(inner);
                let lost: Vec<i32> = std::mem::take(&mut self.owned).into_iter().collect();
                self.positions.clear();
                self.paused.clear();
                self.join();
                return Some(ConsumerEvent::Lost(lost));
            }
            if let Some(event) = self.next_event(&mut inner) {
                return Some(event);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            inner = log.wait(inner, left);
        }
    }

    fn start(&mut self, positions: &BTreeMap<i32, i64>) -> Result<(), Failure> {
        for (partition, position) in positions {
            self.positions.insert(*partition, *position);
            self.paused.remove(partition);
        }
        Ok(())
    }

    fn release(&mut self, partitions: &[i32]) -> Result<(), Failure> {
        for partition in partitions {
            self.owned.remove(partition);
            self.positions.remove(partition);
            self.paused.remove(partition);
        }
        if let Some(group) = self.log.lock().groups.get_mut(&self.group) {
            group.release(self.member, partitions);
        }
        self.log.notify();
        Ok(())
    }

    fn pause(&mut self, partitions: &[i32]) -> Result<(), Failure> {
        self.paused.extend(partitions.iter().copied());
        Ok(())
    }

    fn resume(&mut self, partitions: &[i32]) -> Result<(), Failure> {
        for partition in partitions {
            self.paused.remove(partition);
        }
        Ok(())
    }

    fn membership(&self) -> Result<Membership, Failure> {
        let inner = self.log.lock();
        let membership = inner.groups.get(&self.group).and_then(|group| group.membership(self.member));
        // A member that was thrown out still has its old papers; the coordinator is the one to refuse them.
        Ok(membership.unwrap_or(Membership { member: self.member, generation: 0 }))
    }

    fn lag(&self) -> BTreeMap<i32, i64> {
        let inner = self.log.lock();
        let end = |partition: i32| inner.partition(&self.topic, partition).end_offset();
        self.positions.iter().map(|(partition, position)| (*partition, (end(*partition) - position).max(0))).collect()
    }

    fn close(self) {}
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        if let Some(group) = self.log.lock().groups.get_mut(&self.group) {
            group.remove(self.member);
        }
        self.log.notify();
    }
}
