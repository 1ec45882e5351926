//! `auscult feature-worker`: chunks in, features out.

use auscult_feature_worker::FeatureWorkerConfig;
use auscult_processes::run_feature_worker;
use clap::Args;

use super::worker_arguments::WorkerArgs;

/// Run a feature worker: audio.chunks in, audio.features out
///
/// Start as many as there are processors to spare, up to the number of partitions. SIGTERM ends it without losing or
/// doubling anything.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct FeatureWorkerArgs {
    #[command(flatten)]
    worker: WorkerArgs,
}

const EXAMPLES: &str = "\
Examples:
  auscult feature-worker --brokers localhost:9092
  auscult feature-worker --config worker.yaml --instance-id features-0 --listen 0.0.0.0:9464
  AUSCULT__KAFKA__BROKERS=kafka:9092 auscult feature-worker --set batch.max_age_ms=50";

/// Runs until told to stop.
///
/// # Errors
/// When the worker cannot start or go on.
pub fn run(args: &FeatureWorkerArgs) -> anyhow::Result<()> {
    let config: FeatureWorkerConfig = args.worker.config.load(&args.worker.overrides())?;
    run_feature_worker(&config)
}
