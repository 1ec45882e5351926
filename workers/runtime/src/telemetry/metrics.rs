//! The worker's metrics, all in one registry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use auscult_schemas::DeadLetterCode;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use super::process::ProcessMetrics;
use super::{Health, Registrar, TelemetryError};
use crate::times::TimeDoubt;

/// Names of the stages that the runner itself measures; a processor adds its own (`decode`, `forward`, …).
pub mod stage {
    /// From the record's timestamp to its arrival.
    pub const FETCH: &str = "fetch";
    /// One batch through the processor.
    pub const PROCESS: &str = "process";
    /// One batch from begin to commit.
    pub const COMMIT: &str = "commit";
    /// From the record's timestamp to the commit of its results.
    pub const END_TO_END: &str = "end_to_end";
}

/// The kind of an assignment change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebalanceKind {
    /// Partitions came.
    Assigned,
    /// Partitions were asked back.
    Revoked,
    /// Partitions were gone already.
    Lost,
}

impl RebalanceKind {
    const ALL: [Self; 3] = [Self::Assigned, Self::Revoked, Self::Lost];

    /// The kind's name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Revoked => "revoked",
            Self::Lost => "lost",
        }
    }
}

/// One worker's metrics. Every series with a known label exists at zero from the start.
#[derive(Debug)]
pub struct Metrics {
    registrar: Registrar,
    /// Input records consumed.
    pub input_records: IntCounter,
    /// Bytes of input records consumed.
    pub input_bytes: IntCounter,
    /// Records in a batch.
    pub batch_records: Histogram,
    /// Bytes of input in a batch.
    pub batch_bytes: Histogram,
    /// Transactions (or batches, under `at_least_once`) committed.
    pub commits: IntCounter,
    /// Transactions aborted, and their batches done again.
    pub aborts: IntCounter,
    /// Times that the Kafka clients were replaced by new ones.
    pub client_replacements: IntCounter,
    /// Partitions that are this worker's now.
    pub assigned_partitions: IntGauge,
    /// How long it took to read a partition's position and state.
    pub restore_seconds: Histogram,
    /// Bytes of changelog read.
    pub restore_bytes: IntCounter,
    /// Machines whose state was restored.
    pub restored_keys: IntCounter,
    /// Input offsets deleted by retention before they were read.
    pub expired_offsets: IntCounter,
    /// Bytes held between consumer and commit.
    pub buffered_bytes: IntGauge,
    /// 1 while intake is paused because too much is held.
    pub paused: IntGauge,
    /// How long the worker has stood still with work to do.
    pub stalled_seconds: Gauge,
    /// 1 if `/readyz` reports ready.
    pub ready: IntGauge,
    output_records: IntCounterVec,
    dead_letters: IntCounterVec,
    rebalances: IntCounterVec,
    stage_seconds: HistogramVec,
    lag_records: IntGaugeVec,
    trace_exports: IntCounterVec,
    doubtful_times: IntCounterVec,
    /// The series of `lag_records` that exist.
    lagging: Mutex<BTreeSet<(String, i32)>>,
    process: ProcessMetrics,
}

/// From 0.5 ms to 60 s, each bound about twice the one before: a stage's and a chunk's whole way both lie within.
const SECONDS: [f64; 17] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];
const RECORDS: [f64; 12] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0];

impl Metrics {
    /// Metrics of a worker, in their own registry; `worker` is the `worker` label of all of them.
    ///
    /// # Errors
    /// [`TelemetryError::Metrics`] if a name is already registered, which is impossible in a new registry.
    pub fn new(worker: &str) -> Result<Self, TelemetryError> {
        let labels = std::collections::HashMap::from([("worker".to_owned(), worker.to_owned())]);
        let make = Registrar::new(Registry::new_custom(None, Some(labels))?);
        let bytes = prometheus::exponential_buckets(64.0 * 1024.0, 2.0, 11)?;
        let metrics = Self {
            input_records: make.counter("auscult_input_records_total", "input records consumed")?,
            input_bytes: make.counter("auscult_input_bytes_total", "bytes of input records consumed")?,
            batch_records: make.histogram("auscult_batch_records", "records in a batch", RECORDS.to_vec())?,
            batch_bytes: make.histogram("auscult_batch_bytes", "bytes of input in a batch", bytes)?,
            commits: make.counter("auscult_commits_total", "transactions committed")?,
            aborts: make.counter("auscult_aborts_total", "transactions aborted, their batches done again")?,
            client_replacements: make
                .counter("auscult_client_replacements_total", "times the Kafka clients were replaced")?,
            assigned_partitions: make.gauge("auscult_assigned_partitions", "partitions that are this worker's now")?,
            restore_seconds: make.histogram(
                "auscult_restore_seconds",
                "time to read a partition's position and state",
                SECONDS.to_vec(),
            )?,
            restore_bytes: make.counter("auscult_restore_bytes_total", "bytes of changelog read")?,
            restored_keys: make.counter("auscult_restored_keys_total", "machines whose state was read back")?,
            expired_offsets: make
                .counter("auscult_expired_offsets_total", "input offsets deleted by retention before they were read")?,
            buffered_bytes: make.gauge("auscult_buffered_bytes", "bytes held between consumer and commit")?,
            paused: make.gauge("auscult_paused", "1 while intake is paused because too much is held")?,
            stalled_seconds: make.register(Gauge::new(
                "auscult_stalled_seconds",
                "how long the worker has stood still with work to do",
            )?)?,
            ready: make.gauge("auscult_ready", "1 when the worker is ready")?,
            output_records: make.counters(
                "auscult_output_records_total",
                "records committed to an output topic",
                &["topic"],
            )?,
            dead_letters: make.counters(
                "auscult_dead_letters_total",
                "records that could not be processed",
                &["reason"],
            )?,
            rebalances: make.counters("auscult_rebalances_total", "changes of the assignment", &["kind"])?,
            stage_seconds: {
                let options =
                    HistogramOpts::new("auscult_stage_seconds", "time spent in a stage").buckets(SECONDS.to_vec());
                make.register(HistogramVec::new(options, &["stage"])?)?
            },
            lag_records: {
                let help = "records not yet consumed of a partition";
                make.gauges("auscult_consumer_lag_records", help, &["topic", "partition"])?
            },
            trace_exports: make.counters(
                "auscult_trace_exports_total",
                "batches of spans sent to the collector, by what came of them",
                &["outcome"],
            )?,
            doubtful_times: make.counters(
                "auscult_doubtful_times_total",
                "records judged under the time of their arrival because their own cannot be",
                &["doubt"],
            )?,
            lagging: Mutex::new(BTreeSet::new()),
            process: ProcessMetrics::register(&make)?,
            registrar: make.clone(),
        };
        let options = Opts::new("auscult_build_info", "the worker's version; always 1")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        make.register(IntGauge::with_opts(options)?)?.set(1);

        for code in DeadLetterCode::ALL {
            metrics.dead_letters.with_label_values(&[code.as_str()]);
        }
        for kind in RebalanceKind::ALL {
            metrics.rebalances.with_label_values(&[kind.as_str()]);
        }
        for doubt in TimeDoubt::ALL {
            metrics.doubtful_times.with_label_values(&[doubt.as_str()]);
        }
        for outcome in ["taken", "failed"] {
            metrics.trace_exports.with_label_values(&[outcome]);
        }
        for name in [stage::FETCH, stage::PROCESS, stage::COMMIT, stage::END_TO_END] {
            metrics.stage_seconds.with_label_values(&[name]);
        }
        Ok(metrics)
    }

    /// The registrar for a processor's own metrics.
    #[must_use]
    pub fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    /// Counts an export of spans to the collector: `taken`, or `failed`.
    pub fn add_trace_export(&self, outcome: &'static str) {
        self.trace_exports.with_label_values(&[outcome]).inc();
    }

    /// Counts a record with an implausible time.
    pub fn add_doubtful_time(&self, doubt: TimeDoubt) {
        self.doubtful_times.with_label_values(&[doubt.as_str()]).inc();
    }

    /// Counts records committed to an output topic.
    pub fn add_outputs(&self, topic: &str, records: u64) {
        self.output_records.with_label_values(&[topic]).inc_by(records);
    }

    /// Counts a dead letter.
    pub fn add_dead_letter(&self, code: DeadLetterCode) {
        self.dead_letters.with_label_values(&[code.as_str()]).inc();
    }

    /// Counts a change of the assignment.
    pub fn add_rebalance(&self, kind: RebalanceKind) {
        self.rebalances.with_label_values(&[kind.as_str()]).inc();
    }

    /// Observes the time spent in a stage, one of [`stage`] or a processor's own.
    pub fn observe_stage(&self, stage: &'static str, time: Duration) {
        self.stage_seconds.with_label_values(&[stage]).observe(time.as_secs_f64());
    }

    /// The stage's histogram, for frequent observations.
    #[must_use]
    pub fn stage(&self, stage: &'static str) -> Histogram {
        self.stage_seconds.with_label_values(&[stage])
    }

    /// Sets the topic's lag by partition: missing partitions are removed.
    pub fn set_lag(&self, topic: &str, lag: &BTreeMap<i32, i64>) {
        let mut lagging = self.lagging.lock().unwrap_or_else(PoisonError::into_inner);
        lagging.retain(|(known_topic, partition)| {
            let stays = known_topic != topic || lag.contains_key(partition);
            if !stays {
                // The series exists, since it is in the set.
                let _ = self.lag_records.remove_label_values(&[topic, &partition.to_string()]);
            }
            stays
        });
        for (partition, records) in lag {
            self.lag_records.with_label_values(&[topic, &partition.to_string()]).set(*records);
            lagging.insert((topic.to_owned(), *partition));
        }
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// [`TelemetryError::Metrics`] if a processor's own metric is empty.
    pub fn encode(&self, health: &Health) -> Result<String, TelemetryError> {
        self.ready.set(i64::from(health.is_ready()));
        self.process.refresh();
        Ok(TextEncoder::new().encode_to_string(&self.registrar.registry().gather())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metrics: &Metrics) -> String {
        metrics.encode(&Health::default()).unwrap()
    }

    #[test]
    fn every_dead_letter_reason_is_there_at_zero() {
        let text = text(&Metrics::new("w").unwrap());
        for code in DeadLetterCode::ALL {
            let line = format!("auscult_dead_letters_total{{reason=\"{}\",worker=\"w\"}} 0\n", code.as_str());
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn lag_of_a_revoked_partition_disappears() {
        let metrics = Metrics::new("w").unwrap();
        metrics.set_lag("t", &BTreeMap::from([(0, 5), (1, 6)]));
        metrics.set_lag("u", &BTreeMap::from([(0, 9)]));
        metrics.set_lag("t", &BTreeMap::from([(1, 4)]));
        let text = text(&metrics);
        let lags: Vec<&str> = text.lines().filter(|line| line.starts_with("auscult_consumer_lag_records{")).collect();
        assert_eq!(
            lags,
            [
                "auscult_consumer_lag_records{partition=\"0\",topic=\"u\",worker=\"w\"} 9",
                "auscult_consumer_lag_records{partition=\"1\",topic=\"t\",worker=\"w\"} 4"
            ]
        );
    }

    #[test]
    fn a_processor_can_register_its_own_metric_but_not_take_a_name() {
        let metrics = Metrics::new("w").unwrap();
        let own = IntCounter::new("auscult_anomalies_total", "anomalies").unwrap();
        metrics.registrar().register(own).unwrap();
        let taken = IntCounter::new("auscult_commits_total", "mine").unwrap();
        assert!(metrics.registrar().register(taken).is_err());
        assert!(text(&metrics).contains("auscult_anomalies_total{worker=\"w\"} 0"));
    }

    #[test]
    fn every_name_is_of_the_house_and_every_counter_ends_in_total() {
        for family in Metrics::new("w").unwrap().registrar.registry().gather() {
            let name = family.name();
            assert!(name.starts_with("auscult_") || name.starts_with("process_"), "{name}");
            let is_counter = family.get_field_type() == prometheus::proto::MetricType::COUNTER;
            assert_eq!(is_counter, name.ends_with("_total"), "{name}");
        }
    }
}
