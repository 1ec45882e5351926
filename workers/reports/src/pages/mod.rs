//! HTML pages, each one a single file without external resources: the metrics of a model, and the content of a data
//! set.
//!
//! ```text
//!  judged clips ──► evaluation ──► report.html
//!  lives ─────────► lives ───────► one page
//!  recordings ────► exploration ─► one page
//!                       │
//!                       ├─ plot, axis     curves, bars and areas as inline SVG
//!                       ├─ table          tables
//!                       └─ html           elements and escaped text only
//! ```

pub(crate) mod axis;
pub mod evaluation;
pub mod exploration;
pub(crate) mod html;
pub mod lives;
pub(crate) mod plot;
pub(crate) mod table;
