//! A hall of machines of which only the scores are simulated.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use auscult_detection::{
    Judgement, Manifest, ObservationOutcome, ObservedChunk, PartitionMachines, WatchPolicy, watch_chunk,
};
use auscult_schemas::{
    Alert, AlertKind, Audit, ChunkId, DriftChange, MachineId, MachineState, ModelId, ModelRef, ScorerState,
};
use jiff::{Timestamp, ToSpan};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{options, trained};

pub static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| trained(&options()).manifest().clone());

/// Five minutes, as twelve chunks an hour.
pub const CADENCE_S: i64 = 300;

/// The quantile of the standard normal distribution beyond which this share lies.
fn beyond(rate: f64) -> f64 {
    use statrs::distribution::{ContinuousCDF, Normal};
    Normal::standard().inverse_cdf(1.0 - rate)
}

pub fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub struct Hall {
    pub policy: WatchPolicy,
    pub states: BTreeMap<MachineId, ScorerState>,
    pub machines: PartitionMachines,
    pub alerts: Vec<Alert>,
    pub audits: Vec<Audit>,
    rng: StdRng,
    chunks: u64,
    /// Share of chunks that are anomalous by chance.
    pub rate: f64,
}

impl Hall {
    pub fn new(seed: u64, rate: f64) -> Self {
        Self {
            policy: WatchPolicy::default(),
            states: BTreeMap::new(),
            machines: PartitionMachines::new(WatchPolicy::default().alert.silent_after),
            alerts: Vec::new(),
            audits: Vec::new(),
            rng: StdRng::seed_from_u64(seed),
            chunks: 0,
            rate,
        }
    }

    /// A score of sound that is normal but for what is added: `lift` in units of the threshold's distance from the
    /// median, and the spread so many times as wide.
    pub fn score(&mut self, lift: f64, wider: f64) -> f64 {
        let calibration = &MANIFEST.calibration;
        let median = calibration.scores[calibration.scores.len() / 2];
        let room = calibration.threshold - median;
        let (u, v): (f64, f64) = (self.rng.random_range(1e-12..1.0), self.rng.random_range(0.0..1.0));
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        median + room * (lift + wider * normal / beyond(self.rate))
    }

    pub fn jitter(&mut self, most_s: i64) -> i64 {
        self.rng.random_range(0..=most_s)
    }

    /// The machine's next chunk.
    pub fn hear(&mut self, name: &str, time: Timestamp, score: f64) -> ObservationOutcome {
        let machine = MachineId::new(name).unwrap();
        let calibration = &MANIFEST.calibration;
        let judgement = Judgement {
            score,
            channel_scores: vec![score],
            p_value: calibration.p_value(score),
            health_index: calibration.health_index(score),
            threshold: calibration.threshold,
            anomalous: score > calibration.threshold,
            bands: Vec::new(),
            time_course: None,
            band_levels_db: MANIFEST.drift_reference.mean_band_levels_db.iter().map(|level| *level as f32).collect(),
        };
        self.chunks += 1;
        let heard = ObservedChunk {
            id: &format!("{name}/0/{}/v1", self.chunks),
            machine: &machine,
            chunk_id: &ChunkId(format!("chunk-{}", self.chunks)),
            time,
            judgement: Some(&judgement),
            channels: 1,
            sensor_faults: &[],
            quality: &[],
            recorded: None,
            model: &ModelRef { id: ModelId("fan".to_owned()), version: "v1".to_owned() },
            manifest: &MANIFEST,
        };
        let before = self.states.get(&machine);
        let watched =
            watch_chunk(&mut self.machines, |other| self.states.get(other).cloned(), before, &heard, &self.policy);
        self.states.insert(machine, watched.observation.state.clone());
        for state in &watched.others {
            self.states.insert(state.machine.clone(), state.clone());
        }
        let observation = &watched.observation;
        self.alerts.extend(watched.environment.iter().chain(&watched.silent).chain(&observation.alert).cloned());
        self.audits.extend(observation.audit.clone());
        watched
    }

    /// One chunk of each of so many machines, in the round of this number; `lift` gives a machine's lift and spread.
    /// How many are found to drift.
    pub fn round(&mut self, machines: usize, round: i64, mut lift: impl FnMut(usize) -> (f64, f64)) -> usize {
        let mut found = 0;
        for machine in 0..machines {
            let time = start() + (round * CADENCE_S + machine as i64 * 3 + self.jitter(2)).seconds();
            let (lift, wider) = lift(machine);
            let score = self.score(lift, wider);
            let drift = self.hear(&name(machine), time, score).observation.drift;
            found += usize::from(drift.is_some_and(|drift| drift.change == Some(DriftChange::Began)));
        }
        found
    }

    /// A worker that knows no more than the states takes over.
    pub fn take_over(&mut self) {
        let restored: BTreeMap<MachineId, ScorerState> =
            serde_json::from_str(&serde_json::to_string(&self.states).unwrap()).unwrap();
        assert_eq!(restored, self.states);
        self.states = restored;
        self.machines = PartitionMachines::new(self.policy.alert.silent_after);
        self.states.values().for_each(|state| self.machines.put(state));
    }

    pub fn reports(&self) -> Vec<&Alert> {
        self.alerts.iter().filter(|alert| alert.kind == AlertKind::Environment).collect()
    }

    pub fn entered(&self, state: MachineState) -> Vec<&Alert> {
        self.alerts.iter().filter(|alert| alert.kind == AlertKind::Machine && alert.state == state).collect()
    }

    pub fn state_of(&self, machine: usize) -> MachineState {
        self.states[&MachineId::new(name(machine)).unwrap()].alert.state
    }
}

pub fn name(machine: usize) -> String {
    format!("plant/hall-2/fan-{machine:02}")
}
