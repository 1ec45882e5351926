//! A consumer group: members, assignment, committed offsets.
//!
//! Partitions move in two steps, as in cooperative rebalancing: the owner is asked to release a partition, and only
//! then is it assigned to another member.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::TransactionNumber;

/// A member from joining to leaving; a member that joins again gets a new id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u64);

/// Proof of membership: the member, and the generation of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    pub(crate) member: MemberId,
    pub(crate) generation: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
}

#[derive(Debug, Default)]
struct Member {
    owned: BTreeSet<i32>,
    asked_back: BTreeSet<i32>,
    notices: VecDeque<Notice>,
}

#[derive(Debug, Default)]
pub(crate) struct Group {
    generation: u64,
    partitions: i32,
    members: BTreeMap<MemberId, Member>,
    committed: BTreeMap<i32, i64>,
    pending: Vec<(TransactionNumber, i32, i64)>,
}

impl Group {
    pub fn join(&mut self, member: MemberId, partitions: i32) {
        self.partitions = partitions;
        self.members.insert(member, Member::default());
        self.generation += 1;
        self.rebalance();
    }

    pub fn remove(&mut self, member: MemberId) {
        if self.members.remove(&member).is_some() {
            self.generation += 1;
            self.rebalance();
        }
    }

    pub fn contains(&self, member: MemberId) -> bool {
        self.members.contains_key(&member)
    }

    pub fn next_notice(&mut self, member: MemberId) -> Option<Notice> {
        self.members.get_mut(&member)?.notices.pop_front()
    }

    pub fn release(&mut self, member: MemberId, partitions: &[i32]) {
        if let Some(member) = self.members.get_mut(&member) {
            for partition in partitions {
                member.owned.remove(partition);
                member.asked_back.remove(partition);
            }
        }
        self.rebalance();
    }

    pub fn membership(&self, member: MemberId) -> Option<Membership> {
        self.contains(member).then_some(Membership { member, generation: self.generation })
    }

    /// Checks a transactional offset commit like the broker: the member and its generation, not its partitions.
    pub fn is_valid(&self, membership: Membership) -> bool {
        self.contains(membership.member) && membership.generation == self.generation
    }

    pub fn committed(&self, partition: i32) -> Option<i64> {
        self.committed.get(&partition).copied()
    }

    /// Whether no open transaction holds an offset of the partition.
    pub fn is_stable(&self, partition: i32) -> bool {
        self.pending.iter().all(|(_, pending, _)| *pending != partition)
    }

    pub fn hold_offsets(&mut self, transaction: TransactionNumber, offsets: &BTreeMap<i32, i64>) {
        self.pending.extend(offsets.iter().map(|(partition, offset)| (transaction, *partition, *offset)));
    }

    pub fn end_transaction(&mut self, transaction: TransactionNumber, is_committed: bool) {
        let pending = std::mem::take(&mut self.pending);
        for (holder, partition, offset) in pending {
            if holder != transaction {
                self.pending.push((holder, partition, offset));
            } else if is_committed {
                self.committed.insert(partition, offset);
            }
        }
    }

    fn rebalance(&mut self) {
        let ids: Vec<MemberId> = self.members.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        let owned: BTreeSet<i32> = self.members.values().flat_map(|member| member.owned.iter().copied()).collect();
        for (index, id) in ids.iter().enumerate() {
            let member = self.members.get_mut(id).expect("listed just above");
            let deserves = |partition: &i32| usize::try_from(*partition).unwrap_or(0) % ids.len() == index;
            let unasked = |partition: &i32| !deserves(partition) && !member.asked_back.contains(partition);
            let to_give: Vec<i32> = member.owned.iter().copied().filter(unasked).collect();
            if !to_give.is_empty() {
                member.asked_back.extend(to_give.iter().copied());
                member.notices.push_back(Notice::Revoked(to_give));
            }
            let free: Vec<i32> =
                (0..self.partitions).filter(|partition| deserves(partition) && !owned.contains(partition)).collect();
            if !free.is_empty() {
                member.owned.extend(free.iter().copied());
                member.notices.push_back(Notice::Assigned(free));
            }
        }
    }
}
