//! The feature worker: chunks of sound in, log-mel features out. Thin: the sound is `auscult-features`' business,
//! delivery `auscult-runtime`'s.
//!
//! ```text
//!  audio.chunks ──► FeatureStage ──► Features ──► FeatureProcessor ──► audio.features
//!                   one extractor a thread │
//!                                          └──► (fused) straight to the scoring stage
//!                control messages ─────────────────────────────────────► audio.features, as they are
//! ```

mod config;
mod processor;
mod stage;

pub use config::FeatureWorkerConfig;
pub use processor::FeatureProcessor;
pub use stage::{Extracted, ExtractedChunk, FeatureStage, FeatureStageError};
