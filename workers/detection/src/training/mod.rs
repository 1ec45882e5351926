//! What a training takes and what it reports: clips, options, events, and which clips are held out. Who fits on what is
//! `train`'s business.

mod clip;
mod event;
mod excluded_clip;
mod options;

pub use clip::{Recorded, TrainingClip};
pub use event::{Phase, TrainingEvent};
pub use excluded_clip::{ExcludedClip, ExclusionReason};
pub use options::{HoldOut, TrainingOptions};

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
