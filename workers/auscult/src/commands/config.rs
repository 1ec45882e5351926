//! `auscult config check|show|schema`.

use auscult_alertmanager::BridgeConfig;
use auscult_feature_worker::FeatureWorkerConfig;
use auscult_processes::FusedConfig;
use auscult_runtime::config::{Validate, schema};
use auscult_scoring_worker::ScoringWorkerConfig;
use clap::{Args, Subcommand, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::worker_arguments::ConfigArgs;

/// Check, show or describe the configuration of a worker
///
/// Settings come from the file, then from the environment (AUSCULT__KAFKA__BROKERS is kafka.brokers), then from flags;
/// later sources override earlier ones.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ConfigCommandArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Report all errors in the configuration, each with its path
    Check(Which),
    /// Print the effective configuration, including defaults; secrets are hidden
    Show(Which),
    /// Print the JSON Schema, with the meaning, unit and default of every setting
    Schema {
        /// Kind of worker
        #[arg(long, value_enum)]
        worker: WorkerName,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Kind of worker
    #[arg(long, value_enum)]
    worker: WorkerName,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WorkerName {
    /// `auscult feature-worker`
    Feature,
    /// `auscult scoring-worker`
    Scoring,
    /// `auscult run --fused`
    Fused,
    /// `auscult alertmanager`
    Alertmanager,
}

const EXAMPLES: &str = "\
Examples:
  auscult config check --worker scoring --config worker.yaml
  auscult config show --worker feature --brokers kafka:9092
  auscult config schema --worker fused > auscult.schema.json";

/// Checks, shows or describes.
///
/// # Errors
/// Every error in the configuration.
pub fn run(args: &ConfigCommandArgs) -> anyhow::Result<()> {
    match &args.command {
        ConfigCommand::Check(which) => {
            which.shown()?;
            println!("the configuration is sound");
        }
        ConfigCommand::Show(which) => println!("{}", which.shown()?),
        ConfigCommand::Schema { worker } => {
            let schema = match worker {
                WorkerName::Feature => schema::<FeatureWorkerConfig>(),
                WorkerName::Scoring => schema::<ScoringWorkerConfig>(),
                WorkerName::Fused => schema::<FusedConfig>(),
                WorkerName::Alertmanager => schema::<BridgeConfig>(),
            };
            println!("{}", serde_json::to_string_pretty(&schema)?);
        }
    }
    Ok(())
}

impl Which {
    fn shown(&self) -> anyhow::Result<String> {
        match self.worker {
            WorkerName::Feature => self.load::<FeatureWorkerConfig>(),
            WorkerName::Scoring => self.load::<ScoringWorkerConfig>(),
            WorkerName::Fused => self.load::<FusedConfig>(),
            WorkerName::Alertmanager => self.load::<BridgeConfig>(),
        }
    }

    fn load<T: DeserializeOwned + Serialize + JsonSchema + Validate>(&self) -> anyhow::Result<String> {
        let config: T = self.config.load(&[])?;
        // JSON is valid YAML: the output can be saved and used as a configuration file.
        Ok(serde_json::to_string_pretty(&config)?)
    }
}
