//! How much memory a scoring worker takes when its input is a hundred times faster than it is.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use auscult_runtime::kafka::{GatewayRecord, ReadFrom, TopicReader};
use auscult_schemas::topics::FEATURES;
use bytes::Bytes;

use super::{Bench, MACHINES, chunk, sound};
use crate::faults::{Role, Staff};
use crate::until;

const MIB: f64 = 1024.0 * 1024.0;
const BUFFER_MIB: f64 = 40.0;
const PREFETCH_MIB: f64 = 16.0;
const INPUT_PER_S: u32 = 200;
const LOAD: Duration = Duration::from_secs(45);
const READY: Duration = Duration::from_secs(60);

/// Prints the peak and gives whether it lies under the bound, with no eviction from the group.
///
/// # Errors
/// When a part does not start.
pub fn memory() -> Result<bool> {
    let bench = Bench::set_up("4")?;
    let features = real_features(&bench)?;
    let buffer_bytes = ((BUFFER_MIB * MIB) as u64).to_string();
    let prefetch_bytes = ((PREFETCH_MIB * MIB) as u64).to_string();
    let settings = [
        ("AUSCULT__LIMITS__MAX_BUFFER_BYTES", buffer_bytes.as_str()),
        ("AUSCULT__KAFKA__PREFETCH_BYTES", &prefetch_bytes),
        ("AUSCULT__BATCH__MAX_BYTES", "8388608"),
        // Two a second: a batch of four every two seconds.
        ("AUSCULT__BATCH__MAX_RECORDS", "4"),
        ("AUSCULT__KAFKA__SESSION_TIMEOUT_MS", "6000"),
        ("AUSCULT__LIMITS__DRAIN_DEADLINE_MS", "3000"),
        // A consumer that is not polled for so long would be thrown out.
        ("AUSCULT__KAFKA__PROPERTIES__MAX_POLL_INTERVAL_MS", "10000"),
    ];
    let staff = Staff::new(bench.terms(&settings));
    staff.hire(Role::Scoring, "scoring-0", ["process:*1:sleep=2000".to_owned()])?;
    staff.wait_until_ready(READY)?;
    let metric = |name: &str| staff.metric("scoring-0", name).with_context(|| format!("{name} is not there"));
    std::thread::sleep(Duration::from_secs(2));
    let idle = staff.peak_resident_bytes("scoring-0")?;
    let rebalances_before = metric("auscult_rebalances_total")?;

    let gateway = bench.gateway()?;
    let begun = Instant::now();
    let mut sent = 0;
    while begun.elapsed() < LOAD {
        let features = &features[sent as usize % features.len()];
        gateway.send(features)?;
        sent += 1;
        std::thread::sleep((Duration::from_secs(1) / INPUT_PER_S * sent).saturating_sub(begun.elapsed()));
    }
    gateway.flush(Duration::from_secs(60))?;
    let consumed = metric("auscult_commits_total")? * 4.0;
    let rate = f64::from(sent) / begun.elapsed().as_secs_f64();
    let scored = consumed / begun.elapsed().as_secs_f64();
    let peak = staff.peak_resident_bytes("scoring-0")?;
    let rebalances = metric("auscult_rebalances_total")? - rebalances_before;
    let was_paused = metric("auscult_paused")? > 0.0;
    let mb = |bytes: u64| bytes as f64 / MIB;
    let bound = mb(idle) + BUFFER_MIB + PREFETCH_MIB;
    let size = features[0].value.as_ref().map_or(0, Bytes::len) as f64;
    println!(
        "input {rate:.0} features messages/s of {:.0} kB ({:.0} MiB in all); scored {scored:.1}/s: {:.0} times slower",
        size / 1e3,
        f64::from(sent) * size / MIB,
        rate / scored
    );
    println!(
        "limits.max_buffer_bytes {BUFFER_MIB:.0} MiB, kafka.prefetch_bytes {PREFETCH_MIB:.0} MiB, idle {:.0} MiB: bound {bound:.0} MiB",
        mb(idle)
    );
    println!(
        "peak resident memory {:.0} MiB; intake paused: {was_paused}; changes of assignment: {rebalances}",
        mb(peak)
    );
    Ok(mb(peak) <= bound && rebalances == 0.0)
}

/// What a feature worker makes of real chunks.
fn real_features(bench: &Bench) -> Result<Vec<GatewayRecord>> {
    let gateway = bench.gateway()?;
    let sound = sound(0);
    for number in 0..MACHINES {
        gateway.send(&chunk(number, &sound)?)?;
    }
    gateway.flush(READY)?;
    let staff = Staff::new(bench.terms(&[]));
    staff.hire(Role::Features, "features-0", [])?;
    let mut reader = TopicReader::open(&bench.kafka(), &[FEATURES], ReadFrom::Beginning)?;
    let mut records = Vec::new();
    until("the features of real chunks", READY, || {
        while let Some(record) = reader.next(Duration::from_millis(100))? {
            records.push(GatewayRecord {
                topic: FEATURES.to_owned(),
                partition: Some(record.coordinates.partition),
                key: record.key,
                value: record.value,
                headers: record.headers,
                timestamp_ms: None,
            });
        }
        Ok((records.len() as u64 >= MACHINES).then_some(()))
    })?;
    staff.dismiss_all(Duration::from_secs(20))?;
    ensure!(records.len() as u64 == MACHINES, "{} features messages of {MACHINES} chunks", records.len());
    Ok(records)
}
