//! A hall of machines over time: which faults start where and when, and therefore what must be detected.

use super::{CHUNK_SECONDS, Condition, Fault, Machine, MachineKind};

/// A fault that starts and grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Onset {
    /// The fault.
    pub fault: Fault,
    /// The first faulty chunk.
    pub at_chunk: u64,
    /// Chunks from onset to full severity, with linear growth; 0: immediately.
    pub growth_chunks: u64,
}

/// A machine with its planned fault.
#[derive(Debug, Clone)]
pub struct MachinePlan {
    /// The machine.
    pub machine: Machine,
    /// Its fault, if any.
    pub onset: Option<Onset>,
}

impl MachinePlan {
    /// The machine's true condition during stream chunk `chunk`.
    #[must_use]
    pub fn condition(&self, chunk: u64) -> Condition {
        let Some(onset) = self.onset else { return Condition::NORMAL };
        let Some(age) = chunk.checked_sub(onset.at_chunk) else { return Condition::NORMAL };
        // The first faulty chunk already has a small severity.
        let severity = (age + 1) as f64 / (onset.growth_chunks + 1) as f64;
        Condition::faulty(onset.fault, severity)
    }
}

/// One chunk of the stream, with its ground truth.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Index of the machine in the scenario.
    pub machine: usize,
    /// Its number in the machine's stream, from 0.
    pub index: u64,
    /// The machine's true condition.
    pub condition: Condition,
    /// Mono at [`super::SAMPLE_RATE_HZ`], full scale ±1.
    pub samples: Vec<f32>,
}

/// Machines, their faults, and the number of chunks of each.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The machines.
    pub machines: Vec<MachinePlan>,
    /// Chunks per machine in the stream.
    pub chunks: u64,
}

impl Scenario {
    /// Stream chunks are numbered from here, after all training chunks.
    const STREAM_STARTS_AT: u64 = 1 << 20;

    /// The demo's hall: two fans, two pumps and two valves; one of each stays healthy, and the others' faults start
    /// after a quarter, a third and a half of the stream and grow over a quarter of it.
    #[must_use]
    pub fn demo(seed: u64, chunks: u64) -> Self {
        let growth_chunks = chunks / 4;
        let onset = |fault, at_chunk| Some(Onset { fault, at_chunk, growth_chunks });
        let plan = |kind, id: &str, onset| MachinePlan { machine: Machine::new(kind, id, seed), onset };
        Self {
            machines: vec![
                plan(MachineKind::Fan, "fan-1", onset(Fault::BearingWear, chunks / 4)),
                plan(MachineKind::Fan, "fan-2", None),
                plan(MachineKind::Pump, "pump-1", onset(Fault::Cavitation, chunks / 3)),
                plan(MachineKind::Pump, "pump-2", None),
                plan(MachineKind::Valve, "valve-1", onset(Fault::Leak, chunks / 2)),
                plan(MachineKind::Valve, "valve-2", None),
            ],
            chunks,
        }
    }

    /// Normal training sound of one machine; never a chunk of the stream.
    #[must_use]
    pub fn training_chunk(&self, machine: usize, index: u64) -> Vec<f32> {
        debug_assert!(index < Self::STREAM_STARTS_AT, "training would run into the stream");
        self.machines[machine].machine.chunk(index, Condition::NORMAL)
    }

    /// One chunk of the stream.
    #[must_use]
    pub fn stream_chunk(&self, machine: usize, index: u64) -> Chunk {
        let plan = &self.machines[machine];
        let condition = plan.condition(index);
        let samples = plan.machine.chunk(Self::STREAM_STARTS_AT + index, condition);
        Chunk { machine, index, condition, samples }
    }

    /// The whole stream, machine by machine within each round, as microphones deliver it.
    pub fn stream(&self) -> impl Iterator<Item = Chunk> + '_ {
        (0..self.chunks)
            .flat_map(move |index| (0..self.machines.len()).map(move |machine| self.stream_chunk(machine, index)))
    }

    /// Length of the sound in the stream, over all machines, s.
    #[must_use]
    pub fn sound_seconds(&self) -> f64 {
        self.chunks as f64 * self.machines.len() as f64 * CHUNK_SECONDS
    }
}
