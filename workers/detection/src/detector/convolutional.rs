//! The convolutional autoencoder as a detector.

use auscult_schemas::FeatureSpec;
use rand::rngs::StdRng;
use rayon::prelude::*;

use super::autoencoder::mean_errors;
use super::network::{self, FittedSound, NetworkDetector};
use super::run;
use super::{Backend, Detector, Observer, Scorer, TrainedDetector, Training, arithmetic_mean};
use crate::convolution::{ConvolutionalAutoencoder, PATCH_FRAMES, patch_starts};
use crate::error::invalid_package;
use crate::examined::Examined;
use crate::fit::ConvolutionalLearner;
use crate::forward::Segment;
use crate::parameters::ConvolutionalParameters;
use crate::tensors::{NamedTensor, TensorFile};
use crate::{DetectionError, HoldOut, Manifest, Standardisation, TrainingOptions};

impl Detector for ConvolutionalAutoencoder {
    type Parameters = ConvolutionalParameters;

    const HELD_OUT_IN_STRETCHES: bool = false;
    const UNIT: &'static str = " dB²";

    fn hold_out(clips: usize) -> HoldOut {
        network::few_fits(clips)
    }

    fn least_frames(_spec: &FeatureSpec) -> usize {
        PATCH_FRAMES
    }

    fn fit(training: &Training<'_>, observe: Observer<'_>) -> Result<TrainedDetector<Self>, DetectionError> {
        run::fit(training, observe)
    }

    fn parameters(&self) -> ConvolutionalParameters {
        ConvolutionalParameters { mels: self.mels, frames: PATCH_FRAMES }
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let named = Self::shapes(self.mels).into_iter().zip(self.values());
        named
            .map(|((name, shape), values)| {
                let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                (name, safetensors::Dtype::F32, shape, bytes)
            })
            .collect()
    }

    fn read(
        parameters: &ConvolutionalParameters,
        file: &TensorFile<'_>,
        spec: &FeatureSpec,
    ) -> Result<Self, DetectionError> {
        let ConvolutionalParameters { mels, frames } = *parameters;
        if frames != PATCH_FRAMES || mels != spec.n_mels {
            let expected = spec.n_mels;
            let reason = format!("patches of {frames} x {mels}, but this build has {PATCH_FRAMES} x {expected}");
            return Err(invalid_package(reason));
        }
        let shapes = Self::shapes(mels);
        file.expect(shapes.len(), "a convolutional network")?;
        let values = shapes.iter().map(|(name, shape)| file.floats(name, shape)).collect::<Result<Vec<_>, _>>()?;
        Self::from_values(mels, values)
            .ok_or_else(|| invalid_package("a weight has another shape than is due".to_owned()))
    }

    fn check(&self, spec: &FeatureSpec) -> Result<(), DetectionError> {
        if self.mels != spec.n_mels {
            return Err(invalid_package(format!("patches of {} mel bands do not fit {}", self.mels, spec.n_mels)));
        }
        if self.values().iter().flatten().all(|weight| weight.is_finite()) {
            Ok(())
        } else {
            Err(invalid_package("a weight is not a finite number".to_owned()))
        }
    }

    fn scorer(&self, manifest: &Manifest, backend: Backend<'_>) -> Result<Box<dyn Scorer>, DetectionError> {
        self.scorer_of(&manifest.feature_spec, manifest.standardisation.as_ref(), backend)
    }
}

impl NetworkDetector for ConvolutionalAutoencoder {
    type Learner = ConvolutionalLearner;

    /// Enough to learn from, and training takes no longer with more sound.
    const STRETCHES_PER_EPOCH: usize = 3072;

    fn frames(_spec: &FeatureSpec) -> usize {
        PATCH_FRAMES
    }

    fn fresh(options: &TrainingOptions, rng: &mut StdRng) -> Result<ConvolutionalLearner, DetectionError> {
        ConvolutionalLearner::fresh(options.spec.n_mels, rng)
    }

    fn around(network: Self, _sound: &FittedSound<'_>) -> Result<Self, DetectionError> {
        Ok(network)
    }

    /// On the CPU, whatever device there is.
    fn scorer_of(
        &self,
        _spec: &FeatureSpec,
        scaling: Option<&Standardisation>,
        _backend: Backend<'_>,
    ) -> Result<Box<dyn Scorer>, DetectionError> {
        let (mean_db, deviation_db) = match scaling {
            Some(Standardisation { mean_db, deviation_db }) => (mean_db.clone(), *deviation_db),
            None => (vec![0.0; self.mels], 1.0),
        };
        Ok(Box::new(ConvolutionalScorer { network: self.clone(), mean_db, deviation_db }))
    }
}

/// Patches that go through the network together.
const PATCHES: usize = 4;

struct ConvolutionalScorer {
    network: ConvolutionalAutoencoder,
    mean_db: Vec<f32>,
    deviation_db: f32,
}

impl ConvolutionalScorer {
    /// Sum over some patches and their frames of each mel band's squared error, dB², `[mels]`.
    fn band_errors(&self, channel: Segment<'_>, starts: &[usize]) -> Vec<f64> {
        let mels = self.network.mels;
        let mut patches = Vec::with_capacity(starts.len() * PATCH_FRAMES * mels);
        for start in starts {
            for row in channel[start * mels..(start + PATCH_FRAMES) * mels].chunks_exact(mels) {
                patches.extend(row.iter().zip(&self.mean_db).map(|(value, mean)| (value - mean) / self.deviation_db));
            }
        }
        let mut sums = vec![0.0; mels];
        let got = self.network.reconstruct(&patches);
        for (got, wanted) in got.chunks_exact(mels).zip(patches.chunks_exact(mels)) {
            for ((sum, got), wanted) in sums.iter_mut().zip(got).zip(wanted) {
                *sum += f64::from((got - wanted) * self.deviation_db).powi(2);
            }
        }
        sums
    }
}

impl Scorer for ConvolutionalScorer {
    fn examine(&self, channels: &[Segment<'_>]) -> Result<Vec<Examined>, DetectionError> {
        let mels = self.network.mels;
        let starts: Vec<Vec<usize>> = channels.iter().map(|channel| patch_starts(channel.len() / mels)).collect();
        let parts: Vec<(usize, &[usize])> = starts
            .iter()
            .enumerate()
            .flat_map(|(channel, starts)| starts.chunks(PATCHES).map(move |part| (channel, part)))
            .collect();
        let errors: Vec<Vec<f64>> =
            parts.par_iter().map(|(channel, part)| self.band_errors(channels[*channel], part)).collect();
        let mut sums = vec![vec![0.0; mels]; channels.len()];
        for ((channel, _), errors) in parts.iter().zip(&errors) {
            for (sum, error) in sums[*channel].iter_mut().zip(errors) {
                *sum += error;
            }
        }
        let examined = sums.into_iter().zip(&starts).map(|(sums, starts)| {
            let band_errors = mean_errors(sums, starts.len(), PATCH_FRAMES);
            Examined { score: arithmetic_mean(&band_errors), band_errors }
        });
        Ok(examined.collect())
    }

    fn combine(&self, channel_scores: &[f64]) -> f64 {
        arithmetic_mean(channel_scores)
    }
}
