//! Whether a clip's sensors measure the machine at all, and how they were recorded: looked at in the samples, before
//! anything is scored.
//!
//! ```text
//!                                                              sensor faults            notes
//!  channel ─► levels      lowest, highest, mean, variance ───►                          dc_offset
//!         ├─► few_values  constant, or a few steps ──────────► silent
//!         ├─► pile_up     one extreme value that recurs ─────► clipped
//!         ├─► holds       runs of one value ─────────────────► stuck, dropped_out       processed
//!         ├─► repeats     every sample twice or more ──────────►                          wrong_rate
//!         ├─► spectrum    three short windows ───────────────►                          wrong_rate, mains_hum
//!         ├─► joins       steps in a smooth signal ──────────►                          joins
//!         └─► start       means of parts ────────────────────►                          start_transient
//! ```
//!
//! A *sensor fault* takes its channel out of the score, so it is raised only where the samples cannot be the measured
//! quantity: whatever could be the machine is judged. Everything else is a *note* beside the score. Every rule is
//! decided for each channel by itself, by its samples, the format's step and the spec's bands and quantity: no model,
//! no training, nothing of the clips before. Cost: a few passes over the samples, without sorting them and without an
//! allocation for each.

mod few_values;
mod holds;
mod joins;
mod levels;
mod pile_up;
mod repeats;
mod spectrum;
mod start;

use auscult_schemas::{FeatureSpec, QualityFlag, Quantity, SensorFault};

use crate::clip::check_shape;
use crate::{Clip, FeatureError, MAX_RATE_HZ};
use few_values::FewValues;
use levels::Levels;
use spectrum::SpectrumChecker;

/// Magnitude of a channel's mean from which on it counts as an offset, of the format's full scale: 10 %, -20 dB.
/// Accelerometers in good health have 6 %.
const DC_OFFSET: f64 = 0.1;

/// What is odd about a clip.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quality {
    /// What any channel deserves, faults and notes, each flag once, in the order of [`QualityFlag`].
    pub flags: Vec<QualityFlag>,
    /// The channels whose sensor is at fault, ascending, each with its faults.
    pub sensor_faults: Vec<SensorFault>,
}

/// Checks clips; keeps its plans from one to the next.
pub struct QualityChecker {
    spectrum: SpectrumChecker,
    quantity: Quantity,
}

impl Default for QualityChecker {
    /// For sound that is used up to half of whatever rate it has.
    fn default() -> Self {
        Self {
            spectrum: SpectrumChecker::new(f64::from(MAX_RATE_HZ) / 2.0, Quantity::Sound),
            quantity: Quantity::Sound,
        }
    }
}

impl QualityChecker {
    /// For clips that features of this spec are made of.
    #[must_use]
    pub fn new(spec: &FeatureSpec) -> Self {
        let quantity = spec.quantity();
        Self { spectrum: SpectrumChecker::new(f64::from(spec.f_max()), quantity), quantity }
    }

    /// Looks at every channel. Sensor faults:
    ///
    /// - `Silent`: at most five values, within four steps: of the format, or of the coarser converter in it;
    /// - `Clipped`: at least 1 % of the samples have exactly the lowest or the highest value, which recurs eight times
    ///   as often as the next one or makes flat tops; at any level, since float has no full scale;
    /// - `Stuck`: one value that is not zero, held for half of the clip or longer;
    /// - `DroppedOut`: one value held for 10 ms or longer, entered or left by a jump, three times or for a fifth of the
    ///   clip together.
    ///
    /// Notes, looked for where there is no fault:
    ///
    /// - `DcOffset`: the mean is farther from zero than the RMS about it, and by 10 % of full scale at least; not of
    ///   pressure;
    /// - `WrongRate`: nothing above an edge at or below 0.75 of the top of the spec's bands, where the spectrum falls
    ///   by 35 dB or more; every sample repeated; or nothing but stairs of 10 ms or longer;
    /// - `MainsHum`: 50 or 60 Hz, to 0.2 %, and their harmonics hold 99 % of the energy or more; not of current and
    ///   pressure;
    /// - `Processed`: zeros for 10 ms or longer into which the signal fades, three times or for a fifth of the clip; of
    ///   sound alone;
    /// - `Joins`: three steps or more in a smooth signal, at most five a second;
    /// - `StartTransient`: the mean begins far from where it stays and settles within a quarter of the clip; of sound
    ///   and vibration.
    ///
    /// # Errors
    /// [`FeatureError::NonFinite`] naming the first sample that is NaN or infinite; [`FeatureError::NoSamples`],
    /// [`FeatureError::UnevenChannels`], [`FeatureError::UnsupportedFormat`], [`FeatureError::TooLarge`] when the clip
    /// is outside the contract.
    pub fn check(&mut self, clip: &Clip) -> Result<Quality, FeatureError> {
        check_shape(clip)?;
        let mut quality = Quality::default();
        for (channel, samples) in clip.channels.iter().enumerate() {
            let levels = Levels::measure(samples);
            if !levels.finite {
                let mut found = samples.iter().copied().enumerate().filter(|(_, sample)| !sample.is_finite());
                let (index, value) = found.next().expect("the measurement met a sample that is not finite");
                return Err(FeatureError::NonFinite { channel, index, value, count: 1 + found.count() });
            }
            let flags = self.channel_flags(clip, samples, &levels);
            let faults: Vec<QualityFlag> = flags.iter().copied().filter(|flag| flag.is_sensor_fault()).collect();
            quality.flags.extend(flags);
            if !faults.is_empty() {
                quality.sensor_faults.push(SensorFault { channel, flags: faults });
            }
        }
        quality.flags.sort_unstable();
        quality.flags.dedup();
        Ok(quality)
    }

    fn channel_flags(&mut self, clip: &Clip, samples: &[f32], levels: &Levels) -> Vec<QualityFlag> {
        let few = FewValues::of(samples);
        let is_dead = few.as_ref().is_some_and(|few| few.is_dead(clip.step));
        let are_levels = !is_dead && few.as_ref().is_some_and(FewValues::are_levels);
        // Levels are held by what switches between them.
        let held = (!are_levels)
            .then(|| holds::flags(samples, clip.sample_rate_hz, levels, clip.step, self.quantity))
            .flatten();
        let mut flags = Vec::new();
        if is_dead {
            flags.push(QualityFlag::Silent);
        } else if is_cut_off(samples, levels, clip.step, few.is_some()) {
            flags.push(QualityFlag::Clipped);
        }
        flags.extend(held.filter(|flag| flag.is_sensor_fault() && (!is_dead || *flag == QualityFlag::Stuck)));
        // The spectrum of what is not the machine says nothing.
        if !flags.is_empty() {
            return flags;
        }
        let is_processed = |flag: &QualityFlag| *flag != QualityFlag::Processed || self.quantity == Quantity::Sound;
        flags.extend(held.filter(is_processed));
        if self.is_offset(levels, clip.step) {
            flags.push(QualityFlag::DcOffset);
        }
        if few.is_none() && repeats::are_regular(samples) {
            flags.push(QualityFlag::WrongRate);
        }
        flags.extend(self.spectrum.flags(samples, clip.sample_rate_hz, levels.mean as f32));
        if joins::has_joins(samples, clip.sample_rate_hz, levels) {
            flags.push(QualityFlag::Joins);
        }
        // A pressure that falls and a current that rises at the beginning are the machine's.
        if matches!(self.quantity, Quantity::Sound | Quantity::Vibration) && start::has_transient(samples) {
            flags.push(QualityFlag::StartTransient);
        }
        flags
    }

    /// A pressure gauge measures the mean. A signal without steps has no full scale that ten percent could be of.
    fn is_offset(&self, levels: &Levels, step: Option<f32>) -> bool {
        let outweighs = levels.mean * levels.mean > levels.variance;
        let is_far = step.is_none() || levels.mean.abs() >= DC_OFFSET;
        self.quantity != Quantity::Pressure && outweighs && is_far
    }
}

/// A signal of few values far apart, as of a relay, has them at its extremes; it is cut off only where these are the
/// format's own.
fn is_cut_off(samples: &[f32], levels: &Levels, step: Option<f32>, has_few_values: bool) -> bool {
    let is_at_full_scale = step.is_some_and(|step| levels.max >= 1.0 - 1.5 * step && levels.min <= -1.0 + 1.5 * step);
    if has_few_values { is_at_full_scale } else { pile_up::is_clipped(samples, levels, step) }
}

/// Checks one clip; see [`QualityChecker::check`].
///
/// # Errors
/// Those of [`QualityChecker::check`].
pub fn check(clip: &Clip) -> Result<Quality, FeatureError> {
    QualityChecker::default().check(clip)
}
