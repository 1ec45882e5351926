//! The one binary: demo, workers, training, evaluation, gateway, watch.
//!
//! ```text
//!  main ─► cli ─► commands/*          one file a command
//!                    │
//!                    ├─ model_file    model packages on disk, written whole or not at all
//!                    ├─ demo          the live screen, the plain lines and the closing summary
//!                    ├─ dead_letters  what could not be processed, and sending it round again
//!                    ├─ doctor        a live installation looked over, and what is to be done
//!                    ├─ band          a frequency band in words
//!                    ├─ alertmanager  what stands, told to Prometheus Alertmanager
//!                    ├─ machine_partition   where a machine lives, for whoever speaks to it
//!                    ├─ retrain       what machines have sent, gathered to learn them anew
//!                    ├─ metrics_inventory   docs/metrics.md, from the registries
//!                    ├─ worker        one worker's process on Kafka: logs, health, topics, signals, runner
//!                    ├─ pipeline      both workers in this process, on the in-memory log
//!                    ├─ fused         both stages in one worker
//!                    └─ progress, interrupt      bars on standard error; Ctrl-C as a flag
//! ```

pub mod alertmanager;
pub mod cli;
pub mod commands;
pub mod demo;
pub mod doctor;
pub mod fused;
pub mod interrupt;
pub mod metrics_inventory;
pub mod model_file;
pub mod pipeline;
pub mod progress;
pub mod worker;
