//! The worker processes.
//!
//! ```text
//!  configuration ─► workers ─► kafka       one worker on Kafka: logs, health, topics, signals, runner
//!                     │          └─ kinds  the topics of each kind of worker
//!                     └─ fused             both stages in one worker, without the features topic
//!
//!  models, spec ──► in_memory              both workers in this process, on an in-memory log: demo and tests
//! ```
//!
//! The stages themselves are `auscult-feature-worker` and `auscult-scoring-worker`, the runner is `auscult-runtime`.

pub mod fused;
pub mod in_memory;
mod kafka;
pub mod kinds;
mod workers;

pub use fused::FusedConfig;
pub use kinds::WorkerKind;
pub use workers::{run_feature_worker, run_fused_worker, run_scoring_worker};
