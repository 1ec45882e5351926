//! The fused Mahalanobis distances as a detector.

use auscult_schemas::FeatureSpec;

use super::by_channel::ChannelScorer;
use super::{Backend, Detector, Observer, Scorer, TrainedDetector, Training, examined};
use crate::error::invalid_package;
use crate::fused::{Cycle, FittedPooling, FusedDetector, Mahalanobis, Part, PartParameters, Pooling};
use crate::parameters::FusedParameters;
use crate::tensors::{NamedTensor, TensorFile, doubles};
use crate::training::Split;
use crate::{Calibration, DetectionError, Manifest, TrainingEvent};

impl Detector for FusedDetector {
    type Parameters = FusedParameters;

    const HELD_OUT_IN_STRETCHES: bool = true;
    const UNIT: &'static str = "";

    fn fit(training: &Training<'_>, observe: Observer<'_>) -> Result<TrainedDetector<Self>, DetectionError> {
        let Training { clips, options, split } = *training;
        let views: Vec<Vec<_>> =
            clips.iter().map(|clip| clip.channels.iter().map(|channel| channel.view()).collect()).collect();
        // A share that is held out is one fold: its clips are scored by a detector of the others, and fitted in the end
        // like all.
        let folds = if split.folds.is_empty() { vec![split.held_out.clone()] } else { split.folds.clone() };
        let step_s = options.spec.hop_length as f64 / f64::from(options.spec.sample_rate_hz);
        let fitted = Self::cross_fit(&views, &folds, step_s, options.seed, &mut |done, total| {
            // Over in seconds: there is nothing to stop.
            let _ = observe(TrainingEvent::Fold { done, total });
        })?;
        let _ = observe(TrainingEvent::Calibrating { held_out: fitted.held_out_scores.len() });
        let held_out = examined(&fitted.held_out_scores, &fitted.held_out_errors);
        let recordings = Split::recordings_of(clips, &folds.concat());
        let (scores, errors) = (fitted.held_out_scores, fitted.held_out_errors);
        let calibration = Calibration::of_recordings(scores, &recordings, &errors, options.false_alarm_rate)?;
        Ok(TrainedDetector { detector: fitted.detector, standardisation: None, calibration, held_out, network: None })
    }

    fn parameters(&self) -> FusedParameters {
        FusedParameters {
            parts: self.parts.iter().map(|part| part.parameters).collect(),
            cycle: self.cycle().map(|cycle| cycle.parameters),
        }
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let mut tensors = Vec::new();
        for (index, Part { fitted_pooling, distance, .. }) in self.parts.iter().enumerate() {
            let Mahalanobis { mean, deviation, precision } = distance;
            let [mean_name, deviation_name, precision_name] = part_names(index);
            tensors.push(doubles(mean_name, mean));
            tensors.push(doubles(deviation_name, deviation));
            tensors.push(doubles(precision_name, precision));
            if let FittedPooling::Cycle(cycle) = fitted_pooling {
                tensors.push(doubles(CYCLE_TEMPLATE.to_owned(), &cycle.template));
                tensors.push(doubles(CYCLE_BANDS.to_owned(), &cycle.bands));
            }
        }
        tensors
    }

    fn read(parameters: &FusedParameters, file: &TensorFile<'_>, spec: &FeatureSpec) -> Result<Self, DetectionError> {
        let cycle_tensors = if parameters.cycle.is_some() { 2 } else { 0 };
        file.expect(3 * parameters.parts.len() + cycle_tensors, &format!("{} parts", parameters.parts.len()))?;
        let mut parts = Vec::with_capacity(parameters.parts.len());
        for (index, part) in parameters.parts.iter().enumerate() {
            let fitted_pooling = match part.pooling {
                Pooling::Level => FittedPooling::Level,
                Pooling::Swing => FittedPooling::Swing,
                Pooling::Moment => FittedPooling::Moment,
                Pooling::Cycle => {
                    let parameters =
                        parameters.cycle.ok_or_else(|| invalid_package("its cycle is missing".to_owned()))?;
                    let bands = Cycle::bands_of(spec.n_mels);
                    FittedPooling::Cycle(Cycle {
                        parameters,
                        template: file.doubles_2d(CYCLE_TEMPLATE, (bands, 2 * parameters.harmonics))?,
                        bands: file.doubles_2d(CYCLE_BANDS, (Cycle::BAND_ROWS, bands))?,
                    })
                }
            };
            let size = fitted_pooling.pooled_len(spec.n_mels);
            let [mean, deviation, precision] = part_names(index);
            let distance = Mahalanobis {
                mean: file.doubles_1d(&mean, size)?,
                deviation: file.doubles_1d(&deviation, size)?,
                precision: file.doubles_2d(&precision, (size, size))?,
            };
            parts.push(Part { parameters: *part, fitted_pooling, distance });
        }
        Ok(Self { parts })
    }

    fn check(&self, spec: &FeatureSpec) -> Result<(), DetectionError> {
        if !self.parts.iter().any(|part| part.parameters.pooling == Pooling::Level) {
            return Err(invalid_package("its parts lack the level, which explains".to_owned()));
        }
        for Part { parameters, fitted_pooling, distance } in &self.parts {
            if let FittedPooling::Cycle(cycle) = fitted_pooling {
                let step_s = spec.hop_length as f64 / f64::from(spec.sample_rate_hz);
                cycle.check(step_s).map_err(invalid_package)?;
            }
            let Mahalanobis { mean, deviation, precision } = distance;
            let numbers = [parameters.log_mean, parameters.log_deviation, parameters.sensitivity];
            let mut values = mean.iter().chain(deviation).chain(precision).chain(&numbers);
            if !values.all(|value| value.is_finite()) {
                return Err(invalid_package("a weight is not a finite number".to_owned()));
            }
            if parameters.log_deviation <= 0.0 || deviation.iter().any(|deviation| *deviation <= 0.0) {
                return Err(invalid_package("a part's deviation is not positive".to_owned()));
            }
        }
        Ok(())
    }

    fn scorer(&self, manifest: &Manifest, _backend: Backend<'_>) -> Result<Box<dyn Scorer>, DetectionError> {
        Ok(Box::new(ChannelScorer { detector: self.clone(), mels: manifest.feature_spec.n_mels }))
    }

    fn summary(&self) -> Option<(&'static str, String)> {
        let parts = self.parts.iter().map(
            |Part { parameters: PartParameters { pooling, sensitivity, .. }, fitted_pooling, .. }| {
                let rate = match fitted_pooling {
                    FittedPooling::Cycle(cycle) => format!(" of {:.2} a second", cycle.parameters.rate_hz),
                    FittedPooling::Level | FittedPooling::Swing | FittedPooling::Moment => String::new(),
                };
                format!("{}{rate} (sensitivity {sensitivity:.2})", format!("{pooling:?}").to_lowercase())
            },
        );
        Some(("fused of", parts.collect::<Vec<_>>().join(", ")))
    }
}

const CYCLE_TEMPLATE: &str = "cycle.template";
const CYCLE_BANDS: &str = "cycle.bands";

/// A part's tensors: mean, deviation, precision.
fn part_names(part: usize) -> [String; 3] {
    ["mean", "deviation", "precision"].map(|what| format!("parts.{part:02}.{what}"))
}
