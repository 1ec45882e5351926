//! Which clips are fitted, and which are held out to calibrate on.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::{HoldOut, MIN_CLIPS, TrainingOptions};
use crate::DetectionError;

/// From here on a fifth of the clips is enough to calibrate on.
const CLIPS_FOR_ONE_HOLD_OUT: usize = 200;
const DEFAULT_SHARE: f64 = 0.2;
const DEFAULT_FOLDS: usize = 5;

/// Which clips the package's network is fitted to, and which are held out from which fit.
pub(super) struct Split {
    pub hold_out: HoldOut,
    /// Clips that the package's network is fitted to.
    pub model: Vec<usize>,
    /// Clips that it scores for calibration; none under cross-fitting.
    pub held_out: Vec<usize>,
    /// Cross-fitting's folds.
    pub folds: Vec<Vec<usize>>,
}

impl Split {
    /// Clips are dealt out at random, so that folds are alike even where clips come sorted by machine or session.
    pub fn new(clips: usize, options: &TrainingOptions) -> Result<Self, DetectionError> {
        let mut order: Vec<usize> = (0..clips).collect();
        // Another stream than the fits', which begin with the seed itself.
        order.shuffle(&mut StdRng::seed_from_u64(options.seed.wrapping_add(1)));
        let hold_out = match options.hold_out {
            HoldOut::Auto if clips < CLIPS_FOR_ONE_HOLD_OUT => HoldOut::Folds(DEFAULT_FOLDS),
            HoldOut::Auto => HoldOut::Share(DEFAULT_SHARE),
            chosen => chosen,
        };
        match hold_out {
            HoldOut::Share(share) => {
                let count = (clips as f64 * share).round() as usize;
                if count < MIN_CLIPS || count >= clips {
                    let need = ((MIN_CLIPS as f64 - 0.5) / share).ceil() as usize;
                    return Err(DetectionError::TooFewClips { have: clips, need: need.max(clips + 1) });
                }
                let mut model = order;
                let held_out = model.split_off(clips - count);
                Ok(Self { hold_out, model, held_out, folds: Vec::new() })
            }
            HoldOut::Folds(folds) => {
                let folds = folds.min(clips);
                let fold_of = |fold: usize| order.iter().copied().skip(fold).step_by(folds).collect();
                let hold_out = HoldOut::Folds(folds);
                Ok(Self { hold_out, folds: (0..folds).map(fold_of).collect(), model: order, held_out: Vec::new() })
            }
            HoldOut::Auto => unreachable!("resolved above"),
        }
    }
}
