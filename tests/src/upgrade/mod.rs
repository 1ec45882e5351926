//! A rolling upgrade: two feature workers and two scoring workers of an earlier build, under steady load on Apache
//! Kafka, are told to stop and started again as today's build, one after another. Then the verifier says what was lost,
//! doubled, reordered or wrong.
//!
//! ```text
//!   load      ─────────────────────────────────────────────────────────────────────────►
//!   features-0  earlier ───┤├── today's ───────────────────────────────────────────────
//!   features-1  earlier ────────┤├── today's ──────────────────────────────────────────
//!   scoring-0   earlier ─────────────┤├── today's ──────┤ earlier ├── today's ─────────   the way back only where it is asked for
//!   scoring-1   earlier ──────────────────┤├── today's ────────────────────────────────
//! ```

mod crew;
mod memory;
mod run;

pub use run::{Plan, Report, run};
