//! The reference method's autoencoder as a detector.

use auscult_schemas::FeatureSpec;
use rand::rngs::StdRng;

use super::network::{FittedSound, NetworkDetector};
use super::run;
use super::{Backend, Detector, Observer, Scorer, TrainedDetector, Training, arithmetic_mean};
use crate::autoencoder::{Autoencoder, Dense};
use crate::error::invalid_package;
use crate::examined::Examined;
use crate::fit::DenseLearner;
use crate::forward::{BandErrors, CpuNetwork, Segment, Sums, TensorNetwork};
use crate::parameters::AutoencoderParameters;
use crate::tensors::{NamedTensor, TensorFile, floats};
use crate::{DetectionError, Manifest, Standardisation, TrainingOptions, vectors};

impl Detector for Autoencoder {
    type Parameters = AutoencoderParameters;

    const HELD_OUT_IN_STRETCHES: bool = false;
    const UNIT: &'static str = " dB²";

    fn fit(training: &Training<'_>, observe: Observer<'_>) -> Result<TrainedDetector<Self>, DetectionError> {
        run::fit(training, observe)
    }

    fn parameters(&self) -> AutoencoderParameters {
        AutoencoderParameters { widths: self.widths() }
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let layers = self.layers.iter().enumerate();
        layers
            .flat_map(|(index, Dense { weight, bias })| {
                [floats(weight_name(index), weight), floats(bias_name(index), bias)]
            })
            .collect()
    }

    fn read(
        parameters: &AutoencoderParameters,
        file: &TensorFile<'_>,
        _spec: &FeatureSpec,
    ) -> Result<Self, DetectionError> {
        let layer_count = parameters.widths.len().saturating_sub(1);
        file.expect(2 * layer_count, &format!("{layer_count} layers"))?;
        read_layers(&parameters.widths, file)
    }

    fn check(&self, spec: &FeatureSpec) -> Result<(), DetectionError> {
        let (widths, vector_len) = (self.widths(), spec.vector_len());
        let ends = (widths.first(), widths.last());
        let chained = self.layers.windows(2).all(|pair| pair[0].weight.nrows() == pair[1].weight.ncols());
        if widths.len() < 2 || ends != (Some(&vector_len), Some(&vector_len)) || !chained {
            return Err(invalid_package(format!("layer widths {widths:?} do not fit vectors of {vector_len} values")));
        }
        let mut weights = self.layers.iter().flat_map(|layer| layer.weight.iter().chain(&layer.bias));
        if weights.all(|weight| weight.is_finite()) {
            Ok(())
        } else {
            Err(invalid_package("a weight is not a finite number".to_owned()))
        }
    }

    fn scorer(&self, manifest: &Manifest, backend: Backend<'_>) -> Result<Box<dyn Scorer>, DetectionError> {
        self.scorer_of(&manifest.feature_spec, manifest.standardisation.as_ref(), backend)
    }
}

impl NetworkDetector for Autoencoder {
    type Learner = DenseLearner;

    fn fresh(options: &TrainingOptions, rng: &mut StdRng) -> Result<DenseLearner, DetectionError> {
        DenseLearner::fresh(options.spec.vector_len(), &options.hidden, rng)
    }

    fn around(network: Autoencoder, _sound: &FittedSound<'_>) -> Result<Self, DetectionError> {
        Ok(network)
    }

    fn scorer_of(
        &self,
        spec: &FeatureSpec,
        scaling: Option<&Standardisation>,
        backend: Backend<'_>,
    ) -> Result<Box<dyn Scorer>, DetectionError> {
        let FeatureSpec { n_mels: mels, frames, .. } = *spec;
        let engine = match backend {
            Backend::Cpu => Engine::Cpu(CpuNetwork::new(self, scaling, mels, frames)),
            Backend::Tensors(device) => Engine::Tensor(TensorNetwork::new(self, scaling, mels, frames, device)?),
        };
        Ok(Box::new(AutoencoderScorer { engine, mels, frames }))
    }
}

/// Reads a network's layers from a file that may hold other tensors, too.
pub(super) fn read_layers(widths: &[usize], file: &TensorFile<'_>) -> Result<Autoencoder, DetectionError> {
    let mut layers = Vec::new();
    for (index, pair) in widths.windows(2).enumerate() {
        let (inputs, outputs) = (pair[0], pair[1]);
        let weight = file.floats_2d(&weight_name(index), (outputs, inputs))?;
        layers.push(Dense { weight, bias: file.floats_1d(&bias_name(index), outputs)? });
    }
    Ok(Autoencoder { layers })
}

fn weight_name(layer: usize) -> String {
    format!("layers.{layer:02}.weight")
}

fn bias_name(layer: usize) -> String {
    format!("layers.{layer:02}.bias")
}

/// A dense network on a device.
pub(super) enum Engine {
    Cpu(CpuNetwork),
    Tensor(TensorNetwork),
}

impl Engine {
    pub(super) fn sums(&self, channels: &[Segment<'_>]) -> Result<Vec<Sums>, DetectionError> {
        match self {
            Self::Cpu(network) => Ok(network.sums(channels)),
            Self::Tensor(network) => network.sums(channels),
        }
    }
}

/// A network at work.
struct AutoencoderScorer {
    engine: Engine,
    mels: usize,
    frames: usize,
}

/// Sums over a channel's vectors to means, dB².
pub(super) fn mean_errors(mut bands: BandErrors, vectors: usize, frames: usize) -> Vec<f64> {
    bands.iter_mut().for_each(|sum| *sum /= (vectors * frames) as f64);
    bands
}

impl Scorer for AutoencoderScorer {
    fn examine(&self, channels: &[Segment<'_>]) -> Result<Vec<Examined>, DetectionError> {
        let examined = |(channel, sums): (&Segment<'_>, Sums)| {
            let vectors = vectors::count(channel.len() / self.mels, self.frames);
            let band_errors = mean_errors(sums.band_errors, vectors, self.frames);
            Examined { score: arithmetic_mean(&band_errors), band_errors }
        };
        Ok(channels.iter().zip(self.engine.sums(channels)?).map(examined).collect())
    }

    fn combine(&self, channel_scores: &[f64]) -> f64 {
        arithmetic_mean(channel_scores)
    }

    fn errors_by_time(&self, stretches: &[Segment<'_>]) -> Result<Option<Vec<f64>>, DetectionError> {
        Ok(Some(self.examine(stretches)?.into_iter().map(|stretch| stretch.score).collect()))
    }
}
