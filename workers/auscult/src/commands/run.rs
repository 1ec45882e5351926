//! `auscult run --fused`: both stages in one process.

use anyhow::bail;
use auscult_processes::{FusedConfig, run_fused_worker};
use clap::Args;

use super::scoring_worker::ModelArgs;
use super::worker_arguments::WorkerArgs;

/// Run both stages in one process: audio.chunks in; audio.scores, audio.alerts and audio.drift out
///
/// For one small machine: the features topic is left out. The same promises hold as for the two workers apart.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// Both stages in one process; at present the only way of this command
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

/// Runs until told to stop.
///
/// # Errors
/// When the worker cannot start or go on.
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
