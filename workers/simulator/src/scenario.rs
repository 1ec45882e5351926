//! A hall of machines over time: which fault sets in where and when, and so what a listener ought to find.

use super::{CHUNK_SECONDS, Condition, Fault, Machine, MachineKind};

/// A fault that sets in and grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Onset {
    /// The fault.
    pub fault: Fault,
    /// The first faulty chunk.
    pub at_chunk: u64,
    /// Chunks from onset to full severity, growing evenly; 0: at once.
    pub growth_chunks: u64,
}

/// A machine and its fate.
#[derive(Debug, Clone)]
pub struct MachinePlan {
    /// The machine.
    pub machine: Machine,
    /// Its fault, if it gets one.
    pub onset: Option<Onset>,
}

impl MachinePlan {
    /// The machine's true condition during stream chunk `chunk`.
    #[must_use]
    pub fn condition(&self, chunk: u64) -> Condition {
        let Some(onset) = self.onset else { return Condition::NORMAL };
        let Some(age) = chunk.checked_sub(onset.at_chunk) else { return Condition::NORMAL };
        // The first faulty chunk is already a little worse than new.
        let severity = (age + 1) as f64 / (onset.growth_chunks + 1) as f64;
        Condition::faulty(onset.fault, severity)
    }
}

/// One chunk of the stream, with the truth about it.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Which machine of the scenario.
    pub machine: usize,
    /// Its number in the machine's stream, from 0.
    pub index: u64,
    /// What the machine is really like.
    pub condition: Condition,
    /// Mono at [`super::SAMPLE_RATE_HZ`], full scale ±1.
    pub samples: Vec<f32>,
}

/// Machines, their fates, and how many chunks each is listened to.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The machines.
    pub machines: Vec<MachinePlan>,
    /// Chunks a machine in the stream.
    pub chunks: u64,
}

impl Scenario {
    /// Stream chunks are numbered from here in the machine's own life, after all that it is trained with.
    const STREAM_STARTS_AT: u64 = 1 << 20;

    /// The demo's hall: two fans, two pumps and two valves; one of each stays healthy, the others' faults set in after
    /// a quarter, a third and a half of the stream and grow over a quarter of it.
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

    /// Normal sound of one machine to train with; never a chunk of the stream.
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

    /// The whole stream, machine after machine within each round, as microphones deliver it.
    pub fn stream(&self) -> impl Iterator<Item = Chunk> + '_ {
        (0..self.chunks)
            .flat_map(move |index| (0..self.machines.len()).map(move |machine| self.stream_chunk(machine, index)))
    }

    /// Length of the sound in the stream, all machines together, s.
    #[must_use]
    pub fn sound_seconds(&self) -> f64 {
        self.chunks as f64 * self.machines.len() as f64 * CHUNK_SECONDS
    }
}
