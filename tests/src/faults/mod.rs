//! The fault suite: faults under load on Apache Kafka, and what the verifier finds afterwards.
//!
//! ```text
//!   catalogue ──Fault──► run ──► Scene: cluster, proxies, Staff (workers that are started anew), Load
//!                         │        └── drive: the fault itself, while the load is on
//!                         ▼
//!                      Verifier ──► Verdict ──► Table: fault, runs, chunks, lost, doubled, …, recovery
//! ```

pub mod catalogue;
pub mod measure;
pub mod mutations;
mod run;
mod scene;
mod staff;
mod table;

pub use run::{Outcome, Protocol, Scale, run};
pub use scene::{Fault, Scene};
pub use staff::{Ending, Role, Staff, Terms};
pub use table::Table;
