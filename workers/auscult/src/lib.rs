//! The one binary: demo, workers, training, evaluation, gateway, watch.
//!
//! ```text
//!  main ─► cli ─► commands/*          one file a command
//!                    │
//!                    ├─ model_file    model packages on disk, written whole or not at all
//!                    ├─ dead_letters  what could not be processed, and sending it round again
//!                    ├─ doctor        a live installation looked over, and what is to be done
//!                    ├─ band          a frequency band in words
//!                    ├─ machine_partition   where a machine lives, for whoever speaks to it
//!                    ├─ retrain       what machines have sent, gathered to learn them anew
//!                    ├─ metrics_inventory   docs/metrics.md, from the registries
//!                    └─ progress, interrupt      bars on standard error; Ctrl-C as a flag
//! ```

pub mod cli;
pub mod commands;
pub mod doctor;
pub mod interrupt;
pub mod metrics_inventory;
pub mod model_file;
pub mod progress;
