//! Liveness and readiness of a worker.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A handle on one worker's health; clones share it.
#[derive(Debug, Clone)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    /// Milliseconds from `started` to the log thread's last heartbeat.
    heartbeat_ms: AtomicU64,
    /// How old the last heartbeat may be.
    give_up_after: Duration,
    /// Why the worker is not ready; it is ready if there is no reason.
    reasons: Mutex<BTreeMap<UnreadyReason, String>>,
}

/// Why a worker is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnreadyReason {
    /// It has not joined its group.
    Starting,
    /// It reads back the state of partitions it was given.
    Restoring,
    /// Its Kafka clients are being replaced.
    Reconnecting,
    /// There is work, and nothing gets done.
    Stalled,
    /// It completes work in progress and stops.
    Draining,
    /// It cannot continue.
    Fatal,
}

impl UnreadyReason {
    /// The reason's name in `/readyz`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Restoring => "restoring",
            Self::Reconnecting => "reconnecting",
            Self::Stalled => "stalled",
            Self::Draining => "draining",
            Self::Fatal => "fatal",
        }
    }
}

impl Default for Health {
    /// Half a minute of patience, as long as the group itself waits for a member.
    fn default() -> Self {
        Self::new(Duration::from_secs(30))
    }
}

impl Health {
    /// A new worker: alive, and not ready because it is starting. It counts as alive while heartbeats come at least
    /// every `give_up_after`.
    #[must_use]
    pub fn new(give_up_after: Duration) -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            heartbeat_ms: AtomicU64::new(0),
            give_up_after,
            reasons: Mutex::new(BTreeMap::from([(UnreadyReason::Starting, String::new())])),
        }))
    }

    /// Heartbeat of the log thread.
    pub fn beat(&self) {
        self.0.heartbeat_ms.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    /// Time since the last heartbeat of the log thread.
    #[must_use]
    pub fn heartbeat_age(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms().saturating_sub(self.0.heartbeat_ms.load(Ordering::Relaxed)))
    }

    /// Whether the log thread is still running.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.heartbeat_age() <= self.0.give_up_after
    }

    /// Sets a reason for not being ready, until it is cleared.
    pub fn unready(&self, reason: UnreadyReason, detail: impl Into<String>) {
        self.reasons().insert(reason, detail.into());
    }

    /// Clears a reason.
    pub fn clear(&self, reason: UnreadyReason) {
        self.reasons().remove(&reason);
    }

    /// Whether no reason is set.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.reasons().is_empty()
    }

    /// Why the worker is not ready, each reason with its detail.
    #[must_use]
    pub fn unready_reasons(&self) -> Vec<(UnreadyReason, String)> {
        self.reasons().iter().map(|(reason, detail)| (*reason, detail.clone())).collect()
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn reasons(&self) -> MutexGuard<'_, BTreeMap<UnreadyReason, String>> {
        // The map is consistent even if a holder of the lock panicked.
        self.0.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
