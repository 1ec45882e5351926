//! How long it takes until a worker that takes everything over knows every machine.

use std::time::Duration;

use anyhow::{Context, Result};
use auscult_runtime::kafka::GatewayRecord;
use auscult_schemas::topics::SCORER_STATE;
use auscult_schemas::{AlertMemory, DriftMemory, Headers, LevelMemory, MachineId, MachineState, ModelRef, ScorerState};
use bytes::Bytes;
use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::Bench;
use crate::faults::{Role, Staff};
use crate::until;

const MACHINES: u32 = 10_000;
/// What compaction leaves behind is more than one record a machine.
const VERSIONS: u32 = 2;
const LIMIT: Duration = Duration::from_secs(120);

/// Prints the time, five times.
///
/// # Errors
/// When a part does not start.
pub fn restore() -> Result<()> {
    let bench = Bench::set_up("8")?;
    let gateway = bench.gateway()?;
    let mut rng = SmallRng::seed_from_u64(1);
    let mut bytes = 0;
    for _ in 0..VERSIONS {
        for number in 0..MACHINES {
            let state = state(number, &mut rng)?;
            let value = serde_json::to_vec(&state)?;
            bytes += value.len();
            gateway.send(&GatewayRecord {
                topic: SCORER_STATE.to_owned(),
                partition: None,
                key: Some(Bytes::from(state.machine.as_str().to_owned())),
                value: Some(Bytes::from(value)),
                headers: Headers::default(),
                timestamp_ms: None,
            })?;
        }
    }
    gateway.flush(LIMIT)?;
    println!("{MACHINES} machines, {} records, {:.0} MB, 8 partitions", MACHINES * VERSIONS, bytes as f64 / 1e6);
    for round in 1..=5 {
        let staff = Staff::new(bench.terms(&[]));
        staff.hire(Role::Scoring, "scoring-0", [])?;
        let metric = |name: &str| staff.metric("scoring-0", name);
        until("every machine to be known", LIMIT, || {
            Ok((metric("auscult_restored_keys_total") >= Some(f64::from(MACHINES))).then_some(()))
        })?;
        let seconds = metric("auscult_restore_seconds_sum").context("auscult_restore_seconds_sum is not there")?;
        let longest = metric("auscult_restore_wall_seconds").unwrap_or(seconds);
        let peak = staff.peak_resident_bytes("scoring-0")?;
        println!(
            "  round {round}: all restored in {longest:.2} s ({seconds:.2} s summed over partitions); peak resident memory {:.0} MB",
            peak as f64 / 1e6
        );
        staff.dismiss_all(Duration::from_secs(20))?;
    }
    Ok(())
}

/// A machine that has been heard for long: every list is as full as it gets.
fn state(number: u32, rng: &mut SmallRng) -> Result<ScorerState> {
    let now = Timestamp::now();
    let mut scores = |count: usize| (0..count).map(|_| rng.random_range(1.0..20.0)).collect::<Vec<f64>>();
    let machine = MachineId::new(format!("plant-7/hall-{}/fan-{number:05}", number % 17))?;
    let model = ModelRef { id: auscult_schemas::ModelId("fan".to_owned()), version: "0123456789ab".to_owned() };
    Ok(ScorerState {
        chunks: u64::from(number) + 1_000,
        recent_scores: scores(ScorerState::RECENT_SCORES),
        alert: AlertMemory {
            state: MachineState::Healthy,
            since: Some(now),
            streak: 1,
            streak_since: Some(now),
            ..AlertMemory::default()
        },
        drift: DriftMemory {
            window_start: Some(now),
            scores: scores(49),
            band_sum_db: scores(64),
            square_sum_db2: scores(65),
            ranks: vec![5_000; 49],
            learnt_scores: vec![40; 101],
            learnt_levels: Some(LevelMemory {
                chunks: 5_000,
                mean_db: scores(65),
                square_sum_db2: scores(65),
                within_sum_db2: scores(65),
                within_freedom: 4_900,
            }),
            learnt_flags_of: 5_000,
            ..DriftMemory::default()
        },
        channels: Some(1),
        last_heard: Some(now),
        cadence_s: Some(10.0),
        ..ScorerState::new(machine, model)
    })
}
