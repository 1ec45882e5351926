//! Clips that do not belong, and why.

use serde::{Deserialize, Serialize};

/// A clip that was left out of a training.
///
/// Unknown fields are not refused: serde cannot do so where another field is flattened, and would refuse the reason
/// itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExcludedClip {
    /// Its name.
    pub name: String,
    /// Why.
    #[serde(flatten)]
    pub reason: ExclusionReason,
}

/// Why a clip was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum ExclusionReason {
    /// The others do not explain it: a fault among normal clips, or another machine.
    Foreign {
        /// How many robust deviations its held-out distance lies above the others' median.
        deviations: f64,
        /// The chance that a clip that belongs lies so far above.
        chance: f64,
    },
    /// It is the same recording as another clip.
    Copy {
        /// That clip's name.
        of: String,
    },
}

impl ExcludedClip {
    /// In words, with the clip's name.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { name, reason } = self;
        match reason {
            ExclusionReason::Foreign { deviations, chance } => format!(
                "{name}: does not belong: held out, it lies {deviations:.1} deviations above the other clips (chance {chance:.1e}); listen to it, or keep it with --keep-all"
            ),
            ExclusionReason::Copy { of } => format!("{name}: the same recording as {of}: counted once"),
        }
    }
}
