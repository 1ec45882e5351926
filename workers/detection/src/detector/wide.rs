//! The wide autoencoder as a detector: learnt with batch normalisation, judged like any dense network.

use auscult_schemas::FeatureSpec;
use rand::rngs::StdRng;

use super::network::{self, FittedSound, NetworkDetector};
use super::run;
use super::{Backend, Detector, Observer, Scorer, TrainedDetector, Training};
use crate::fit::NormalisedLearner;
use crate::parameters::AutoencoderParameters;
use crate::tensors::{NamedTensor, TensorFile};
use crate::{Autoencoder, DetectionError, HoldOut, Manifest, Standardisation, TrainingOptions};

/// A dense network that has learnt with batch normalisation, which is folded into its layers.
#[derive(Debug, Clone, PartialEq)]
pub struct WideAutoencoder(pub Autoencoder);

impl Detector for WideAutoencoder {
    type Parameters = AutoencoderParameters;

    const HELD_OUT_IN_STRETCHES: bool = false;
    const UNIT: &'static str = " dB²";

    fn hold_out(clips: usize) -> HoldOut {
        network::few_fits(clips)
    }

    fn fit(training: &Training<'_>, observe: Observer<'_>) -> Result<TrainedDetector<Self>, DetectionError> {
        run::fit(training, observe)
    }

    fn parameters(&self) -> AutoencoderParameters {
        self.0.parameters()
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        self.0.tensors()
    }

    fn read(
        parameters: &AutoencoderParameters,
        file: &TensorFile<'_>,
        spec: &FeatureSpec,
    ) -> Result<Self, DetectionError> {
        Ok(Self(Autoencoder::read(parameters, file, spec)?))
    }

    fn check(&self, spec: &FeatureSpec) -> Result<(), DetectionError> {
        self.0.check(spec)
    }

    fn scorer(&self, manifest: &Manifest, backend: Backend<'_>) -> Result<Box<dyn Scorer>, DetectionError> {
        self.0.scorer(manifest, backend)
    }
}

impl NetworkDetector for WideAutoencoder {
    type Learner = NormalisedLearner;

    fn fresh(options: &TrainingOptions, rng: &mut StdRng) -> Result<NormalisedLearner, DetectionError> {
        NormalisedLearner::fresh(options.spec.vector_len(), &options.hidden, rng)
    }

    fn around(network: Autoencoder, _sound: &FittedSound<'_>) -> Result<Self, DetectionError> {
        Ok(Self(network))
    }

    fn scorer_of(
        &self,
        spec: &FeatureSpec,
        scaling: Option<&Standardisation>,
        backend: Backend<'_>,
    ) -> Result<Box<dyn Scorer>, DetectionError> {
        self.0.scorer_of(spec, scaling, backend)
    }
}
