//! Which channels of a chunk are scored: those whose sensor hears the machine.

use std::sync::Arc;

use auscult_schemas::Features;

/// What is left of a chunk's channels.
#[derive(Debug, Clone)]
pub(crate) enum HealthyChannels {
    /// These, in their order; all of them where no sensor is at fault.
    Some(Arc<Features>),
    /// None.
    None,
}

impl HealthyChannels {
    pub(crate) fn of(features: &Arc<Features>) -> Self {
        let faults = &features.metadata.sensor_faults;
        if faults.is_empty() {
            return Self::Some(Arc::clone(features));
        }
        let healthy: Vec<usize> =
            (0..features.channels).filter(|channel| faults.iter().all(|fault| fault.channel != *channel)).collect();
        if healthy.is_empty() {
            return Self::None;
        }
        let values: Vec<f32> = healthy.iter().flat_map(|channel| features.channel(*channel)).copied().collect();
        Self::Some(Arc::new(Features {
            metadata: features.metadata.clone(),
            channels: healthy.len(),
            frames: features.frames,
            mels: features.mels,
            values: values.into(),
        }))
    }
}

#[cfg(test)]
mod tests;
