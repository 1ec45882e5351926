//! What a feature worker is told.

use auscult_runtime::config::{
    BatchConfig, HttpConfig, KafkaConfig, LimitsConfig, LogConfig, Problems, Validate, validate_together,
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
    /// How sound becomes numbers. Must be the spec that the models were trained on. Default: 16 kHz, 64 mel bands, fixed reference.
    pub features: FeatureSpec,
    /// Threads that compute features. Default: 0, as many as there are processors.
    pub threads: usize,
}

impl Validate for FeatureWorkerConfig {
    fn validate(&self, problems: &mut Problems) {
        problems.section("kafka", &self.kafka);
        problems.section("batch", &self.batch);
        problems.section("limits", &self.limits);
        problems.section("http", &self.http);
        validate_together(&self.kafka, &self.batch, &self.limits, problems);
        if let Err(error) = self.features.validate() {
            problems.require(false, "features", error.to_string());
        }
        problems.require(self.threads <= 1024, "threads", format!("is {}, must be at most 1024", self.threads));
    }
}
