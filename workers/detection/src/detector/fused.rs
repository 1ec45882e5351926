//! The fused Mahalanobis distances as a detector.

use auscult_schemas::FeatureSpec;
use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Backend, Detector, Examined, Learnt, NamedTensor, Observer, Scorer, TensorFile, Training, doubles, geometric_mean,
};
use crate::forward::Segment;
use crate::fused::{FusedDetector, Mahalanobis, Part, PartParameters, Pooling};
use crate::package::invalid;
use crate::{Calibration, DetectionError, Manifest, TrainingEvent};

/// What a fused detector is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FusedParameters {
    /// What is fused.
    pub parts: Vec<PartParameters>,
}

impl Detector for FusedDetector {
    type Parameters = FusedParameters;

    const HELD_OUT_IN_STRETCHES: bool = true;
    const UNIT: &'static str = "";

    fn fit(training: &Training<'_>, observe: Observer<'_>) -> Result<Learnt<Self>, DetectionError> {
        let Training { clips, options, split } = *training;
        let views: Vec<Vec<_>> =
            clips.iter().map(|clip| clip.channels.iter().map(|channel| channel.view()).collect()).collect();
        // A share that is held out is one fold: its clips are scored by a detector of the others, and fitted in the end like all.
        let folds = if split.folds.is_empty() { vec![split.held_out.clone()] } else { split.folds.clone() };
        let fitted = Self::cross_fit(&views, &folds, options.seed, &mut |done, total| {
            // Over in seconds: there is nothing to stop.
            let _ = observe(TrainingEvent::Fold { done, total });
        })?;
        let _ = observe(TrainingEvent::Calibrating { held_out: fitted.held_out_scores.len() });
        let calibration =
            Calibration::of_scores(fitted.held_out_scores, &fitted.held_out_errors, options.false_alarm_rate)?;
        Ok(Learnt { detector: fitted.detector, standardisation: None, calibration, network: None })
    }

    fn parameters(&self) -> FusedParameters {
        FusedParameters { parts: self.parts.iter().map(|part| part.parameters).collect() }
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let parts = self.parts.iter().enumerate();
        parts
            .flat_map(|(index, Part { distance, .. })| {
                let Mahalanobis { mean, deviation, precision } = distance;
                let [mean_name, deviation_name, precision_name] = part_names(index);
                [doubles(mean_name, mean), doubles(deviation_name, deviation), doubles(precision_name, precision)]
            })
            .collect()
    }

    fn read(parameters: &FusedParameters, file: &TensorFile<'_>, spec: &FeatureSpec) -> Result<Self, DetectionError> {
        let parts = &parameters.parts;
        file.expect(3 * parts.len(), &format!("{} parts", parts.len()))?;
        let read = |(index, parameters): (usize, &PartParameters)| {
            let size = parameters.pooling.len(spec.n_mels);
            let [mean, deviation, precision] = part_names(index);
            let distance = Mahalanobis {
                mean: file.doubles_1d(&mean, size)?,
                deviation: file.doubles_1d(&deviation, size)?,
                precision: file.doubles_2d(&precision, (size, size))?,
            };
            Ok(Part { parameters: *parameters, distance })
        };
        Ok(Self { parts: parts.iter().enumerate().map(read).collect::<Result<Vec<Part>, DetectionError>>()? })
    }

    fn check(&self, _spec: &FeatureSpec) -> Result<(), DetectionError> {
        if !self.parts.iter().any(|part| part.parameters.pooling == Pooling::Level) {
            return Err(invalid("its parts lack the level, which explains".to_owned()));
        }
        for Part { parameters, distance } in &self.parts {
            let Mahalanobis { mean, deviation, precision } = distance;
            let numbers = [parameters.log_mean, parameters.log_deviation, parameters.sensitivity];
            let mut values = mean.iter().chain(deviation).chain(precision).chain(&numbers);
            if !values.all(|value| value.is_finite()) {
                return Err(invalid("a weight is not a finite number".to_owned()));
            }
            if parameters.log_deviation <= 0.0 || deviation.iter().any(|deviation| *deviation <= 0.0) {
                return Err(invalid("a part's deviation is not positive".to_owned()));
            }
        }
        Ok(())
    }

    fn scorer(&self, manifest: &Manifest, _backend: Backend<'_>) -> Result<Box<dyn Scorer>, DetectionError> {
        // A few dot products a clip: on no device would they be faster.
        Ok(Box::new(FusedScorer { detector: self.clone(), mels: manifest.feature_spec.n_mels }))
    }

    fn summary(&self) -> Option<(&'static str, String)> {
        let parts =
            self.parts.iter().map(|Part { parameters: PartParameters { pooling, sensitivity, .. }, .. }| {
                format!("{pooling:?} (sensitivity {sensitivity:.2})").to_lowercase()
            });
        Some(("fused of", parts.collect::<Vec<_>>().join(", ")))
    }
}

/// A part's tensors: mean, deviation, precision.
fn part_names(part: usize) -> [String; 3] {
    ["mean", "deviation", "precision"].map(|what| format!("parts.{part:02}.{what}"))
}

struct FusedScorer {
    detector: FusedDetector,
    mels: usize,
}

impl Scorer for FusedScorer {
    fn examine(&self, channels: &[Segment<'_>]) -> Result<Vec<Examined>, DetectionError> {
        let of_channel = |channel: &Segment<'_>| {
            let spectrogram = ArrayView2::from_shape((channel.len() / self.mels, self.mels), channel);
            self.detector.examine(spectrogram.expect("a checked clip's channel holds whole frames"))
        };
        Ok(channels.par_iter().map(of_channel).collect())
    }

    fn combine(&self, channel_scores: &[f64]) -> f64 {
        // Distances are compared by their ratios.
        geometric_mean(channel_scores)
    }
}
