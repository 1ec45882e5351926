//! What is promised of the machines of a partition: kept in order and counted from chunk to chunk, they decide as a
//! look at every machine for every chunk does.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/straightforward.rs"]
mod straightforward;
mod support;

use auscult_detection::{
    ControlRequest, Judgement, ObservedChunk, PartitionMachines, WatchPolicy, apply_control, watch_chunk,
};
use auscult_schemas::{ChunkId, Control, ControlAction, MachineId, MachineState, ModelId, ModelRef};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use straightforward::States;
use support::hall::{CADENCE_S, MANIFEST, start};

/// What can happen to a machine in a round.
#[derive(Debug, Clone, Copy)]
struct Chances {
    /// That no chunk of it comes.
    missing: f64,
    /// That its chunk is anomalous by itself.
    anomalous: f64,
    /// That a person asks for something.
    control: f64,
    /// That its clock is off in this round, by up to an hour.
    wrong_clock: f64,
}

struct Partition {
    ids: Vec<MachineId>,
    states: States,
    machines: PartitionMachines,
    policy: WatchPolicy,
    rng: StdRng,
    records: u64,
    found: Found,
}

/// What has been found so far.
#[derive(Debug, Default)]
struct Found {
    changes: usize,
    relearning: usize,
    silent: usize,
}

impl Partition {
    fn new(machines: usize, environments: usize, seed: u64) -> Self {
        let policy = WatchPolicy::default();
        let id = |number: usize| match number % environments {
            0 => format!("fan-{number:03}"),
            hall => format!("plant/hall-{hall}/fan-{number:03}"),
        };
        Self {
            ids: (0..machines).map(|number| MachineId::new(id(number)).unwrap()).collect(),
            states: States::new(),
            machines: PartitionMachines::new(policy.alert.silent_after),
            policy,
            rng: StdRng::seed_from_u64(seed),
            records: 0,
            found: Found::default(),
        }
    }

    /// A chunk of a machine, whose outcome is compared in all its parts.
    fn chunk(&mut self, machine: &MachineId, time: Timestamp, is_anomalous: bool, is_heard: bool) {
        let calibration = &MANIFEST.calibration;
        let normal = calibration.scores[self.rng.random_range(0..calibration.scores.len() / 2)];
        let score = if is_anomalous { 2.0 * calibration.threshold + normal } else { normal };
        let judgement = Judgement {
            score,
            channel_scores: vec![score],
            p_value: calibration.p_value(score),
            health_index: calibration.health_index(score),
            threshold: calibration.threshold,
            anomalous: is_anomalous,
            bands: Vec::new(),
            time_course: None,
            band_levels_db: MANIFEST.drift_reference.mean_band_levels_db.iter().map(|level| *level as f32).collect(),
        };
        self.records += 1;
        let chunk = ObservedChunk {
            id: &format!("{machine}/0/{}/v1", self.records),
            machine,
            chunk_id: &ChunkId(format!("chunk-{}", self.records)),
            time,
            judgement: is_heard.then_some(&judgement),
            channels: 1,
            sensor_faults: &[],
            quality: &[],
            recorded: None,
            model: &model(),
            manifest: &MANIFEST,
        };
        let expected = straightforward::watch_chunk(&self.states, &chunk, &self.policy);
        let before = self.states.get(machine);
        let state_of = |other: &MachineId| self.states.get(other).cloned();
        let outcome = watch_chunk(&mut self.machines, state_of, before, &chunk, &self.policy);
        assert_eq!(outcome.observation, expected.observation);
        assert_eq!(outcome.environment.and_then(|alert| alert.environment), expected.change);
        assert_eq!(outcome.silent, expected.silent);
        assert_eq!(outcome.others, expected.others);
        self.found.changes += usize::from(expected.change.is_some());
        self.found.silent += expected.silent.len();
        for state in outcome.others.into_iter().chain([outcome.observation.state]) {
            self.found.relearning +=
                usize::from(state.relearning.as_ref().is_some_and(|level| level.scores.is_empty()));
            self.states.insert(state.machine.clone(), state);
        }
    }

    fn control(&mut self, machine: &MachineId, time: Timestamp) {
        let until = self.rng.random_bool(0.7).then(|| time + SignedDuration::from_secs(8 * CADENCE_S));
        let action = match self.rng.random_range(0..8) {
            0 => ControlAction::Maintenance { until },
            1 => ControlAction::EndMaintenance,
            2 => ControlAction::Idle { until },
            3 => ControlAction::Running,
            4 => ControlAction::Relearn,
            5 => ControlAction::Retire,
            6 => ControlAction::Acknowledge,
            _ => ControlAction::Mute { until },
        };
        let control = Control { machine: machine.clone(), by: "anna".to_owned(), at: None, id: None, action };
        self.records += 1;
        let request = ControlRequest {
            id: &format!("{machine}/{}/control", self.records),
            control: &control,
            record_id: &ChunkId(format!("control-{}", self.records)),
            record_time: time,
            model: &model(),
            manifest: &MANIFEST,
        };
        if let Ok(applied) = apply_control(self.states.get(machine), &request, &self.policy.alert) {
            self.machines.put(&applied.state);
            self.states.insert(machine.clone(), applied.state);
        }
    }

    fn round(&mut self, round: i64, chances: Chances, is_changed: bool) {
        for number in 0..self.ids.len() {
            let machine = self.ids[number].clone();
            let mut off_s = number as i64 * 3 + self.rng.random_range(0..=2);
            if self.rng.random_bool(chances.wrong_clock) {
                off_s += self.rng.random_range(-3600..=3600);
            }
            let time = start() + SignedDuration::from_secs(round * CADENCE_S + off_s);
            if self.rng.random_bool(chances.control) {
                self.control(&machine, time);
            }
            if !self.rng.random_bool(chances.missing) {
                let is_anomalous = (is_changed && number % 4 != 0) || self.rng.random_bool(chances.anomalous);
                let is_heard = !self.rng.random_bool(0.02);
                self.chunk(&machine, time, is_anomalous, is_heard);
            }
        }
        self.check_counts();
        if round % 37 == 36 {
            self.machines = PartitionMachines::new(self.policy.alert.silent_after);
            self.states.values().for_each(|state| self.machines.put(state));
            self.check_counts();
        }
    }

    fn check_counts(&self) {
        let (counts, drifting) = straightforward::counts(&self.states);
        assert_eq!(self.machines.counts().collect::<Vec<_>>(), counts);
        assert_eq!(self.machines.drifting(), drifting);
        let summaries = straightforward::machines_of(&self.states);
        let silent = summaries.values().filter(|machine| machine.state == MachineState::Silent).count();
        assert_eq!(self.machines.silent(), silent);
        let mut kept: Vec<_> = self.machines.iter().collect();
        kept.sort_by_key(|(id, _)| *id);
        assert_eq!(kept, summaries.iter().collect::<Vec<_>>());
    }
}

fn model() -> ModelRef {
    ModelRef { id: ModelId("fan".to_owned()), version: "v1".to_owned() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn chunks_and_controls_come_to_the_same_as_with_a_look_at_every_machine(
        machines in 1..28_usize,
        environments in 1..4_usize,
        (missing, anomalous) in (0.0..0.6_f64, 0.0..0.3_f64),
        (control, wrong_clock) in (0.0..0.1_f64, 0.0..0.1_f64),
        changes_at in 10..60_i64,
        outage_at in 10..80_i64,
        seed in any::<u64>(),
    ) {
        let mut partition = Partition::new(machines, environments, seed);
        let chances = Chances { missing, anomalous, control, wrong_clock };
        for round in 0..80 {
            let is_out = (outage_at..outage_at + 12).contains(&round) && round % 2 == 0;
            let missing = if is_out { 0.9 } else { chances.missing };
            partition.round(round, Chances { missing, ..chances }, round >= changes_at);
        }
    }
}

/// The comparison is of use only where something happens.
#[test]
fn what_is_compared_holds_changes_of_environments_and_silences() {
    let mut partition = Partition::new(24, 3, 7);
    let chances = Chances { missing: 0.05, anomalous: 0.02, control: 0.0, wrong_clock: 0.0 };
    for round in 0..100 {
        let missing = if (70..90).contains(&round) { 0.8 } else { chances.missing };
        partition.round(round, Chances { missing, ..chances }, round >= 40);
    }
    let Found { changes, relearning, silent } = partition.found;
    assert!(changes >= 3 && relearning >= 12 && silent >= 5, "{:?}", partition.found);
}
