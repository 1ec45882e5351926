//! The machines of each partition, listed for the decisions that concern many of them, and kept from batch to batch.

use std::collections::HashMap;

use auscult_detection::Roster;
use auscult_runtime::processor::Memory;
use auscult_schemas::ScorerState;

/// A roster a partition. They follow from the states alone: what was kept is only a shorter way to what would be made
/// anew.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rosters {
    generation: u64,
    partitions: HashMap<i32, Roster>,
}

impl Rosters {
    /// Of everything that is remembered.
    pub(crate) fn of(memory: &Memory<'_, ScorerState>) -> Self {
        let mut partitions: HashMap<i32, Roster> = HashMap::new();
        for ((partition, _), state) in memory.iter() {
            partitions.entry(*partition).or_default().put(state);
        }
        Self { generation: memory.generation(), partitions }
    }

    /// Whether they still list what is remembered.
    pub(crate) fn hold(&self, memory: &Memory<'_, ScorerState>) -> bool {
        self.generation == memory.generation()
    }

    /// The machines of one partition.
    pub(crate) fn partition(&mut self, partition: i32) -> &mut Roster {
        self.partitions.entry(partition).or_default()
    }

    /// How many machines are silent.
    pub(crate) fn silent(&self) -> i64 {
        let silent: usize = self.partitions.values().map(Roster::silent).sum();
        i64::try_from(silent).unwrap_or(i64::MAX)
    }
}
