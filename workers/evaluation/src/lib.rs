//! Evaluates how well a model or detector separates normal from abnormal, on labelled recordings.
//!
//! ```text
//!  test clips + model ─► judging ─► judged    labelled clips with scores; metrics by fault and machine
//!                           └─────► dcase     every clip with its score; DCASE's official score and CSV files
//!  a recording + model ► recording             its verdict and the reasons
//!  data sets of a folder ─► comparison            every detector on every set, with several seeds
//!  CSV, Parquet ───────► tables               detectors on log-mels pooled by another program
//!  run-to-failure recordings ─► lives         a model of the beginning scores the rest: how early is the alarm?
//! ```
//!
//! The crate uses neither Kafka nor a terminal; `auscult-reports` draws the results.

pub mod comparison;
pub mod dcase;
pub mod judged;
pub mod judging;
pub mod lives;
pub mod recording;
pub mod tables;
