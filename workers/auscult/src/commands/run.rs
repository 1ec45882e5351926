//! `auscult run --fused`: both stages in one process.

use std::sync::Arc;

use anyhow::bail;
use auscult_feature_worker::FeatureStage;
use auscult_runtime::telemetry::Metrics;
use auscult_schemas::topics::{ALERTS, AUDIT, CHUNKS, DEAD_LETTERS, DRIFT, SCORER_STATE, SCORES};
use clap::Args;

use super::scoring_worker::{ModelArgs, stage};
use super::worker_arguments::WorkerArgs;
use crate::fused::{FusedConfig, FusedProcessor};
use crate::worker::{self, WorkerKind};

pub(super) const KIND: WorkerKind = WorkerKind {
    name: "auscult-fused-worker",
    input: CHUNKS,
    changelog: Some(SCORER_STATE),
    touches: &[CHUNKS, SCORES, ALERTS, DRIFT, AUDIT, DEAD_LETTERS, SCORER_STATE],
};

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
    let scoring = config.scoring();
    worker::run(KIND, scoring.sections(), |metrics: &Arc<Metrics>| {
        let features = FeatureStage::new(&config.features, config.threads, Arc::clone(metrics))?;
        Ok(FusedProcessor::new(features, stage(&scoring, metrics)?))
    })
}
