//! The scoring worker: features in; scores, alerts and drift out. Thin: judging is `auscult-detection`'s business, delivery
//! `auscult-runtime`'s.
//!
//! ```text
//!  audio.features ──► ScoringProcessor ──► ScoringStage ──all clips of a batch, by model──► DeviceThread
//!                                             │      ▲                                      one a device, owns the models
//!                                             │      └──────────── judgements ─────────────────┘
//!                                             └─► alert state, drift ─► audio.scores, audio.alerts, audio.drift
//! ```
//!
//! Model files may change meanwhile (`reload`): a sound one is swapped in between two batches.

mod config;
mod device_thread;
mod library;
mod metrics;
mod processor;
mod reload;
mod stage;

pub use config::{ModelsConfig, ScoringWorkerConfig};
pub use device_thread::{DeviceThread, StartError};
pub use library::{LibraryError, ModelLibrary, ModelSource, Shelf};
pub use metrics::ScoringMetrics;
pub use processor::ScoringProcessor;
pub use reload::Reload;
pub use stage::{ScoredChunk, ScoringStage};
