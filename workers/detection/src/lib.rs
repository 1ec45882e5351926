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
//! | `detector` | what every kind of detector can do, and the list of the kinds |
//! | `fused` | the default detector: Mahalanobis distances of pooled log-mels |
//! | `pooled` | other distances of pooled log-mels, and of vectors that somebody else pooled |
//! | `autoencoder`, `convolution` | networks of dense layers (the reference method's among them) and of convolutions |
//! | `fit` | how they learn |
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
//! | `watch`, [`roster`], [`silence`], [`environment`] | what a chunk says of the machines beside its own |
//! | `alert`, `deviation`, `sensors`, `setup`, [`drift`] | what a scoring worker remembers of a machine |
//! | [`bearing`] | which part of a bearing is damaged, from vibration and shaft speed: no model |
//!
//! Pure: bytes and numbers in, bytes and numbers out. No Kafka, no files, and no clock but in
//! `TrainingOptions::default`.

mod alert;
mod autoencoder;
pub mod bearing;
pub mod bootstrap;
pub mod calibration;
mod channel_normals;
mod cholesky;
mod chosen;
mod convolution;
mod detector;
mod deviation;
mod device;
pub mod drift;
pub mod environment;
mod error;
mod evaluation;
pub mod explain;
pub mod false_alarms;
pub mod findings;
mod fit;
mod forward;
mod fused;
mod healthy;
mod learned;
mod manifest;
pub mod metrics;
mod model;
mod natural_order;
pub mod notes;
mod package;
pub mod pieces;
mod pooled;
pub mod roster;
mod sensors;
mod setup;
pub mod silence;
mod sweep;
pub mod time_course;
mod train;
pub mod vectors;
mod watch;
pub mod words;

pub use alert::{
    AlertPolicy, Applied, Asked, ControlError, Heard, HeldThreshold, Observation, WatchPolicy, apply_control,
    fall_silent, judging, observe_chunk,
};
pub use autoencoder::{Autoencoder, Dense};
pub use calibration::{Calibration, GammaFit};
pub use channel_normals::ChannelNormal;
pub use chosen::{check_chosen, is_chosen};
pub use convolution::{ConvolutionalAutoencoder, Kernel};
pub use detector::{
    AutoencoderParameters, ConvolutionalParameters, DetectorKind, DetectorParameters, Examined, FusedParameters,
    PooledParameters, PooledPartParameters, SelectiveMahalanobis, SelectiveParameters, Weights, WideAutoencoder,
};
pub use device::{DeviceChoice, OpenedDevice, open_device};
pub use drift::{DriftPolicy, DriftReference, LevelSpread, charts_going_on};
pub use environment::EnvironmentPolicy;
pub use error::DetectionError;
pub use evaluation::{Evaluation, MAX_FALSE_POSITIVE_RATE, MeanFigures, Means, Rates, evaluate};
pub use false_alarms::{AlarmCounts, Cadence, FalseAlarms, mean_stand, mean_wait};
pub use forward::Whitening;
pub use fused::{
    Cycle, CycleParameters, FusedDetector, Look, Mahalanobis, Part, PartParameters, Pooling, shrunken_covariance,
};
pub use healthy::HealthyClip;
pub use learned::{Learned, LearnedLengths, LearnedRate, Levels, Recorded};
pub use manifest::{Manifest, NetworkTraining, Standardisation, TrainingSummary};
pub use model::{ClipView, Judgement, Model};
pub use natural_order::natural_order;
pub use package::ModelPackage;
pub use pooled::{
    BandNeighbours, GaussianMixture, LogScale, MahalanobisShape, MixtureShape, NeighboursShape, PooledDetector,
    PooledPart, RankPooling, VectorScores, judge_vectors, pool_all,
};
pub use roster::Roster;
pub use sweep::{OperatingPoint, sweep};
pub use train::{
    HoldOut, LeftOut, LeftOutReason, MIN_CLIPS, Phase, TrainingClip, TrainingEvent, TrainingOptions, TrainingSet, train,
};
pub use watch::{Watched, watch_chunk};
