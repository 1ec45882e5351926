//! What drift is measured against, of the training clips.

use serde::{Deserialize, Serialize};

use crate::Calibration;
use crate::calibration::quantile;

/// What drift is measured against, beside the calibration's scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftReference {
    /// Mean level of each mel band over the training clips, dB, `[mels]`.
    pub mean_band_levels_db: Vec<f64>,
    /// The nine deciles of the held-out normal scores, ascending, dB².
    pub score_deciles: Vec<f64>,
    /// How the training clips' levels scatter; absent in packages of earlier versions: it is learnt from a machine's
    /// first window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<LevelSpread>,
}

/// How levels differ from one training clip to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelSpread {
    /// Training clips.
    pub clips: u32,
    /// Standard deviation over the clips of each mel band's mean level, dB, `[mels]`.
    pub band_deviation_db: Vec<f64>,
    /// The same of the mean over all bands, dB.
    pub level_deviation_db: f64,
}

impl LevelSpread {
    /// From each clip's mean level by band, dB, `[clips][mels]`; `None` of fewer than two clips.
    #[must_use]
    pub fn of(clips: &[Vec<f64>]) -> Option<Self> {
        let bands = clips.first()?.len();
        let count = clips.len() as f64;
        if clips.len() < 2 || bands == 0 {
            return None;
        }
        let deviation = |levels: &[f64]| {
            let mean = levels.iter().sum::<f64>() / count;
            (levels.iter().map(|level| (level - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
        };
        let of_band = |band: usize| deviation(&clips.iter().map(|levels| levels[band]).collect::<Vec<f64>>());
        let means: Vec<f64> = clips.iter().map(|levels| levels.iter().sum::<f64>() / bands as f64).collect();
        Some(Self {
            clips: u32::try_from(clips.len()).unwrap_or(u32::MAX),
            band_deviation_db: (0..bands).map(of_band).collect(),
            level_deviation_db: deviation(&means),
        })
    }
}

impl DriftReference {
    /// The reference that a calibration and the training clips' levels give.
    #[must_use]
    pub fn new(calibration: &Calibration, mean_band_levels_db: Vec<f64>, spread: Option<LevelSpread>) -> Self {
        let score_deciles = (1..10).map(|decile| quantile(&calibration.scores, f64::from(decile) / 10.0)).collect();
        Self { mean_band_levels_db, score_deciles, spread }
    }
}
