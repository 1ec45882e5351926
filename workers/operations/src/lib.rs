//! Tools for operators of an installation on Kafka.
//!
//! ```text
//!  brokers, topics, groups ───────────► doctor              findings, each with its fix
//!  audio.scorer-state, newest chunks ─► machine_partition   the partition of a machine's state
//!  recordings ────────────────────────► gateway             chunks for audio.chunks
//!  a request ─────────────────────────► control             the message to a machine's partition, and its answer
//!  audio.dead-letters ────────────────► dead_letters        which records failed, and replaying them
//!  audio.scores, alerts, … ───────────► result_lines        a line for each record
//!  audio.features, scores, alerts ────► retraining          a sample of each machine's chunks to train on
//! ```

pub mod control;
pub mod dead_letters;
pub mod doctor;
pub mod gateway;
pub mod machine_partition;
pub mod result_lines;
pub mod retraining;
pub mod topics;
