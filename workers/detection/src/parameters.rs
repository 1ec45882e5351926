//! The kinds of detectors, and what the manifest says of each: its shape, without the weights.

use serde::{Deserialize, Serialize};

use crate::fused::{CycleParameters, PartParameters};
use crate::pooled::{LogScale, MahalanobisShape, MixtureShape, NeighboursShape, RankPooling};

/// The list: a kind's name, the parameters it has in the manifest, what it is called on a command line. `detector` has
/// the same list with what learns and judges.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($parameters:ty, $name:literal),)+) => {
        /// What is to be trained.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum DetectorKind {
            $($(#[$doc])* $kind,)+
        }

        impl DetectorKind {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// Its name on a command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }
        }

        /// A detector's kind and shape.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum DetectorParameters {
            $($(#[$doc])* $kind($parameters),)+
        }
    };
}

kinds! {
    /// Mahalanobis distances of differently pooled log-mels, fused: seconds to train. The score is dimensionless.
    Fused(FusedParameters, "fused"),
    /// The reference method's network: dense layers, ReLU between them, linear output. The score is the mean squared
    /// reconstruction error, dB².
    Autoencoder(AutoencoderParameters, "autoencoder"),
    /// Mahalanobis distances of log-mels pooled from mean to maximum, fused. The score is dimensionless.
    Pooled(PooledParameters<MahalanobisShape>, "pooled"),
    /// A mixture of Gaussian clouds of mean log-mels. The score is dimensionless.
    Gmm(PooledParameters<MixtureShape>, "gmm"),
    /// The nearest normal clips, group of bands by group of bands. The score is dimensionless.
    Knn(PooledParameters<NeighboursShape>, "knn"),
    /// A deeper and wider network that learns with batch normalisation, as in the baseline of DCASE's Task 2 (2020 and
    /// later). The score is the mean squared reconstruction error, dB².
    Wide(AutoencoderParameters, "wide"),
    /// The same network, whose errors are measured by how those of normal sound vary together: the *selective
    /// Mahalanobis* score of DCASE 2023's baseline. The score is dimensionless.
    WideMahalanobis(SelectiveParameters, "wide-mahalanobis"),
    /// A network of convolutions on stretches of a second. The score is the mean squared reconstruction error, dB².
    Convolutional(ConvolutionalParameters, "convolutional"),
}

impl Default for DetectorKind {
    /// The reference method's.
    fn default() -> Self {
        Self::Autoencoder
    }
}

/// An autoencoder's shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoencoderParameters {
    /// Layer widths from input to output.
    pub widths: Vec<usize>,
}

/// A convolutional autoencoder's shape; kernels and channels are always the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvolutionalParameters {
    /// Mel bands of its patches.
    pub mels: usize,
    /// Frames of its patches.
    pub frames: usize,
}

/// What a fused detector is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FusedParameters {
    /// What is fused.
    pub parts: Vec<PartParameters>,
    /// The machine's cycle, where one of the parts is about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<CycleParameters>,
}

/// What a detector of pooled log-mels is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PooledParameters<S> {
    /// One for each way of pooling.
    pub parts: Vec<PooledPartParameters<S>>,
}

/// A part's numbers in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PooledPartParameters<S> {
    /// How the spectrogram is pooled.
    pub pooling: RankPooling,
    /// What held-out normal distances are like.
    pub log_distance: LogScale,
    /// The shape of what distances are measured with.
    pub distance: S,
}

/// Its shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectiveParameters {
    /// Layer widths from input to output.
    pub widths: Vec<usize>,
    /// The domains' names, ascending.
    pub domains: Vec<String>,
}
