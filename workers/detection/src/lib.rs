//! How numbers become a judgement: the detector, its training and calibration, evaluation, explanation, drift, alert
//! state.
//!
//! ```text
//!  normal clips ──► train ──► ModelPackage ──► Model::load ──► judge ──► Judgement ──► observe_chunk ──► state, Alert, Drift
//!  log-mel, dB       │          one .safetensors file            ▲
//!                    └ fit, cross-fit, calibrate            log-mel clips, one forward pass a batch
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`vectors`] | a spectrogram's stacked vectors, without copying them |
//! | `parameters` | the kinds of detectors, and what the manifest says of each |
//! | `detector` | what every kind of detector can do: how it learns, is kept in a file and judges |
//! | `fused` | the default detector: Mahalanobis distances of pooled log-mels |
//! | `pooled` | other distances of pooled log-mels, and of vectors that somebody else pooled |
//! | `autoencoder`, `convolution` | networks of dense layers (the reference method's among them) and of convolutions |
//! | `fit` | how they learn |
//! | `training` | clips, options and events of a training |
//! | `train` | who fits on what, who is held out, and the package that results |
//! | [`calibration`] | held-out scores to threshold, p-value and health index |
//! | `manifest`, `package` | the model file |
//! | `model`, `forward` | many clips to judgements in one pass |
//! | [`explain`], [`time_course`] | which frequencies deviate, and when within the clip |
//! | [`words`] | the same as a person reads it |
//! | [`false_alarms`] | what a threshold means in alarms, and how sure that is |
//! | `channel_normals` | a normal for each channel, where they are unlike |
//! | `chosen` | which channels of a clip a model listens to |
//! | `healthy` | a clip without the channels whose sensor is at fault |
//! | `learned`, [`notes`] | how training clips were recorded, and what of a chunk does not fit that |
//! | [`metrics`], `sweep`, `evaluation` | how good a model is on labelled clips, at every threshold and at its own |
//! | [`bootstrap`] | how far those figures would move on other clips |
//! | `watch`, [`partition`], [`silence`], [`environment`] | what a chunk says of the machines beside its own |
//! | `alert_state`, `alert`, `deviation`, `sensors`, `setup`, [`drift`] | what a scoring worker remembers of a machine |
//!
//! Pure: bytes and numbers in, bytes and numbers out. No Kafka, no files, and no clock but in
//! `TrainingOptions::default`.

mod alert;
mod alert_policy;
mod alert_state;
mod autoencoder;
pub mod bootstrap;
pub mod calibration;
mod channel_normals;
mod cholesky;
mod chosen;
mod clip;
mod confusion;
mod convolution;
mod detector;
mod deviation;
mod device;
pub mod drift;
mod drift_reference;
pub mod environment;
mod error;
mod evaluation;
mod examined;
pub mod explain;
pub mod false_alarms;
pub mod findings;
mod fit;
mod forward;
mod fused;
mod healthy;
mod judgement;
mod learned;
mod manifest;
pub mod metrics;
mod model;
mod natural_order;
pub mod notes;
mod observed_chunk;
mod package;
mod parameters;
pub mod partition;
pub mod pieces;
mod pooled;
mod sensors;
mod setup;
pub mod silence;
mod standardisation;
mod sweep;
mod tensors;
pub mod time_course;
mod train;
mod training;
pub mod vectors;
mod watch;
pub mod words;

pub use alert::{
    AppliedControl, ControlError, ControlRequest, HeldThreshold, Observation, WatchPolicy, apply_control, fall_silent,
    judging, observe_chunk,
};
pub use alert_policy::AlertPolicy;
pub use autoencoder::{Autoencoder, Dense};
pub use calibration::{Calibration, GammaFit, MIN_CLIPS};
pub use channel_normals::ChannelNormal;
pub use chosen::{check_chosen, is_chosen};
pub use clip::ClipView;
pub use convolution::{ConvolutionalAutoencoder, Kernel};
pub use detector::{SelectiveMahalanobis, Weights, WideAutoencoder};
pub use device::{DeviceChoice, OpenedDevice, open_device};
pub use drift::{DriftPolicy, charts_going_on};
pub use drift_reference::{DriftReference, LevelSpread};
pub use environment::EnvironmentPolicy;
pub use error::DetectionError;
pub use evaluation::{Evaluation, MAX_FALSE_POSITIVE_RATE, MeanFigures, Means, Rates, evaluate};
pub use examined::Examined;
pub use false_alarms::{AlarmCounts, Cadence, FalseAlarms, mean_alarm_length, mean_chunks_to_alarm};
pub use forward::Whitening;
pub use fused::{
    Cycle, CycleParameters, FittedPooling, FusedDetector, Mahalanobis, Part, PartParameters, Pooling,
    shrunken_covariance,
};
pub use healthy::HealthyClip;
pub use judgement::Judgement;
pub use learned::{Learned, LearnedLengths, LearnedRate, Levels};
pub use manifest::{Manifest, NetworkTraining, TrainingSummary};
pub use model::Model;
pub use natural_order::natural_order;
pub use observed_chunk::ObservedChunk;
pub use package::ModelPackage;
pub use parameters::{
    AutoencoderParameters, ConvolutionalParameters, DetectorKind, DetectorParameters, FusedParameters,
    PooledParameters, PooledPartParameters, SelectiveParameters,
};
pub use partition::{MachineSummary, PartitionMachines, counted_state};
pub use pooled::{
    BandNeighbours, GaussianMixture, LogScale, MahalanobisShape, MixtureShape, NeighboursShape, PooledDetector,
    PooledPart, RankPooling, VectorScores, judge_vectors, pool_all,
};
pub use standardisation::Standardisation;
pub use sweep::{OperatingPoint, sweep};
pub use train::{TrainingSet, train};
pub use training::{
    ExcludedClip, ExclusionReason, HoldOut, Phase, Recorded, TrainingClip, TrainingEvent, TrainingOptions,
};
pub use watch::{ObservationOutcome, watch_chunk};
