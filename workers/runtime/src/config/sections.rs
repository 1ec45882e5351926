//! The sections that every worker has, Kafka's own aside.

use std::net::SocketAddr;

use auscult_schemas::topics::MAX_MESSAGE_BYTES;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KafkaConfig, Problems, TracesConfig, Validate};

const MIB: usize = 1024 * 1024;

/// When a batch is closed: at whichever bound is reached first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct BatchConfig {
    /// Bytes of input records in one batch. Unit: bytes. Default: 33554432 (32 MiB).
    pub max_bytes: usize,
    /// Input records in one batch. Default: 256.
    pub max_records: usize,
    /// Age of a batch's first record. Unit: milliseconds. Default: 50.
    pub max_age_ms: u64,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self { max_bytes: 32 * MIB, max_records: 256, max_age_ms: 50 }
    }
}

impl Validate for BatchConfig {
    fn validate(&self, problems: &mut Problems) {
        problems.require(self.max_bytes > 0, "max_bytes", "must be at least 1");
        problems.require(self.max_records > 0, "max_records", "must be at least 1");
        problems.require(
            (1..=60_000).contains(&self.max_age_ms),
            "max_age_ms",
            format!("is {}, must be from 1 to 60000", self.max_age_ms),
        );
    }
}

/// What a worker holds and how long it takes to let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Bytes of records held between consumer and commit; beyond it the partitions are paused.
    /// Unit: bytes. Default: 134217728 (128 MiB).
    pub max_buffer_bytes: usize,
    /// The largest record value that is processed; a larger one goes to the dead letters.
    /// Unit: bytes. Default: 8388608 (8 MiB).
    pub max_chunk_bytes: usize,
    /// How long batches in flight may take to commit when a partition is revoked or the worker is told to stop.
    /// At most half of `kafka.session_timeout_ms`. Unit: milliseconds. Default: 10000.
    pub drain_deadline_ms: u64,
    /// With work to do and nothing done for so long, `/readyz` says no. Unit: milliseconds. Default: 60000.
    pub stall_unready_ms: u64,
    /// With work to do and nothing done for so long, the worker ends with the reason, to be started anew. Must be
    /// longer than any batch takes. Unit: milliseconds. Default: 300000.
    pub stall_exit_ms: u64,
    /// How long a partition waits after the second transaction in a row that was aborted with its records, doubled with
    /// each that follows; the first is done again at once. Unit: milliseconds. Default: 100.
    pub abort_backoff_ms: u64,
    /// The longest such wait. Unit: milliseconds. Default: 30000.
    pub max_abort_backoff_ms: u64,
    /// How far a record's time may be ahead of the time at which it is read. One that is further ahead, or before 2001,
    /// is judged under the time of its arrival. Unit: milliseconds. Default: 3600000 (an hour).
    pub max_time_ahead_ms: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            max_buffer_bytes: 128 * MIB,
            max_chunk_bytes: MAX_MESSAGE_BYTES,
            drain_deadline_ms: 10_000,
            stall_unready_ms: 60_000,
            stall_exit_ms: 300_000,
            abort_backoff_ms: 100,
            max_abort_backoff_ms: 30_000,
            max_time_ahead_ms: 3_600_000,
        }
    }
}

impl Validate for LimitsConfig {
    fn validate(&self, problems: &mut Problems) {
        problems.require(
            (1..=MAX_MESSAGE_BYTES).contains(&self.max_chunk_bytes),
            "max_chunk_bytes",
            format!("is {}, must be from 1 to {MAX_MESSAGE_BYTES}, what topics accept", self.max_chunk_bytes),
        );
        problems.require(self.drain_deadline_ms > 0, "drain_deadline_ms", "must be at least 1");
        problems.require(
            self.stall_unready_ms >= 1_000,
            "stall_unready_ms",
            format!("is {}, must be at least 1000", self.stall_unready_ms),
        );
        problems.require(
            self.stall_exit_ms > self.stall_unready_ms,
            "stall_exit_ms",
            format!("is {}, must be more than stall_unready_ms, {}", self.stall_exit_ms, self.stall_unready_ms),
        );
        problems.require(self.abort_backoff_ms > 0, "abort_backoff_ms", "must be at least 1");
        problems.require(
            (self.abort_backoff_ms..=60_000).contains(&self.max_abort_backoff_ms),
            "max_abort_backoff_ms",
            format!("is {}, must be from abort_backoff_ms to 60000", self.max_abort_backoff_ms),
        );
    }
}

/// The sections that every worker's configuration has. A worker's own [`Validate`] begins with that of these.
#[derive(Debug, Clone, Copy)]
pub struct Sections<'a> {
    /// Kafka.
    pub kafka: &'a KafkaConfig,
    /// Batches.
    pub batch: &'a BatchConfig,
    /// Bounds.
    pub limits: &'a LimitsConfig,
    /// Health and metrics.
    pub http: &'a HttpConfig,
    /// Logs.
    pub log: &'a LogConfig,
    /// Traces.
    pub traces: &'a TracesConfig,
}

impl Validate for Sections<'_> {
    fn validate(&self, problems: &mut Problems) {
        problems.section("kafka", self.kafka);
        problems.section("batch", self.batch);
        problems.section("limits", self.limits);
        problems.section("http", self.http);
        problems.section("log", self.log);
        problems.section("traces", self.traces);
        validate_together(self.kafka, self.batch, self.limits, problems);
    }
}

/// The bounds of different sections must fit each other.
fn validate_together(kafka: &KafkaConfig, batch: &BatchConfig, limits: &LimitsConfig, problems: &mut Problems) {
    let longest_drain_ms = u64::from(kafka.session_timeout_ms / 2);
    problems.require(
        limits.drain_deadline_ms <= longest_drain_ms,
        "limits.drain_deadline_ms",
        format!(
            "is {}, must be at most {longest_drain_ms}, half of kafka.session_timeout_ms, or a partition is lost while it drains",
            limits.drain_deadline_ms
        ),
    );
    let least_buffer_bytes = batch.max_bytes.saturating_add(MAX_MESSAGE_BYTES);
    problems.require(
        limits.max_buffer_bytes >= least_buffer_bytes,
        "limits.max_buffer_bytes",
        format!(
            "is {}, must be at least {least_buffer_bytes}: batch.max_bytes and one more record of {MAX_MESSAGE_BYTES}",
            limits.max_buffer_bytes
        ),
    );
}

/// Where health and metrics are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port of `/livez`, `/readyz`, `/metrics` and, for callers of the same host, `/log-level`; port 0
    /// takes any free one. Default: `0.0.0.0:9464`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([0, 0, 0, 0], 9464)) }
    }
}

impl Validate for HttpConfig {
    fn validate(&self, _problems: &mut Problems) {}
}

/// What is logged, and how it looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct LogConfig {
    /// The least important line that is written; `auscult log-level` changes it while a worker runs. Default: `info`.
    pub level: LogLevel,
    /// Default: `text`.
    pub format: LogFormat,
}

impl Validate for LogConfig {
    fn validate(&self, _problems: &mut Problems) {}
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something is lost or broken.
    Error,
    /// Something is wrong that the worker gets over by itself.
    Warn,
    /// What happens seldom: assignments, restores, replacements.
    #[default]
    Info,
    /// Every batch.
    Debug,
    /// Every record, and librdkafka's own debugging.
    Trace,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}
