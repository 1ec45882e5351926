//! When a machine's state changes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many chunks it takes to change a machine's state, and how long a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertPolicy {
    /// Anomalous chunks among the latest `warn_window` that make a warning. Default: 3.
    #[schemars(range(min = 1, max = 16))]
    pub warn_of: u32,
    /// How many of the latest chunks are looked at for a warning; at most 16. Default: 5.
    #[schemars(range(min = 1, max = 16))]
    pub warn_window: u32,
    /// Anomalous chunks among the latest `raise_window` that raise an alarm. Default: 4.
    #[schemars(range(min = 1, max = 16))]
    pub raise_of: u32,
    /// How many of the latest chunks are looked at for an alarm; at most 16. Default: 5.
    #[schemars(range(min = 1, max = 16))]
    pub raise_window: u32,
    /// Normal chunks in a row that clear a warning or an alarm; also chunks that a new machine is listened to before it
    /// is judged. Default: 5.
    #[schemars(range(min = 1))]
    pub clear_after: u32,
    /// Where a chunk counts as normal again: this share of the way from the median of normal scores to the threshold.
    /// Above 0, at most 1. Default: 0.8.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub clear_ratio: f64,
    /// How long a warning or an alarm stands at least, by the times of the chunks. It is what keeps alarms an hour
    /// apart, whatever the scores. Unit: seconds. Default: 3600.
    pub min_alarm_secs: u32,
    /// Chunks in a row in which a sensor is at fault before that is reported; `clear_after` in which it is well before
    /// that is. Default: 3.
    #[schemars(range(min = 1))]
    pub sensor_after: u32,
    /// A machine is silent when nothing has come from it for so many times its cadence; 0: never. Default: 6.
    pub silent_after: u32,
}

impl Default for AlertPolicy {
    fn default() -> Self {
        Self {
            warn_of: 3,
            warn_window: 5,
            raise_of: 4,
            raise_window: 5,
            clear_after: 5,
            clear_ratio: 0.8,
            min_alarm_secs: 3600,
            sensor_after: 3,
            silent_after: 6,
        }
    }
}

impl AlertPolicy {
    /// The widest window: what the evidence of more chunks would need is no longer exact to count on.
    pub const MAX_WINDOW: u32 = 16;

    /// What is wrong with it: the option's name and what it must be.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let window = 1..=Self::MAX_WINDOW;
        let checks = [
            (window.contains(&self.warn_window), "warn_window", "must be from 1 to 16"),
            (window.contains(&self.raise_window), "raise_window", "must be from 1 to 16"),
            ((1..=self.warn_window).contains(&self.warn_of), "warn_of", "must be from 1 to warn_window"),
            ((1..=self.raise_window).contains(&self.raise_of), "raise_of", "must be from 1 to raise_window"),
            (self.clear_after >= 1, "clear_after", "must be at least 1"),
            (self.clear_ratio > 0.0 && self.clear_ratio <= 1.0, "clear_ratio", "must be above 0 and at most 1"),
            (self.sensor_after >= 1, "sensor_after", "must be at least 1"),
        ];
        checks.into_iter().filter(|(is_sound, ..)| !is_sound).map(|(_, name, reason)| (name, reason)).collect()
    }

    /// How many of the latest chunks are remembered.
    pub(crate) fn window(&self) -> u32 {
        self.warn_window.max(self.raise_window).clamp(1, Self::MAX_WINDOW)
    }
}
