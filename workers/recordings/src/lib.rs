//! Folders of recordings: their machines, their problems, and their clips.
//!
//! ```text
//!  folder ─► dataset ─► paths by machine, split and label ─► clips ─┬─► a model or a metric
//!              │                                                    └─► training_findings ─► training clips
//!              ├─ split folders, MIMII's tree, DCASE's names             │
//!              └─ natural_order: 9 before 10                             └─ signal_findings
//!
//!  full_scales   the physical value of a sample value of 1.0, from the files
//!  import        measurement files as a folder of recordings
//!  files         written completely or not at all
//! ```
//!
//! The crate uses the file system, but neither Kafka nor a terminal: messages for users are returned as lines.

pub mod clips;
pub mod dataset;
pub mod files;
pub mod full_scales;
pub mod import;
pub mod natural_order;
pub mod signal_findings;
pub mod training_findings;
