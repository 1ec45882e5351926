//! Which ends of partitions have been looked at, so that an idle partition is asked for once and not each second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::core::Epoch;

/// How long after the same look the next one is due, where that found nothing: records may have been on their way.
const AGAIN: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct EndChecks {
    ends: BTreeMap<i32, EndCheck>,
    /// Positions that were moved because what lay before them is gone, and are not committed.
    skipped: BTreeMap<i32, (Epoch, i64)>,
    /// When the ends were last looked at.
    pub checked_at: Instant,
}

impl Default for EndChecks {
    fn default() -> Self {
        Self { ends: BTreeMap::new(), skipped: BTreeMap::new(), checked_at: Instant::now() }
    }
}

#[derive(Debug)]
struct EndCheck {
    from: i64,
    at: Instant,
    is_under_way: bool,
}

impl EndChecks {
    /// The partition begins there, and what the group's offset pointed to is gone.
    pub fn note_skipped(&mut self, partition: i32, epoch: Epoch, position: i64) {
        self.skipped.insert(partition, (epoch, position));
    }

    /// Whether this position is one of those, and is to be committed now. One that has moved on meanwhile is committed
    /// with what moved it.
    pub fn take_skipped(&mut self, partition: i32, epoch: Epoch, position: i64) -> bool {
        self.skipped.remove(&partition).is_some_and(|skipped| skipped == (epoch, position))
    }

    /// Whether the partition is to be looked at, and notes that it is. One that has delivered nothing since the last
    /// look has been looked at.
    pub fn is_due(&mut self, partition: i32, from: i64) -> bool {
        let now = Instant::now();
        let known = self.ends.get(&partition);
        let is_due = known.is_none_or(|known| known.from != from || (!known.is_under_way && now - known.at >= AGAIN));
        if is_due {
            self.ends.insert(partition, EndCheck { from, at: now, is_under_way: true });
        }
        is_due
    }

    /// The look is over. Where it found an end whose commit fails, the next is due at once.
    pub fn checked(&mut self, partition: i32, from: i64, found: bool) {
        if let Some(known) = self.ends.get_mut(&partition).filter(|known| known.from == from) {
            known.is_under_way = false;
            if found {
                self.ends.remove(&partition);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_behind_what_is_gone_is_committed_once_and_not_where_it_has_moved_on() {
        let mut end_checks = EndChecks::default();
        end_checks.note_skipped(0, Epoch(3), 50);
        assert!(end_checks.take_skipped(0, Epoch(3), 50));
        assert!(!end_checks.take_skipped(0, Epoch(3), 50));
        end_checks.note_skipped(0, Epoch(3), 50);
        assert!(!end_checks.take_skipped(0, Epoch(3), 51));
    }

    #[test]
    fn an_idle_partition_is_looked_at_once_and_again_when_it_has_gone_on() {
        let mut end_checks = EndChecks::default();
        assert!(end_checks.is_due(0, 7));
        assert!(!end_checks.is_due(0, 7));
        assert!(end_checks.is_due(1, 7));
        end_checks.checked(0, 7, false);
        assert!(!end_checks.is_due(0, 7));
        assert!(end_checks.is_due(0, 9));
        end_checks.checked(0, 9, true);
        assert!(end_checks.is_due(0, 9), "the commit may have failed");
    }
}
