//! What a feature worker is told.

use auscult_runtime::config::{
    BatchConfig, HttpConfig, KafkaConfig, LimitsConfig, LogConfig, Problems, Sections, TracesConfig, Validate,
};
use auscult_schemas::FeatureSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a feature worker is told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct FeatureWorkerConfig {
    /// Kafka.
    pub kafka: KafkaConfig,
    /// When a batch closes.
    pub batch: BatchConfig,
    /// Bounds and deadlines.
    pub limits: LimitsConfig,
    /// Health and metrics.
    pub http: HttpConfig,
    /// Logs.
    pub log: LogConfig,
    /// Traces.
    pub traces: TracesConfig,
    /// How sound becomes numbers. Must be the spec that the models were trained on. Default: 16 kHz, 64 mel bands,
    /// fixed reference.
    pub features: FeatureSpec,
    /// Threads that compute features. Default: 0, as many as there are processors.
    pub threads: usize,
}

impl FeatureWorkerConfig {
    /// What it has in common with every worker.
    #[must_use]
    pub fn sections(&self) -> Sections<'_> {
        let Self { kafka, batch, limits, http, log, traces, .. } = self;
        Sections { kafka, batch, limits, http, log, traces }
    }
}

impl Validate for FeatureWorkerConfig {
    fn validate(&self, problems: &mut Problems) {
        self.sections().validate(problems);
        if let Err(error) = self.features.validate() {
            problems.require(false, "features", error.to_string());
        }
        problems.require(self.threads <= 1024, "threads", format!("is {}, must be at most 1024", self.threads));
    }
}
