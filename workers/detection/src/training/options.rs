//! How to train.

use auscult_schemas::{FeatureSpec, ModelId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::TrainingClip;
use crate::Autoencoder;
use crate::parameters::DetectorKind;

/// How clips are held out for calibration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldOut {
    /// Five folds below 200 clips, a share of 0.2 from there on.
    #[default]
    Auto,
    /// Cross-fitting over so many folds (at least 2): that many fits beside the package's own.
    Folds(usize),
    /// This share of the clips (above 0, below 1) is never fitted: one fit.
    Share(f64),
}

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingOptions {
    /// What is to be trained. What is said of epochs, batches, learning rate, standardisation and hidden layers is of
    /// an autoencoder.
    pub detector: DetectorKind,
    /// How the clips became log-mels.
    pub spec: FeatureSpec,
    /// The model's name.
    pub model_id: ModelId,
    /// Passes over the fitted vectors.
    pub epochs: usize,
    /// Vectors a step.
    pub batch_size: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Seed of weights, shuffles and hold-out. The same seed on the same clips gives the same weights, bit for bit, on
    /// one machine's CPU.
    pub seed: u64,
    /// Centre each mel band and scale all by one deviation before fitting; without it the network sees raw decibels, as
    /// in the reference method.
    pub standardise: bool,
    /// Share of normal clips that may score above the threshold. One in a hundred: an alarm takes three in a row, which
    /// by chance, where clips are independent, come once in a million.
    pub false_alarm_rate: f64,
    /// How clips are held out for calibration.
    pub hold_out: HoldOut,
    /// Widths of the hidden layers of a dense network.
    pub hidden: Vec<usize>,
    /// Clips of the machine at rest, which it is told from later; they are not fitted.
    pub at_rest: Vec<TrainingClip>,
    /// Train on every clip, those among them that do not belong.
    pub keep_all: bool,
    /// The channels that the clips were cut down to, counted from 0 and ascending: a model judges the same ones.
    /// `None`: all.
    pub channels: Option<Vec<usize>>,
    /// The time to write into the manifest.
    pub created_at: Timestamp,
}

impl TrainingOptions {
    /// What suits a detector: its own schedule and shape, on the default feature spec.
    #[must_use]
    pub fn of(detector: DetectorKind) -> Self {
        let defaults = Self { detector, ..Self::default() };
        match detector {
            DetectorKind::Wide | DetectorKind::WideMahalanobis => {
                Self { hidden: Autoencoder::WIDE_HIDDEN.to_vec(), batch_size: 256, ..defaults }
            }
            DetectorKind::Convolutional => Self { epochs: 20, batch_size: 32, ..defaults },
            _ => defaults,
        }
    }
}

impl Default for TrainingOptions {
    /// The reference method's network and schedule on the default feature spec, standardised; `created_at` is now.
    fn default() -> Self {
        Self {
            detector: DetectorKind::default(),
            spec: FeatureSpec::default(),
            model_id: ModelId("default".to_owned()),
            epochs: 30,
            batch_size: 512,
            learning_rate: 1e-3,
            seed: 42,
            standardise: true,
            false_alarm_rate: 1e-2,
            hold_out: HoldOut::Auto,
            hidden: Autoencoder::REFERENCE_HIDDEN.to_vec(),
            at_rest: Vec::new(),
            keep_all: false,
            channels: None,
            created_at: Timestamp::now(),
        }
    }
}
