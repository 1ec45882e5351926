//! Replaces workers of an earlier build by today's under load; `tests/upgrade.sh` builds both and calls it.

use std::path::PathBuf;
use std::process::ExitCode;

use auscult_tests::upgrade::{Plan, run};
use clap::Parser;

/// A rolling upgrade under load on Apache Kafka, judged by the verifier.
#[derive(Debug, Parser)]
struct Cli {
    /// The earlier `auscult`
    #[arg(long)]
    earlier: PathBuf,
    /// Today's
    #[arg(long)]
    todays: PathBuf,
    /// Have a scoring worker go back to the earlier build, and forth again
    #[arg(long)]
    back: bool,
    /// Records in all
    #[arg(long, default_value_t = 3_000)]
    records: usize,
    /// Records a second
    #[arg(long, default_value_t = 40.0)]
    rate: f64,
    /// Decides what the machines send
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let Cli { earlier, todays, back, records, rate, seed } = Cli::parse();
    let report = match run(&Plan { earlier, todays, goes_back: back, records, rate_per_s: rate, seed }) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    for failure in &report.failures {
        println!("{failure}");
    }
    println!("{}", report.verdict);
    if report.failures.is_empty() && report.verdict.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
