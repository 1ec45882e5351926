//! Folders of recordings: which machine's they are, what is wrong with them, and the clips that they become.
//!
//! ```text
//!  folder ─► dataset ─► paths by machine, split and label ─► clips ─┬─► a model or a figure
//!              │                                                    └─► training_findings ─► what is learned from
//!              ├─ split folders, MIMII's tree, DCASE's names             │
//!              └─ natural_order: 9 before 10                             └─ signal_findings
//!
//!  full_scales   what a sample value of 1.0 is, by what the files say
//!  import        foreign files as a folder of recordings
//!  files         written whole or not at all
//! ```
//!
//! It knows the file system, but neither Kafka nor a terminal: what a person should know is returned in lines.

pub mod clips;
pub mod dataset;
pub mod files;
pub mod full_scales;
pub mod import;
pub mod natural_order;
pub mod signal_findings;
pub mod training_findings;
