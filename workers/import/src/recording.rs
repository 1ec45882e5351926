//! The result of an import.

/// A file's recordings, with notes.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The usual name of the format: `MATLAB v5`.
    pub format: &'static str,
    /// One for each rate and length in the file; never empty.
    pub recordings: Vec<Recording>,
    /// What was left out, cut or rounded, one sentence each.
    pub notes: Vec<String>,
}

/// Channels with the same rate and length.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Distinguishes it from the file's other recordings, valid in a file name; empty if there is only one.
    pub name: String,
    /// Sample rate.
    pub rate: Rate,
    /// Speed of the shaft, turns per minute, if the file states it.
    pub rpm: Option<f64>,
    /// Equal lengths, at least one sample.
    pub channels: Vec<Channel>,
}

/// A rate and its source.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// Hz.
    pub hz: f64,
    /// `--rate`, `wf_increment`, `the column "Time"` and so on.
    pub from: String,
}

/// One quantity over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Its name in the file.
    pub name: String,
    /// The unit of its samples, if the file or the user states it.
    pub unit: Option<String>,
    /// Values in that unit, not fractions of a full scale.
    pub samples: Vec<f32>,
}

impl Recording {
    /// The rate as an integer, as in WAV files, Hz.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.rate.hz.round().clamp(1.0, f64::from(u32::MAX)) as u32
    }

    /// Number of samples per channel.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.channels.first().map_or(0, |channel| channel.samples.len())
    }

    /// Length, s.
    #[must_use]
    pub fn duration_s(&self) -> f64 {
        self.samples() as f64 / self.rate.hz
    }
}
