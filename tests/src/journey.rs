//! What came out of a run: every score by machine, how fast, and what is missing or double.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use auscult_schemas::Score;

use crate::KcatRecord;

/// Scores as kcat read them, `read_committed`.
#[derive(Debug, Default)]
pub struct Journey {
    /// Scores of each machine in the order of their offsets, each with the time it was written, ms since 1970.
    pub scores: BTreeMap<String, Vec<(Score, i64)>>,
}

impl Journey {
    /// Takes the records of `audio.scores`.
    ///
    /// # Errors
    /// When one is no score, or its key or headers differ from what it says.
    pub fn of(records: &[KcatRecord]) -> Result<Self> {
        let mut journey = Self::default();
        for record in records {
            let score: Score = serde_json::from_value(record.json()?).context("reading a score")?;
            let machine = score.machine.to_string();
            ensure!(record.key.as_deref() == Some(machine.as_str()), "key {:?} of {machine}", record.key);
            ensure!(record.header("ce_id") == Some(score.id.as_str()), "ce_id of {}", score.id);
            ensure!(record.partition == score.chunk.partition, "{} left its partition", score.id);
            journey.scores.entry(machine).or_default().push((score, record.timestamp_ms));
        }
        Ok(journey)
    }

    /// How many scores there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scores.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Exactly one score a chunk, and each machine's in the order of its chunks on each partition. (A gateway with
    /// another partitioner may put a machine's chunks on another partition; between partitions there is no order to
    /// keep.)
    ///
    /// # Errors
    /// Naming the machine and the chunk.
    pub fn ensure_once_and_in_order(&self, chunks: &BTreeMap<String, usize>) -> Result<()> {
        for (machine, expected) in chunks {
            let scores = self.scores.get(machine).map_or(&[][..], Vec::as_slice);
            ensure!(scores.len() == *expected, "{machine}: {expected} chunks, {} scores", scores.len());
            let mut latest: BTreeMap<i32, i64> = BTreeMap::new();
            for (score, _) in scores {
                let (partition, offset) = (score.chunk.partition, score.chunk.offset);
                let earlier = latest.insert(partition, offset).unwrap_or(-1);
                ensure!(earlier < offset, "{machine}: the score of offset {offset} follows that of {earlier}");
            }
        }
        Ok(())
    }

    /// Seconds from sending a chunk to its score lying in the topic, ascending.
    #[must_use]
    pub fn latencies_s(&self) -> Vec<f64> {
        let latency = |(score, written_ms): &(Score, i64)| (written_ms - score.time.as_millisecond()) as f64 / 1e3;
        let mut latencies: Vec<f64> = self.scores.values().flatten().map(latency).collect();
        latencies.sort_by(f64::total_cmp);
        latencies
    }

    /// Chunks a second from the first one sent to the last one scored.
    #[must_use]
    pub fn chunks_per_second(&self) -> f64 {
        let first = self.scores.values().flatten().map(|(score, _)| score.time.as_millisecond()).min().unwrap_or(0);
        let last = self.scores.values().flatten().map(|(_, written_ms)| *written_ms).max().unwrap_or(0);
        self.len() as f64 / ((last - first).max(1) as f64 / 1e3)
    }
}

/// The value below which this share of an ascending list lies.
#[must_use]
pub fn quantile(ascending: &[f64], share: f64) -> f64 {
    let last = ascending.len().saturating_sub(1);
    ascending.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}
