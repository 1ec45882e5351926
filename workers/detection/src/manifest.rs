//! What a model package says of itself: the JSON in its safetensors header.

use auscult_schemas::{FeatureSpec, FeatureSpecHash, ModelId, Quantity};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::drift_reference::DriftReference;
use crate::parameters::DetectorParameters;
use crate::standardisation::Standardisation;
use crate::training::{ExcludedClip, HoldOut};
use crate::{Calibration, ChannelNormal, Learned};

/// Everything about a model but its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this layout.
    pub format_version: u32,
    /// The model's name.
    pub model_id: ModelId,
    /// How sound became the numbers it was trained on.
    pub feature_spec: FeatureSpec,
    /// That spec's hash: features with another are refused.
    pub feature_spec_hash: FeatureSpecHash,
    /// The detector.
    pub detector: DetectorParameters,
    /// How its input is scaled; absent: it takes decibels as they are (the reference method).
    pub standardisation: Option<Standardisation>,
    /// Held-out normal scores and what follows from them.
    pub calibration: Calibration,
    /// What drift is measured against.
    pub drift_reference: DriftReference,
    /// What it has learned of the recording setup; absent in packages of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<Learned>,
    /// The channels of a clip that it listens to, counted from 0, ascending; absent: all that a clip has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<usize>>,
    /// What each channel has of its own where they are unlike; empty where all are judged by `detector`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channel_normals: Vec<ChannelNormal>,
    /// How it was trained.
    pub training: TrainingSummary,
    /// SHA-256 over all weights in their order, 64 hexadecimal digits.
    pub weights_sha256: String,
    /// When it was trained.
    pub created_at: Timestamp,
    /// The software that trained it, with its version.
    pub software: String,
}

impl Manifest {
    /// The layout version that this build reads and writes.
    pub const FORMAT_VERSION: u32 = 1;

    /// What the sensors measure; `None`: sound.
    #[must_use]
    pub fn quantity(&self) -> Option<Quantity> {
        self.feature_spec.quantity
    }
}

/// How a model was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSummary {
    /// SHA-256 over names and log-mels of all clips in their order, 64 hexadecimal digits.
    pub fingerprint: String,
    /// Clips, held-out ones among them.
    pub clips: usize,
    /// Clips that the weights in this package were fitted to.
    pub fitted_clips: usize,
    /// Clips that are not among them, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<ExcludedClip>,
    /// Stacked vectors of all clips and channels.
    pub vectors: usize,
    /// Length of all clips together, one channel each, s.
    pub seconds: f64,
    /// How clips were held out for calibration.
    pub hold_out: HoldOut,
    /// How the network learnt, where the detector has one.
    pub network: Option<NetworkTraining>,
    /// Seed of weights, shuffles and hold-out.
    pub seed: u64,
}

/// How a network learnt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkTraining {
    /// Epochs asked for.
    pub epochs: usize,
    /// Epochs run.
    pub epochs_run: usize,
    /// The epoch whose weights are kept.
    pub best_epoch: usize,
    /// Whether training was asked to stop early.
    pub stopped_early: bool,
    /// Batch size, vectors.
    pub batch_size: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Mean squared error of the kept epoch on the fitted vectors, dB².
    pub train_loss_db2: f64,
    /// Mean squared error of the kept epoch on the vectors that chose it, dB².
    pub validation_loss_db2: f64,
}
