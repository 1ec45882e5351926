//! What goes beside a score: something about how the sound was taken that a person should know, and that is no fault of
//! the machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::QualityFlag;

/// What a note is about: the recording setup, or a quality flag that is no sensor fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NoteKind {
    /// The recording setup differs from the one that the model has learned.
    Setup(SetupNote),
    /// The sound itself has a peculiarity.
    Quality(QualityFlag),
}

/// How the recording setup differs from the one that the model has learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SetupNote {
    /// The sound has another bandwidth than the training clips had, because it arrives at another sample rate.
    OtherRate,
    /// The chunk is shorter than the training clips were.
    Shorter,
    /// The chunk is many times as long as the training clips were: it is judged, but a short event weighs less in it.
    Longer,
    /// Far quieter than any training clip in every band: the machine is at rest, or its sensor is off the machine.
    FarQuieter,
}

impl SetupNote {
    /// Every kind, for metrics that should exist at zero.
    pub const ALL: [Self; 4] = [Self::OtherRate, Self::Shorter, Self::Longer, Self::FarQuieter];
}

impl NoteKind {
    /// Every kind, for metrics that should exist at zero.
    pub fn all() -> impl Iterator<Item = Self> {
        let of_quality = QualityFlag::ALL.into_iter().filter(|flag| Self::is_noted(*flag)).map(Self::Quality);
        SetupNote::ALL.into_iter().map(Self::Setup).chain(of_quality)
    }

    /// Whether a quality flag leads to a note. That sound was resampled is no news to whoever sent it.
    #[must_use]
    pub fn is_noted(flag: QualityFlag) -> bool {
        !flag.is_sensor_fault() && flag != QualityFlag::Resampled
    }

    /// Whether a chunk with such a note cannot be compared with the training clips, so that its score is not held
    /// against the threshold.
    #[must_use]
    pub fn is_incomparable(self) -> bool {
        matches!(self, Self::Setup(SetupNote::OtherRate | SetupNote::Shorter))
    }

    /// The kind as it stands in messages and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Setup(SetupNote::OtherRate) => "other_rate",
            Self::Setup(SetupNote::Shorter) => "shorter",
            Self::Setup(SetupNote::Longer) => "longer",
            Self::Setup(SetupNote::FarQuieter) => "far_quieter",
            Self::Quality(flag) => flag.as_str(),
        }
    }
}

/// Something that a person should know about how the sound was taken, with what to do about it. Never an alarm of the
/// machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What it is about.
    pub kind: NoteKind,
    /// The same in words, with the figures.
    pub words: String,
    /// What to do about it.
    pub remedy: String,
}
