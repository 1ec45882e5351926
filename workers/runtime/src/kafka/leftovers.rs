//! What Kafka may have left open of an earlier transaction with this worker's id.
//!
//! Of a partition that has no leader at the moment, a transaction coordinator skips the marker, as though the partition had been deleted, and
//! records the transaction as ended (Kafka 4.3.1, `TransactionMarkerChannelManager`: "these partitions are likely deleted already and hence can be
//! skipped"). That happens where the only broker is fenced by its controller while it comes back under load. What the transaction wrote there
//! stays open, and the *next* commit of the same id commits it along: results are doubled. Offsets that stay open are never told again:
//! nothing is restored. Nobody but the id itself can mend it, by a marker under a higher epoch:
//!
//! ```text
//!  skipped:   ── records of the lost transaction ──────────────────────────────── records ── COMMIT     both are there
//!  rehearsed: ── records of the lost transaction ── records ── ABORT ── records ── COMMIT               one is there
//! ```
//!
//! So the first batch that a new producer writes to a partition is rehearsed: sent, and aborted. Then it is sent for good.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::OutputRecord;

/// Where a producer has made sure that nothing is left open: partitions by topic.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    closed: BTreeMap<String, BTreeSet<i32>>,
}

impl Leftovers {
    /// Whether something may be open in a partition that these go to.
    pub fn are_possible_in(&self, outputs: &[OutputRecord]) -> bool {
        let is_closed = |output: &OutputRecord| {
            self.closed.get(&output.topic).is_some_and(|partitions| partitions.contains(&output.partition))
        };
        !outputs.iter().all(is_closed)
    }

    /// A transaction with these has been aborted.
    pub fn close(&mut self, outputs: &[OutputRecord]) {
        for output in outputs {
            self.closed.entry(output.topic.clone()).or_default().insert(output.partition);
        }
    }
}
