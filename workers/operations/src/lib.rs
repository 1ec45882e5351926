//! What operators of an installation on Kafka need.
//!
//! ```text
//!  audio.scorer-state, newest chunks ─► machine_partition   the partition of a machine's state
//!  recordings ────────────────────────► gateway             chunks for audio.chunks
//!  audio.dead-letters ────────────────► dead_letters        which records failed, and sending them again
//!  audio.features, scores, alerts ────► retraining          a sample of each machine's chunks to train on
//! ```

pub mod dead_letters;
pub mod gateway;
pub mod machine_partition;
pub mod retraining;
