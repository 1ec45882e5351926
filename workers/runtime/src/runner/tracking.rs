//! The runner's counters: results are counted when they are committed, not each time they are computed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use crate::compute::Computed;
use crate::core::{Batch, BatchId};
use crate::record::{OutputRecord, Record};
use crate::rejected_record::RejectedRecord;
use crate::telemetry::{Health, Metrics, UnreadyReason, WorkerEvent, stage};
use crate::times::DoubtfulTime;
use crate::traces::{BatchTimes, SpanRecorder, TracedRecord};

struct TrackedBatch {
    records: usize,
    timestamps_ms: Vec<i64>,
    rejections: Vec<RejectedRecord>,
    outputs: BTreeMap<String, u64>,
    partitions: BTreeSet<i32>,
    doubtful_times: Vec<DoubtfulTime>,
    commit_began: Option<Instant>,
    traced: Vec<TracedRecord>,
    times: BatchTimes,
}

pub(super) struct Tracking {
    metrics: Arc<Metrics>,
    spans: Option<SpanRecorder>,
    flights: HashMap<BatchId, TrackedBatch>,
    restoring: i64,
    /// Machines whose implausible times were already logged.
    doubted: HashSet<String>,
}

impl Tracking {
    pub fn new(metrics: Arc<Metrics>, spans: Option<SpanRecorder>) -> Self {
        Self { metrics, spans, flights: HashMap::new(), restoring: 0, doubted: HashSet::new() }
    }

    /// Whether another thread has work.
    pub fn is_busy(&self) -> bool {
        !self.flights.is_empty() || self.restoring > 0
    }

    pub fn fetched(&self, record: &Record, bytes: usize) {
        tracing::trace!(record = %record.coordinates, bytes, "record fetched");
        self.metrics.input_records.inc();
        self.metrics.input_bytes.inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
        if let Some(age) = record.timestamp_ms.and_then(age) {
            self.metrics.observe_stage(stage::FETCH, age);
        }
    }

    pub fn computing(&mut self, batch: &Batch<Record>) {
        let bytes: usize = batch.records.iter().map(Record::bytes).sum();
        self.metrics.batch_records.observe(batch.records.len() as f64);
        self.metrics.batch_bytes.observe(bytes as f64);
        let timestamps_ms = batch.records.iter().filter_map(|record| record.timestamp_ms).collect();
        let now = SystemTime::now();
        let flight = TrackedBatch {
            records: batch.records.len(),
            timestamps_ms,
            rejections: Vec::new(),
            outputs: BTreeMap::new(),
            partitions: batch.records.iter().map(|record| record.coordinates.partition).collect(),
            doubtful_times: Vec::new(),
            commit_began: None,
            traced: self.spans.as_ref().map(|spans| spans.trace(&batch.records)).unwrap_or_default(),
            times: BatchTimes { started: now, computed: now, committing: now, committed: now },
        };
        self.flights.insert(batch.id, flight);
    }

    pub fn computed(&mut self, batch: BatchId, computed: &Computed) {
        if let Some(flight) = self.flights.get_mut(&batch) {
            flight.rejections.clone_from(&computed.rejections);
            flight.doubtful_times.clone_from(&computed.doubtful_times);
            flight.times.computed = SystemTime::now();
            for refused in &computed.rejections {
                let is_it = |traced: &&mut TracedRecord| traced.is_at(refused.record.partition, refused.record.offset);
                if let Some(traced) = flight.traced.iter_mut().find(is_it) {
                    traced.rejected = Some(refused.code);
                }
            }
        }
    }

    pub fn committing(&mut self, batch: BatchId, outputs: &[OutputRecord]) {
        let Some(flight) = self.flights.get_mut(&batch) else { return };
        flight.commit_began = Some(Instant::now());
        flight.times.committing = SystemTime::now();
        for output in outputs {
            match flight.outputs.get_mut(&output.topic) {
                Some(count) => *count += 1,
                None => {
                    flight.outputs.insert(output.topic.clone(), 1);
                }
            }
        }
    }

    pub fn committed(&mut self, batch: BatchId) {
        let Some(flight) = self.flights.remove(&batch) else { return };
        WorkerEvent::Committed { batch, records: flight.records, outputs: &flight.outputs }.report(&self.metrics);
        if let Some(began) = flight.commit_began {
            self.metrics.observe_stage(stage::COMMIT, began.elapsed());
        }
        for refused in &flight.rejections {
            WorkerEvent::DeadLetter(refused).report(&self.metrics);
        }
        for doubtful in &flight.doubtful_times {
            // A gateway that writes such times writes nothing else: said once of each machine.
            const MACHINES: usize = 1_000;
            let is_first = self.doubted.len() < MACHINES && self.doubted.insert(doubtful.machine.clone());
            WorkerEvent::DoubtfulTime { doubtful, is_first }.report(&self.metrics);
        }
        if let Some(spans) = &self.spans {
            spans.record(&flight.traced, BatchTimes { committed: SystemTime::now(), ..flight.times });
        }
        for age in flight.timestamps_ms.into_iter().filter_map(age) {
            self.metrics.observe_stage(stage::END_TO_END, age);
        }
    }

    /// The partitions of the batch's records. Empty for a commit that only moves a position.
    pub fn partitions(&self, batch: BatchId) -> BTreeSet<i32> {
        self.flights.get(&batch).map(|flight| flight.partitions.clone()).unwrap_or_default()
    }

    /// Drops the batch's results: the commit failed, or another worker owns the partition.
    pub fn dropped(&mut self, batch: BatchId) {
        self.flights.remove(&batch);
    }

    /// The clients are gone; results still in the compute thread are dropped when they return.
    pub fn reset(&mut self) {
        self.flights.clear();
    }

    pub fn set_restoring(&mut self, restoring: i64, health: &Health) {
        if restoring == self.restoring {
            return;
        }
        self.restoring = restoring;
        if restoring == 0 {
            health.clear(UnreadyReason::Restoring);
        } else {
            health.unready(UnreadyReason::Restoring, format!("{restoring} partitions"));
        }
    }
}

/// Age of a record's timestamp; `None` if its clock is ahead of ours.
fn age(timestamp_ms: i64) -> Option<Duration> {
    let elapsed = Timestamp::now().as_millisecond() - timestamp_ms;
    u64::try_from(elapsed).ok().map(Duration::from_millis)
}
