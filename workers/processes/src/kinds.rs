//! The kinds of workers, with their topics.

use auscult_schemas::topics::{ALERTS, AUDIT, CHUNKS, DEAD_LETTERS, DRIFT, FEATURES, SCORER_STATE, SCORES};

/// Properties of a kind of worker.
#[derive(Debug, Clone, Copy)]
pub struct WorkerKind {
    /// Its name, also the default consumer group.
    pub name: &'static str,
    /// The topic it consumes.
    pub input: &'static str,
    /// The changelog topic of its state.
    pub changelog: Option<&'static str>,
    /// All topics that it uses.
    pub touches: &'static [&'static str],
}

/// Reads chunks, writes features.
pub const FEATURE_WORKER: WorkerKind = WorkerKind {
    name: "auscult-feature-worker",
    input: CHUNKS,
    changelog: None,
    touches: &[CHUNKS, FEATURES, DEAD_LETTERS],
};

/// Reads features; writes scores, alerts and drift.
pub const SCORING_WORKER: WorkerKind = WorkerKind {
    name: "auscult-scoring-worker",
    input: FEATURES,
    changelog: Some(SCORER_STATE),
    touches: &[FEATURES, SCORES, ALERTS, DRIFT, AUDIT, DEAD_LETTERS, SCORER_STATE],
};

/// Reads chunks; writes scores, alerts and drift: both stages in one worker.
pub const FUSED_WORKER: WorkerKind = WorkerKind {
    name: "auscult-fused-worker",
    input: CHUNKS,
    changelog: Some(SCORER_STATE),
    touches: &[CHUNKS, SCORES, ALERTS, DRIFT, AUDIT, DEAD_LETTERS, SCORER_STATE],
};
