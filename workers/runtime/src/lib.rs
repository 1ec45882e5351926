//! The exactly-once runner: consume, process, produce, commit. It is the only crate with Kafka code, and has no audio
//! code.
//!
//! ```text
//!               log thread                compute thread            transaction thread
//!   consumer ──► Core (no IO) ──Batch──►  Processor ──Results──►  begin, send, await, offsets, commit
//!      ▲          │ epochs, batches,        │ staged state            │
//!      └──────────┘ drain, rewind           └◄──── swap or discard ◄──┘
//!                                         restore thread: committed offsets, then the changelog to its end
//! ```

pub mod compute;
pub mod config;
pub mod core;
mod dead_letters;
mod fault_injection;
pub mod http;
pub mod kafka;
pub mod machine_places;
pub mod memory_log;
pub mod ports;
pub mod processor;
pub mod record;
mod rejected_record;
pub mod runner;
pub mod states;
pub mod telemetry;
pub mod times;
pub mod traces;

#[cfg(feature = "fault-injection")]
pub use fault_injection::arm as arm_fault_injection;
