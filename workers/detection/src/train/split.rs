//! Which clips are fitted, and which are held out to calibrate on.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::{HoldOut, MIN_CLIPS, TrainingClip, TrainingOptions};
use crate::DetectionError;

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
                order.sort_by_cached_key(|clip| (recording_order(names[*clip]), *clip));
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

/// A name cut where digits begin and end, numbers by their value: `clip9` comes before `clip10`.
fn recording_order(name: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let (text, from_digit) = rest.split_at(rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len()));
        let end = from_digit.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(from_digit.len());
        let (digits, after) = from_digit.split_at(end);
        // A number too great for u64 is one of a kind anyway.
        parts.push((text.to_owned(), digits.parse().unwrap_or(u64::MAX)));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_ordered_by_their_value() {
        let mut names = vec!["b1.wav", "a10.wav", "a9.wav", "a", "a9-2.wav", "a9-10.wav"];
        names.sort_by_key(|name| recording_order(name));
        assert_eq!(names, ["a9-2.wav", "a9-10.wav", "a9.wav", "a10.wav", "a", "b1.wav"]);
    }
}
