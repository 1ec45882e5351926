//! The complete pipeline in this process: both workers, each with its own runner, on the in-memory log.
//!
//! ```text
//!  send ──► audio.chunks ──► feature worker ──► audio.features ──► scoring worker ──► audio.scores … ──► ResultReader
//! ```
//!
//! Runner, processors and transactions are the same as on Kafka; only the log differs.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use auscult_detection::{OpenedDevice, WatchPolicy};
use auscult_feature_worker::{FeatureProcessor, FeatureStage};
use auscult_runtime::config::{BatchConfig, LimitsConfig};
use auscult_runtime::memory_log::{MemoryLog, MemoryWorker};
use auscult_runtime::processor::Processor;
use auscult_runtime::record::{OutputRecord, Record};
use auscult_runtime::runner::{self, RunnerError, StopSignal};
use auscult_runtime::telemetry::{Health, Metrics};
use auscult_schemas::topics::{self, ALERTS, CHUNKS, DEAD_LETTERS, DRIFT, SCORES};
use auscult_schemas::{ChunkId, Envelope, FeatureSpec, MachineId};
use auscult_scoring_worker::{MetricsConfig, ModelLibrary, ScoringMetrics, ScoringProcessor, ScoringStage};
use bytes::Bytes;
use jiff::Timestamp;

use crate::kafka::runner_config;
use crate::kinds::{FEATURE_WORKER, SCORING_WORKER, WorkerKind};

/// Settings of a pipeline.
#[derive(Debug, Clone)]
pub struct PipelineConfig {
    /// The feature spec.
    pub spec: FeatureSpec,
    /// Partitions of every topic.
    pub partitions: i32,
    /// Rules for states and drift.
    pub watch: WatchPolicy,
    /// Maximum age of a batch before it closes.
    pub max_batch_age: Duration,
}

/// One chunk to be sent.
#[derive(Debug, Clone)]
pub struct SentChunk {
    /// Its id.
    pub id: ChunkId,
    /// The machine.
    pub machine: MachineId,
    /// `audio/wav` and the like.
    pub content_type: String,
    /// When it was recorded.
    pub time: Timestamp,
    /// The sound.
    pub sound: Bytes,
}

struct RunningWorker {
    kind: WorkerKind,
    stop: StopSignal,
    thread: JoinHandle<Result<(), RunnerError>>,
}

/// Both workers, running.
pub struct Pipeline {
    log: MemoryLog,
    partitions: i32,
    workers: Vec<RunningWorker>,
    /// Metrics of each worker, feature worker first.
    pub metrics: [Arc<Metrics>; 2],
}

impl Pipeline {
    /// Starts both workers.
    ///
    /// # Errors
    /// If a model cannot be loaded or a thread cannot be started.
    pub fn start(library: ModelLibrary, device: OpenedDevice, config: &PipelineConfig) -> anyhow::Result<Self> {
        let log = MemoryLog::new();
        for topic in topics::ALL {
            log.create_topic(topic.name, config.partitions);
        }
        let metrics = [Arc::new(Metrics::new("features-0")?), Arc::new(Metrics::new("scoring-0")?)];
        let features = FeatureStage::new(&config.spec, 0, Arc::clone(&metrics[0]))?;
        let scoring_metrics =
            ScoringMetrics::register(metrics[1].registrar(), MetricsConfig::default().machine_series_up_to)?;
        let scoring = ScoringStage::start(library, device, config.watch, Arc::clone(&metrics[1]), scoring_metrics)?;
        let mut pipeline = Self { log, partitions: config.partitions, workers: Vec::new(), metrics };
        let age = config.max_batch_age;
        pipeline.spawn(FEATURE_WORKER, FeatureProcessor::new(features), age, 0)?;
        pipeline.spawn(SCORING_WORKER, ScoringProcessor::new(scoring), age, 1)?;
        Ok(pipeline)
    }

    fn spawn(
        &mut self,
        kind: WorkerKind,
        processor: impl Processor,
        max_batch_age: Duration,
        number: usize,
    ) -> anyhow::Result<()> {
        let mut config = runner_config(kind, kind.name, &BatchConfig::default(), &LimitsConfig::default());
        config.core.max_batch_age = max_batch_age;
        let clients = self.log.clients(MemoryWorker {
            group: kind.name.to_owned(),
            topic: kind.input.to_owned(),
            transactional_id: kind.name.to_owned(),
            transaction_timeout: Duration::from_secs(15),
        });
        let stop = StopSignal::new();
        let run = {
            let (metrics, stop) = (Arc::clone(&self.metrics[number]), stop.clone());
            move || runner::run(clients, processor, config, metrics, Health::default(), stop)
        };
        let thread =
            std::thread::Builder::new().name(kind.name.to_owned()).spawn(run).context("cannot start a worker")?;
        self.workers.push(RunningWorker { kind, stop, thread });
        Ok(())
    }

    /// The log, for reading any topic.
    #[must_use]
    pub fn log(&self) -> &MemoryLog {
        &self.log
    }

    /// Appends a chunk to `audio.chunks`, on its machine's partition.
    pub fn send(&self, chunk: SentChunk) {
        let envelope = Envelope {
            id: chunk.id,
            source: "/auscult/demo".to_owned(),
            event_type: Envelope::CHUNK.to_owned(),
            time: chunk.time,
            machine: chunk.machine,
            content_type: chunk.content_type,
            traceparent: None,
        };
        self.log.append(OutputRecord {
            topic: CHUNKS.to_owned(),
            partition: self.partition_of(&envelope.machine),
            key: Some(Bytes::from(envelope.machine.as_str().to_owned())),
            value: Some(chunk.sound),
            headers: envelope.headers(),
            timestamp_ms: Some(Timestamp::now().as_millisecond()),
            source_offset: None,
        });
    }

    fn partition_of(&self, machine: &MachineId) -> i32 {
        let hash =
            machine.as_str().bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
        i32::try_from(hash % self.partitions.unsigned_abs()).expect("a remainder of a positive i32 is one")
    }

    /// Number of chunks without a committed result.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        let lag: i64 = self.workers.iter().map(|worker| self.log.lag(worker.kind.name, worker.kind.input)).sum();
        u64::try_from(lag).unwrap_or(0)
    }

    /// Frees chunks and features that both workers have processed, to limit memory in long runs.
    pub fn trim(&self) {
        for worker in &self.workers {
            for partition in 0..self.partitions {
                if let Some(committed) = self.log.committed_offset(worker.kind.name, partition) {
                    self.log.trim(worker.kind.input, partition, committed);
                }
            }
        }
    }

    /// Waits until every chunk has its result.
    ///
    /// # Errors
    /// If a worker has stopped, or the results are not available in time.
    pub fn drain(&self, at_most: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + at_most;
        while self.backlog() > 0 {
            self.check()?;
            if Instant::now() >= deadline {
                bail!("{} chunks have no result after {at_most:?}", self.backlog());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Checks that both workers are running.
    ///
    /// # Errors
    /// If one has stopped.
    pub fn check(&self) -> anyhow::Result<()> {
        match self.workers.iter().find(|worker| worker.thread.is_finished()) {
            Some(ended) => bail!("the {} has ended by itself; see the log above", ended.kind.name),
            None => Ok(()),
        }
    }

    /// Stops both workers, like SIGTERM.
    ///
    /// # Errors
    /// The error that a worker stopped with.
    pub fn stop(self) -> anyhow::Result<()> {
        for worker in &self.workers {
            worker.stop.give();
        }
        for worker in self.workers {
            let ended = worker.thread.join();
            ended.map_err(|_| anyhow::anyhow!("the {} panicked; see the log above", worker.kind.name))??;
        }
        Ok(())
    }
}

/// Reads results with `read_committed`, from the beginning.
#[derive(Debug)]
pub struct ResultReader {
    log: MemoryLog,
    positions: Vec<(&'static str, i32, i64)>,
}

impl ResultReader {
    /// A reader of scores, alerts, drift and dead letters.
    #[must_use]
    pub fn new(log: &MemoryLog) -> Self {
        let of_topic = |topic: &'static str| (0..log.partitions(topic)).map(move |partition| (topic, partition, 0));
        let positions = [SCORES, ALERTS, DRIFT, DEAD_LETTERS].into_iter().flat_map(of_topic).collect();
        Self { log: log.clone(), positions }
    }

    /// The records committed since the last call.
    pub fn take_new(&mut self) -> Vec<Record> {
        let mut found = Vec::new();
        for (topic, partition, position) in &mut self.positions {
            let (records, next) = self.log.read(topic, *partition, *position, usize::MAX);
            *position = next;
            found.extend(records);
        }
        found
    }
}
