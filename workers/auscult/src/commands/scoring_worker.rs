//! `auscult scoring-worker`: features in; scores, alerts and drift out.

use auscult_processes::run_scoring_worker;
use auscult_scoring_worker::ScoringWorkerConfig;
use clap::Args;

use super::worker_arguments::WorkerArgs;

/// Run a scoring worker: reads audio.features; writes audio.scores, audio.alerts and audio.drift
///
/// Models come from a folder with one package per machine, or from one package for all machines. On SIGTERM the worker
/// stops without losing or duplicating records.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ScoringWorkerArgs {
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    models: ModelArgs,
}

/// Which models to use, and on which device.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ModelArgs {
    /// Folder of packages, named MACHINE.safetensors (models.dir)
    #[arg(long, value_name = "DIR")]
    models: Option<String>,
    /// Package for machines without their own (models.default)
    #[arg(long, value_name = "FILE")]
    default_model: Option<String>,
    /// auto, cpu or cuda:N (device)
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
}

impl ModelArgs {
    pub(super) fn overrides(&self) -> [(&'static str, Option<String>); 3] {
        [
            ("models.dir", self.models.clone()),
            ("models.default", self.default_model.clone()),
            ("device", self.device.clone()),
        ]
    }
}

const EXAMPLES: &str = "\
Examples:
  auscult scoring-worker --brokers localhost:9092 --models models/
  auscult scoring-worker --default-model fan.safetensors --device cpu --listen 0.0.0.0:9465
  auscult scoring-worker --config worker.yaml --instance-id scoring-0";

/// Runs until it is stopped.
///
/// # Errors
/// If the worker cannot start or continue.
pub fn run(args: &ScoringWorkerArgs) -> anyhow::Result<()> {
    let own = [args.worker.overrides().as_slice(), args.models.overrides().as_slice()].concat();
    let config: ScoringWorkerConfig = args.worker.config.load(&own)?;
    run_scoring_worker(&config)
}
