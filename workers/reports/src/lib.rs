//! Reports for people: pictures as PNG, and HTML pages, each one a single file without external resources.
//!
//! ```text
//!  log-mel, scores ───────────► pictures              PNG
//!  judged clips, lives ───────► pages::evaluation, pages::lives
//!  folder of recordings ──────► pages::exploration    measured here, on all cores, then shown
//! ```
//!
//! Metrics come from `auscult-evaluation`; this crate does no scoring or training.

pub mod figures;
pub mod pages;
pub mod pictures;
