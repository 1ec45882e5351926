//! Number of machines by state, and number of drifting machines, for this worker's partitions.

use auscult_detection::{DriftPolicy, charts_going_on, counted_state};
use auscult_runtime::processor::Memory;
use auscult_schemas::ScorerState;

use crate::ScoringMetrics;
use crate::worker_machines::WorkerMachines;

/// Updates the counts and series of machines: after every batch for machines with new states, and for all machines
/// after partitions were assigned or revoked, or a batch was rolled back.
#[derive(Debug, Default)]
pub(crate) struct FleetCounts {
    /// Generation of the states whose series are shown.
    generation: Option<u64>,
}

impl FleetCounts {
    /// Updates after a batch that has left the machines as in `machines`. `is_whole` is false after a batch that
    /// panicked and may be partly applied.
    pub fn update(
        &mut self,
        memory: &Memory<'_, ScorerState>,
        machines: &WorkerMachines,
        is_whole: bool,
        metrics: &ScoringMetrics,
        policy: &DriftPolicy,
    ) {
        let series = &metrics.machine_series;
        let written = || memory.written().values().map(|state| (state, counted_state(state)));
        let is_there = |state: &&ScorerState| state.retired.is_none();
        if !is_whole || self.generation != Some(memory.generation()) {
            self.generation = is_whole.then(|| memory.generation());
            let there = memory.iter().filter(|(_, state)| is_there(state));
            series.show_only(there.map(|(_, state)| (state, counted_state(state))));
        } else {
            series.show(written().filter(|(state, _)| is_there(state)));
            series.hide(written().filter(|(state, _)| !is_there(state)).map(|(state, _)| state.machine.as_str()));
        }
        // Skipped if the series are not shown.
        let charted = written().filter(|(state, _)| is_there(state) && !series.is_left_out());
        for (state, _) in charted {
            series.charted(state.machine.as_str(), &charts_going_on(&state.drift, policy));
        }
        for (state, count) in machines.counts() {
            metrics.machines.with_label_values(&[state.as_str()]).set(gauge(count));
        }
        metrics.drifting_machines.set(gauge(machines.drifting()));
        metrics.silent_machines.set(gauge(machines.silent()));
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use auscult_runtime::processor::StateKey;
    use auscult_runtime::telemetry::Registrar;
    use auscult_schemas::{DriftChart, DriftEpisode, MachineId, MachineState, ModelId, ModelRef, Standing};
    use bytes::Bytes;

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

    struct Counted {
        registrar: Registrar,
        metrics: ScoringMetrics,
        fleet_counts: FleetCounts,
        machines: Option<WorkerMachines>,
    }

    impl Counted {
        fn with_series_for(machines: usize) -> Self {
            let registrar = Registrar::default();
            let metrics = ScoringMetrics::register(&registrar, machines).unwrap();
            Self { registrar, metrics, fleet_counts: FleetCounts::default(), machines: None }
        }

        fn update(&mut self, memory: &Memory<'_, ScorerState>, is_whole: bool) {
            // As the stage does: they go on from batch to batch, and are made anew after a batch that panicked.
            let kept = self.machines.take().filter(|machines| is_whole && machines.hold(memory));
            let mut machines = kept.unwrap_or_else(|| WorkerMachines::of(memory, 6));
            for ((partition, _), state) in memory.written() {
                machines.partition(*partition).put(state);
            }
            self.fleet_counts.update(memory, &machines, is_whole, &self.metrics, &DriftPolicy::default());
            self.machines = Some(machines);
        }

        fn in_state(&self, state: MachineState) -> i64 {
            self.metrics.machines.with_label_values(&[state.as_str()]).get()
        }

        /// What an exposition says of single machines, each `name{labels} value`, without those about charts.
        fn series(&self) -> Vec<String> {
            let text = prometheus::TextEncoder::new().encode_to_string(&self.registrar.registry().gather()).unwrap();
            let is_of_machine = |line: &&str| line.starts_with("auscult_machine_") && line.contains("machine=");
            text.lines().filter(is_of_machine).filter(|line| !line.contains("chart")).map(str::to_owned).collect()
        }
    }

    #[test]
    fn machines_are_counted_by_state_and_those_of_lost_partitions_no_longer() {
        let mut counted = Counted::with_series_for(10);
        let mut known =
            HashMap::from([(key("a"), state("a", MachineState::Healthy)), (key("b"), state("b", MachineState::Alarm))]);
        counted.update(&Memory::over(&known), true);
        assert_eq!((counted.in_state(MachineState::Healthy), counted.in_state(MachineState::Alarm)), (1, 1));
        assert_eq!(counted.metrics.drifting_machines.get(), 0);

        let mut memory = Memory::over(&known);
        let mut acknowledged = state("b", MachineState::Acknowledged);
        let now = jiff::Timestamp::UNIX_EPOCH;
        acknowledged.drift.episode =
            Some(DriftEpisode { chart: DriftChart::Ewma, since: now, found: now, quiet_windows: 0 });
        memory.put(0, key("b").1, acknowledged);
        counted.update(&memory, true);
        assert_eq!((counted.in_state(MachineState::Alarm), counted.in_state(MachineState::Acknowledged)), (0, 1));
        assert_eq!(counted.metrics.drifting_machines.get(), 1);
        assert_eq!(
            counted.series().iter().filter(|line| line.contains("\"b\"")).collect::<Vec<_>>(),
            [
                r#"auscult_machine_anomalous_chunks_total{machine="b"} 0"#,
                r#"auscult_machine_chunks_total{machine="b"} 0"#,
                r#"auscult_machine_drifting{machine="b"} 1"#,
                r#"auscult_machine_state{machine="b",state="acknowledged"} 1"#,
            ]
        );

        let mut memory = Memory::over(&known);
        let mut retired = state("b", MachineState::Learning);
        retired.retired = Some(Standing { by: "anna".to_owned(), since: now, until: None });
        memory.put(0, key("b").1, retired);
        counted.update(&memory, true);
        assert_eq!((counted.in_state(MachineState::Healthy), counted.in_state(MachineState::Learning)), (1, 0));
        assert!(counted.series().iter().all(|line| line.contains("\"a\"")), "{:?}", counted.series());

        known.remove(&key("a"));
        counted.update(&Memory::over(&known), false);
        assert_eq!((counted.in_state(MachineState::Healthy), counted.in_state(MachineState::Alarm)), (0, 1));
        assert!(counted.series().iter().all(|line| line.contains("\"b\"")), "{:?}", counted.series());
    }

    #[test]
    fn above_the_configured_count_no_machine_has_series_and_below_it_all_have_again() {
        let mut counted = Counted::with_series_for(2);
        let mut known = HashMap::from([
            (key("a"), state("a", MachineState::Healthy)),
            (key("b"), state("b", MachineState::Healthy)),
        ]);
        counted.update(&Memory::over(&known), true);
        assert_eq!(counted.series().len(), 8);

        let mut memory = Memory::over(&known);
        memory.put(0, key("c").1, state("c", MachineState::Learning));
        counted.update(&memory, true);
        assert_eq!(counted.series(), Vec::<String>::new());
        assert_eq!(counted.in_state(MachineState::Learning), 1, "it is counted all the same");

        known.remove(&key("a"));
        counted.update(&Memory::over(&known), false);
        assert_eq!(counted.series().len(), 4);
    }
}
