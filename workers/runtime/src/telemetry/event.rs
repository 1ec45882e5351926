//! Events of a worker. The log line and the counter come from the same event, so that they are consistent.

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_schemas::RecordCoordinates;

use super::{Metrics, RebalanceKind};
use crate::ports::{Failure, Restored};
use crate::rejected_record::RejectedRecord;
use crate::times::DoubtfulTime;

/// An event.
#[derive(Debug, Clone, Copy)]
pub enum WorkerEvent<'a> {
    /// Partitions came.
    Assigned(&'a [i32]),
    /// Partitions were asked back.
    Revoked(&'a [i32]),
    /// Partitions were gone already.
    Lost(&'a [i32]),
    /// A partition's position and state were read back.
    Restored {
        /// Which.
        partition: i32,
        /// What was read.
        restored: &'a Restored,
        /// How long it took.
        took: Duration,
    },
    /// A partition's state could not be read back.
    RestoreFailed {
        /// Which.
        partition: i32,
        /// Why.
        failure: &'a Failure,
    },
    /// A batch was committed, with all its results.
    Committed {
        /// The batch's number.
        batch: u64,
        /// Its records.
        records: usize,
        /// How many records were committed, by topic.
        outputs: &'a BTreeMap<String, u64>,
    },
    /// A transaction was aborted, and its batch is done again.
    CommitFailed {
        /// The batch's number.
        batch: u64,
        /// Why.
        failure: &'a Failure,
    },
    /// A record became a dead letter, in a transaction that is committed.
    DeadLetter(&'a RejectedRecord),
    /// A record was judged under the time of its arrival, because its own cannot be.
    DoubtfulTime {
        /// What is wrong with it.
        doubtful: &'a DoubtfulTime,
        /// Whether it is the first of its machine. The others are only counted.
        is_first: bool,
    },
    /// The Kafka clients are replaced by new ones.
    ClientsReplaced {
        /// Why.
        reason: &'a str,
    },
    /// A batch of spans was rejected, or got no answer.
    SpansLost {
        /// Why.
        reason: &'a str,
    },
}

impl WorkerEvent<'_> {
    /// Counts and logs the event.
    pub fn report(&self, metrics: &Metrics) {
        self.count(metrics);
        self.log();
    }

    fn count(&self, metrics: &Metrics) {
        match self {
            Self::Assigned(_) => metrics.add_rebalance(RebalanceKind::Assigned),
            Self::Revoked(_) => metrics.add_rebalance(RebalanceKind::Revoked),
            Self::Lost(_) => metrics.add_rebalance(RebalanceKind::Lost),
            Self::Restored { restored, took, .. } => {
                metrics.restore_seconds.observe(took.as_secs_f64());
                metrics.expired_offsets.inc_by(restored.expired_offsets);
                metrics.restore_bytes.inc_by(restored.bytes_read);
                metrics.restored_keys.inc_by(u64::try_from(restored.entries.len()).unwrap_or(u64::MAX));
            }
            // Followed by new clients, which are counted.
            Self::RestoreFailed { .. } => {}
            Self::Committed { outputs, .. } => {
                metrics.commits.inc();
                for (topic, records) in *outputs {
                    metrics.add_outputs(topic, *records);
                }
            }
            Self::CommitFailed { .. } => metrics.aborts.inc(),
            Self::DeadLetter(refused) => metrics.add_dead_letter(refused.code),
            Self::DoubtfulTime { doubtful, .. } => metrics.add_doubtful_time(doubtful.doubt),
            Self::ClientsReplaced { .. } => metrics.client_replacements.inc(),
            Self::SpansLost { .. } => metrics.add_trace_export("failed"),
        }
    }

    fn log(&self) {
        match self {
            Self::Assigned(partitions) => tracing::info!(?partitions, "partitions assigned"),
            Self::Revoked(partitions) => tracing::info!(?partitions, "partitions revoked"),
            Self::Lost(partitions) => {
                tracing::warn!(?partitions, "partitions lost: this worker was taken for dead");
            }
            Self::Restored { partition, restored, took } => tracing::info!(
                partition,
                position = restored.position,
                keys = restored.entries.len(),
                bytes = restored.bytes_read,
                expired = restored.expired_offsets,
                ?took,
                "partition restored"
            ),
            Self::RestoreFailed { partition, failure } => {
                tracing::warn!(partition, %failure, "partition could not be restored");
            }
            Self::Committed { batch, records, outputs } => tracing::debug!(batch, records, ?outputs, "batch committed"),
            Self::CommitFailed { batch, failure } => {
                tracing::warn!(batch, %failure, "commit failed; the batch is done again from the committed offsets");
            }
            Self::DeadLetter(refused) => {
                let RejectedRecord {
                    record: RecordCoordinates { topic, partition, offset },
                    machine,
                    code,
                    detail,
                    trace_id,
                } = refused;
                let code = code.as_str();
                tracing::warn!(code, machine, topic, partition, offset, trace_id, detail, "a record is a dead letter");
            }
            Self::DoubtfulTime { is_first: false, .. } => {}
            Self::DoubtfulTime { doubtful: DoubtfulTime { doubt, machine, told, record }, .. } => tracing::warn!(
                machine,
                doubt = doubt.as_str(),
                told,
                record,
                "a record's time cannot be, and it is judged under the time of its arrival; set the gateway's clock, and write times in milliseconds \
                 (ce_time: RFC 3339). Further ones of this machine are counted in auscult_doubtful_times_total"
            ),
            Self::ClientsReplaced { reason } => tracing::error!(reason, "replacing the kafka clients"),
            Self::SpansLost { reason } => tracing::warn!(reason, "spans did not reach the collector"),
        }
    }
}
