//! One clip of normal sound, and how it was recorded.

use auscult_schemas::QualityFlag;
use ndarray::Array2;

/// One clip of normal sound.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainingClip {
    /// Its name, for errors and the fingerprint.
    pub name: String,
    /// Each microphone's log-mel spectrogram, `[frames, mels]`, dB.
    pub channels: Vec<Array2<f32>>,
    /// Which channels of the recording these are, counted from 0 and ascending; empty: the first ones, as many as there
    /// are.
    pub numbers: Vec<usize>,
    /// The conditions that it was recorded under, where they are known to differ, such as `source` and `target` of
    /// DCASE's file names. Only [`crate::DetectorKind::WideMahalanobis`] asks for it.
    pub domain: Option<String>,
    /// How it was recorded, where that is known: a model notes what arrives otherwise.
    pub recorded: Option<Recorded>,
    /// What was odd about it.
    pub quality: Vec<QualityFlag>,
    /// The recording that it is a piece of, where that is known: pieces of one are held out together, and count as one
    /// for what is promised.
    pub recording: Option<String>,
}

impl TrainingClip {
    /// Which channel of the recording the one in this place is.
    pub(crate) fn number_of(&self, place: usize) -> usize {
        self.numbers.get(place).copied().unwrap_or(place)
    }

    /// All but the sound.
    pub(crate) fn with_no_channel(&self) -> Self {
        let Self { name, domain, recorded, quality, recording, .. } = self;
        Self {
            name: name.clone(),
            channels: Vec::new(),
            numbers: Vec::new(),
            domain: domain.clone(),
            recorded: *recorded,
            quality: quality.clone(),
            recording: recording.clone(),
        }
    }
}

/// How a clip was recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recorded {
    /// The sample rate it came with, Hz.
    pub source_rate_hz: u32,
    /// Its length, s.
    pub duration_s: f64,
}
