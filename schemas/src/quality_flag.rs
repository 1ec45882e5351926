//! What can be odd about a signal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was odd about the signal itself: a fault of the sensor, or a note beside the score.
///
/// A *sensor fault* ([`is_sensor_fault`](Self::is_sensor_fault)) takes its channel out of the score. It is raised only
/// where the samples cannot be the measured quantity. Everything else is a *note*: the channel is judged all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QualityFlag {
    /// Sensor fault: constant, or only a few of the format's own steps: muted, unplugged, without power.
    Silent,
    /// Sensor fault: a noticeable part of the samples has exactly the lowest or highest value of the channel.
    Clipped,
    /// Note: the mean is far from zero and outweighs what varies about it. Of a DC-coupled sensor that is the
    /// measurement.
    DcOffset,
    /// Note: the signal was resampled to the spec's rate.
    Resampled,
    /// Note: the clip is shorter than one stacked vector of frames and was padded with zeros.
    Short,
    /// Sensor fault: one value is held for half of the clip or longer: a frozen converter or driver.
    Stuck,
    /// Sensor fault: gaps in which one value is held break the signal: lost packets, a loose contact.
    DroppedOut,
    /// Note: the signal ends at a sharp edge far below the top of the spec's mel bands: it was recorded at a lower rate
    /// than it says.
    WrongRate,
    /// Note: the mains' 50 or 60 Hz and their harmonics hold nearly all of the energy. Never of current and pressure.
    MainsHum,
    /// Note: silence was put in between the sensor and the file, by a noise gate or noise suppression.
    Processed,
    /// Note: the signal jumps where samples were lost and the ends were joined.
    Joins,
    /// Note: the clip begins with a transient of the recorder that decays.
    StartTransient,
    /// Note: a part of the recording was lost on its way: its end is missing, or a damaged part was left out.
    Incomplete,
}

impl QualityFlag {
    /// Every flag, for metrics that should exist at zero. New ones are appended: drift counts flags by their place
    /// here.
    pub const ALL: [Self; 13] = [
        Self::Silent,
        Self::Clipped,
        Self::DcOffset,
        Self::Resampled,
        Self::Short,
        Self::Stuck,
        Self::DroppedOut,
        Self::WrongRate,
        Self::MainsHum,
        Self::Processed,
        Self::Joins,
        Self::StartTransient,
        Self::Incomplete,
    ];

    /// Whether the samples cannot be the measured quantity, so that the channel is left out of the score. All other
    /// flags are notes.
    #[must_use]
    pub fn is_sensor_fault(self) -> bool {
        matches!(self, Self::Silent | Self::Clipped | Self::Stuck | Self::DroppedOut)
    }

    /// The flag as it stands in messages and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Clipped => "clipped",
            Self::DcOffset => "dc_offset",
            Self::Resampled => "resampled",
            Self::Short => "short",
            Self::Stuck => "stuck",
            Self::DroppedOut => "dropped_out",
            Self::WrongRate => "wrong_rate",
            Self::MainsHum => "mains_hum",
            Self::Processed => "processed",
            Self::Joins => "joins",
            Self::StartTransient => "start_transient",
            Self::Incomplete => "incomplete",
        }
    }
}
