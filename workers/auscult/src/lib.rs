//! The one binary: demo, workers, training, evaluation, gateway, watch.
//!
//! ```text
//!  main ─► cli ─► commands/*          one file a command
//!                    │
//!                    ├─ dataset       which recordings a folder holds, of which machine, normal or not
//!                    ├─ clips         reading and log-mel of many files at once, with progress
//!                    ├─ picture       log-mel spectrograms and score histograms as PNG
//!                    ├─ simulator     machine sound from physics, for the demo
//!                    └─ demo          the live screen, the plain lines and the closing summary
//! ```

pub mod cli;
pub mod commands;
pub mod dataset;
pub mod simulator;
