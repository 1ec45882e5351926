//! What a detector makes of a channel or a clip.

/// What a detector makes of one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// In the detector's unit, positive; the higher, the less normal.
    pub score: f64,
    /// How far each mel band is from what the detector expects of it, squared, dB², `[mels]`.
    pub band_errors: Vec<f64>,
}

/// A clip's error by mel band, dB²: the mean over its channels.
pub(crate) fn mean_over_channels(channel_errors: &[&[f64]]) -> Vec<f64> {
    let bands = channel_errors.first().map_or(0, |errors| errors.len());
    let channels = channel_errors.len() as f64;
    (0..bands).map(|band| channel_errors.iter().map(|errors| errors[band]).sum::<f64>() / channels).collect()
}
