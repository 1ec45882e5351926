//! What has been read.

/// A file's recordings, and what is to be said of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The format as its makers call it: `MATLAB v5`.
    pub format: &'static str,
    /// One for each rate and length in the file; never empty.
    pub recordings: Vec<Recording>,
    /// What was left out, cut or rounded, a sentence each.
    pub notes: Vec<String>,
}

/// Channels of one rate and length.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// What tells it from the file's other recordings, fit for a file name; empty where there is no other.
    pub name: String,
    /// Samples a second.
    pub rate: Rate,
    /// Speed of the shaft, turns a minute, where the file says it.
    pub rpm: Option<f64>,
    /// Equal lengths, at least one sample.
    pub channels: Vec<Channel>,
}

/// A rate, and who says so.
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
    /// The file's name for it.
    pub name: String,
    /// The unit of its samples, where the file or a person says it.
    pub unit: Option<String>,
    /// Values in that unit, not shares of a full scale.
    pub samples: Vec<f32>,
}

impl Recording {
    /// The rate as a whole number, as WAV has it, Hz.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        self.rate.hz.round().clamp(1.0, f64::from(u32::MAX)) as u32
    }

    /// Samples of each channel.
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
