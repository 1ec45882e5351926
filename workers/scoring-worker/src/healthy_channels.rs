//! Which channels of a chunk are scored: those whose sensor hears the machine.

use std::sync::Arc;

use auscult_detection::{ClipView, HealthyClip};
use auscult_schemas::Features;

/// A chunk's chosen channels without those whose sensor is at fault: its own features where all are left, and `None` where no channel is.
pub(crate) fn healthy_channels(features: Arc<Features>, chosen: Option<&[usize]>) -> Option<Arc<Features>> {
    let Features { channels, frames, mels, ref values, ref metadata } = *features;
    let healthy = HealthyClip::of(&ClipView { channels, frames, mels, values }, chosen, &metadata.sensor_faults)?;
    if healthy.channels.len() == channels {
        return Some(features);
    }
    Some(Arc::new(Features {
        metadata: metadata.clone(),
        channels: healthy.channels.len(),
        frames,
        mels,
        values: healthy.values.into_owned().into(),
    }))
}

#[cfg(test)]
mod tests;
