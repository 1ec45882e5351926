//! The scoring worker: reads features; writes scores, alerts and drift. It is a thin layer: `auscult-detection` does
//! the scoring, `auscult-runtime` the delivery.
//!
//! ```text
//!  audio.features ──► ScoringProcessor ──► ScoringStage ──all clips of a batch, by model──► DeviceThread
//!                                             │      ▲                                 one per device, owns the models
//!                                             │      └──────────── judgements ─────────────────┘
//!                                             └─► alert state, drift ─► audio.scores, audio.alerts, audio.drift
//! ```
//!
//! Model files may change while the worker runs (`reload`): a new model is loaded into a new slot, tested there, and
//! used from the next batch on.

mod config;
mod control;
mod device_thread;
mod event;
mod file_version;
mod fleet_counts;
mod healthy_channels;
mod library;
mod lookup;
mod machine_series;
mod metrics;
mod place_watch;
mod processor;
mod reload;
mod self_test;
mod site_counters;
mod stage;
mod worker_machines;

pub use config::{MetricsConfig, ModelsConfig, ScoringWorkerConfig};
pub use control::read_control;
pub use device_thread::StartError;
pub use library::{LibraryError, ModelLibrary, file_stem};
pub use lookup::{ModelLookup, Serving};
pub use machine_series::MachineSeries;
pub use metrics::ScoringMetrics;
pub use processor::ScoringProcessor;
pub use site_counters::SiteCounters;
pub use stage::{ScoredChunk, ScoringInput, ScoringStage};
