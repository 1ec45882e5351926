//! Executes the actions of the core: on the compute thread, with the clients, or on the clients.

use std::collections::VecDeque;
use std::time::Instant;

use super::end_checks::EndChecks;
use super::session::Session;
use super::threads::ComputeCommand;
use super::{Flow, RecordAction, Restore, Runner, RunnerConfig, RunnerError};
use crate::core::{Action, Event};
use crate::ports::{Failure, LogClients, LogConsumer, Transaction};
use crate::record::{OutputRecord, Record};
use crate::telemetry::{UnreadyReason, WorkerEvent};

impl<C: LogClients> Runner<C> {
    /// Passes an event to the core and executes the resulting actions, until there are no more.
    pub(super) fn handle(&mut self, event: Event<Record, OutputRecord, Restore>) -> Result<Flow, RunnerError> {
        let now = self.now();
        let mut pending = VecDeque::from(self.core.handle(event, now));
        while let Some(action) = pending.pop_front() {
            match action {
                Action::ReplaceClients { reason } => {
                    self.end_checks = EndChecks::default();
                    WorkerEvent::ClientsReplaced { reason: &reason }.report(&self.metrics);
                    let in_a_row = self.report.replacing(&reason);
                    self.health.unready(UnreadyReason::Reconnecting, reason);
                    self.session = None;
                    self.tracking.reset();
                    if self.wait_before_replacing(in_a_row) == Flow::Exit {
                        return Ok(Flow::Exit);
                    }
                    if self.connect()? == Flow::Exit {
                        return Ok(Flow::Exit);
                    }
                    pending.extend(self.core.handle(Event::ClientsReplaced, self.now()));
                }
                Action::Exit => {
                    if let Some(session) = self.session.take() {
                        session.consumer.close();
                    }
                    tracing::info!("stopped");
                    return Ok(Flow::Exit);
                }
                other => {
                    if let Err(failure) = self.act(other) {
                        let followed = self.core.handle(Event::ClientFailed(failure.to_string()), self.now());
                        pending.extend(followed);
                    }
                }
            }
        }
        Ok(Flow::Continue)
    }

    fn act(&mut self, action: RecordAction) -> Result<(), Failure> {
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

    fn act_on_session(&mut self, action: RecordAction) -> Result<(), Failure> {
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

    /// The first replacement of clients is immediate. Repeated failures (a missing topic, a missing permission) are
    /// retried with increasing delays.
    fn wait_before_replacing(&self, in_a_row: u32) -> Flow {
        if in_a_row <= 1 {
            return Flow::Continue;
        }
        let doublings = in_a_row.min(10) - 2;
        let wait = (self.config.backoff * 2_u32.pow(doublings)).min(RunnerConfig::MAX_BACKOFF);
        if self.stop.wait(wait) { Flow::Exit } else { Flow::Continue }
    }

    pub(super) fn connect(&mut self) -> Result<Flow, RunnerError> {
        let mut backoff = self.config.backoff;
        loop {
            self.health.beat();
            match self.clients.connect() {
                Ok(clients) => {
                    let changelog = self.config.compute.changelog;
                    self.session = Some(Session::start(clients, changelog, &self.completed)?);
                    self.connected = Instant::now();
                    self.is_settled = false;
                    return Ok(Flow::Continue);
                }
                Err(failure) => {
                    tracing::error!(%failure, retry_in = ?backoff, "cannot connect");
                    self.health.unready(UnreadyReason::Reconnecting, failure.to_string());
                }
            }
            if self.stop.wait(backoff) {
                return Ok(Flow::Exit);
            }
            backoff = (backoff * 2).min(RunnerConfig::MAX_BACKOFF);
        }
    }
}
