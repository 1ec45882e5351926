//! One file a command: its arguments and help, and `run`.

pub mod alertmanager;
mod arguments;
pub mod bearing;
pub mod bench;
pub mod config;
pub mod control;
pub mod dead_letters;
pub mod demo;
pub mod doctor;
pub mod evaluate;
pub mod explore;
pub mod feature_worker;
pub mod features;
pub mod import;
pub mod lives;
pub mod log_level;
pub mod retrain;
pub mod run;
pub mod score;
pub mod scoring_worker;
pub mod send;
pub mod simulate;
pub mod topics;
pub mod train;
pub mod watch;
mod worker_arguments;
