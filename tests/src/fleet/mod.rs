//! A simulated fleet through both workers on Apache Kafka, judged against the truth.
//!
//! ```text
//!  FleetSpec ──► auscult simulate --train ──► auscult train ──► models
//!      │
//!      └──► Fleet::play ──► audio.chunks ──► 2 feature workers ──► 2 scoring workers ──► audio.scores, audio.alerts
//!                 ▲                                                                             │
//!                 └────────── waits while too many chunks have no score yet ◄───────────────────┤
//!                                                                                               ▼
//!                                                          Truth ──► judge ──► Verdict: a table, and what falls short
//! ```
//!
//! Event time is the scenario's: a week of it is played in minutes.

mod follow;
mod judge;
mod run;
mod verdict;

pub use judge::judge;
pub use run::{Outcome, RunOptions, ScoreSeen, run, run_watched};
pub use verdict::{EnvironmentReport, FailureVerdict, MicrophoneVerdict, Promise, Shortcoming, Verdict};
