//! What came out against what should have: nothing lost, doubled, reordered or wrong.
//!
//! The verifier knows nothing of the runner. It reads the topics through kcat, `read_committed`, and replays the input serially
//! through the pure crates.
//!
//! ```text
//!   audio.chunks ──extract──► expected features │ code   ═?═  audio.features, audio.dead-letters
//!   audio.features ──judge, observe──► expected score, alert, drift │ code   ═?═  audio.scores, …, audio.dead-letters
//!        or control ──apply──► expected audit record, alert │ code           ═?═  audio.audit, audio.alerts, audio.dead-letters
//!                            └──► each machine's final state   ═?═  the changelog's last record of it
//! ```

mod alike;
mod judge;
mod read;
mod replay;
mod verdict;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use auscult_schemas::topics::{AUDIT, DEAD_LETTERS, SCORES};

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

/// How long the last results may take when there are as many results as records: a worker that was killed comes back into its group.
const LAST_RESULTS: Duration = Duration::from_secs(30);

impl Verifier {
    /// `models` are those that may have judged; `max_chunk_bytes` is the workers' bound.
    #[must_use]
    pub fn new(kcat: Kcat, models: &[PathBuf], max_chunk_bytes: usize) -> Self {
        Self { kcat, models: models.to_vec(), max_chunk_bytes, knows_earlier_builds: false }
    }

    /// Lets pass what earlier builds did otherwise: audit records without their model; drift that was judged by other limits, and what is remembered of it.
    #[must_use]
    pub fn knowing_earlier_builds(self) -> Self {
        Self { knows_earlier_builds: true, ..self }
    }

    /// Waits until there are as many scores, audit records and dead letters as there were records sent, and until none of them is missing, or a while more.
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
        loop {
            meanwhile()?;
            let mut results = 0;
            for topic in [SCORES, AUDIT, DEAD_LETTERS] {
                results += self.kcat.count_since(topic, since)?;
            }
            if results >= expected {
                break;
            }
            if begun.elapsed() > limit {
                bail!("{results} of {expected} results {limit:?} after the last record was sent");
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        // A record may bring more than one result (a threshold that ends has an audit record of its own), so that their number may be reached
        // before the last record has its own. What is still missing after that is lost.
        let counted = Instant::now();
        while !self.verify(since)?.lost.is_empty() && counted.elapsed() < LAST_RESULTS {
            meanwhile()?;
            std::thread::sleep(Duration::from_millis(500));
        }
        Ok(())
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
