//! What came out against what should have: nothing lost, doubled, reordered or wrong.
//!
//! The verifier knows nothing of the runner. It reads the topics through kcat, `read_committed`, and replays the input
//! serially through the pure crates.
//!
//! ```text
//!   audio.chunks ──extract──► expected features │ code   ═?═  audio.features, audio.dead-letters
//!   audio.features ──judge, observe──► expected score, alert, drift │ code   ═?═  audio.scores, …, audio.dead-letters
//!        or control ──apply──► expected audit record, alert │ code           ═?═  audio.audit, audio.alerts, audio.dead-letters
//!                            └──► each machine's final state   ═?═  the changelog's last record of it
//! ```

mod alike;
mod answered;
mod judge;
mod read;
mod replay;
mod verdict;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use answered::Answered;
pub use read::{Offsets, TopicRecord, Topics};
pub use replay::Replay;
pub use verdict::{Finding, Verdict};

use crate::Kcat;

/// Reads and judges what one cluster holds.
#[derive(Debug)]
pub struct Verifier {
    kcat: Kcat,
    models: Vec<PathBuf>,
    max_chunk_bytes: usize,
    knows_earlier_builds: bool,
}

impl Verifier {
    /// `models` are those that may have judged; `max_chunk_bytes` is the workers' bound.
    #[must_use]
    pub fn new(kcat: Kcat, models: &[PathBuf], max_chunk_bytes: usize) -> Self {
        Self { kcat, models: models.to_vec(), max_chunk_bytes, knows_earlier_builds: false }
    }

    /// Lets pass what earlier builds did otherwise: audit records without their model; drift that was judged by other
    /// limits, and what is remembered of it.
    #[must_use]
    pub fn knowing_earlier_builds(self) -> Self {
        Self { knows_earlier_builds: true, ..self }
    }

    /// Waits until as many records have a result of their own as were sent: a score, a dead letter, or the audit record
    /// of what was asked for. What a record brings besides (a threshold that ends has an audit record, too) is not
    /// counted.
    ///
    /// # Errors
    /// When there are not within `limit`, or `meanwhile` fails.
    pub fn await_settled(
        &self,
        since: &Offsets,
        expected: usize,
        limit: Duration,
        meanwhile: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let begun = Instant::now();
        let mut answered = Answered::since(since);
        loop {
            meanwhile()?;
            answered.read_on(&self.kcat)?;
            if answered.count() >= expected {
                return Ok(());
            }
            if begun.elapsed() > limit {
                let found = answered.count();
                bail!("{found} of {expected} records have a result {limit:?} after the last was sent");
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Reads everything that was written since and judges it.
    ///
    /// # Errors
    /// When a topic cannot be read, or a model.
    pub fn verify(&self, since: &Offsets) -> Result<Verdict> {
        let topics = Topics::read(&self.kcat, since)?;
        let mut replay = Replay::of(&self.models, self.max_chunk_bytes)?;
        replay.knows_earlier_builds = self.knows_earlier_builds;
        Ok(judge::judge(&topics, &mut replay))
    }
}
