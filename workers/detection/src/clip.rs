//! A clip as a model takes it.

/// One clip's log-mel spectrogram.
#[derive(Debug, Clone, Copy)]
pub struct ClipView<'a> {
    /// Microphones.
    pub channels: usize,
    /// Spectrogram frames of each.
    pub frames: usize,
    /// Mel bands of each frame.
    pub mels: usize,
    /// `[channels, frames, mels]`, row-major, dB.
    pub values: &'a [f32],
}
