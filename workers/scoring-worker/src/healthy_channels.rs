//! Which channels of a chunk are scored: those whose sensor hears the machine.

use std::borrow::Cow;
use std::sync::Arc;

use auscult_detection::{ClipView, HealthyClip};
use auscult_schemas::Features;

/// What is judged of a chunk.
#[derive(Debug)]
pub(crate) struct HealthyChannels {
    /// The features of these channels alone.
    pub features: Arc<Features>,
    /// Their numbers in the clip.
    pub channels: Vec<usize>,
}

impl HealthyChannels {
    /// As a model takes it.
    pub(crate) fn clip(&self) -> HealthyClip<'_> {
        let Features { frames, mels, ref values, .. } = *self.features;
        HealthyClip { channels: self.channels.clone(), frames, mels, values: Cow::Borrowed(values) }
    }
}

/// A chunk's chosen channels without those whose sensor is at fault: its own features where all are left, and `None`
/// where no channel is.
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
