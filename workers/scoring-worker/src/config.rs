//! What a scoring worker is told.

use std::path::PathBuf;

use auscult_detection::{AlertPolicy, DeviceChoice, DriftPolicy, EnvironmentPolicy, WatchPolicy};
use auscult_runtime::config::{
    BatchConfig, HttpConfig, KafkaConfig, LimitsConfig, LogConfig, Problems, Sections, TracesConfig, Validate,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a scoring worker is told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ScoringWorkerConfig {
    /// Kafka.
    pub kafka: KafkaConfig,
    /// When a batch closes. All chunks of a batch go through one forward pass a model.
    pub batch: BatchConfig,
    /// Bounds and deadlines.
    pub limits: LimitsConfig,
    /// Health and metrics.
    pub http: HttpConfig,
    /// Logs.
    pub log: LogConfig,
    /// Traces.
    pub traces: TracesConfig,
    /// Which models serve which machines.
    pub models: ModelsConfig,
    /// Where the models run: `auto` (a GPU if there is one, else the CPU), `cpu`, or `cuda:N`. Default: `auto`.
    pub device: DeviceChoice,
    /// How many chunks raise a warning or an alarm, and clear it.
    pub alert: AlertPolicy,
    /// How many chunks make a drift window, and how rarely drift may be found where there is none.
    pub drift: DriftPolicy,
    /// When many machines that deviate are a change of their environment.
    pub environment: EnvironmentPolicy,
    /// What is exposed of single machines.
    pub metrics: MetricsConfig,
}

impl ScoringWorkerConfig {
    /// What it has in common with every worker.
    #[must_use]
    pub fn sections(&self) -> Sections<'_> {
        let Self { kafka, batch, limits, http, log, traces, .. } = self;
        Sections { kafka, batch, limits, http, log, traces }
    }

    /// Alert, drift and environment policy together.
    #[must_use]
    pub fn watch_policy(&self) -> WatchPolicy {
        WatchPolicy { alert: self.alert, drift: self.drift, environment: self.environment }
    }
}

/// Which models serve which machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct ModelsConfig {
    /// Folder of model packages; `MACHINE.safetensors` serves the machine of that id. A character of the id that is no
    /// letter, digit, `-`, `_` or `.` stands in the file name as `%` and two hexadecimal digits a byte. Default: none.
    pub dir: Option<PathBuf>,
    /// Package that serves every machine without one of its own. Default: none; their chunks go to the dead letters.
    pub default: Option<PathBuf>,
    /// How often the files are looked at for new, changed and removed models; 0: never, only at the start. A broken
    /// file changes nothing: the model it was to replace goes on serving. When a file has been gone for two looks, its
    /// machine is served by `default`; without one its chunks go to the dead letters. At most 86400. Unit: seconds.
    /// Default: 10.
    pub reload_secs: u64,
}

/// What is exposed of single machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct MetricsConfig {
    /// While a worker has no more machines than this, each has series of its own (state, health, drift charts: a dozen
    /// a machine); with more, none has. 0: never. Default: 200.
    pub machine_series_up_to: usize,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { machine_series_up_to: 200 }
    }
}

impl Default for ModelsConfig {
    fn default() -> Self {
        Self { dir: None, default: None, reload_secs: 10 }
    }
}

impl Validate for ScoringWorkerConfig {
    fn validate(&self, problems: &mut Problems) {
        self.sections().validate(problems);
        let has_model = self.models.dir.is_some() || self.models.default.is_some();
        problems.require(
            has_model,
            "models",
            "names no model: set models.dir or models.default to what `auscult train` wrote",
        );
        problems.require(
            self.models.reload_secs <= 86_400,
            "models.reload_secs",
            format!("is {}, must be at most 86400, a day; 0 is never", self.models.reload_secs),
        );
        for (option, reason) in self.alert.problems() {
            problems.add(&format!("alert.{option}"), reason);
        }
        for (option, reason) in self.environment.problems() {
            problems.add(&format!("environment.{option}"), reason);
        }
        problems.require(self.drift.window_chunks >= 2, "drift.window_chunks", "must be at least 2");
        problems.require(
            self.drift.false_alarm_every_chunks >= 10 * u64::from(self.drift.window_chunks),
            "drift.false_alarm_every_chunks",
            "must be at least ten times drift.window_chunks",
        );
    }
}
