//! The signal that stops a runner.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

/// A signal that is given once and seen by all clones.
#[derive(Debug, Clone)]
pub struct StopSignal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Dropped when the signal is given, which every receiver notices.
    until_given: Mutex<Option<Sender<()>>>,
    given: Receiver<()>,
}

impl Default for StopSignal {
    fn default() -> Self {
        let (until_given, given) = crossbeam_channel::bounded(0);
        Self(Arc::new(Shared { until_given: Mutex::new(Some(until_given)), given }))
    }
}

impl StopSignal {
    /// A signal that is not given yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal.
    pub fn give(&self) {
        self.0.until_given.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Whether the signal was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.0.until_given.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Closed once the signal is given: to be waited for beside other channels. Nothing is ever sent.
    pub(super) fn given(&self) -> &Receiver<()> {
        &self.0.given
    }

    /// Waits for the signal, at most this long; returns whether it was given.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> bool {
        self.0.given.recv_timeout(at_most) == Err(RecvTimeoutError::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_given_wakes_all_who_wait_and_stays_given() {
        let signal = StopSignal::new();
        assert!(!signal.is_given() && !signal.wait(Duration::ZERO));
        let waiting = signal.clone();
        let waiter = std::thread::spawn(move || waiting.wait(Duration::from_secs(60)));
        signal.give();
        signal.give();
        assert!(waiter.join().expect("it waits, and nothing else"));
        assert!(signal.is_given() && signal.wait(Duration::ZERO) && signal.given().recv().is_err());
    }
}
