//! `auscult run --fused`: both stages in one process.

use anyhow::bail;
use auscult_processes::{FusedConfig, run_fused_worker};
use clap::Args;

use super::scoring_worker::ModelArgs;
use super::worker_arguments::WorkerArgs;

/// Run both stages in one process: reads audio.chunks; writes audio.scores, audio.alerts and audio.drift
///
/// For one small machine; the features topic is not used. The delivery guarantees are the same as for two separate
/// workers.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// Run both stages in one process; currently required
    #[arg(long)]
    fused: bool,
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    models: ModelArgs,
}

const EXAMPLES: &str = "\
Examples:
  auscult run --fused --brokers localhost:9092 --models models/
  auscult run --fused --config worker.yaml";

/// Runs until it is stopped.
///
/// # Errors
/// If the worker cannot start or continue.
pub fn run(args: &RunArgs) -> anyhow::Result<()> {
    if !args.fused {
        bail!(
            "`auscult run` runs both stages in one process: say --fused, or start `auscult feature-worker` and `auscult scoring-worker`"
        );
    }
    let own = [args.worker.overrides().as_slice(), args.models.overrides().as_slice()].concat();
    let config: FusedConfig = args.worker.config.load(&own)?;
    run_fused_worker(&config)
}
