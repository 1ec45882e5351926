//! What every detector can do, and the list of those there are.
//!
//! ```text
//!  fit(normal clips) ─► Fitted detector ─► tensors + parameters ─► file ─► read ─► detector ─► scorer(device) ─► examine(channels)
//!        └ held-out scores and band errors ─► Calibration                                                     score, explain, combine
//! ```
//!
//! A new kind is a module with `impl Detector` and a line in `detectors!` below. Its parameters are in the manifest
//! under its name in snake case (a line in `parameters`), its tensors in the file; training, packages, judging and the command line know it from
//! here.

mod autoencoder;
mod by_channel;
mod convolutional;
mod fused;
mod network;
mod pooled;
mod run;
mod selective;
mod wide;

use std::ops::ControlFlow;

use auscult_schemas::FeatureSpec;
use candle_core::Device;

pub use selective::SelectiveMahalanobis;
pub use wide::WideAutoencoder;

use crate::convolution::ConvolutionalAutoencoder;
use crate::examined::Examined;
use crate::forward::Segment;
use crate::fused::{FusedDetector, Mahalanobis};
use crate::parameters::{DetectorKind, DetectorParameters};
use crate::pooled::{BandNeighbours, GaussianMixture, PooledDetector};
use crate::standardisation::Standardisation;
use crate::tensors::{NamedTensor, TensorFile};
use crate::training::{HoldOut, Split, TrainingClip, TrainingEvent, TrainingOptions};
use crate::{Autoencoder, Calibration, DetectionError, Manifest, NetworkTraining};

/// A kind of detector: how it learns, how it is kept in a file, and how it comes to judge.
pub(crate) trait Detector: Sized {
    /// Its kind and shape, as the manifest has them.
    type Parameters;

    /// Whether clips are held out in stretches of their recording's order instead of being dealt out at random.
    ///
    /// Tomorrow's sound is not a neighbour of today's, and a threshold from clips whose neighbours were fitted would be
    /// too low: what remembers single clips holds out stretches. What needs folds that are alike deals them out.
    const HELD_OUT_IN_STRETCHES: bool;

    /// How clips are held out where nobody has said how.
    fn hold_out(clips: usize) -> HoldOut {
        // From two hundred on a fifth is enough to calibrate on.
        if Self::HELD_OUT_IN_STRETCHES || clips < 200 { HoldOut::Folds(5) } else { HoldOut::Share(0.2) }
    }

    /// The fewest frames that it can judge.
    fn least_frames(spec: &FeatureSpec) -> usize {
        spec.frames
    }

    /// Fits it to normal clips and scores those that are held out by a detector that was not fitted to them.
    fn fit(training: &Training<'_>, observe: Observer<'_>) -> Result<TrainedDetector<Self>, DetectionError>;

    /// Its kind and shape.
    fn parameters(&self) -> Self::Parameters;

    /// All its weights, in the order in which they are hashed. Names are unique.
    fn tensors(&self) -> Vec<NamedTensor>;

    /// Reads its weights; all tensors of the file but the manifest's hash are its own.
    fn read(parameters: &Self::Parameters, file: &TensorFile<'_>, spec: &FeatureSpec) -> Result<Self, DetectionError>;

    /// Whether its weights fit the feature spec and hold nothing that could make a judgement senseless.
    fn check(&self, spec: &FeatureSpec) -> Result<(), DetectionError>;

    /// Makes it ready to judge.
    fn scorer(&self, manifest: &Manifest, backend: Backend<'_>) -> Result<Box<dyn Scorer>, DetectionError>;

    /// The scores' unit with a space before it; empty where they have none.
    const UNIT: &'static str;

    /// What it is made of, for people: a name and the rest of the line.
    fn summary(&self) -> Option<(&'static str, String)> {
        None
    }
}

/// A detector at work.
pub(crate) trait Scorer: Send + Sync {
    /// Scores and explains channels, which may differ in length, in one pass. A channel's numbers do not depend on what
    /// else is in the batch.
    fn examine(&self, channels: &[Segment<'_>]) -> Result<Vec<Examined>, DetectionError>;

    /// A clip's score from those of its channels, at least one.
    fn combine(&self, channel_scores: &[f64]) -> f64;

    /// The mean error of stretches of time, dB², where the score is a mean over time; `None` where it is not, and the
    /// levels tell when a clip deviates.
    fn errors_by_time(&self, _stretches: &[Segment<'_>]) -> Result<Option<Vec<f64>>, DetectionError> {
        Ok(None)
    }
}

/// Where a detector works.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Backend<'a> {
    /// On the CPU, by whatever is fastest there.
    Cpu,
    /// Through candle's operations on this device, where the detector has them: the same arithmetic on every device.
    Tensors(&'a Device),
}

/// What a detector is fitted to.
pub(crate) struct Training<'a> {
    pub clips: &'a [TrainingClip],
    pub options: &'a TrainingOptions,
    /// Which clips are fitted, and which are held out.
    pub split: &'a Split,
}

/// Hears how a fit gets on, and may end it.
pub(crate) type Observer<'a> = &'a mut dyn FnMut(TrainingEvent) -> ControlFlow<()>;

/// What comes out of a training.
pub(crate) struct TrainedDetector<D> {
    pub detector: D,
    /// How its input is scaled, where it is.
    pub standardisation: Option<Standardisation>,
    /// From the held-out clips.
    pub calibration: Calibration,
    /// What it says of each held-out clip, fold after fold; empty of a network.
    pub held_out: Vec<Examined>,
    /// How the network learnt, where there is one.
    pub network: Option<NetworkTraining>,
}

impl<D> TrainedDetector<D> {
    fn map<E>(self, into: impl FnOnce(D) -> E) -> TrainedDetector<E> {
        let Self { detector, standardisation, calibration, held_out, network } = self;
        TrainedDetector { detector: into(detector), standardisation, calibration, held_out, network }
    }
}

/// Scores and errors of held-out clips, together.
fn examined(scores: &[f64], band_errors: &[Vec<f64>]) -> Vec<Examined> {
    let pairs = scores.iter().zip(band_errors);
    pairs.map(|(score, band_errors)| Examined { score: *score, band_errors: band_errors.clone() }).collect()
}

/// For scores that are errors in dB².
pub(crate) fn arithmetic_mean(scores: &[f64]) -> f64 {
    scores.iter().sum::<f64>() / scores.len() as f64
}

/// For scores that are compared by their ratios, as distances are.
pub(crate) fn geometric_mean(scores: &[f64]) -> f64 {
    (scores.iter().map(|score| score.ln()).sum::<f64>() / scores.len() as f64).exp()
}

/// The list: a kind's name, and its detector. `parameters` has the same list with what the manifest says of each.
macro_rules! detectors {
    ($($kind:ident($detector:ty),)+) => {
        impl DetectorKind {
            pub(crate) fn is_held_out_in_stretches(self) -> bool {
                match self { $(Self::$kind => <$detector>::HELD_OUT_IN_STRETCHES,)+ }
            }

            pub(crate) fn hold_out(self, clips: usize) -> HoldOut {
                match self { $(Self::$kind => <$detector>::hold_out(clips),)+ }
            }

            /// The fewest frames of a channel that such a detector can be trained with or judge.
            #[must_use]
            pub fn least_frames(self, spec: &FeatureSpec) -> usize {
                match self { $(Self::$kind => <$detector>::least_frames(spec),)+ }
            }

            pub(crate) fn fit(
                self,
                training: &Training<'_>,
                observe: Observer<'_>,
            ) -> Result<TrainedDetector<Weights>, DetectionError> {
                match self {
                    $(Self::$kind => Ok(<$detector>::fit(training, observe)?.map(Weights::$kind)),)+
                }
            }
        }

        impl DetectorParameters {
            /// Reads the weights of such a detector.
            pub(crate) fn read(
                &self,
                file: &TensorFile<'_>,
                spec: &FeatureSpec,
            ) -> Result<Weights, DetectionError> {
                match self {
                    $(Self::$kind(parameters) => Ok(Weights::$kind(<$detector>::read(parameters, file, spec)?)),)+
                }
            }
        }

        /// What was learnt.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Weights {
            $(
                #[doc = concat!("[`DetectorKind::", stringify!($kind), "`].")]
                $kind($detector),
            )+
        }

        impl Weights {
            /// The kind and shape of what was learnt.
            #[must_use]
            pub fn parameters(&self) -> DetectorParameters {
                match self { $(Self::$kind(detector) => DetectorParameters::$kind(detector.parameters()),)+ }
            }

            /// Its kind.
            #[must_use]
            pub fn kind(&self) -> DetectorKind {
                match self { $(Self::$kind(_) => DetectorKind::$kind,)+ }
            }

            /// The scores' unit with a space before it; empty where they have none.
            #[must_use]
            pub fn unit(&self) -> &'static str {
                match self { $(Self::$kind(_) => <$detector>::UNIT,)+ }
            }

            /// What the detector is made of, for people: a name and the rest of the line.
            #[must_use]
            pub fn summary(&self) -> Option<(&'static str, String)> {
                match self { $(Self::$kind(detector) => detector.summary(),)+ }
            }

            pub(crate) fn tensors(&self) -> Vec<NamedTensor> {
                match self { $(Self::$kind(detector) => detector.tensors(),)+ }
            }

            pub(crate) fn check(&self, spec: &FeatureSpec) -> Result<(), DetectionError> {
                match self { $(Self::$kind(detector) => detector.check(spec),)+ }
            }

            pub(crate) fn scorer(
                &self,
                manifest: &Manifest,
                backend: Backend<'_>,
            ) -> Result<Box<dyn Scorer>, DetectionError> {
                match self { $(Self::$kind(detector) => detector.scorer(manifest, backend),)+ }
            }
        }
    };
}

detectors! {
    Fused(FusedDetector),
    Autoencoder(Autoencoder),
    Pooled(PooledDetector<Mahalanobis>),
    Gmm(PooledDetector<GaussianMixture>),
    Knn(PooledDetector<BandNeighbours>),
    Wide(WideAutoencoder),
    WideMahalanobis(SelectiveMahalanobis),
    Convolutional(ConvolutionalAutoencoder),
}
