//! How training is getting on.

/// Which of the fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The package's own network.
    Model,
    /// A network that only scores its held-out fold; from 1.
    Fold {
        /// Which.
        fold: usize,
        /// Of how many.
        of: usize,
    },
}

/// How training is getting on. Fits run side by side, so their epochs come interleaved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TrainingEvent {
    /// An epoch is done.
    Epoch {
        /// Of which fit.
        phase: Phase,
        /// From 1.
        epoch: usize,
        /// Epochs of this fit.
        of: usize,
        /// Mean squared error on the fitted vectors, dB².
        train_loss_db2: f64,
        /// Mean squared error on the vectors that choose the best epoch, dB².
        validation_loss_db2: f64,
        /// The best epoch of this fit so far.
        best: bool,
        /// Epochs done in all fits together.
        done: usize,
        /// Epochs of all fits together, as planned.
        total: usize,
    },
    /// A fold of a detector that has no epochs is scored.
    Fold {
        /// Folds done, all parts of the detector together.
        done: usize,
        /// Folds of all parts together.
        total: usize,
    },
    /// The fits are done, and the threshold is being taken from the held-out scores.
    Calibrating {
        /// Clips held out.
        held_out: usize,
    },
}
