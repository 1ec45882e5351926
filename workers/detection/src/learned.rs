//! What a model has learned besides the sound: how its training clips were recorded, and how quiet they were.

use auscult_schemas::{FeatureSpec, QualityFlag, Reference};
use serde::{Deserialize, Serialize};

use crate::DetectionError;
use crate::calibration::quantile;
use crate::training::TrainingClip;

/// A rate or a flag that fewer training clips than this share had was not learned: one in twenty.
pub(crate) const USUAL_SHARE: f64 = 0.05;

/// What a model has learned of the recording setup; absent in packages of earlier versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// The sample rates the training clips came with, ascending; empty where nobody knows them.
    pub rates: Vec<LearnedRate>,
    /// The quality flags that one training clip in twenty had, or more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<QualityFlag>,
    /// The lengths of the training clips.
    pub lengths: LearnedLengths,
    /// How quiet a running machine is; absent where each clip's level is relative to its own loudest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quietest: Option<Levels>,
    /// How loud the machine at rest is; absent where training had no clips of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_rest: Option<Levels>,
}

/// One sample rate of the training clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedRate {
    /// The rate, Hz.
    pub hz: u32,
    /// How many training clips came with it.
    pub clips: usize,
}

/// Quantiles of the lengths of the training clips, s.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LearnedLengths {
    /// One clip in twenty is shorter.
    pub short_s: f64,
    /// The median.
    pub median_s: f64,
    /// One clip in twenty is longer.
    pub long_s: f64,
}

/// Levels of clips, each the mean over the clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// Of each mel band, dB: the lowest or the highest of the clips, `[mels]`.
    pub band_levels_db: Vec<f64>,
    /// Of the sum over all bands, dB: the lowest or the highest of the clips.
    pub level_db: f64,
}

impl Levels {
    /// `pick` chooses of two clips' levels the one that is kept: the lower or the higher.
    fn of(clips: &[Vec<f64>], pick: fn(f64, f64) -> f64) -> Option<Self> {
        let (first, rest) = clips.split_first()?;
        let start = Self { band_levels_db: first.clone(), level_db: total_level_db(first) };
        Some(rest.iter().fold(start, |kept, clip| Self {
            band_levels_db: kept.band_levels_db.iter().zip(clip).map(|(a, b)| pick(*a, *b)).collect(),
            level_db: pick(kept.level_db, total_level_db(clip)),
        }))
    }
}

/// Level of the sum of bands, dB.
pub(crate) fn total_level_db(band_levels_db: &[f64]) -> f64 {
    10.0 * band_levels_db.iter().map(|level| 10.0_f64.powf(level / 10.0)).sum::<f64>().max(f64::MIN_POSITIVE).log10()
}

impl Learned {
    /// From the training clips, their mean levels by band `[clips][mels]`, and the clips of the machine at rest with
    /// theirs.
    ///
    /// # Errors
    /// [`DetectionError::InvalidOptions`] when the clips at rest are not clearly quieter than those of the running
    /// machine.
    pub(crate) fn of(
        clips: &[TrainingClip],
        levels: &[Vec<f64>],
        at_rest: &[Vec<f64>],
        spec: &FeatureSpec,
    ) -> Result<Self, DetectionError> {
        let has_level = spec.reference == Reference::Fixed;
        let quietest = if has_level { Levels::of(levels, f64::min) } else { None };
        let at_rest = Levels::of(at_rest, f64::max);
        match (&quietest, &at_rest) {
            (Some(running), Some(resting)) if resting.level_db + Self::REST_GAP_DB > running.level_db => {
                return Err(DetectionError::InvalidOptions(format!(
                    "the loudest clip of the machine at rest has {:.1} dB, the quietest of the running machine {:.1} dB: \
                     less than {:.0} dB apart, rest cannot be told from running; check the clips, or leave those at rest out and \
                     use `auscult control MACHINE idle`",
                    resting.level_db,
                    running.level_db,
                    Self::REST_GAP_DB
                )));
            }
            (None, Some(_)) => {
                let reason = "clips of the machine at rest need absolute levels: train with reference `fixed`";
                return Err(DetectionError::InvalidOptions(reason.to_owned()));
            }
            _ => {}
        }
        Ok(Self { rates: rates(clips), flags: flags(clips), lengths: lengths(clips, spec), quietest, at_rest })
    }

    /// How much quieter than the quietest running clip the machine at rest must be, dB.
    pub const REST_GAP_DB: f64 = 10.0;
}

fn rates(clips: &[TrainingClip]) -> Vec<LearnedRate> {
    let mut rates: Vec<LearnedRate> = Vec::new();
    for recorded in clips.iter().filter_map(|clip| clip.recorded) {
        let hz = recorded.source_rate_hz;
        match rates.iter_mut().find(|rate| rate.hz == hz) {
            Some(rate) => rate.clips += 1,
            None => rates.push(LearnedRate { hz, clips: 1 }),
        }
    }
    rates.sort_unstable_by_key(|rate| rate.hz);
    rates
}

fn flags(clips: &[TrainingClip]) -> Vec<QualityFlag> {
    let count = |flag: QualityFlag| clips.iter().filter(|clip| clip.quality.contains(&flag)).count();
    let is_usual = |flag: &QualityFlag| count(*flag) as f64 >= USUAL_SHARE * clips.len() as f64 && count(*flag) > 0;
    QualityFlag::ALL.into_iter().filter(is_usual).collect()
}

fn lengths(clips: &[TrainingClip], spec: &FeatureSpec) -> LearnedLengths {
    let length_s = |clip: &TrainingClip| match clip.recorded {
        Some(recorded) => recorded.duration_s,
        // As its frames tell, to within a hop.
        None => {
            let steps = clip.channels[0].nrows().saturating_sub(1) * spec.hop_length;
            (steps + if spec.center { 0 } else { spec.n_fft }) as f64 / f64::from(spec.sample_rate_hz)
        }
    };
    let mut lengths: Vec<f64> = clips.iter().map(length_s).collect();
    lengths.sort_by(f64::total_cmp);
    let [short_s, median_s, long_s] = [0.05, 0.5, 0.95].map(|share| quantile(&lengths, share));
    LearnedLengths { short_s, median_s, long_s }
}
