//! `auscult scoring-worker`: features in; scores, alerts and drift out.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use auscult_detection::open_device;
use auscult_runtime::kafka::machine_places;
use auscult_runtime::telemetry::Metrics;
use auscult_schemas::topics::{ALERTS, AUDIT, DEAD_LETTERS, DRIFT, FEATURES, SCORER_STATE, SCORES};
use auscult_scoring_worker::{ModelLibrary, ScoringMetrics, ScoringProcessor, ScoringStage, ScoringWorkerConfig};
use clap::Args;

use super::worker_arguments::WorkerArgs;
use crate::worker::{self, WorkerKind};

pub(crate) const KIND: WorkerKind = WorkerKind {
    name: "auscult-scoring-worker",
    input: FEATURES,
    changelog: Some(SCORER_STATE),
    touches: &[FEATURES, SCORES, ALERTS, DRIFT, AUDIT, DEAD_LETTERS, SCORER_STATE],
};

/// Run a scoring worker: audio.features in; audio.scores, audio.alerts and audio.drift out
///
/// Models come from a folder of packages, one a machine, or from one package for all. SIGTERM ends it without losing or
/// doubling anything.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ScoringWorkerArgs {
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    models: ModelArgs,
}

/// Which models, and where they run.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ModelArgs {
    /// Folder of packages, MACHINE.safetensors each (models.dir)
    #[arg(long, value_name = "DIR")]
    models: Option<String>,
    /// Package for machines without one of their own (models.default)
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

/// Longest that the states of all machines may take to read.
const READING_PLACES: Duration = Duration::from_secs(60);

/// Runs until told to stop.
///
/// # Errors
/// When the worker cannot start or go on.
pub fn run(args: &ScoringWorkerArgs) -> anyhow::Result<()> {
    let own = [args.worker.overrides().as_slice(), args.models.overrides().as_slice()].concat();
    let config: ScoringWorkerConfig = args.worker.config.load(&own)?;
    worker::run(KIND, config.sections(), |metrics: &Arc<Metrics>| Ok(ScoringProcessor::new(stage(&config, metrics)?)))
}

/// The scoring stage that a configuration asks for.
pub(super) fn stage(config: &ScoringWorkerConfig, metrics: &Arc<Metrics>) -> anyhow::Result<ScoringStage> {
    let library = ModelLibrary::open(&config.models)?;
    let device = open_device(config.device)?;
    let scoring_metrics = ScoringMetrics::register(metrics.registrar(), config.metrics.machine_series_up_to)?;
    let mut stage = ScoringStage::start(library, device, config.watch_policy(), Arc::clone(metrics), scoring_metrics)?;
    stage.follow(&config.models).context("cannot start the thread that looks at the model files")?;
    let kafka = config.kafka.clone();
    let read = move || machine_places(&kafka, READING_PLACES).map_err(|error| error.to_string());
    stage.watch_places(Box::new(read)).context("cannot start the thread that looks where machines live")?;
    Ok(stage)
}
