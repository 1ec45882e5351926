//! `auscult feature-worker`: reads chunks, writes features.

use auscult_feature_worker::FeatureWorkerConfig;
use auscult_processes::run_feature_worker;
use clap::Args;

use super::worker_arguments::WorkerArgs;

/// Run a feature worker: reads audio.chunks; writes audio.features
///
/// Start one per free CPU core, up to the number of partitions. On SIGTERM the worker stops without losing or
/// duplicating records.
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

/// Runs until it is stopped.
///
/// # Errors
/// If the worker cannot start or continue.
pub fn run(args: &FeatureWorkerArgs) -> anyhow::Result<()> {
    let config: FeatureWorkerConfig = args.worker.config.load(&args.worker.overrides())?;
    run_feature_worker(&config)
}
