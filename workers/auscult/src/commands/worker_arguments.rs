//! Arguments shared by all workers and Kafka commands, as overrides of their configuration.

use std::path::PathBuf;
use std::sync::Arc;

use auscult_runtime::config::{ConfigError, Validate, load};
use auscult_runtime::kafka::GatewayProducer;
use auscult_runtime::telemetry::Metrics;
use auscult_runtime::traces::SpanRecorder;
use auscult_schemas::topics::CHUNKS;
use clap::Args;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Sources of the configuration: a file, then the environment, then these flags.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct ConfigArgs {
    /// Configuration file, YAML; `auscult config schema` describes it
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Brokers, host:port separated by commas (kafka.brokers)
    #[arg(long, global = true, value_name = "HOST:PORT,...")]
    brokers: Option<String>,
    /// Set any setting by its path; may be repeated
    #[arg(long = "set", global = true, value_name = "PATH=VALUE", value_parser = parse_setting)]
    settings: Vec<(String, String)>,
}

impl ConfigArgs {
    /// The configuration, with the command's `own` overrides applied last.
    pub(super) fn load<T>(&self, own: &[(&str, Option<String>)]) -> Result<T, ConfigError>
    where
        T: DeserializeOwned + JsonSchema + Validate,
    {
        let mut overrides = self.settings.clone();
        overrides.extend(self.brokers.iter().map(|brokers| ("kafka.brokers".to_owned(), brokers.clone())));
        for (path, value) in own {
            overrides.extend(value.iter().map(|value| ((*path).to_owned(), value.clone())));
        }
        load(self.config.as_deref(), &overrides)
    }
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (path, value) = text.split_once('=').ok_or("write it as PATH=VALUE, such as batch.max_records=64")?;
    Ok((path.trim().to_owned(), value.to_owned()))
}

/// Further arguments of every worker.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct WorkerArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Listen address of /livez, /readyz and /metrics (http.listen)
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Name of this worker, unique in its consumer group (kafka.instance_id)
    #[arg(long, value_name = "NAME")]
    instance_id: Option<String>,
}

impl WorkerArgs {
    pub(super) fn overrides(&self) -> [(&'static str, Option<String>); 2] {
        [("http.listen", self.listen.clone()), ("kafka.instance_id", self.instance_id.clone())]
    }
}

/// What the commands beside the workers need of a configuration: Kafka alone. A worker's own file will do; its other
/// sections are left alone.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct KafkaOnly {
    /// Kafka.
    pub(super) kafka: auscult_runtime::config::KafkaConfig,
    batch: Value,
    limits: Value,
    http: Value,
    log: Value,
    /// Traces, for what sends.
    pub(super) traces: auscult_runtime::config::TracesConfig,
    features: Value,
    threads: Value,
    models: Value,
    device: Value,
    alert: Value,
    drift: Value,
    alertmanager: Value,
    environment: Value,
    metrics: Value,
}

impl Validate for KafkaOnly {
    fn validate(&self, problems: &mut auscult_runtime::config::Problems) {
        problems.section("kafka", &self.kafka);
        problems.section("traces", &self.traces);
    }
}

impl KafkaOnly {
    /// A producer of chunks. If `traces.otlp_endpoint` is set, it starts the chunks' traces.
    pub(super) fn gateway(&self, name: &str) -> anyhow::Result<GatewayProducer> {
        let metrics = Arc::new(Metrics::new(name)?);
        let spans = SpanRecorder::start(&self.traces, name, name, CHUNKS, "", &metrics)?;
        Ok(GatewayProducer::new(&self.kafka, name)?.traced(spans))
    }
}
