//! Both stages in one worker, without the features topic: for one small machine.

use auscult_detection::{AlertPolicy, DeviceChoice, DriftPolicy, EnvironmentPolicy};
use auscult_feature_worker::{Extracted, FeatureStage};
use auscult_runtime::config::{
    BatchConfig, HttpConfig, KafkaConfig, LimitsConfig, LogConfig, Problems, TracesConfig, Validate,
};
use auscult_runtime::processor::{Memory, Output, Processor, Rejection, opened};
use auscult_runtime::record::Record;
use auscult_schemas::{FeatureSpec, ScorerState};
use auscult_scoring_worker::{
    MetricsConfig, ModelsConfig, ScoringInput, ScoringStage, ScoringWorkerConfig, read_control,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a fused worker is told: what both workers are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct FusedConfig {
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
    /// How sound becomes numbers. Must be the spec that the models were trained on.
    pub features: FeatureSpec,
    /// Threads that compute features. Default: 0, as many as there are processors.
    pub threads: usize,
    /// Which models serve which machines.
    pub models: ModelsConfig,
    /// Where the models run: `auto`, `cpu` or `cuda:N`. Default: `auto`.
    pub device: DeviceChoice,
    /// How many chunks raise a warning or an alarm, and clear it.
    pub alert: AlertPolicy,
    /// How many chunks make a drift window.
    pub drift: DriftPolicy,
    /// When many machines that deviate are a change of their environment.
    pub environment: EnvironmentPolicy,
    /// What is exposed of single machines.
    pub metrics: MetricsConfig,
}

impl FusedConfig {
    /// The scoring stage's part.
    #[must_use]
    pub fn scoring(&self) -> ScoringWorkerConfig {
        ScoringWorkerConfig {
            kafka: self.kafka.clone(),
            batch: self.batch.clone(),
            limits: self.limits.clone(),
            http: self.http.clone(),
            log: self.log.clone(),
            traces: self.traces.clone(),
            models: self.models.clone(),
            device: self.device,
            alert: self.alert,
            drift: self.drift,
            environment: self.environment,
            metrics: self.metrics.clone(),
        }
    }
}

impl Validate for FusedConfig {
    fn validate(&self, problems: &mut Problems) {
        self.scoring().validate(problems);
        if let Err(error) = self.features.validate() {
            problems.add("features", error.to_string());
        }
        problems.require(self.threads <= 1024, "threads", format!("is {}, must be at most 1024", self.threads));
    }
}

/// Reads chunks; writes scores, alerts and drift.
pub struct FusedProcessor {
    features: FeatureStage,
    scoring: ScoringStage,
}

impl FusedProcessor {
    /// A processor over both stages.
    #[must_use]
    pub fn new(features: FeatureStage, scoring: ScoringStage) -> Self {
        Self { features, scoring }
    }
}

impl Processor for FusedProcessor {
    type State = ScorerState;

    fn process(
        &mut self,
        records: &[Record],
        memory: &mut Memory<'_, ScorerState>,
    ) -> Vec<Result<Vec<Output>, Rejection>> {
        let read = |records: &[Record]| {
            let extracted = records.iter().zip(self.features.extract(records));
            let inputs = extracted.map(|(record, extracted)| match extracted? {
                Extracted::Chunk(envelope, features) => Ok(ScoringInput::Chunk(envelope, features)),
                Extracted::Control(envelope) => read_control(&*opened(record)?, envelope),
            });
            inputs.collect()
        };
        self.scoring.score(records, read, memory)
    }

    fn states_changed(&mut self, memory: &Memory<'_, ScorerState>) {
        self.scoring.states_changed(memory);
    }
}
