//! What one chunk costs among 100, 1,000 and 10,000 machines of one partition and environment: `watch_chunk` alone, a
//! normal chunk, and a chunk of a machine in alarm while 5 % of the machines are.
//!
//! `cargo bench --locked -p auscult-detection --bench watch`

#![allow(clippy::unwrap_used, reason = "a benchmark panics where it fails")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use auscult_detection::{Judgement, ObservedChunk, PartitionMachines, WatchPolicy, watch_chunk};
use auscult_schemas::{ChunkId, MachineId, ModelId, ModelRef, ScorerState};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use support::hall::{CADENCE_S, MANIFEST, start};

/// Of so many machines one is in alarm.
const ALARM_EVERY: usize = 20;
/// After so many chunks of each machine cadences are known and the deviating machines are in alarm.
const ROUNDS: usize = 8;

struct Partition {
    ids: Vec<MachineId>,
    states: HashMap<MachineId, ScorerState>,
    machines: PartitionMachines,
    policy: WatchPolicy,
    alarms: bool,
    chunks: usize,
}

impl Partition {
    fn new(machines: usize, alarms: bool) -> Self {
        let id = |number| MachineId::new(format!("plant/hall-2/fan-{number:05}")).unwrap();
        let policy = WatchPolicy::default();
        let mut new = Self {
            ids: (0..machines).map(id).collect(),
            states: HashMap::new(),
            machines: PartitionMachines::new(policy.alert.silent_after),
            policy,
            alarms,
            chunks: 0,
        };
        for _ in 0..ROUNDS * machines {
            new.next_chunk();
        }
        new
    }

    fn time(&self) -> Timestamp {
        let apart_ms = 1000 * CADENCE_S / self.ids.len() as i64;
        start() + SignedDuration::from_millis(self.chunks as i64 * apart_ms)
    }

    /// Hears the next machine. How long `watch_chunk` took, and whether the machine is one of those in alarm.
    fn next_chunk(&mut self) -> (Duration, bool) {
        let number = self.chunks % self.ids.len();
        let is_anomalous = self.alarms && number.is_multiple_of(ALARM_EVERY);
        let machine = &self.ids[number];
        let calibration = &MANIFEST.calibration;
        let scores = &calibration.scores;
        let score = if is_anomalous { 2.0 * calibration.threshold } else { scores[self.chunks % (scores.len() / 2)] };
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
        let heard = ObservedChunk {
            id: &format!("{machine}/0/{}/v1", self.chunks),
            machine,
            chunk_id: &ChunkId(format!("chunk-{}", self.chunks)),
            time: self.time(),
            judgement: Some(&judgement),
            channels: 1,
            sensor_faults: &[],
            quality: &[],
            recorded: None,
            model: &ModelRef { id: ModelId("fan".to_owned()), version: "v1".to_owned() },
            manifest: &MANIFEST,
        };
        // The state itself is in the cache then, however many there are.
        let before = self.states.get(machine).cloned();
        let started = Instant::now();
        let watched = black_box(watch_chunk(
            &mut self.machines,
            |other| self.states.get(other).cloned(),
            before.as_ref(),
            &heard,
            &self.policy,
        ));
        let took = started.elapsed();
        self.states.insert(machine.clone(), watched.observation.state);
        for state in watched.others {
            self.states.insert(state.machine.clone(), state);
        }
        self.chunks += 1;
        (took, is_anomalous)
    }
}

fn watch(criterion: &mut Criterion) {
    for (name, alarms) in [("watch_normal_chunk", false), ("watch_chunk_in_alarm", true)] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
        for machines in [100, 1_000, 10_000] {
            let mut partition = Partition::new(machines, alarms);
            group.bench_function(BenchmarkId::from_parameter(machines), |bencher| {
                bencher.iter_custom(|iterations| {
                    let (mut total, mut left) = (Duration::ZERO, iterations);
                    while left > 0 {
                        let (took, is_anomalous) = partition.next_chunk();
                        if is_anomalous == alarms {
                            total += took;
                            left -= 1;
                        }
                    }
                    total
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, watch);
criterion_main!(benches);
