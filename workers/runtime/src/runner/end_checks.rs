//! Remembers which partition ends were checked, so that an idle partition is checked once and not every second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::core::Epoch;

/// Interval before the same check is repeated, if it found nothing: records may have been in flight.
const AGAIN: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct EndChecks {
    ends: BTreeMap<i32, EndCheck>,
    /// Positions that were moved because the records before them were deleted, and are not committed.
    skipped: BTreeMap<i32, (Epoch, i64)>,
    /// When the ends were last checked.
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
    /// The partition starts at this position, because the group's offset no longer exists.
    pub fn note_skipped(&mut self, partition: i32, epoch: Epoch, position: i64) {
        self.skipped.insert(partition, (epoch, position));
    }

    /// Whether this position was noted as skipped and must be committed now. A later position is committed with the
    /// records that moved it.
    pub fn take_skipped(&mut self, partition: i32, epoch: Epoch, position: i64) -> bool {
        self.skipped.remove(&partition).is_some_and(|skipped| skipped == (epoch, position))
    }

    /// Whether the partition must be checked; notes the check. A partition without new records since the last check
    /// needs none.
    pub fn is_due(&mut self, partition: i32, from: i64) -> bool {
        let now = Instant::now();
        let known = self.ends.get(&partition);
        let is_due = known.is_none_or(|known| known.from != from || (!known.is_under_way && now - known.at >= AGAIN));
        if is_due {
            self.ends.insert(partition, EndCheck { from, at: now, is_under_way: true });
        }
        is_due
    }

    /// The check is done. If it found an end whose commit fails, the next check is due immediately.
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
