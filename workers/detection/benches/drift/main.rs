//! How long a machine that does not drift is heard until drift is found all the same, and how soon drift is found.
//! Prints the tables of `docs/drift.md`.
//!
//! `cargo bench --locked --bench drift -- [STREAMS]`: streams a cell of the tables, 10000 unless told; minutes on a few
//! cores.

#![allow(clippy::print_stdout, reason = "the tables are what it is for")]

#[path = "../../tests/support/streams.rs"]
mod streams;

use std::time::Instant;

use rayon::prelude::*;
use streams::{Change, Distribution, Stream, mean_and_error};

fn main() {
    let streams = std::env::args().skip(1).find_map(|argument| argument.parse::<u64>().ok()).unwrap_or(10_000);
    let begun = Instant::now();
    sudden(streams.min(1_000));
    slow(streams.min(1_000));
    dependent(streams.min(1_000));
    run_lengths(streams);
    println!("{:.0} s", begun.elapsed().as_secs_f64());
}

fn run_lengths(streams: u64) {
    println!("Mean run length between false findings, stationary streams (± standard error)\n");
    println!("| wanted | scores | calibration clips | streams | measured | measured / wanted | found first by |");
    println!("|---|---|---|---|---|---|---|");
    for clips in [100, 30] {
        // Of the second calibration size a fifth is enough to see that it makes no difference.
        let streams = if clips == 100 { streams } else { streams / 5 };
        for wanted in [1_000, 10_000] {
            for distribution in Distribution::ALL {
                let stream = Stream { distribution, clips, wanted, ..Stream::default() };
                let found: Vec<_> = (0..streams).into_par_iter().map(|seed| stream.run(seed)).collect();
                let lengths: Vec<f64> = found.iter().map(|(length, _)| *length).collect();
                let (mean, error) = mean_and_error(&lengths);
                let ratio = mean / wanted as f64;
                println!(
                    "| {wanted} | {distribution:?} | {clips} | {streams} | {mean:.0} ± {error:.0} | {ratio:.2} | {} |",
                    streams::by_chart(&found)
                );
            }
        }
    }
    println!();
}

fn dependent(streams: u64) {
    println!("The same where each score remembers the one before it (AR(1), normal, 100 clips, {streams} streams)\n");
    println!("| wanted | correlation of neighbours | measured / wanted |\n|---|---|---|");
    for correlation in [0.1, 0.3, 0.6] {
        let stream = Stream { correlation, wanted: 10_000, ..Stream::default() };
        let lengths: Vec<f64> = (0..streams).into_par_iter().map(|seed| stream.run(seed).0).collect();
        println!("| 10000 | {correlation} | {:.3} |", mean_and_error(&lengths).0 / 10_000.0);
    }
    println!();
}

/// Chunks from the change to its finding, over the streams that were not found to drift before it; and the share never
/// found within the limit.
fn delay(stream: &Stream, streams: u64) -> String {
    let after: Vec<f64> = (0..streams)
        .into_par_iter()
        .map(|seed| stream.run(seed).0 - stream.change.map_or(0.0, |change| change.at as f64))
        .filter(|delay| *delay > 0.0)
        .collect();
    let mut found = after.clone();
    found.retain(|delay| *delay < stream.give_up as f64 - stream.change.map_or(0.0, |change| change.at as f64));
    found.sort_by(f64::total_cmp);
    let share = found.len() as f64 / after.len().max(1) as f64;
    if found.len() * 10 < after.len() * 9 {
        return format!("{:.0} % found", 100.0 * share);
    }
    format!("{:.0} ({:.0})", after[..].iter().sum::<f64>() / after.len() as f64, found[found.len() * 9 / 10])
}

fn sudden(streams: u64) {
    const SIZES: [f64; 6] = [0.25, 0.5, 1.0, 1.5, 2.0, 3.0];
    println!(
        "Chunks until a sudden change is found: mean (9 of 10 within), gamma scores, 100 clips, {streams} streams\n"
    );
    println!("| wanted | after chunks | {} |", SIZES.map(|size| format!("{size} σ")).join(" | "));
    println!("|---|---|{}", "---|".repeat(SIZES.len()));
    for wanted in [1_000, 10_000_u64] {
        for at in [100, wanted / 2] {
            let cells = SIZES.map(|size| {
                let change = Some(Change { at, deviations: size, over: 0 });
                let give_up = at + 20_000;
                delay(
                    &Stream { distribution: Distribution::Gamma, wanted, change, give_up, ..Stream::default() },
                    streams,
                )
            });
            println!("| {wanted} | {at} | {} |", cells.join(" | "));
        }
    }
    println!();
}

fn slow(streams: u64) {
    const LENGTHS: [u64; 4] = [100, 500, 2_000, 10_000];
    println!(
        "Chunks until a change that grows evenly to 3 σ and stays is found, begun after 2000 chunks, wanted 10000\n"
    );
    println!("| grows for | mean (9 of 10 within) |\n|---|---|");
    for over in LENGTHS {
        let change = Some(Change { at: 2_000, deviations: 3.0, over });
        println!(
            "| {over} | {} |",
            delay(&Stream { distribution: Distribution::Gamma, change, give_up: 30_000, ..Stream::default() }, streams)
        );
    }
    println!();
}
