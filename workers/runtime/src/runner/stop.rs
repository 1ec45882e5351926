//! The signal that stops a runner.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A signal that is given once and seen by all clones.
#[derive(Debug, Clone, Default)]
pub struct StopSignal(Arc<(Mutex<bool>, Condvar)>);

impl StopSignal {
    /// A signal that is not given yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal.
    pub fn give(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Whether the signal was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the signal, at most this long; returns whether it was given.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> bool {
        let given = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(given, at_most, |given| !*given);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
