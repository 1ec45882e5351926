//! Everything that can be wrong with a model, its training or what it is asked to judge.

/// Why a model could not be trained, read, opened on a device or asked.
#[derive(Debug, thiserror::Error)]
pub enum DetectionError {
    /// Training has fewer clips than a threshold can be calibrated with; copies count once.
    #[error(
        "{have} different clips of normal sound are too few to calibrate a threshold with; at least {need} are needed"
    )]
    TooFewClips {
        /// How many there are.
        have: usize,
        /// How many are needed.
        need: usize,
    },
    /// A training clip cannot be used.
    #[error("training clip {name}: {reason}")]
    TrainingClip {
        /// The clip's name as the caller gave it.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Training options that contradict themselves.
    #[error("training options: {0}")]
    InvalidOptions(String),
    /// Training left the range of numbers, or the held-out scores allow no threshold.
    #[error("training failed: {0}")]
    Training(String),
    /// A clip to be judged does not fit the model.
    #[error("clip {index} of the batch: {reason}")]
    Clip {
        /// Its place in the batch.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The bytes are no model package of this build's format, or a damaged one.
    #[error("model package: {0}; fetch the file anew or train the model again")]
    InvalidPackage(String),
    /// The device cannot be opened.
    #[error("device {choice}: {reason}; choose \"cpu\" or \"auto\", or mend the driver")]
    Device {
        /// The device as it was asked for.
        choice: String,
        /// The driver's own words.
        reason: String,
    },
    /// A tensor operation failed.
    #[error("tensor operation: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// A model package that is none.
pub(crate) fn invalid_package(reason: String) -> DetectionError {
    DetectionError::InvalidPackage(reason)
}
