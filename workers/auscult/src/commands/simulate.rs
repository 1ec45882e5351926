//! `auscult simulate`: simulates a plant's machines, faults and gateways, with ground truth.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use auscult_operations::gateway::chunk_record;
use auscult_simulator::MicrophoneFault;
use auscult_simulator::fleet::{
    DeadMicrophoneSpec, EnvironmentSpec, FailureSpec, Fleet, FleetSpec, Writing, write_file,
};
use clap::Args;
use jiff::Timestamp;

use super::worker_arguments::{ConfigArgs, KafkaOnly};
use crate::{interrupt, progress};

/// Simulate a fleet of machines: normal sound for training, a stream that contains faults, and its ground truth
///
/// The fleet has fans, pumps and valves with faults that grow until the machine fails, a hall whose background sound
/// changes, and microphones that fail. The stream goes to Kafka as gateways would send it (chunks carry the scenario's
/// time, not the sender's), or into a folder. The seed determines everything: the same scenario gives the same sound,
/// byte for byte.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SimulateArgs {
    /// The scenario: demo (12 machines, 2 days), week (100 machines, 7 days), or a TOML file [default: set by the
    /// options]
    #[arg(long, value_name = "NAME|FILE")]
    scenario: Option<String>,
    #[command(flatten)]
    changes: ScenarioArgs,
    /// Speed of the stream relative to real time: 1 is real time, max is as fast as the brokers accept
    #[arg(long, value_name = "FACTOR|max", default_value = "max", value_parser = parse_speed)]
    speed: Speed,
    /// Maximum number of chunks per second, at any speed
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Write the stream into this folder, as MACHINE/TIME.wav, instead of sending it
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Write normal sound for training, as MACHINE/train/normal/*.wav, and do not send anything. Then run
    /// `auscult train FOLDER --out models/`
    #[arg(long, value_name = "FOLDER")]
    train: Option<PathBuf>,
    /// Number of normal clips per machine for --train
    #[arg(long, value_name = "N", default_value_t = 100, requires = "train")]
    training_clips: u64,
    /// Write the ground truth as JSON: which machines and microphones fail when, and when the hall changes
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Print the scenario as TOML, including everything set by options, and exit
    #[arg(long)]
    print_scenario: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Options that override the scenario's own values.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Scenario")]
struct ScenarioArgs {
    /// Seed of everything that is not specified
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Number of machines: one third each of fans, pumps and valves
    #[arg(long, value_name = "N")]
    machines: Option<usize>,
    /// Number of halls that the machines are distributed over
    #[arg(long, value_name = "N")]
    halls: Option<usize>,
    /// Duration of the stream, days
    #[arg(long, value_name = "DAYS")]
    days: Option<f64>,
    /// Interval between a machine's chunks, s
    #[arg(long, value_name = "SECONDS")]
    cadence: Option<f64>,
    /// Length of a chunk, s
    #[arg(long, value_name = "SECONDS")]
    chunk_seconds: Option<f64>,
    /// Recording time of the first chunk, or `now`
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    start: Option<Timestamp>,
    /// Number of machines that fail, instead of those named by the scenario
    #[arg(long, value_name = "N")]
    failing: Option<usize>,
    /// Number of microphones that fail, alternately quiet and stuck, instead of those named by the scenario
    #[arg(long, value_name = "N")]
    dead_microphones: Option<usize>,
    /// Time of a change of background in every hall, h from the start, instead of the scenario's; may be repeated
    #[arg(long = "environment-change", value_name = "HOURS")]
    environment_changes: Vec<f64>,
}

const EXAMPLES: &str = "\
Examples:
  auscult simulate --scenario week --train sound/ && auscult train sound/ --out models/
  auscult scoring-worker --models models/ --brokers localhost:9092
  auscult simulate --scenario week --truth truth.json --brokers localhost:9092
  auscult simulate --machines 100 --days 7 --failing 3 --dead-microphones 2 --environment-change 108 --speed max
  auscult simulate --machines 6 --start now --speed 1                        # in real time
  auscult simulate --scenario demo --print-scenario > mine.toml              # a template for your own scenario
  auscult simulate --scenario mine.toml --out recordings/ --truth truth.json # without Kafka

One machine-week of half-second chunks, one every five minutes, is 32 MB.";

/// Speed of the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Speed {
    /// This many times real time.
    Factor(f64),
    Max,
}

fn parse_speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(Speed::Factor(factor)),
        _ => Err("give max, or how many times real time, such as 60".to_owned()),
    }
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(Timestamp::now());
    }
    text.parse().map_err(|error| format!("{error}; write it as 2026-01-05T00:00:00Z, or now"))
}

/// Runs the scenario.
///
/// # Errors
/// If the scenario contradicts itself, a file cannot be written, or the brokers reject a chunk.
pub fn run(args: &SimulateArgs) -> anyhow::Result<()> {
    if args.rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        bail!("--rate must be a positive number of chunks a second");
    }
    let fleet = Fleet::new(args.changes.apply(scenario(args.scenario.as_deref())?))?;
    if args.print_scenario {
        print!("{}", toml::to_string(fleet.spec()).context("writing the scenario as TOML")?);
        return Ok(());
    }
    if let Some(path) = &args.truth {
        let truth = serde_json::to_string_pretty(&fleet.truth())?;
        write_file(path, truth.as_bytes())?;
    }
    if args.train.is_none() && args.out.is_none() {
        return send(args, &fleet);
    }
    let interrupted = interrupt::listen("stopping: what is written stays; Ctrl-C again ends at once")?;
    if let Some(folder) = &args.train {
        write_training(&fleet, folder, args.training_clips, interrupted)?;
    }
    if let Some(folder) = &args.out {
        write_stream(&fleet, folder, interrupted)?;
    }
    Ok(())
}

fn scenario(name: Option<&str>) -> anyhow::Result<FleetSpec> {
    let Some(name) = name else { return Ok(FleetSpec::default()) };
    if let Some(spec) = FleetSpec::built_in(name) {
        return Ok(spec);
    }
    let text = std::fs::read_to_string(name).with_context(|| {
        format!(
            "{name} is neither a built-in scenario ({}) nor a file that can be read",
            FleetSpec::BUILT_IN.join(", ")
        )
    })?;
    FleetSpec::from_toml(&text).with_context(|| format!("{name} is no scenario"))
}

impl ScenarioArgs {
    fn apply(&self, mut spec: FleetSpec) -> FleetSpec {
        spec.seed = self.seed.unwrap_or(spec.seed);
        spec.halls = self.halls.unwrap_or(spec.halls);
        spec.days = self.days.unwrap_or(spec.days);
        spec.cadence_s = self.cadence.unwrap_or(spec.cadence_s);
        spec.chunk_s = self.chunk_seconds.unwrap_or(spec.chunk_s);
        spec.start = self.start.unwrap_or(spec.start);
        if let Some(machines) = self.machines {
            (spec.fans, spec.pumps, spec.valves) = (machines.div_ceil(3), (machines + 1) / 3, machines / 3);
        }
        let hours = spec.days * 24.0;
        if let Some(failing) = self.failing {
            // Spread over the duration; each fault grows during a quarter of it.
            let onset_h = |number: usize| hours * (0.15 + 0.55 * (number as f64 + 0.5) / failing as f64);
            let spread = |number| FailureSpec {
                onset_h: onset_h(number),
                failure_h: onset_h(number) + 0.25 * hours,
                ..FailureSpec::default()
            };
            spec.failing = (0..failing).map(spread).collect();
        }
        if let Some(dead) = self.dead_microphones {
            let spread = |number: usize| DeadMicrophoneSpec {
                machine: None,
                fault: if number.is_multiple_of(2) { MicrophoneFault::Quiet } else { MicrophoneFault::Stuck },
                at_h: hours * (0.2 + 0.6 * (number as f64 + 0.5) / dead as f64),
            };
            spec.dead_microphones = (0..dead).map(spread).collect();
        }
        if !self.environment_changes.is_empty() {
            let change = |&from_h: &f64| EnvironmentSpec {
                hall: None,
                spl_db: EnvironmentSpec::USUAL_SPL_DB,
                from_h,
                until_h: None,
            };
            spec.environment = self.environment_changes.iter().map(change).collect();
        }
        spec
    }
}

fn send(args: &SimulateArgs, fleet: &Fleet) -> anyhow::Result<()> {
    let config: KafkaOnly = args.config.load(&[])?;
    let interrupted = interrupt::listen("stopping: what has been sent stays sent; Ctrl-C again ends at once")?;
    let producer = config.gateway("auscult-simulate")?;
    let bar = progress::bar(fleet.rounds() * fleet.machines().len() as u64, "sending");
    let begun = Instant::now();
    let (mut sent, mut bytes) = (0_u64, 0_u64);
    fleet.play(|chunk| {
        if interrupted.load(Ordering::Relaxed) {
            return anyhow::Ok(ControlFlow::Break(()));
        }
        let delivered_s = chunk.planned.delivered.duration_since(fleet.spec().start).as_secs_f64();
        let by_speed_s = match args.speed {
            Speed::Factor(factor) => delivered_s / factor,
            Speed::Max => 0.0,
        };
        let by_rate_s = args.rate.map_or(0.0, |rate| sent as f64 / rate);
        wait_until(begun + Duration::from_secs_f64(by_speed_s.max(by_rate_s)), interrupted);
        bytes += chunk.wav.len() as u64;
        producer.send(&chunk_record(&fleet.envelope(&chunk.planned)?, chunk.wav, None))?;
        sent += 1;
        bar.inc(1);
        Ok(ControlFlow::Continue(()))
    })?;
    producer.flush(Duration::from_secs(60))?;
    producer.finish_traces();
    bar.finish_and_clear();
    let took = begun.elapsed().as_secs_f64();
    println!(
        "sent {sent} chunks of {} machines, {:.1} MB in {took:.1} s, all acknowledged",
        fleet.machines().len(),
        bytes as f64 / 1e6
    );
    Ok(())
}

/// Waits in steps, so that Ctrl-C takes effect in real time, too.
fn wait_until(due: Instant, interrupted: &AtomicBool) {
    const STEP: Duration = Duration::from_millis(200);
    while !interrupted.load(Ordering::Relaxed) {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(left.min(STEP));
    }
}

fn write_training(fleet: &Fleet, folder: &Path, clips: u64, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let machines = fleet.machines().len();
    let bar = progress::bar(machines as u64 * clips, "writing normal sound");
    fleet.write_training(folder, clips, &Writing { interrupted, on_written: &|| bar.inc(1) })?;
    bar.finish_and_clear();
    println!(
        "wrote {clips} clips of normal sound of each of {machines} machines; now: auscult train {} --out models/",
        folder.display()
    );
    Ok(())
}

fn write_stream(fleet: &Fleet, folder: &Path, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let machines = fleet.machines().len();
    let bar = progress::bar(fleet.rounds() * machines as u64, "writing the stream");
    let written = fleet.write_stream(folder, &Writing { interrupted, on_written: &|| bar.inc(1) })?;
    bar.finish_and_clear();
    println!("wrote {written} chunks of {machines} machines below {}", folder.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_go_over_the_scenario() {
        let args = ScenarioArgs {
            machines: Some(20),
            days: Some(1.0),
            failing: Some(2),
            dead_microphones: Some(2),
            environment_changes: vec![14.0],
            ..ScenarioArgs::default()
        };
        let fleet = Fleet::new(args.apply(scenario(Some("week")).unwrap())).unwrap();
        let truth = fleet.truth();
        assert_eq!((truth.machines.len(), truth.chunks), (20, 20 * 288));
        let failures: Vec<_> = truth.machines.iter().filter_map(|machine| machine.failure).collect();
        assert_eq!(failures.len(), 2);
        assert!(failures.iter().all(|failure| failure.onset > truth.start && failure.failure < truth.end));
        assert_eq!(truth.environment_changes.len(), 1);
    }

    #[test]
    fn training_sound_lies_where_training_looks_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let fleet = Fleet::new(FleetSpec::default()).unwrap();
        write_training(&fleet, folder.path(), 3, &AtomicBool::new(false)).unwrap();
        let dataset = auscult_recordings::dataset::Dataset::discover(folder.path()).unwrap();
        let ids: Vec<&str> = dataset.machines.iter().map(|machine| machine.id.as_str()).collect();
        assert_eq!(ids.len(), 6);
        assert!(ids.contains(&"works%2Fhall-1%2Ffan-01"), "as a model's file is named: {ids:?}");
        assert!(dataset.machines.iter().all(|machine| machine.train_normal.len() == 3));
    }

    #[test]
    fn a_speed_is_a_factor_or_max() {
        assert_eq!(parse_speed("max"), Ok(Speed::Max));
        assert_eq!(parse_speed("60"), Ok(Speed::Factor(60.0)));
        assert!(["0", "-1", "fast", "nan"].iter().all(|text| parse_speed(text).is_err()));
    }
}
