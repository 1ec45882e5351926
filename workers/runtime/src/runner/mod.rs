//! Runs the core with real clients and real threads.
//!
//! ```text
//!   log thread (the caller's)          compute        transactions        restore
//!   poll ─► Core ─► actions ──Process──► Processor
//!            ▲                ──Commit──────────────► LogProducer
//!            │                ──Restore──────────────────────────────────► LogRestorer
//!            └───────────── completions, one channel ◄───┴───────────────────┘
//! ```
//!
//! The log thread owns the consumer and blocks only where it waits for records, completions and the stop signal at
//! once: everything that may take time runs on the other three threads, and returns as a completion. Their channels
//! need no bound because the core has one: at any time at most one batch is computing, at most one is committing, and
//! at most one restore per partition is running.

mod actions;
mod end_checks;
mod session;
mod stop;
mod threads;
mod tracking;
mod upkeep;
mod watchdog;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use end_checks::EndChecks;
use session::Session;
pub use stop::StopSignal;
use threads::{Completion, ComputeCommand};
use tracking::Tracking;
use watchdog::ProgressReport;
pub use watchdog::WatchdogConfig;

use crate::compute::{Compute, ComputeConfig};
use crate::core::{Action, Core, CoreConfig, Event};
use crate::ports::{ConsumerEvent, Failure, LogClients, LogConsumer};
use crate::processor::Processor;
use crate::record::{OutputRecord, Record};
use crate::telemetry::{Health, Metrics, UnreadyReason, WorkerEvent};
use crate::traces::SpanRecorder;

/// Settings of a runner.
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// Input topic, for logs and metrics.
    pub topic: String,
    /// Batches, drains, bounds.
    pub core: CoreConfig,
    /// Dead letters, changelog.
    pub compute: ComputeConfig,
    /// How long to wait before clients are replaced, at first; doubled up to [`RunnerConfig::MAX_BACKOFF`].
    pub backoff: Duration,
    /// How long a worker may make no progress.
    pub watchdog: WatchdogConfig,
    /// Who records the spans of committed batches, if anybody does.
    pub spans: Option<SpanRecorder>,
}

impl RunnerConfig {
    /// The longest wait before clients are replaced.
    pub const MAX_BACKOFF: Duration = Duration::from_secs(30);
}

/// Why a runner ended without a stop signal.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// A thread could not be started.
    #[error("cannot start the {name} thread: {source}; check the limits on threads and memory")]
    Thread {
        /// Which.
        name: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A client could not be made.
    #[error(transparent)]
    Client(#[from] crate::ports::Failure),
    /// A thread ended that should not have.
    #[error("the {0} thread ended by itself: this is a bug, please report it with the log above")]
    ThreadEnded(&'static str),
}

type Restore = std::collections::HashMap<bytes::Bytes, bytes::Bytes>;
type RecordCore = Core<Record, OutputRecord, Restore>;
type RecordAction = Action<Record, OutputRecord, Restore>;

/// Longest wait: the heartbeat, the lag and what the group says are looked at as often.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// The same for consumers that can only be waited for by themselves, so that a stop signal is handled soon.
const IDLE_POLL: Duration = Duration::from_millis(50);
/// And while another thread is working for them, so that its completion is.
const BUSY_POLL: Duration = Duration::from_millis(1);
/// A worker that has been given no partition for this long is one too many, and ready all the same.
const SURPLUS: Duration = Duration::from_secs(15);
/// Records taken in one turn before completions are looked at again.
const RECORDS_PER_TURN: usize = 256;

/// Runs a worker on the calling thread until `stop` is given or the worker cannot continue.
///
/// # Errors
/// [`RunnerError`].
pub fn run<C: LogClients, P: Processor>(
    clients: C,
    processor: P,
    config: RunnerConfig,
    metrics: Arc<Metrics>,
    health: Health,
    stop: StopSignal,
) -> Result<(), RunnerError> {
    let report = ProgressReport::new(Instant::now());
    let probe = clients.probe()?;
    let _watchdog = watchdog::start(&config, report.clone(), probe, health.clone(), Arc::clone(&metrics))?;
    let (completed, completions) = crossbeam_channel::unbounded();
    let compute = Compute::new(config.compute.clone(), processor);
    let commands = threads::spawn_compute(compute, completed.clone(), Arc::clone(&metrics))?;
    let mut runner = Runner {
        core: Core::new(config.core),
        tracking: Tracking::new(Arc::clone(&metrics), config.spans.clone()),
        report,
        started: Instant::now(),
        session: None,
        last_lag: Instant::now(),
        end_checks: EndChecks::default(),
        connected: Instant::now(),
        is_settled: false,
        config,
        clients,
        metrics,
        health,
        stop,
        commands,
        completed,
        completions,
    };
    runner.run()
}

struct Runner<C: LogClients> {
    config: RunnerConfig,
    clients: C,
    session: Option<Session<C>>,
    core: RecordCore,
    tracking: Tracking,
    report: ProgressReport,
    started: Instant,
    last_lag: Instant,
    end_checks: EndChecks,
    /// When the current clients joined the group.
    connected: Instant,
    /// Whether the group has given them their part of the work, be it none.
    is_settled: bool,
    metrics: Arc<Metrics>,
    health: Health,
    stop: StopSignal,
    commands: Sender<ComputeCommand>,
    completed: Sender<Completion>,
    completions: Receiver<Completion>,
}

/// Whether the runner continues.
#[derive(PartialEq, Eq)]
enum Flow {
    Continue,
    Exit,
}

impl<C: LogClients> Runner<C> {
    fn run(&mut self) -> Result<(), RunnerError> {
        let mut is_stopping = false;
        if self.connect()? == Flow::Exit {
            return Ok(());
        }
        loop {
            self.health.beat();
            if self.stop.is_given() && !is_stopping {
                is_stopping = true;
                tracing::info!("stopping: intake ends, what is in flight may finish");
                self.health.unready(UnreadyReason::Draining, "told to stop");
                if self.handle(Event::Stop)? == Flow::Exit {
                    return Ok(());
                }
            }
            if self.run_once()? == Flow::Exit {
                return Ok(());
            }
        }
    }

    /// One turn: completions first, then records, then the clock. If there were no records, waits for what comes first.
    fn run_once(&mut self) -> Result<Flow, RunnerError> {
        while let Ok(completion) = self.completions.try_recv() {
            if self.complete(completion)? == Flow::Exit {
                return Ok(Flow::Exit);
            }
        }
        let mut timeout = self.poll_timeout();
        let mut has_polled = false;
        for _ in 0..RECORDS_PER_TURN {
            let Some(session) = &mut self.session else { break };
            let Some(event) = session.consumer.poll(timeout) else { break };
            timeout = Duration::ZERO;
            has_polled = true;
            if self.consumed(event)? == Flow::Exit {
                return Ok(Flow::Exit);
            }
        }
        self.report.loop_ran(self.tracking.is_busy(), self.core.is_paused());
        self.report.keep_aborts_of(|partition| self.core.partitions().any(|(owned, _)| owned == partition));
        self.publish_state();
        self.report_lag();
        if self.commit_past_deleted()? == Flow::Exit {
            return Ok(Flow::Exit);
        }
        let flow = self.handle(Event::Tick)?;
        if flow == Flow::Continue && !has_polled {
            return self.wait();
        }
        Ok(flow)
    }

    /// Waits for a completion, for records, for a stop signal that has not been handled, or for the next deadline. A
    /// consumer's queue is empty here; what has come since has left a token.
    fn wait(&mut self) -> Result<Flow, RunnerError> {
        let timeout = self.until_deadline(LONGEST_WAIT);
        let arrivals = self.session.as_ref().and_then(|session| session.consumer.arrivals());
        let Some(arrivals) = arrivals else { return Ok(Flow::Continue) };
        // A channel that is closed is always ready: it is not waited for again.
        let never = crossbeam_channel::never();
        let stop = if self.stop.is_given() { &never } else { self.stop.given() };
        let completion = crossbeam_channel::select! {
            recv(self.completions) -> completion => completion.ok(),
            recv(arrivals) -> _ => None,
            recv(stop) -> _ => None,
            default(timeout) => None,
        };
        completion.map_or(Ok(Flow::Continue), |completion| self.complete(completion))
    }

    /// How long the consumer may wait in `poll`: not at all if it can be waited for together with completions.
    fn poll_timeout(&self) -> Duration {
        match &self.session {
            Some(session) if session.consumer.arrivals().is_some() => Duration::ZERO,
            _ => self.until_deadline(if self.tracking.is_busy() { BUSY_POLL } else { IDLE_POLL }),
        }
    }

    fn until_deadline(&self, longest: Duration) -> Duration {
        let until_deadline = self.core.next_deadline().map(|deadline| deadline.saturating_sub(self.now()));
        until_deadline.unwrap_or(longest).min(longest)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn consumed(&mut self, event: ConsumerEvent) -> Result<Flow, RunnerError> {
        match event {
            ConsumerEvent::Record(record) => {
                let bytes = record.bytes();
                self.tracking.fetched(&record, bytes);
                let (partition, offset) = (record.coordinates.partition, record.coordinates.offset);
                self.handle(Event::Fetched { partition, offset, bytes, record })
            }
            ConsumerEvent::Assigned(partitions) => {
                WorkerEvent::Assigned(&partitions).report(&self.metrics);
                self.settle();
                self.handle(Event::Assigned(partitions))
            }
            ConsumerEvent::Revoked(partitions) => {
                WorkerEvent::Revoked(&partitions).report(&self.metrics);
                self.handle(Event::Revoked(partitions))
            }
            ConsumerEvent::Lost(partitions) => {
                WorkerEvent::Lost(&partitions).report(&self.metrics);
                self.handle(Event::Lost(partitions))
            }
            ConsumerEvent::Failed(failure) => self.handle(Event::ClientFailed(failure.to_string())),
        }
    }

    fn complete(&mut self, completion: Completion) -> Result<Flow, RunnerError> {
        self.report.finished();
        let event = match completion {
            Completion::Computed { batch, computed } => {
                self.tracking.computed(batch, &computed);
                Event::Computed { batch, outputs: computed.outputs, bytes: computed.bytes }
            }
            Completion::Committed { batch } => {
                self.report.committed(&self.tracking.partitions(batch));
                self.tracking.committed(batch);
                Event::Committed { batch }
            }
            Completion::CommitFailed { batch, failure } => {
                WorkerEvent::CommitFailed { batch, failure: &failure }.report(&self.metrics);
                if !matches!(failure, Failure::Fatal(_)) {
                    self.report.aborted(&self.tracking.partitions(batch), &failure.to_string());
                }
                if let Failure::Refused { outputs, .. } = &failure {
                    // Before anything is processed again. A closed channel shows as `ThreadEnded` among the
                    // completions.
                    let _ = self.commands.send(ComputeCommand::Refuse { outputs: outputs.clone() });
                }
                self.tracking.dropped(batch);
                Event::CommitFailed { batch, failure }
            }
            Completion::Restored { partition, epoch, restored, took } => {
                WorkerEvent::Restored { partition, restored: &restored, took }.report(&self.metrics);
                if restored.expired_offsets > 0 {
                    // Until it is committed, the lag remains, and the next owner would count the loss again.
                    self.end_checks.note_skipped(partition, epoch, restored.position);
                }
                Event::Restored { partition, epoch, position: restored.position, state: restored.entries }
            }
            Completion::RestoreFailed { partition, epoch, failure } => {
                WorkerEvent::RestoreFailed { partition, failure: &failure }.report(&self.metrics);
                if !self.core.is_current(partition, epoch) {
                    return Ok(Flow::Continue);
                }
                Event::ClientFailed(failure.to_string())
            }
            Completion::EndChecked { partition, epoch, from, end } => {
                self.end_checks.checked(partition, from, end.is_some());
                let Some(to) = end else { return Ok(Flow::Continue) };
                Event::Skipped { partition, epoch, from, to }
            }
            Completion::ThreadEnded(name) => return Err(RunnerError::ThreadEnded(name)),
        };
        self.handle(event)
    }
}
