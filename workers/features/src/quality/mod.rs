//! Whether a clip's sensors hear the machine at all: looked at in the samples, before anything is scored.
//!
//! ```text
//!  channel ──► levels      peak, mean, RMS, full scale ──► silent, clipped, dc_offset
//!         ├──► holds       runs of one value ────────────► stuck, dropped_out
//!         └──► spectrum    three short windows ──────────► wrong_rate, mains_hum
//! ```
//!
//! Every rule is decided for each channel by itself, by its numbers alone: no model, no training, nothing of the clips before.
//! A rule must hold its tongue on every healthy recording; what a worn-out sensor merely colours is for the drift report.

mod holds;
mod levels;
mod spectrum;

use auscult_schemas::{QualityFlag, SensorFault};

use crate::clip::check_shape;
use crate::{Clip, FeatureError};
use levels::Levels;
use spectrum::SpectrumChecker;

/// What is odd about a clip.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quality {
    /// What any channel deserves, each flag once, in the order of [`QualityFlag`].
    pub flags: Vec<QualityFlag>,
    /// The channels whose sensor is at fault, ascending.
    pub sensor_faults: Vec<SensorFault>,
}

/// Checks clips; keeps its plans from one to the next.
#[derive(Default)]
pub struct QualityChecker {
    spectrum: SpectrumChecker,
}

impl QualityChecker {
    /// Looks at every channel:
    ///
    /// - `Silent`: no sample further than two 16-bit steps from the mean, or an RMS about it of at most -70 dB of full scale;
    /// - `Clipped`: at least 1 % of the samples reach 99.9 % of full scale;
    /// - `DcOffset`: the mean is 10 % of full scale (-20 dB) or more from zero, and farther than the RMS about it;
    /// - `Stuck`: one value that is not zero, held for half of the clip or longer;
    /// - `DroppedOut`: one value held for 10 ms or longer, three times or for a fifth of the clip together;
    /// - `WrongRate`: nothing above an edge at or below 0.6 of half the rate, where the spectrum falls by 35 dB or more;
    /// - `MainsHum`: 50 or 60 Hz and their harmonics hold 99 % of the energy, or more.
    ///
    /// # Errors
    /// [`FeatureError::NonFinite`] naming the first sample that is NaN or infinite; [`FeatureError::NoSamples`],
    /// [`FeatureError::UnevenChannels`], [`FeatureError::UnsupportedFormat`], [`FeatureError::TooLarge`] when the clip is
    /// outside the contract.
    pub fn check(&mut self, clip: &Clip) -> Result<Quality, FeatureError> {
        check_shape(clip)?;
        let mut quality = Quality::default();
        for (channel, samples) in clip.channels.iter().enumerate() {
            let levels = Levels::measure(samples);
            if !levels.finite {
                let (index, value) = samples
                    .iter()
                    .copied()
                    .enumerate()
                    .find(|(_, sample)| !sample.is_finite())
                    .expect("the measurement met a sample that is not finite");
                return Err(FeatureError::NonFinite { channel, index, value });
            }
            let mut flags = levels.flags(samples.len());
            flags.extend(holds::flags(samples, clip.sample_rate_hz));
            // The spectrum of what is not sound says nothing.
            if flags.is_empty() {
                flags.extend(self.spectrum.flags(samples, clip.sample_rate_hz, levels.mean as f32));
            }
            if !flags.is_empty() {
                quality.flags.extend(&flags);
                quality.sensor_faults.push(SensorFault { channel, flags });
            }
        }
        quality.flags.sort_unstable();
        quality.flags.dedup();
        Ok(quality)
    }
}

/// Checks one clip; see [`QualityChecker::check`].
///
/// # Errors
/// Those of [`QualityChecker::check`].
pub fn check(clip: &Clip) -> Result<Quality, FeatureError> {
    QualityChecker::default().check(clip)
}
