//! How sound becomes numbers: decode, check, resample, log-mel spectrogram, stacked frames. Pure functions: no IO, no
//! Kafka.
//!
//! ```text
//!  bytes ──decode──► Clip ──check──► quality flags
//!                     │
//!                     └─► Resampler ──► LogMelExtractor ──► [channels, frames, mels] dB ──stack_frames──► [vectors, frames·mels]
//!                         to the spec's rate   STFT, mel, dB
//!  └──────────────────────────── ChunkExtractor ────────────────────────┘
//! ```
//!
//! [`ChunkExtractor`] is the whole way of a chunk in one call; each thread owns one and it keeps plans and buffers.
//! The numbers equal librosa's to 1e-3 dB; `tests/golden_log_mel.rs` proves it on vectors that librosa computed.

mod clip;
mod content_type;
mod decode;
mod error;
mod extract;
mod log_mel;
mod quality;
mod resample;
mod stack;

pub use clip::{Clip, MAX_CHANNELS, MAX_RATE_HZ, MAX_SAMPLES, MIN_RATE_HZ};
pub use content_type::content_type_of;
pub use decode::{content_type_of_bytes, decode, full_scales, is_float};
pub use error::FeatureError;
pub use extract::{ChunkExtractor, Extraction};
pub use log_mel::LogMelExtractor;
pub use quality::{Quality, QualityChecker, check};
pub use resample::Resampler;
pub use stack::stack_frames;
