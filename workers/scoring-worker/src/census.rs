//! How many machines are in which state, and how many drift, of those whose partitions this worker has.

use std::collections::HashMap;

use auscult_runtime::processor::{Memory, StateKey};
use auscult_schemas::{MachineState, ScorerState};
use prometheus::{IntGauge, IntGaugeVec};

/// The latest state of each machine, taken from what is remembered: with every batch of those whose state it wrote, and of all anew whenever
/// partitions came or went or a batch was taken back.
#[derive(Debug, Default)]
pub(crate) struct Census {
    generation: Option<u64>,
    /// With whether it drifts.
    states: HashMap<StateKey, (MachineState, bool)>,
}

impl Census {
    /// After a batch. `is_whole` is false after one that has panicked on its way, of which nobody knows how far it came.
    pub fn take(&mut self, memory: &Memory<'_, ScorerState>, is_whole: bool, gauge: &IntGaugeVec, drifting: &IntGauge) {
        if !is_whole || self.generation != Some(memory.generation()) {
            self.generation = is_whole.then(|| memory.generation());
            self.states = memory.iter().map(|(key, state)| (key.clone(), counted(state))).collect();
        } else {
            self.states.extend(memory.written().iter().map(|(key, state)| (key.clone(), counted(state))));
        }
        let mut counts = MachineState::ALL.map(|state| (state, 0));
        for (state, _) in self.states.values() {
            if let Some((_, count)) = counts.iter_mut().find(|(counted, _)| counted == state) {
                *count += 1;
            }
        }
        for (state, count) in counts {
            gauge.with_label_values(&[state.as_str()]).set(count);
        }
        let drift = self.states.values().filter(|(_, is_drifting)| *is_drifting).count();
        drifting.set(i64::try_from(drift).unwrap_or(i64::MAX));
    }
}

fn counted(state: &ScorerState) -> (MachineState, bool) {
    (state_of(state), state.drift.episode.is_some())
}

/// A machine that no sensor hears counts as one with a sensor fault, whatever it was before.
fn state_of(state: &ScorerState) -> MachineState {
    let at_fault = state.sensors.iter().filter(|sensor| sensor.is_at_fault).count();
    let hears_nothing = at_fault > 0 && state.channels.is_some_and(|channels| at_fault >= channels as usize);
    if hears_nothing { MachineState::SensorFault } else { state.alert.state }
}

#[cfg(test)]
mod tests {
    use auscult_schemas::{DriftChart, DriftEpisode, MachineId, ModelId, ModelRef};
    use bytes::Bytes;
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

    #[test]
    fn machines_are_counted_by_state_and_those_of_lost_partitions_no_longer() {
        let gauge = IntGaugeVec::new(Opts::new("machines", "machines"), &["state"]).unwrap();
        let drifting = IntGauge::new("drifting", "drifting").unwrap();
        let of = |state: MachineState| gauge.with_label_values(&[state.as_str()]).get();
        let mut census = Census::default();
        let mut known =
            HashMap::from([(key("a"), state("a", MachineState::Healthy)), (key("b"), state("b", MachineState::Alarm))]);
        census.take(&Memory::over(&known), true, &gauge, &drifting);
        assert_eq!((of(MachineState::Healthy), of(MachineState::Alarm)), (1, 1));

        let mut memory = Memory::over(&known);
        assert_eq!(drifting.get(), 0);
        let mut acknowledged = state("b", MachineState::Acknowledged);
        let now = jiff::Timestamp::UNIX_EPOCH;
        acknowledged.drift.episode =
            Some(DriftEpisode { chart: DriftChart::Ewma, since: now, found: now, quiet_windows: 0 });
        memory.put(0, key("b").1, acknowledged);
        census.take(&memory, true, &gauge, &drifting);
        assert_eq!((of(MachineState::Alarm), of(MachineState::Acknowledged), drifting.get()), (0, 1, 1));

        known.remove(&key("a"));
        census.take(&Memory::over(&known), false, &gauge, &drifting);
        assert_eq!((of(MachineState::Healthy), of(MachineState::Alarm), drifting.get()), (0, 1, 0));
    }
}
