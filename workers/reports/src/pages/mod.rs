//! Pages for the browser, each one file that needs nothing from elsewhere: what a model is worth, and what a data set
//! holds.
//!
//! ```text
//!  judged clips ──► evaluation ──► report.html
//!  lives ─────────► lives ───────► one page
//!  recordings ────► exploration ─► one page
//!                       │
//!                       ├─ plot, axis     curves, bars and areas as inline SVG
//!                       ├─ table          figures
//!                       └─ html           elements and escaped text, nothing else
//! ```

pub(crate) mod axis;
pub mod evaluation;
pub mod exploration;
pub(crate) mod html;
pub mod lives;
pub(crate) mod plot;
pub(crate) mod table;
