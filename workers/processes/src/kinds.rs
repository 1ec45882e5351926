//! The kinds of workers: what each reads, keeps and touches.

use auscult_schemas::topics::{ALERTS, AUDIT, CHUNKS, DEAD_LETTERS, DRIFT, FEATURES, SCORER_STATE, SCORES};

/// What distinguishes one kind of worker from another.
#[derive(Debug, Clone, Copy)]
pub struct WorkerKind {
    /// Its name, also its group where none is configured.
    pub name: &'static str,
    /// The topic it consumes.
    pub input: &'static str,
    /// The topic that keeps its state.
    pub changelog: Option<&'static str>,
    /// All topics it touches.
    pub touches: &'static [&'static str],
}

/// Chunks in, features out.
pub const FEATURE_WORKER: WorkerKind = WorkerKind {
    name: "auscult-feature-worker",
    input: CHUNKS,
    changelog: None,
    touches: &[CHUNKS, FEATURES, DEAD_LETTERS],
};

/// Features in; scores, alerts and drift out.
pub const SCORING_WORKER: WorkerKind = WorkerKind {
    name: "auscult-scoring-worker",
    input: FEATURES,
    changelog: Some(SCORER_STATE),
    touches: &[FEATURES, SCORES, ALERTS, DRIFT, AUDIT, DEAD_LETTERS, SCORER_STATE],
};

/// Chunks in; scores, alerts and drift out: both stages in one worker.
pub const FUSED_WORKER: WorkerKind = WorkerKind {
    name: "auscult-fused-worker",
    input: CHUNKS,
    changelog: Some(SCORER_STATE),
    touches: &[CHUNKS, SCORES, ALERTS, DRIFT, AUDIT, DEAD_LETTERS, SCORER_STATE],
};
