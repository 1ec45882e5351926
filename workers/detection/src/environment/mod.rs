//! Detects changes of the surroundings that machines share: a new fan in the hall, open doors in summer, another
//! production line that starts nearby. If many machines start to deviate at about the same time, this is one change and
//! not many faults. It is reported once, and each machine relearns its normal level.
//!
//! ```text
//!  fan-1  · · · · ▪ ▪ ▪ ┐
//!  fan-2  · · · · · ▪ ▪ ├─ half of the machines, and at least four, started within a few cadences:
//!  fan-3  · · · · ▪ ▪ ▪ │  one report; no alarm for any of them; each relearns from its next `relearn_chunks`,
//!  fan-4  · · · · · ▪ ▪ ┘  and its threshold moves with its median and its spread
//!  fan-5  · · · · · · ·
//!  fan-6  ▪ ▪ ▪ ▪ ▪ ▪ ▪ ◄─ in alarm since long before: stays in alarm
//! ```
//!
//! A machine's environment is the part of its id before the last `/`; machines without one share one environment. All
//! decisions depend only on the states of the machines of one partition, so a worker that takes over decides the same.

mod change;
mod learning;

pub use change::{AffectedMachines, detect};
pub use learning::start_relearning;
pub(crate) use learning::{BY, learn};

pub use crate::partition::environment_of;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When an environment has changed, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvironmentPolicy {
    /// Machines of one environment and partition that must come to deviate together, at the least; 0: environments are
    /// not watched. Default: 4.
    pub min_machines: u32,
    /// And which share of those that are lately heard. Default: 0.5.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_share: f64,
    /// Chunks from which an affected machine learns anew what is normal; nothing is raised meanwhile. Default: 36.
    #[schemars(range(min = 8, max = 256))]
    pub relearn_chunks: u32,
}

impl Default for EnvironmentPolicy {
    fn default() -> Self {
        Self { min_machines: 4, min_share: 0.5, relearn_chunks: 36 }
    }
}

impl EnvironmentPolicy {
    /// Invalid options: name and requirement.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let checks = [
            (self.min_share > 0.0 && self.min_share <= 1.0, "min_share", "must be above 0 and at most 1"),
            ((8..=256).contains(&self.relearn_chunks), "relearn_chunks", "must be from 8 to 256"),
        ];
        checks.into_iter().filter(|(is_sound, ..)| !is_sound).map(|(_, name, reason)| (name, reason)).collect()
    }
}
