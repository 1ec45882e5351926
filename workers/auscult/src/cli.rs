//! The command line and its commands. The arguments, help and implementation of each command are in
//! [`crate::commands`].

use std::io;
use std::process::ExitCode;

use auscult_schemas::printable_lines;
use clap::{Parser, Subcommand};

use crate::commands::{
    alertmanager, bearing, bench, config, control, dead_letters, demo, doctor, evaluate, explore, feature_worker,
    features, import, lives, log_level, retrain, run, score, scoring_worker, send, simulate, topics, train, watch,
};

/// Auscult detects anomalies in machine sound: it learns a machine's normal sound and reports changes, with a score,
/// p-value and the deviating frequencies.
#[derive(Debug, Parser)]
#[command(name = "auscult", version, max_term_width = 110, after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  auscult demo                                        score simulated machines live, no data needed

  auscult explore recordings/ --out recordings.html   inspect recordings, and find problems in them
  auscult train recordings/ --out fan.safetensors     train on recordings/train/normal
  auscult evaluate fan.safetensors recordings/        measure the model on recordings/test
  auscult score fan.safetensors today/*.wav           score new recordings
  auscult features today/*.wav --out pictures/        show the input of the model
  auscult import run1.csv --out recordings/ --rate 25600 --unit g   convert CSV, MATLAB, TDMS, UFF58, HDF5 ...
  auscult bearing motor.wav --rpm 1796 --geometry 6205   find the damaged part of a bearing
  auscult lives bearings/                             replay run-to-failure recordings: when would an alarm be raised?

  auscult topics create --brokers localhost:9092      on your own Kafka: create the topics, start the workers,
  auscult feature-worker --brokers localhost:9092     send recordings, and watch the results
  auscult scoring-worker --brokers localhost:9092 --default-model fan.safetensors
  auscult send today/ --machine fan-07 --brokers localhost:9092
  auscult watch --brokers localhost:9092
  auscult control fan-07 acknowledge --by anna --brokers localhost:9092
  auscult log-level debug                             change the log level of a running worker
  auscult retrain --since 24h --out models/ --brokers localhost:9092   after a change in the hall: train on recent data
  auscult dead-letters list --since 24h --brokers localhost:9092
  auscult doctor --brokers localhost:9092 --models models/   check a live installation
  auscult simulate --scenario week --brokers localhost:9092   simulate a hundred machines for a week

`auscult COMMAND --help` lists every option, with examples. Exit status: 0 done, 1 failed, 2 wrong usage.";

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Explore(explore::ExploreArgs),
    Train(train::TrainArgs),
    Retrain(retrain::RetrainArgs),
    Evaluate(evaluate::EvaluateArgs),
    Score(score::ScoreArgs),
    Features(features::FeaturesArgs),
    Bearing(bearing::BearingArgs),
    Import(import::ImportArgs),
    Lives(lives::LivesArgs),
    Bench(bench::BenchArgs),
    FeatureWorker(feature_worker::FeatureWorkerArgs),
    ScoringWorker(scoring_worker::ScoringWorkerArgs),
    Run(run::RunArgs),
    Topics(topics::TopicsArgs),
    Send(send::SendArgs),
    Simulate(simulate::SimulateArgs),
    Watch(watch::WatchArgs),
    Alertmanager(alertmanager::AlertmanagerArgs),
    Control(control::ControlArgs),
    LogLevel(log_level::LogLevelArgs),
    Config(config::ConfigCommandArgs),
    Doctor(doctor::DoctorArgs),
    DeadLetters(dead_letters::DeadLettersArgs),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What failed, for which object, and what to do next.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Demo(args) => demo::run(&args),
            Command::Explore(args) => explore::run(&args),
            Command::Train(args) => train::run(&args),
            Command::Retrain(args) => retrain::run(&args),
            Command::Evaluate(args) => evaluate::run(&args),
            Command::Score(args) => score::run(&args),
            Command::Features(args) => features::run(&args),
            Command::Bearing(args) => bearing::run(&args),
            Command::Import(args) => import::run(&args),
            Command::Lives(args) => lives::run(&args),
            Command::Bench(args) => bench::run(&args),
            Command::FeatureWorker(args) => feature_worker::run(&args),
            Command::ScoringWorker(args) => scoring_worker::run(&args),
            Command::Run(args) => run::run(&args),
            Command::Topics(args) => topics::run(&args),
            Command::Send(args) => send::run(&args),
            Command::Simulate(args) => simulate::run(&args),
            Command::Watch(args) => watch::run(&args),
            Command::Alertmanager(args) => alertmanager::run(&args),
            Command::Control(args) => control::run(&args),
            Command::LogLevel(args) => log_level::run(&args),
            Command::Config(args) => config::run(&args),
            Command::Doctor(args) => doctor::run(&args),
            Command::DeadLetters(args) => dead_letters::run(&args),
        }
    }
}

/// Entry point of the `auscult` program. Exit status: 0 success, 1 failure, 2 wrong usage (set by clap).
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // The error may contain text from a topic.
            eprintln!("{}", printable_lines(&format!("error: {error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// The reader closed the pipe (`auscult … | head`); this is not an error.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_is_for_and_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("auscult {}", command.get_name())), "{}", command.get_name());
        }
    }
}
