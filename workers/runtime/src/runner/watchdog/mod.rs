//! Detects a worker that makes no progress without an error.
//!
//! It has its own thread and its own Kafka client, and compares the end of the log with the worker's progress: known
//! stalls of Kafka consumers (a wake-up lost at a rebalance, a fetcher that stops) raise no error, and the stalled
//! consumer's own lag does not change.
//!
//! ```text
//!   worker ──progress──► check, once per second ◄──ends of partitions── probe
//!                                  │
//!                  stalled for long ──► /readyz reports it ──for longer──► the process ends, with the reason
//! ```

mod progress;
mod stall;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

pub(super) use progress::ProgressReport;
use stall::{Stall, StallDetector};

use super::{RunnerConfig, RunnerError};
use crate::ports::LogProbe;
use crate::telemetry::{Health, Metrics, UnreadyReason};

/// How long a worker may make no progress.
#[derive(Clone)]
pub struct WatchdogConfig {
    /// `/readyz` reports not ready after this time.
    pub unready_after: Duration,
    /// The worker exits after this time.
    pub exit_after: Duration,
    /// How to exit. Called on the watchdog's thread, because any other may hang.
    pub exit: Arc<dyn Fn(&str) + Send + Sync>,
}

impl std::fmt::Debug for WatchdogConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { unready_after, exit_after, .. } = self;
        f.debug_struct("WatchdogConfig").field("unready_after", unready_after).field("exit_after", exit_after).finish()
    }
}

/// Starts the watchdog; it ends when the returned handle is dropped.
pub(super) fn start(
    config: &RunnerConfig,
    report: ProgressReport,
    probe: Option<Box<dyn LogProbe>>,
    health: Health,
    metrics: Arc<Metrics>,
) -> Result<Sender<()>, RunnerError> {
    let (end, ended) = crossbeam_channel::bounded(0);
    let config = config.watchdog.clone();
    let spawned = std::thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || watch(&config, &report, probe, &health, &metrics, &ended));
    spawned.map_err(|source| RunnerError::Thread { name: "watchdog", source })?;
    Ok(end)
}

fn watch(
    config: &WatchdogConfig,
    report: &ProgressReport,
    mut probe: Option<Box<dyn LogProbe>>,
    health: &Health,
    metrics: &Metrics,
    ended: &Receiver<()>,
) {
    const EVERY: Duration = Duration::from_secs(1);
    /// The ends are asked for less often: it is a request a broker.
    const ENDS_EVERY: Duration = Duration::from_secs(5);
    let mut watch = StallDetector::default();
    let mut asked: Option<Instant> = None;
    let mut is_stalled = false;
    while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        let present = report.report().clone();
        let is_due = asked.is_none_or(|asked| asked.elapsed() >= ENDS_EVERY.min(config.unready_after / 4));
        let ends = match &mut probe {
            Some(probe) if is_due && !present.progress.is_empty() => {
                asked = Some(Instant::now());
                let partitions: Vec<i32> = present.progress.keys().copied().collect();
                let answer = probe.ends(&partitions);
                answer.inspect_err(|failure| tracing::debug!(%failure, "the watchdog cannot ask for the ends")).ok()
            }
            _ => None,
        };
        // The requests may have taken long: the worker's report must be read after them.
        let present = report.report().clone();
        let now = Instant::now();
        let stall = watch.longest_stall(&present, ends.as_ref(), now);
        let lasted = stall.as_ref().map_or(Duration::ZERO, |stall| now.duration_since(stall.since));
        metrics.stalled_seconds.set(lasted.as_secs_f64());
        let Some(Stall { reason, .. }) = stall.filter(|_| lasted >= config.unready_after) else {
            if std::mem::take(&mut is_stalled) {
                tracing::info!("the worker goes on");
                health.clear(UnreadyReason::Stalled);
            }
            continue;
        };
        if !is_stalled {
            tracing::error!(reason, ?lasted, "no progress");
        }
        is_stalled = true;
        health.unready(UnreadyReason::Stalled, reason.clone());
        if lasted >= config.exit_after {
            (config.exit)(&reason);
        }
    }
}
