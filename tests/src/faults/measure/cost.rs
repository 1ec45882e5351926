//! What exactly-once costs: throughput over a backlog, and latency at a steady pace, against `at_least_once` in turn on
//! the same broker, as a reader of committed records sees it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use auscult_runtime::kafka::{ReadFrom, TopicReader};
use auscult_schemas::Score;
use auscult_schemas::topics::SCORES;
use jiff::Timestamp;

use super::{Bench, chunk, median, sound};
use crate::faults::{Role, Staff};
use crate::quantile;

/// Many times the largest batch, 256: results come a batch at a time.
const BACKLOG: u64 = 8_000;
const PACED: u64 = 300;
const PACE_PER_S: f64 = 15.0;
const LIMIT: Duration = Duration::from_secs(180);

/// What one round measured.
struct Round {
    chunks_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// Measures in turn and prints a table of medians.
///
/// # Errors
/// When a part does not start, or results do not come.
pub fn cost(rounds: usize) -> Result<()> {
    let bench = Bench::set_up("4")?;
    println!(
        "chunks of {} kB, {BACKLOG} in a backlog, then {PACED} at {PACE_PER_S} a second; {rounds} rounds of each in turn",
        sound(0).len() / 1000
    );
    let deliveries = ["exactly_once", "at_least_once"];
    let mut measured: [Vec<Round>; 2] = Default::default();
    for number in 0..rounds {
        // Whoever is first in one round is second in the next.
        for index in if number % 2 == 0 { [0, 1] } else { [1, 0] } {
            let round = measure(&bench, deliveries[index])?;
            println!(
                "  {}: {:.1} chunks/s, p50 {:.0} ms, p99 {:.0} ms",
                deliveries[index], round.chunks_per_s, round.p50_ms, round.p99_ms
            );
            measured[index].push(round);
        }
    }
    let of = |index: usize, value: fn(&Round) -> f64| median(&measured[index].iter().map(value).collect::<Vec<_>>());
    println!("medians          chunks/s   p50 ms   p99 ms");
    for (index, delivery) in deliveries.iter().enumerate() {
        println!(
            "{delivery:<15} {:>9.1} {:>8.0} {:>8.0}",
            of(index, |round| round.chunks_per_s),
            of(index, |round| round.p50_ms),
            of(index, |round| round.p99_ms)
        );
    }
    let ratio = of(0, |round| round.chunks_per_s) / of(1, |round| round.chunks_per_s);
    println!("throughput of exactly_once: {ratio:.2} of at_least_once");
    Ok(())
}

fn measure(bench: &Bench, delivery: &str) -> Result<Round> {
    let gateway = bench.gateway()?;
    let sounds: Vec<_> = (0..10).map(sound).collect();
    for number in 0..BACKLOG {
        gateway.send(&chunk(number, &sounds[(number % 10) as usize])?)?;
    }
    gateway.flush(LIMIT)?;
    let mut scores = TopicReader::open(&bench.kafka(), &[SCORES], ReadFrom::End)?;
    while !scores.is_at_end() {
        scores.next(Duration::from_millis(50))?;
    }
    let staff = Staff::new(bench.terms(&[("AUSCULT__KAFKA__DELIVERY", delivery)]));
    staff.hire(Role::Features, "features-0", [])?;
    staff.hire(Role::Scoring, "scoring-0", [])?;

    // The first fifth passes while both get going.
    let first = BACKLOG / 5;
    await_scores(&mut scores, first)?;
    let begun = Instant::now();
    await_scores(&mut scores, BACKLOG - first)?;
    let chunks_per_s = (BACKLOG - first) as f64 / begun.elapsed().as_secs_f64();

    let latencies_ms = std::thread::scope(|scope| -> Result<Vec<f64>> {
        let sending = scope.spawn(|| -> Result<()> {
            let begun = Instant::now();
            for number in 0..PACED {
                let due = Duration::from_secs_f64(number as f64 / PACE_PER_S);
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
                gateway.send(&chunk(number, &sounds[(number % 10) as usize])?)?;
            }
            Ok(gateway.flush(LIMIT)?)
        });
        let latencies = await_scores(&mut scores, PACED);
        sending.join().expect("sending does not panic")?;
        latencies
    })?;
    staff.dismiss_all(Duration::from_secs(20))?;
    let mut ascending = latencies_ms;
    ascending.sort_by(f64::total_cmp);
    Ok(Round { chunks_per_s, p50_ms: quantile(&ascending, 0.5), p99_ms: quantile(&ascending, 0.99) })
}

/// Waits for as many scores; gives how old each chunk was when its score could be read, ms.
fn await_scores(scores: &mut TopicReader, count: u64) -> Result<Vec<f64>> {
    let begun = Instant::now();
    let mut ages_ms = Vec::new();
    while (ages_ms.len() as u64) < count {
        ensure!(begun.elapsed() < LIMIT, "{} of {count} scores within {LIMIT:?}", ages_ms.len());
        let Some(record) = scores.next(Duration::from_millis(200))? else { continue };
        let score: Score = serde_json::from_slice(record.value.as_deref().unwrap_or_default())?;
        ages_ms.push(Timestamp::now().duration_since(score.time).as_secs_f64() * 1e3);
    }
    Ok(ages_ms)
}
