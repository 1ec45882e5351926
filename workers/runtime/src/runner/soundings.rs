//! Which ends of partitions have been looked at, so that an idle partition is asked for once and not each second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long after the same look the next one is due, where that found nothing: records may have been on their way.
const AGAIN: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Soundings(BTreeMap<i32, Sounding>);

#[derive(Debug)]
struct Sounding {
    from: i64,
    at: Instant,
    is_under_way: bool,
}

impl Soundings {
    /// Whether the partition is to be looked at, and notes that it is. One that has delivered nothing since the last look has been looked at.
    pub fn is_due(&mut self, partition: i32, from: i64) -> bool {
        let now = Instant::now();
        let known = self.0.get(&partition);
        let is_due = known.is_none_or(|known| known.from != from || (!known.is_under_way && now - known.at >= AGAIN));
        if is_due {
            self.0.insert(partition, Sounding { from, at: now, is_under_way: true });
        }
        is_due
    }

    /// The look is over. Where it found an end whose commit fails, the next is due at once.
    pub fn sounded(&mut self, partition: i32, from: i64, found: bool) {
        if let Some(known) = self.0.get_mut(&partition).filter(|known| known.from == from) {
            known.is_under_way = false;
            if found {
                self.0.remove(&partition);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_partition_is_looked_at_once_and_again_when_it_has_gone_on() {
        let mut soundings = Soundings::default();
        assert!(soundings.is_due(0, 7));
        assert!(!soundings.is_due(0, 7));
        assert!(soundings.is_due(1, 7));
        soundings.sounded(0, 7, false);
        assert!(!soundings.is_due(0, 7));
        assert!(soundings.is_due(0, 9));
        soundings.sounded(0, 9, true);
        assert!(soundings.is_due(0, 9), "the commit may have failed");
    }
}
