//! The reference method's autoencoder as a detector.

use auscult_schemas::FeatureSpec;
use serde::{Deserialize, Serialize};

use super::{
    Backend, Detector, Examined, Learnt, NamedTensor, Observer, Scorer, TensorFile, Training, arithmetic_mean, floats,
};
use crate::autoencoder::{Autoencoder, Dense};
use crate::forward::{BandErrors, CpuNetwork, Segment, TensorNetwork};
use crate::package::invalid;
use crate::train::Run;
use crate::{Calibration, DetectionError, Manifest, NetworkTraining, TrainingEvent, vectors};

/// An autoencoder's shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoencoderParameters {
    /// Layer widths from input to output.
    pub widths: Vec<usize>,
}

impl Detector for Autoencoder {
    type Parameters = AutoencoderParameters;

    const HELD_OUT_IN_STRETCHES: bool = false;
    const UNIT: &'static str = " dB²";

    fn fit(training: &Training<'_>, observe: Observer<'_>) -> Result<Learnt<Self>, DetectionError> {
        let Training { clips, options, split } = *training;
        let run = Run::new(clips, options);
        let results = run.fit_all(split, observe)?;
        let mut held_out: Vec<Vec<f64>> = Vec::new();
        let mut model = None;
        for result in results.into_iter().flatten() {
            held_out.extend(result.held_out_errors);
            if result.is_model {
                model = Some((result.scaling, result.fitted));
            }
        }
        let (standardisation, fitted) = model.expect("the model's own fit is never left out");
        // Nothing to stop any more: whatever the observer answers, the package is next.
        let _ = observe(TrainingEvent::Calibrating { held_out: held_out.len() });
        let to_db2 = standardisation.as_ref().map_or(1.0, |scaling| f64::from(scaling.deviation_db).powi(2));
        Ok(Learnt {
            detector: fitted.network,
            standardisation,
            calibration: Calibration::fit(&held_out, options.false_alarm_rate)?,
            network: Some(NetworkTraining {
                epochs: options.epochs,
                epochs_run: fitted.epochs_run,
                best_epoch: fitted.best.epoch,
                stopped_early: run.was_stopped(),
                batch_size: options.batch_size,
                learning_rate: options.learning_rate,
                train_loss_db2: fitted.best.train * to_db2,
                validation_loss_db2: fitted.best.validation * to_db2,
            }),
        })
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
        let widths = &parameters.widths;
        let layer_count = widths.len().saturating_sub(1);
        file.expect(2 * layer_count, &format!("{layer_count} layers"))?;
        let mut layers = Vec::with_capacity(layer_count);
        for (index, pair) in widths.windows(2).enumerate() {
            let (inputs, outputs) = (pair[0], pair[1]);
            let weight = file.floats_2d(&weight_name(index), (outputs, inputs))?;
            layers.push(Dense { weight, bias: file.floats_1d(&bias_name(index), outputs)? });
        }
        Ok(Self { layers })
    }

    fn check(&self, spec: &FeatureSpec) -> Result<(), DetectionError> {
        let (widths, vector_len) = (self.widths(), spec.vector_len());
        let ends = (widths.first(), widths.last());
        let chained = self.layers.windows(2).all(|pair| pair[0].weight.nrows() == pair[1].weight.ncols());
        if widths.len() < 2 || ends != (Some(&vector_len), Some(&vector_len)) || !chained {
            return Err(invalid(format!("layer widths {widths:?} do not fit vectors of {vector_len} values")));
        }
        let mut weights = self.layers.iter().flat_map(|layer| layer.weight.iter().chain(&layer.bias));
        if weights.all(|weight| weight.is_finite()) {
            Ok(())
        } else {
            Err(invalid("a weight is not a finite number".to_owned()))
        }
    }

    fn scorer(&self, manifest: &Manifest, backend: Backend<'_>) -> Result<Box<dyn Scorer>, DetectionError> {
        let FeatureSpec { n_mels: mels, frames, .. } = manifest.feature_spec;
        let scaling = manifest.standardisation.as_ref();
        let engine = match backend {
            Backend::Cpu => Engine::Cpu(CpuNetwork::new(self, scaling, mels, frames)),
            Backend::Tensors(device) => Engine::Tensor(TensorNetwork::new(self, scaling, mels, frames, device)?),
        };
        Ok(Box::new(AutoencoderScorer { engine, mels, frames }))
    }
}

fn weight_name(layer: usize) -> String {
    format!("layers.{layer:02}.weight")
}

fn bias_name(layer: usize) -> String {
    format!("layers.{layer:02}.bias")
}

enum Engine {
    Cpu(CpuNetwork),
    Tensor(TensorNetwork),
}

/// A network at work.
struct AutoencoderScorer {
    engine: Engine,
    mels: usize,
    frames: usize,
}

impl AutoencoderScorer {
    /// Sums over a channel's vectors to means, whose own mean is its score.
    fn examined(&self, channel: Segment<'_>, mut bands: BandErrors) -> Examined {
        let per_band = (vectors::count(channel.len() / self.mels, self.frames) * self.frames) as f64;
        bands.iter_mut().for_each(|sum| *sum /= per_band);
        Examined { score: arithmetic_mean(&bands), band_errors: bands }
    }
}

impl Scorer for AutoencoderScorer {
    fn examine(&self, channels: &[Segment<'_>]) -> Result<Vec<Examined>, DetectionError> {
        let sums = match &self.engine {
            Engine::Cpu(network) => network.band_errors(channels),
            Engine::Tensor(network) => network.band_errors(channels)?,
        };
        Ok(channels.iter().zip(sums).map(|(channel, bands)| self.examined(channel, bands)).collect())
    }

    fn combine(&self, channel_scores: &[f64]) -> f64 {
        arithmetic_mean(channel_scores)
    }

    fn errors_by_time(&self, stretches: &[Segment<'_>]) -> Result<Option<Vec<f64>>, DetectionError> {
        Ok(Some(self.examine(stretches)?.into_iter().map(|stretch| stretch.score).collect()))
    }
}
