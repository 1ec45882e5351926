//! The `auscult` binary: demo, workers, training, evaluation, gateway, watch.
//!
//! ```text
//!  main ─► cli ─► commands/*          one file per command
//!                    │
//!                    ├─ model_file    model packages on disk, written completely or not at all
//!                    └─ progress, interrupt      progress bars on standard error; Ctrl-C as a flag
//! ```

pub mod cli;
pub mod commands;
pub mod interrupt;
pub mod model_file;
pub mod progress;
