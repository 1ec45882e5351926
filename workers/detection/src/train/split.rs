//! Which clips are fitted, and which are held out to calibrate on.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::{HoldOut, MIN_CLIPS, TrainingClip, TrainingOptions};
use crate::{DetectionError, natural_order};

/// Which clips the package's network is fitted to, and which are held out from which fit.
pub(crate) struct Split {
    pub hold_out: HoldOut,
    /// Clips that the package's network is fitted to.
    pub model: Vec<usize>,
    /// Clips that it scores for calibration; none under cross-fitting.
    pub held_out: Vec<usize>,
    /// Cross-fitting's folds.
    pub folds: Vec<Vec<usize>>,
}

impl Split {
    /// A network's clips are dealt out at random, so that folds are alike even where clips come sorted by machine or session.
    ///
    /// Where the detector wants stretches, folds are those of the clips in the order of their names, which mostly is that of their recording:
    /// tomorrow's sound is not a neighbour of today's, and a threshold from clips whose neighbours were fitted would be too low.
    pub fn new(clips: &[TrainingClip], options: &TrainingOptions) -> Result<Self, DetectionError> {
        let names: Vec<&str> = clips.iter().map(|clip| clip.name.as_str()).collect();
        let clips = clips.len();
        let mut order: Vec<usize> = (0..clips).collect();
        // Another stream than the fits', which begin with the seed itself.
        order.shuffle(&mut StdRng::seed_from_u64(options.seed.wrapping_add(1)));
        let in_stretches = options.detector.is_held_out_in_stretches();
        let hold_out = match options.hold_out {
            HoldOut::Auto => options.detector.hold_out(clips),
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
            HoldOut::Folds(folds) if in_stretches => {
                let folds = folds.min(clips);
                order.sort_by(|one, other| natural_order(names[*one], names[*other]).then(one.cmp(other)));
                let stretch = |fold: usize| order[fold * clips / folds..(fold + 1) * clips / folds].to_vec();
                let hold_out = HoldOut::Folds(folds);
                Ok(Self { hold_out, folds: (0..folds).map(stretch).collect(), model: order, held_out: Vec::new() })
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
