//! Runs each kind of worker on Kafka from its configuration, until it is stopped.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use auscult_detection::open_device;
use auscult_feature_worker::{FeatureProcessor, FeatureStage, FeatureWorkerConfig};
use auscult_runtime::kafka::machine_places;
use auscult_runtime::telemetry::Metrics;
use auscult_scoring_worker::{ModelLibrary, ScoringMetrics, ScoringProcessor, ScoringStage, ScoringWorkerConfig};

use crate::fused::{FusedConfig, FusedProcessor};
use crate::kafka::run;
use crate::kinds::{FEATURE_WORKER, FUSED_WORKER, SCORING_WORKER};

/// Timeout for reading the states of all machines.
const READING_PLACES: Duration = Duration::from_secs(60);

/// Runs a feature worker.
///
/// # Errors
/// If it cannot start or continue.
pub fn run_feature_worker(config: &FeatureWorkerConfig) -> anyhow::Result<()> {
    run(FEATURE_WORKER, config.sections(), |metrics: &Arc<Metrics>| {
        let stage = FeatureStage::new(&config.features, config.threads, Arc::clone(metrics))?;
        Ok(FeatureProcessor::new(stage))
    })
}

/// Runs a scoring worker.
///
/// # Errors
/// If it cannot start or continue.
pub fn run_scoring_worker(config: &ScoringWorkerConfig) -> anyhow::Result<()> {
    run(SCORING_WORKER, config.sections(), |metrics: &Arc<Metrics>| {
        Ok(ScoringProcessor::new(scoring_stage(config, metrics)?))
    })
}

/// Runs both stages in one worker.
///
/// # Errors
/// If it cannot start or continue.
pub fn run_fused_worker(config: &FusedConfig) -> anyhow::Result<()> {
    let scoring = config.scoring();
    run(FUSED_WORKER, scoring.sections(), |metrics: &Arc<Metrics>| {
        let features = FeatureStage::new(&config.features, config.threads, Arc::clone(metrics))?;
        Ok(FusedProcessor::new(features, scoring_stage(&scoring, metrics)?))
    })
}

/// The scoring stage of a configuration.
fn scoring_stage(config: &ScoringWorkerConfig, metrics: &Arc<Metrics>) -> anyhow::Result<ScoringStage> {
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
