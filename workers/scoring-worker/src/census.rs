//! How many machines are in which state, of those whose partitions this worker has.

use std::collections::HashMap;

use auscult_runtime::processor::{Memory, StateKey};
use auscult_runtime::record::Record;
use auscult_schemas::{MachineState, ScorerState};
use bytes::Bytes;
use prometheus::IntGaugeVec;

/// The latest state of each machine, taken from what is remembered: with every batch of those that it was about, and of all anew whenever
/// partitions came or went or a batch was taken back.
#[derive(Debug, Default)]
pub(crate) struct Census {
    generation: Option<u64>,
    states: HashMap<StateKey, MachineState>,
}

impl Census {
    /// After a batch. `is_whole` is false after one that has panicked on its way, of which nobody knows how far it came.
    pub fn take(&mut self, records: &[Record], memory: &Memory<'_, ScorerState>, is_whole: bool, gauge: &IntGaugeVec) {
        if !is_whole || self.generation != Some(memory.generation()) {
            self.generation = is_whole.then(|| memory.generation());
            self.states = memory.iter().map(|(key, state)| (key.clone(), state_of(state))).collect();
        } else {
            for record in records {
                let Some(key) = &record.key else { continue };
                self.count(record.coordinates.partition, key, memory);
            }
        }
        let mut counts = MachineState::ALL.map(|state| (state, 0));
        for state in self.states.values() {
            if let Some((_, count)) = counts.iter_mut().find(|(counted, _)| counted == state) {
                *count += 1;
            }
        }
        for (state, count) in counts {
            gauge.with_label_values(&[state.as_str()]).set(count);
        }
    }

    fn count(&mut self, partition: i32, key: &Bytes, memory: &Memory<'_, ScorerState>) {
        if let Some(state) = memory.get(partition, key) {
            self.states.insert((partition, key.clone()), state_of(state));
        }
    }
}

/// A machine that no sensor hears counts as one with a sensor fault, whatever it was before.
fn state_of(state: &ScorerState) -> MachineState {
    let at_fault = state.sensors.iter().filter(|sensor| sensor.is_at_fault).count();
    let hears_nothing = at_fault > 0 && state.channels.is_some_and(|channels| at_fault >= channels as usize);
    if hears_nothing { MachineState::SensorFault } else { state.alert.state }
}

#[cfg(test)]
mod tests {
    use auscult_schemas::{Headers, MachineId, ModelId, ModelRef, RecordCoordinates};
    use prometheus::Opts;

    use super::*;

    fn state(machine: &str, state: MachineState) -> ScorerState {
        let model = ModelRef { id: ModelId("m".to_owned()), version: "v".to_owned() };
        let mut new = ScorerState::new(MachineId::new(machine).unwrap(), model);
        new.alert.state = state;
        new
    }

    fn key(machine: &'static str) -> StateKey {
        (0, Bytes::from_static(machine.as_bytes()))
    }

    fn record(machine: &'static str) -> Record {
        let coordinates = RecordCoordinates { topic: "audio.features".to_owned(), partition: 0, offset: 7 };
        Record { coordinates, key: Some(key(machine).1), value: None, headers: Headers::default(), timestamp_ms: None }
    }

    #[test]
    fn machines_are_counted_by_state_and_those_of_lost_partitions_no_longer() {
        let gauge = IntGaugeVec::new(Opts::new("machines", "machines"), &["state"]).unwrap();
        let of = |state: MachineState| gauge.with_label_values(&[state.as_str()]).get();
        let mut census = Census::default();
        let mut known =
            HashMap::from([(key("a"), state("a", MachineState::Healthy)), (key("b"), state("b", MachineState::Alarm))]);
        census.take(&[], &Memory::over(&known), true, &gauge);
        assert_eq!((of(MachineState::Healthy), of(MachineState::Alarm)), (1, 1));

        let mut memory = Memory::over(&known);
        memory.put(0, key("b").1, state("b", MachineState::Acknowledged));
        census.take(&[record("b")], &memory, true, &gauge);
        assert_eq!((of(MachineState::Alarm), of(MachineState::Acknowledged)), (0, 1));

        known.remove(&key("a"));
        census.take(&[], &Memory::over(&known), false, &gauge);
        assert_eq!((of(MachineState::Healthy), of(MachineState::Alarm)), (0, 1));
    }
}
