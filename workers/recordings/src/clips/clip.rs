//! A recording with its features.

use std::path::PathBuf;

use anyhow::bail;
use auscult_detection::pieces::Trace;
use auscult_detection::{ClipView, HealthyClip, Recorded, TrainingClip, check_chosen, is_chosen, words};
use auscult_features::Extraction;
use auscult_schemas::Quantity;

use crate::dataset::Domain;

/// A recording with its features.
#[derive(Debug)]
pub struct Clip {
    /// The file.
    pub path: PathBuf,
    /// Its log-mel spectrograms.
    pub features: Extraction,
    /// What its sensors measure; `None`: sound.
    pub quantity: Option<Quantity>,
    /// The data for finding its recording; only for training clips.
    pub trace: Option<Box<Trace>>,
    /// Its selected channels, counted from 0 and ascending; `None`: all.
    pub chosen: Option<Vec<usize>>,
}

impl Clip {
    /// As the input of a model.
    #[must_use]
    pub fn view(&self) -> ClipView<'_> {
        ClipView {
            channels: self.features.channels,
            frames: self.features.frames,
            mels: self.features.mels,
            values: &self.features.values,
        }
    }

    /// The selected channels without sensor faults; `None` if there are none.
    #[must_use]
    pub fn healthy(&self) -> Option<HealthyClip<'_>> {
        HealthyClip::of(&self.view(), self.chosen.as_deref(), &self.features.sensor_faults)
    }

    /// The selected channels, including those with sensor faults.
    #[must_use]
    pub fn all_channels(&self) -> Option<HealthyClip<'_>> {
        HealthyClip::of(&self.view(), self.chosen.as_deref(), &[])
    }

    /// Number of selected channels.
    #[must_use]
    pub fn channel_count(&self) -> usize {
        self.chosen.as_ref().map_or(self.features.channels, Vec::len)
    }

    /// Keeps only the selected channels, with their numbers. Faults of other channels are removed.
    ///
    /// # Errors
    /// With the file name and the missing channel.
    pub fn with_channels(mut self, chosen: Option<&[usize]>) -> anyhow::Result<Self> {
        if let Err(lacking) = check_chosen(self.features.channels, chosen) {
            bail!("{}: {lacking}", self.path.display());
        }
        self.features.sensor_faults.retain(|fault| is_chosen(fault.channel, chosen));
        self.chosen = chosen.map(<[usize]>::to_vec);
        Ok(self)
    }

    /// As training input: `[frames, mels]` for each channel with a working sensor, and the domain from DCASE's file
    /// names.
    ///
    /// # Errors
    /// If no channel has a working sensor.
    pub fn to_training(&self) -> anyhow::Result<TrainingClip> {
        let faults = &self.features.sensor_faults;
        let Some(healthy) = self.healthy() else {
            bail!(
                "{}: no sensor heard the machine: {}",
                self.path.display(),
                words::sensor_faults(faults, self.quantity)
            );
        };
        let (channels, numbers) = (healthy.spectrograms(), healthy.channels.clone());
        let domain = Domain::of(&self.path).map(|domain| domain.name().to_owned());
        let Extraction { source_rate_hz, duration_s, quality, .. } = &self.features;
        let recorded = Some(Recorded { source_rate_hz: *source_rate_hz, duration_s: *duration_s });
        let name = self.path.display().to_string();
        Ok(TrainingClip {
            name,
            channels,
            numbers,
            domain,
            recorded,
            quality: quality.clone(),
            ..TrainingClip::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use auscult_features::ChunkExtractor;
    use auscult_schemas::FeatureSpec;

    use super::*;

    fn extractor() -> ChunkExtractor {
        ChunkExtractor::new(FeatureSpec::default()).unwrap()
    }

    #[test]
    fn a_microphone_at_fault_teaches_nothing_and_a_clip_of_such_is_refused() {
        let sound = |features: Extraction| Clip {
            path: PathBuf::from("fan.wav"),
            features,
            quantity: None,
            trace: None,
            chosen: None,
        };
        let mut noise = 1_u32;
        let mut next = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((noise >> 16) as i16) / 8
        };
        let heard: Vec<i16> = (0..32_000).map(|index| if index % 2 == 0 { next() } else { 0 }).collect();
        let l16 = |samples: &[i16]| samples.iter().flat_map(|sample| sample.to_be_bytes()).collect::<Vec<u8>>();
        let two = extractor().extract("audio/L16;rate=16000;channels=2", &l16(&heard)).unwrap();
        let first = two.values[..two.frames * two.mels].to_vec();
        let training = sound(two).to_training().unwrap();
        assert_eq!(training.channels.len(), 1, "the second microphone is silent");
        assert_eq!(training.channels[0].as_slice().unwrap(), first);
        let none = extractor().extract("audio/L16;rate=16000;channels=2", &l16(&[0; 32_000])).unwrap();
        let refusal = sound(none).to_training().unwrap_err().to_string();
        assert!(refusal.contains("fan.wav") && refusal.contains("microphone 2: silent"), "{refusal}");
    }
}
