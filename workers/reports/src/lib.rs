//! What people look at: pictures as PNG, and pages for the browser, each one file that needs nothing from elsewhere.
//!
//! ```text
//!  log-mel, scores ───────────► pictures              PNG
//!  judged clips, lives ───────► pages::evaluation, pages::lives
//!  folder of recordings ──────► pages::exploration    measured here, on all cores, then shown
//! ```
//!
//! Figures come from `auscult-evaluation`; nothing is judged or trained here.

pub mod figures;
pub mod pages;
pub mod pictures;
