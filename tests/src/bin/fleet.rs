//! Plays a simulated fleet through both workers on Kafka and prints what it is worth; `tests/fleet.sh` builds what it
//! needs.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use auscult_simulator::fleet::FleetSpec;
use auscult_tests::fleet::{Outcome, RunOptions, ScoreSeen, judge, run};
use clap::Parser;

/// A simulated fleet through both workers on Apache Kafka, judged against the truth.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  tests/fleet.sh                                   a hundred machines' week
  tests/fleet.sh --seed 7
  tests/fleet.sh --machines 30                     as many machines' week, and as many failures as of a hundred
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
    /// Machines, as many of each kind, instead of the scenario's own
    #[arg(long)]
    machines: Option<usize>,
    /// Normal clips that each machine is learned from
    #[arg(long, default_value_t = 100)]
    training_clips: u64,
    /// When the machines are learnt anew from what they have sent since the hall changed, hours from the start; 0:
    /// never
    #[arg(long, value_name = "HOURS", default_value_t = 128.0)]
    retrain_h: f64,
    /// Writes every score (scores.csv) and every alert (alerts.jsonl) into this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
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
    if let Some(machines) = args.machines {
        spec.fans = machines.div_ceil(3);
        spec.pumps = (machines + 1) / 3;
        spec.valves = machines / 3;
    }
    let retrain_h = Some(args.retrain_h).filter(|hours| *hours > 0.0 && *hours < 24.0 * spec.days);
    let options = RunOptions {
        partitions: args.partitions,
        training_clips: args.training_clips,
        retrain_h,
        ..RunOptions::default()
    };
    let (truth, outcome) = run(&spec, &options)?;
    if let Some(folder) = &args.out {
        write(&outcome, folder).with_context(|| folder.display().to_string())?;
    }
    let verdict = judge(&truth, &outcome);
    println!("learned {} machines in {:.0} s", truth.machines.len(), outcome.training_took.as_secs_f64());
    if let Some(retrained) = &outcome.retrained {
        println!("after {} h, from what was sent since the hall changed: {retrained}", args.retrain_h);
    }
    println!("{verdict}");
    Ok(verdict.shortcomings.is_empty())
}

fn write(outcome: &Outcome, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut scores = "machine,time,score,threshold,anomalous\n".to_owned();
    for ScoreSeen { machine, time, score, threshold, anomalous, .. } in &outcome.scores {
        writeln!(scores, "{machine},{time},{score},{threshold},{anomalous}")?;
    }
    std::fs::write(folder.join("scores.csv"), scores)?;
    let mut alerts = String::new();
    for alert in &outcome.alerts {
        writeln!(alerts, "{}", serde_json::to_string(alert)?)?;
    }
    Ok(std::fs::write(folder.join("alerts.jsonl"), alerts)?)
}
