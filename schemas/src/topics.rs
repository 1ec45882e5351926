//! The topics and what each must be set to.

/// One topic's name and settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic {
    /// Name on the broker.
    pub name: &'static str,
    /// What a record of it is, in a sentence.
    pub purpose: &'static str,
    /// Keeps the latest record of each key rather than all records for a time.
    pub compacted: bool,
    /// How long records are kept, ms; of no effect on a compacted topic.
    pub retention_ms: i64,
}

/// Sound as it came from the microphone.
pub const CHUNKS: &str = "audio.chunks";
/// Log-mel spectrograms.
pub const FEATURES: &str = "audio.features";
/// One score a chunk.
pub const SCORES: &str = "audio.scores";
/// Changes of a machine's state.
pub const ALERTS: &str = "audio.alerts";
/// Drift statistics, one a machine and window.
pub const DRIFT: &str = "audio.drift";
/// What people, and the environment, have changed about how a machine is judged.
pub const AUDIT: &str = "audio.audit";
/// Records that could not be processed.
pub const DEAD_LETTERS: &str = "audio.dead-letters";
/// What people said of alerts.
pub const LABELS: &str = "audio.labels";
/// What a scoring worker knows of each machine.
pub const SCORER_STATE: &str = "audio.scorer-state";
/// Which model serves which machine.
pub const MODELS: &str = "audio.models";

/// The largest record that a topic or client accepts, bytes (8 MiB).
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;

impl Topic {
    /// Whether the brokers write the time of arrival into its records (`message.timestamp.type=LogAppendTime`), because
    /// whoever sends them is not ours: retention goes by these times, and a record that says 1970 would be deleted at
    /// the next clean-up, whether it was read or not. When sound was recorded is `ce_time`.
    #[must_use]
    pub fn has_broker_time(&self) -> bool {
        self.name == CHUNKS
    }
}

/// How many partitions each topic gets where nobody says otherwise: that many workers of a kind can share the load.
pub const DEFAULT_PARTITIONS: i32 = 8;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Every topic. All have the same partition count, because a worker writes to the partition number it read from.
pub const ALL: [Topic; 10] = [
    Topic { name: CHUNKS, purpose: "sound as it came from the microphone", compacted: false, retention_ms: DAY_MS },
    Topic { name: FEATURES, purpose: "log-mel spectrograms", compacted: false, retention_ms: DAY_MS },
    Topic { name: SCORES, purpose: "one score a chunk", compacted: false, retention_ms: 30 * DAY_MS },
    Topic { name: ALERTS, purpose: "changes of a machine's state", compacted: false, retention_ms: 90 * DAY_MS },
    Topic { name: DRIFT, purpose: "drift statistics", compacted: false, retention_ms: 90 * DAY_MS },
    Topic {
        name: AUDIT,
        purpose: "what people have changed about how a machine is judged",
        compacted: false,
        retention_ms: -1,
    },
    Topic {
        name: DEAD_LETTERS,
        purpose: "records that could not be processed",
        compacted: false,
        retention_ms: 14 * DAY_MS,
    },
    Topic { name: LABELS, purpose: "what people said of alerts", compacted: false, retention_ms: -1 },
    Topic {
        name: SCORER_STATE,
        purpose: "what a scoring worker knows of each machine",
        compacted: true,
        retention_ms: -1,
    },
    Topic { name: MODELS, purpose: "which model serves which machine", compacted: true, retention_ms: -1 },
];
