//! Plays a simulated fleet through both workers on Kafka and prints what it is worth; `tests/fleet.sh` builds what it needs.

use std::process::ExitCode;

use anyhow::{Context, Result};
use auscult::simulator::fleet::FleetSpec;
use auscult_tests::fleet::{RunOptions, judge, run};
use clap::Parser;

/// A simulated fleet through both workers on Apache Kafka, judged against the truth.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  tests/fleet.sh                                   a hundred machines' week
  tests/fleet.sh --seed 7
  tests/fleet.sh --scenario mine.toml --partitions 4")]
struct Cli {
    /// A built-in scenario, or a TOML file
    #[arg(long, default_value = "week")]
    scenario: String,
    /// Instead of the scenario's own
    #[arg(long)]
    seed: Option<u64>,
    /// Instead of the scenario's own, days
    #[arg(long)]
    days: Option<f64>,
    /// Normal clips that each machine is learned from
    #[arg(long, default_value_t = 100)]
    training_clips: u64,
    /// Partitions of every topic
    #[arg(long, default_value_t = 4)]
    partitions: u32,
}

fn main() -> ExitCode {
    match play(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn play(args: &Cli) -> Result<bool> {
    let mut spec = match FleetSpec::built_in(&args.scenario) {
        Some(spec) => spec,
        None => {
            let text = std::fs::read_to_string(&args.scenario).with_context(|| args.scenario.clone())?;
            FleetSpec::from_toml(&text)?
        }
    };
    spec.seed = args.seed.unwrap_or(spec.seed);
    spec.days = args.days.unwrap_or(spec.days);
    let options =
        RunOptions { partitions: args.partitions, training_clips: args.training_clips, ..RunOptions::default() };
    let (truth, outcome) = run(&spec, &options)?;
    let verdict = judge(&truth, &outcome);
    println!("learned {} machines in {:.0} s", truth.machines.len(), outcome.training_took.as_secs_f64());
    println!("{verdict}");
    Ok(verdict.shortcomings.is_empty())
}
