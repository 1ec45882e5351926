//! Drives the core with real clients and real threads.
//!
//! ```text
//!   log thread (the caller's)          compute        transactions        restore
//!   poll ─► Core ─► actions ──Process──► Processor
//!            ▲                ──Commit──────────────► LogProducer
//!            │                ──Restore──────────────────────────────────► LogRestorer
//!            └───────────── completions, one channel ◄───┴───────────────────┘
//! ```
//!
//! The log thread owns the consumer and never blocks but in `poll`: whatever may take time is done on the other three
//! threads, and comes back as a completion. Their channels have no bound of their own because the core has one: it
//! never has more than one batch computing and one committing, nor more restores under way than partitions.

mod session;
mod soundings;
mod stop;
mod threads;
mod tracking;
mod watchdog;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use session::Session;
use soundings::Soundings;
pub use stop::StopSignal;
use threads::{Completion, ComputeCommand};
use tracking::Tracking;
use watchdog::VitalSigns;
pub use watchdog::WatchdogConfig;

use crate::compute::{Compute, ComputeConfig};
use crate::core::{Action, Core, CoreConfig, Event};
use crate::ports::{ConsumerEvent, Failure, LogClients, LogConsumer, Transaction};
use crate::processor::Processor;
use crate::record::{OutputRecord, Record};
use crate::telemetry::{Health, Metrics, UnreadyReason, WorkerEvent};
use crate::traces::SpanRecorder;

/// What a runner is told.
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
    /// How long a worker may stand still.
    pub watchdog: WatchdogConfig,
    /// Who records the spans of committed batches, if anybody does.
    pub spans: Option<SpanRecorder>,
}

impl RunnerConfig {
    /// The longest wait before clients are replaced.
    pub const MAX_BACKOFF: Duration = Duration::from_secs(30);
}

/// Why a runner ended other than by being told to.
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

/// Poll no longer than this while something is under way elsewhere, so that its completion is seen soon.
const BUSY_POLL: Duration = Duration::from_millis(1);
/// Poll no longer than this when nothing is, so that a stop is seen soon.
const IDLE_POLL: Duration = Duration::from_millis(50);
/// A worker that has been given no partition for this long is one too many, and ready all the same.
const SURPLUS: Duration = Duration::from_secs(15);
/// Records taken in one turn before completions are looked at again.
const RECORDS_A_TURN: usize = 256;

/// Runs a worker on the calling thread until `stop` is given or the worker cannot go on.
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
    let signs = VitalSigns::new(Instant::now());
    let probe = clients.probe()?;
    let _watchdog = watchdog::start(&config, signs.clone(), probe, health.clone(), Arc::clone(&metrics))?;
    let (completed, completions) = crossbeam_channel::unbounded();
    let compute = Compute::new(config.compute.clone(), processor);
    let commands = threads::spawn_compute(compute, completed.clone(), Arc::clone(&metrics))?;
    let mut runner = Runner {
        core: Core::new(config.core),
        tracking: Tracking::new(Arc::clone(&metrics), config.spans.clone()),
        signs,
        started: Instant::now(),
        session: None,
        last_lag: Instant::now(),
        soundings: Soundings::default(),
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
    signs: VitalSigns,
    started: Instant,
    last_lag: Instant,
    soundings: Soundings,
    /// When the present clients joined the group.
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

/// Whether the runner goes on.
#[derive(PartialEq, Eq)]
enum Turn {
    GoOn,
    Exit,
}

impl<C: LogClients> Runner<C> {
    fn run(&mut self) -> Result<(), RunnerError> {
        let mut is_stopping = false;
        if self.connect()? == Turn::Exit {
            return Ok(());
        }
        loop {
            self.health.beat();
            if self.stop.is_given() && !is_stopping {
                is_stopping = true;
                tracing::info!("stopping: intake ends, what is in flight may finish");
                self.health.unready(UnreadyReason::Draining, "told to stop");
                if self.handle(Event::Stop)? == Turn::Exit {
                    return Ok(());
                }
            }
            if self.turn()? == Turn::Exit {
                return Ok(());
            }
        }
    }

    /// One turn: completions first, then records, then the clock.
    fn turn(&mut self) -> Result<Turn, RunnerError> {
        while let Ok(completion) = self.completions.try_recv() {
            if self.complete(completion)? == Turn::Exit {
                return Ok(Turn::Exit);
            }
        }
        let mut timeout = self.poll_timeout();
        for _ in 0..RECORDS_A_TURN {
            let Some(session) = &mut self.session else { break };
            let Some(event) = session.consumer.poll(timeout) else { break };
            timeout = Duration::ZERO;
            if self.consumed(event)? == Turn::Exit {
                return Ok(Turn::Exit);
            }
        }
        self.signs.turned(self.tracking.is_busy(), self.core.is_paused());
        self.signs.keep_aborts_of(|partition| self.core.partitions().any(|(owned, _)| owned == partition));
        self.publish_state();
        self.report_lag();
        if self.pass_over_what_is_gone()? == Turn::Exit {
            return Ok(Turn::Exit);
        }
        self.handle(Event::Tick)
    }

    fn poll_timeout(&self) -> Duration {
        let until_deadline = self.core.next_deadline().map(|deadline| deadline.saturating_sub(self.now()));
        let longest = if self.tracking.is_busy() { BUSY_POLL } else { IDLE_POLL };
        until_deadline.unwrap_or(longest).min(longest)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn consumed(&mut self, event: ConsumerEvent) -> Result<Turn, RunnerError> {
        match event {
            ConsumerEvent::Record(record) => {
                let bytes = record.bytes();
                self.tracking.fetched(&record, bytes);
                let (partition, offset) = (record.coordinates.partition, record.coordinates.offset);
                self.handle(Event::Fetched { partition, offset, bytes, record })
            }
            ConsumerEvent::Assigned(partitions) => {
                WorkerEvent::Assigned(&partitions).tell(&self.metrics);
                self.settle();
                self.handle(Event::Assigned(partitions))
            }
            ConsumerEvent::Revoked(partitions) => {
                WorkerEvent::Revoked(&partitions).tell(&self.metrics);
                self.handle(Event::Revoked(partitions))
            }
            ConsumerEvent::Lost(partitions) => {
                WorkerEvent::Lost(&partitions).tell(&self.metrics);
                self.handle(Event::Lost(partitions))
            }
            ConsumerEvent::Failed(failure) => self.handle(Event::ClientFailed(failure.to_string())),
        }
    }

    fn complete(&mut self, completion: Completion) -> Result<Turn, RunnerError> {
        self.signs.finished();
        let event = match completion {
            Completion::Computed { batch, computed } => {
                self.tracking.computed(batch, &computed);
                Event::Computed { batch, outputs: computed.outputs, bytes: computed.bytes }
            }
            Completion::Committed { batch } => {
                self.signs.committed(&self.tracking.partitions(batch));
                self.tracking.committed(batch);
                Event::Committed { batch }
            }
            Completion::CommitFailed { batch, failure } => {
                WorkerEvent::CommitFailed { batch, failure: &failure }.tell(&self.metrics);
                if !matches!(failure, Failure::Fatal(_)) {
                    self.signs.aborted(&self.tracking.partitions(batch), &failure.to_string());
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
                WorkerEvent::Restored { partition, restored: &restored, took }.tell(&self.metrics);
                if restored.expired_offsets > 0 {
                    // Until it is committed the lag stands, and whoever comes next would count the loss again.
                    self.soundings.note_skipped(partition, epoch, restored.position);
                }
                Event::Restored { partition, epoch, position: restored.position, state: restored.entries }
            }
            Completion::RestoreFailed { partition, epoch, failure } => {
                WorkerEvent::RestoreFailed { partition, failure: &failure }.tell(&self.metrics);
                if !self.core.is_current(partition, epoch) {
                    return Ok(Turn::GoOn);
                }
                Event::ClientFailed(failure.to_string())
            }
            Completion::Sounded { partition, epoch, from, end } => {
                self.soundings.sounded(partition, from, end.is_some());
                let Some(to) = end else { return Ok(Turn::GoOn) };
                Event::Skipped { partition, epoch, from, to }
            }
            Completion::ThreadEnded(name) => return Err(RunnerError::ThreadEnded(name)),
        };
        self.handle(event)
    }

    /// Puts an event into the core and does what follows, and what follows from that.
    fn handle(&mut self, event: Event<Record, OutputRecord, Restore>) -> Result<Turn, RunnerError> {
        let now = self.now();
        let mut pending = std::collections::VecDeque::from(self.core.handle(event, now));
        while let Some(action) = pending.pop_front() {
            match action {
                Action::ReplaceClients { reason } => {
                    self.soundings = Soundings::default();
                    WorkerEvent::ClientsReplaced { reason: &reason }.tell(&self.metrics);
                    let in_a_row = self.signs.replacing(&reason);
                    self.health.unready(UnreadyReason::Reconnecting, reason);
                    self.session = None;
                    self.tracking.reset();
                    if self.wait_before_replacing(in_a_row) == Turn::Exit {
                        return Ok(Turn::Exit);
                    }
                    if self.connect()? == Turn::Exit {
                        return Ok(Turn::Exit);
                    }
                    pending.extend(self.core.handle(Event::ClientsReplaced, self.now()));
                }
                Action::Exit => {
                    if let Some(session) = self.session.take() {
                        session.consumer.close();
                    }
                    tracing::info!("stopped");
                    return Ok(Turn::Exit);
                }
                other => {
                    if let Err(failure) = self.act(other) {
                        let followed = self.core.handle(Event::ClientFailed(failure.to_string()), self.now());
                        pending.extend(followed);
                    }
                }
            }
        }
        Ok(Turn::GoOn)
    }

    fn act(&mut self, action: RecordAction) -> Result<(), crate::ports::Failure> {
        let command = match action {
            Action::Compute(batch) => {
                self.tracking.computing(&batch);
                ComputeCommand::Process(batch)
            }
            Action::InstallState { partition, state } => ComputeCommand::Install { partition, entries: state },
            Action::SwapState { batch } => ComputeCommand::Swap { batch },
            Action::DropBatch { batch } => {
                self.tracking.dropped(batch);
                ComputeCommand::Drop { batch }
            }
            Action::DiscardState => ComputeCommand::Discard,
            Action::ForgetState { partition } => ComputeCommand::Forget { partition },
            other => return self.act_on_session(other),
        };
        // A closed channel shows as `ThreadEnded` among the completions.
        let _ = self.commands.send(command);
        Ok(())
    }

    fn act_on_session(&mut self, action: RecordAction) -> Result<(), crate::ports::Failure> {
        let Some(session) = &mut self.session else { return Ok(()) };
        match action {
            Action::Restore { partition, epoch } => {
                session.restore(partition, epoch);
                Ok(())
            }
            Action::Start { positions } => session.consumer.start(&positions),
            Action::Release { partitions } => session.consumer.release(&partitions),
            Action::Pause { partitions } => session.consumer.pause(&partitions),
            Action::Resume { partitions } => session.consumer.resume(&partitions),
            Action::Commit { batch, outputs, offsets } => {
                self.tracking.committing(batch, &outputs);
                // Between the core's look at the epochs and this line the consumer is not polled: nothing is revoked in
                // between.
                let membership = session.consumer.membership()?;
                session.commit(batch, Transaction { outputs, offsets, membership });
                Ok(())
            }
            _ => unreachable!("the compute side's actions and the runner's own were taken before"),
        }
    }

    /// The first time clients are replaced at once. What fails again and again (a topic that is not there, a right that
    /// is missing) is tried less and less often.
    fn wait_before_replacing(&self, in_a_row: u32) -> Turn {
        if in_a_row <= 1 {
            return Turn::GoOn;
        }
        let doublings = in_a_row.min(10) - 2;
        let wait = (self.config.backoff * 2_u32.pow(doublings)).min(RunnerConfig::MAX_BACKOFF);
        if self.stop.wait(wait) { Turn::Exit } else { Turn::GoOn }
    }

    fn connect(&mut self) -> Result<Turn, RunnerError> {
        let mut backoff = self.config.backoff;
        loop {
            self.health.beat();
            match self.clients.connect() {
                Ok(clients) => {
                    let changelog = self.config.compute.changelog;
                    self.session = Some(Session::start(clients, changelog, &self.completed)?);
                    self.connected = Instant::now();
                    self.is_settled = false;
                    return Ok(Turn::GoOn);
                }
                Err(failure) => {
                    tracing::error!(%failure, retry_in = ?backoff, "cannot connect");
                    self.health.unready(UnreadyReason::Reconnecting, failure.to_string());
                }
            }
            if self.stop.wait(backoff) {
                return Ok(Turn::Exit);
            }
            backoff = (backoff * 2).min(RunnerConfig::MAX_BACKOFF);
        }
    }

    fn settle(&mut self) {
        if !self.is_settled {
            self.is_settled = true;
            self.health.clear(UnreadyReason::Starting);
            self.health.clear(UnreadyReason::Reconnecting);
        }
    }

    fn publish_state(&mut self) {
        // A group that has more workers than partitions may never say a word to one of them.
        if self.session.is_some() && self.connected.elapsed() >= SURPLUS {
            self.settle();
        }
        let (mut owned, mut restoring) = (0, 0);
        for (_, is_active) in self.core.partitions() {
            owned += 1;
            restoring += i64::from(!is_active);
        }
        self.metrics.assigned_partitions.set(owned);
        self.metrics.buffered_bytes.set(i64::try_from(self.core.held_bytes()).unwrap_or(i64::MAX));
        self.metrics.paused.set(i64::from(self.core.is_paused()));
        self.tracking.set_restoring(restoring, &self.health);
    }

    fn report_lag(&mut self) {
        const EVERY: Duration = Duration::from_secs(1);
        if self.last_lag.elapsed() < EVERY {
            return;
        }
        self.last_lag = Instant::now();
        if let Some(session) = &self.session {
            self.metrics.set_lag(&self.config.topic, &session.consumer.lag());
            self.signs.heard(session.consumer.heard());
        }
    }

    /// Commits positions behind which nothing is left to be read: behind what retention has deleted, and behind
    /// markers.
    fn pass_over_what_is_gone(&mut self) -> Result<Turn, RunnerError> {
        const EVERY: Duration = Duration::from_millis(250);
        if self.soundings.looked.elapsed() < EVERY {
            return Ok(Turn::GoOn);
        }
        self.soundings.looked = Instant::now();
        for (partition, epoch, position) in self.core.at_rest() {
            if self.soundings.take_skipped(partition, epoch, position) {
                return self.handle(Event::Skipped { partition, epoch, from: position, to: position });
            }
        }
        self.sound_ends();
        Ok(Turn::GoOn)
    }

    /// Partitions that are read to their end may end in markers of transactions, behind which the position is to be
    /// committed.
    fn sound_ends(&mut self) {
        let Some(session) = &self.session else { return };
        if self.core.is_paused() {
            return;
        }
        let heard = session.consumer.heard();
        for (partition, epoch, from) in self.core.at_rest() {
            let is_at_end = heard.get(&partition).is_some_and(|heard| heard.is_caught_up && heard.position == from);
            if is_at_end && self.soundings.is_due(partition, from) {
                session.sound(partition, epoch, from);
            }
        }
    }
}
