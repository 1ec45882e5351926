//! How well a model or a detector tells normal from abnormal, on recordings with labels.
//!
//! ```text
//!  test clips + model ─► judging ─► judged    labelled clips with scores; figures by fault and machine
//!                           └─────► dcase     every clip with its score; DCASE's official score and CSV files
//!  a recording + model ► recording             its verdict and why
//!  data sets of a folder ─► comparison            every detector on every set, with several seeds
//!  CSV, Parquet ───────► tables               detectors on log-mels that were pooled elsewhere
//!  recordings from new to broken ─► lives     a model of the beginning judges the rest: how early is the alarm?
//! ```
//!
//! It knows neither Kafka nor a terminal; `auscult-reports` draws what is found here.

pub mod comparison;
pub mod dcase;
pub mod judged;
pub mod judging;
pub mod lives;
pub mod recording;
pub mod tables;
