//! Selects the channels of a chunk to score: those with a working sensor.

use std::borrow::Cow;
use std::sync::Arc;

use auscult_detection::{ClipView, HealthyClip};
use auscult_schemas::Features;

/// The scored part of a chunk.
#[derive(Debug)]
pub(crate) struct HealthyChannels {
    /// The features of these channels only.
    pub features: Arc<Features>,
    /// Their numbers in the clip.
    pub channels: Vec<usize>,
}

impl HealthyChannels {
    /// As the input of a model.
    pub(crate) fn clip(&self) -> HealthyClip<'_> {
        let Features { frames, mels, ref values, .. } = *self.features;
        HealthyClip { channels: self.channels.clone(), frames, mels, values: Cow::Borrowed(values) }
    }
}

/// A chunk's selected channels without those with sensor faults: its own features if all remain, and `None` if no
/// channel remains.
pub(crate) fn healthy_channels(features: Arc<Features>, chosen: Option<&[usize]>) -> Option<HealthyChannels> {
    let Features { channels, frames, mels, ref values, ref metadata } = *features;
    let healthy = HealthyClip::of(&ClipView { channels, frames, mels, values }, chosen, &metadata.sensor_faults)?;
    let left = healthy.channels.clone();
    if left.len() == channels {
        return Some(HealthyChannels { features, channels: left });
    }
    let features = Arc::new(Features {
        metadata: metadata.clone(),
        channels: left.len(),
        frames,
        mels,
        values: healthy.values.into_owned().into(),
    });
    Some(HealthyChannels { features, channels: left })
}

#[cfg(test)]
mod tests;
