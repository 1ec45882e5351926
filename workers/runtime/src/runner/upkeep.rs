//! Periodic work: health, metrics, and positions after which there is nothing left to read.

use std::time::{Duration, Instant};

use super::{Flow, Runner, RunnerError, SURPLUS};
use crate::core::Event;
use crate::ports::{LogClients, LogConsumer};
use crate::telemetry::UnreadyReason;

impl<C: LogClients> Runner<C> {
    pub(super) fn settle(&mut self) {
        if !self.is_settled {
            self.is_settled = true;
            self.health.clear(UnreadyReason::Starting);
            self.health.clear(UnreadyReason::Reconnecting);
        }
    }

    pub(super) fn publish_state(&mut self) {
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

    pub(super) fn report_lag(&mut self) {
        const EVERY: Duration = Duration::from_secs(1);
        if self.last_lag.elapsed() < EVERY {
            return;
        }
        self.last_lag = Instant::now();
        if let Some(session) = &self.session {
            self.metrics.set_lag(&self.config.topic, &session.consumer.lag());
            self.report.progress(session.consumer.progress());
        }
    }

    /// Commits positions with nothing left to read before them: after records deleted by retention, and after markers.
    pub(super) fn commit_past_deleted(&mut self) -> Result<Flow, RunnerError> {
        const EVERY: Duration = Duration::from_millis(250);
        if self.end_checks.checked_at.elapsed() < EVERY {
            return Ok(Flow::Continue);
        }
        self.end_checks.checked_at = Instant::now();
        for (partition, epoch, position) in self.core.at_rest() {
            if self.end_checks.take_skipped(partition, epoch, position) {
                return self.handle(Event::Skipped { partition, epoch, from: position, to: position });
            }
        }
        self.check_ends();
        Ok(Flow::Continue)
    }

    /// Partitions that are read to their end may end in markers of transactions, behind which the position is to be
    /// committed.
    fn check_ends(&mut self) {
        let Some(session) = &self.session else { return };
        if self.core.is_paused() {
            return;
        }
        let progress = session.consumer.progress();
        for (partition, epoch, from) in self.core.at_rest() {
            let is_at_end =
                progress.get(&partition).is_some_and(|progress| progress.is_caught_up && progress.position == from);
            if is_at_end && self.end_checks.is_due(partition, from) {
                session.check_end(partition, epoch, from);
            }
        }
    }
}
