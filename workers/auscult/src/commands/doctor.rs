//! `auscult doctor`: checks a live installation.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::bail;
use auscult_operations::doctor::{Outcome, Question, examine, json, lines};
use auscult_processes::kinds::{FEATURE_WORKER, FUSED_WORKER, SCORING_WORKER};
use auscult_runtime::config::{KafkaConfig, LimitsConfig, Problems, Validate};
use auscult_schemas::printable_json;
use auscult_scoring_worker::ModelsConfig;
use clap::Args;
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde_json::Value;

use super::scoring_worker::ModelArgs;
use super::worker_arguments::ConfigArgs;

/// Check a live installation, and report how to fix each problem
///
/// Checks brokers, topics, permissions, consumer groups and their lag, clocks, and a model for each known machine. The
/// command is read-only: it joins no group, and sends nothing unless --try-writing is given. Use the configuration of a
/// worker, preferably of a scoring worker, because it names the models; permissions are checked for the worker of this
/// configuration. Exit status: 0 if no problems were found, 1 otherwise.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// Print one JSON object: {"sound", "checks": [{"group", "check", "outcome", "says", "todo"}]}
    #[arg(long)]
    json: bool,
    /// Fail on warnings, too
    #[arg(long)]
    strict: bool,
    /// Test write permissions: send each topic one record that exceeds its size limit, which the broker rejects and
    /// does not store
    #[arg(long)]
    try_writing: bool,
    /// One worker runs both stages (`auscult run --fused`)
    #[arg(long)]
    fused: bool,
    /// Maximum time that a record may wait
    #[arg(long, value_name = "TIME", default_value = "60s")]
    lag: SignedDuration,
    /// Maximum difference between clocks
    #[arg(long, value_name = "TIME", default_value = "5s")]
    skew: SignedDuration,
    /// Consumer group of the feature workers, if it is not the default
    #[arg(long, value_name = "GROUP")]
    feature_group: Option<String>,
    /// Consumer group of the scoring workers, if it is not the default
    #[arg(long, value_name = "GROUP")]
    scoring_group: Option<String>,
    #[command(flatten)]
    models: ModelArgs,
    #[command(flatten)]
    config: ConfigArgs,
}

const EXAMPLES: &str = "\
Examples:
  auscult doctor --brokers localhost:9092 --models models/
  auscult doctor --config worker.yaml --json | jq '.checks[] | select(.outcome != \"ok\")'
  kubectl exec plant-auscult-scoring-0 -- /usr/local/bin/auscult doctor --config /etc/auscult/config/worker.yaml
  auscult doctor --config worker.yaml --strict --try-writing";

/// What of a worker's configuration is looked at; its other sections are left alone.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(default)]
struct DoctorConfig {
    kafka: KafkaConfig,
    limits: LimitsConfig,
    models: ModelsConfig,
    batch: Value,
    http: Value,
    log: Value,
    traces: Value,
    features: Value,
    threads: Value,
    device: Value,
    alert: Value,
    drift: Value,
    alertmanager: Value,
    environment: Value,
    metrics: Value,
}

impl Validate for DoctorConfig {
    fn validate(&self, problems: &mut Problems) {
        problems.section("kafka", &self.kafka);
        problems.section("limits", &self.limits);
    }
}

/// Runs all checks and prints the results.
///
/// # Errors
/// If a check or the configuration fails.
pub fn run(args: &DoctorArgs) -> anyhow::Result<()> {
    let [models, default, _] = args.models.overrides();
    let config: DoctorConfig = args.config.load(&[models, default])?;
    let has_models = config.models.dir.is_some() || config.models.default.is_some();
    let whole = |duration: SignedDuration| Duration::try_from(duration).unwrap_or_default();
    // A worker's group belongs to its kind; a worker with models is a scoring worker.
    let own = config.kafka.group_id.clone();
    let own_of = |is_its: bool| own.clone().filter(|_| is_its);
    let scoring = if args.fused { FUSED_WORKER } else { SCORING_WORKER };
    let or = |given: &Option<String>, own: Option<String>, usual: &str| {
        given.clone().or(own).unwrap_or_else(|| usual.to_owned())
    };
    let question = Question {
        feature_group: or(&args.feature_group, own_of(!has_models), FEATURE_WORKER.name),
        scoring_group: or(&args.scoring_group, own_of(has_models), scoring.name),
        kafka: config.kafka,
        limits: config.limits,
        models: has_models.then_some(config.models),
        is_fused: args.fused,
        kind: if has_models || args.fused { scoring } else { FEATURE_WORKER },
        lag: whole(args.lag),
        skew: whole(args.skew),
        tries_writing: args.try_writing,
    };
    let report = examine(&question);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", printable_json(&format!("{:#}", json(&report, args.strict))))?;
    } else {
        write!(out, "{}", lines(&report, std::io::stdout().is_terminal()))?;
    }
    if !report.is_sound(args.strict) {
        let warnings = if args.strict { report.count(Outcome::Warning) } else { 0 };
        bail!("{} things are not as they must be", report.count(Outcome::Wrong) + warnings);
    }
    Ok(())
}
