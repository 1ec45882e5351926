//! The machines of each partition of this worker, kept between batches.

use std::collections::HashMap;

use auscult_detection::PartitionMachines;
use auscult_runtime::processor::Memory;
use auscult_schemas::{MachineState, ScorerState};

/// A cache: everything is derived from the states and can be rebuilt from them.
#[derive(Debug, Clone)]
pub(crate) struct WorkerMachines {
    generation: u64,
    silent_after: u32,
    partitions: HashMap<i32, PartitionMachines>,
}

impl WorkerMachines {
    /// Built from all states. `silent_after` is that of the alert policy.
    pub(crate) fn of(memory: &Memory<'_, ScorerState>, silent_after: u32) -> Self {
        let mut machines = Self { generation: memory.generation(), silent_after, partitions: HashMap::new() };
        for ((partition, _), state) in memory.iter() {
            machines.partition(*partition).put(state);
        }
        machines
    }

    /// Whether the cache still matches the states.
    pub(crate) fn hold(&self, memory: &Memory<'_, ScorerState>) -> bool {
        self.generation == memory.generation()
    }

    /// The machines of one partition.
    pub(crate) fn partition(&mut self, partition: i32) -> &mut PartitionMachines {
        let silent_after = self.silent_after;
        self.partitions.entry(partition).or_insert_with(|| PartitionMachines::new(silent_after))
    }

    /// Number of silent machines.
    pub(crate) fn silent(&self) -> usize {
        self.partitions.values().map(PartitionMachines::silent).sum()
    }

    /// Number of drifting machines.
    pub(crate) fn drifting(&self) -> usize {
        self.partitions.values().map(PartitionMachines::drifting).sum()
    }

    /// Number of machines in each state, in the order of [`MachineState::ALL`].
    pub(crate) fn counts(&self) -> [(MachineState, usize); MachineState::ALL.len()] {
        let mut counts = MachineState::ALL.map(|state| (state, 0));
        for partition in self.partitions.values() {
            for ((_, sum), (_, count)) in counts.iter_mut().zip(partition.counts()) {
                *sum += count;
            }
        }
        counts
    }
}
