//! Converts measurement files to a folder of recordings for training, evaluation and gateways.
//!
//! ```text
//!  files, folders ─► inputs ─► auscult_import::read ─┬─► importer ─► WAV files, import.json
//!                                                    └─► life     one recording of all a machine's snapshots
//!  import.json ─► origin ─► what a recording's own comment no longer says
//! ```

mod importer;
mod inputs;
mod life;
mod manifest;
mod origin;
mod words;

pub use importer::{ImportSettings, Importer};
pub use inputs::{Found, Input, inputs};
pub use life::Lives;
pub use origin::Origin;
