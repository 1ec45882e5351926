//! Scores as they are committed, followed by kcat while the stream is still being sent.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use auscult_schemas::topics::SCORES;

use super::ScoreSeen;
use crate::Kcat;

/// Follows `audio.scores` until dropped.
pub(super) struct Followed {
    kcat: Child,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    count: AtomicU64,
    scores: Mutex<Vec<ScoreSeen>>,
    /// The first line that was no score.
    trouble: Mutex<Option<String>>,
}

impl Followed {
    /// Begins at the topic's beginning.
    pub(super) fn start(kcat: &Kcat) -> Result<Self> {
        let mut kcat = kcat.follow(SCORES)?;
        let lines = BufReader::new(kcat.stdout.take().context("kcat's output is piped")?).lines();
        let seen = Arc::new(Seen::default());
        std::thread::Builder::new().name("scores".to_owned()).spawn({
            let seen = Arc::clone(&seen);
            move || seen.read(lines.map_while(Result::ok))
        })?;
        Ok(Self { kcat, seen })
    }

    /// How many scores there are so far.
    pub(super) fn count(&self) -> u64 {
        self.seen.count.load(Ordering::Relaxed)
    }

    /// All of them.
    pub(super) fn take(self) -> Result<Vec<ScoreSeen>> {
        if let Some(trouble) = self.seen.trouble.lock().unwrap_or_else(PoisonError::into_inner).take() {
            anyhow::bail!("{trouble}");
        }
        Ok(std::mem::take(&mut *self.seen.scores.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Seen {
    fn read(&self, lines: impl Iterator<Item = String>) {
        for line in lines {
            match serde_json::from_str(&line) {
                Ok(score) => {
                    self.scores.lock().unwrap_or_else(PoisonError::into_inner).push(score);
                    self.count.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
                    trouble.get_or_insert_with(|| format!("{SCORES} holds {line:?}: {error}"));
                }
            }
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.kcat.kill();
        let _ = self.kcat.wait();
    }
}
