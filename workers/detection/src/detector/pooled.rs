//! Distances of pooled log-mels as detectors: one kind for each distance.

use auscult_schemas::FeatureSpec;

use super::by_channel::ChannelScorer;
use super::{Backend, Detector, Observer, Scorer, TrainedDetector, Training, examined};
use crate::error::invalid_package;
use crate::fused::Mahalanobis;
use crate::parameters::{PooledParameters, PooledPartParameters};
use crate::pooled::{
    BandNeighbours, GaussianMixture, LogScale, PooledDetector, PooledPart, RankPooling, VectorDistance,
};
use crate::tensors::{NamedTensor, TensorFile};
use crate::training::Split;
use crate::{Calibration, DetectionError, Manifest, TrainingEvent};

/// A distance whose pooling is settled.
pub(crate) trait PooledKind: VectorDistance + Clone + 'static {
    /// How spectrograms are pooled for it.
    const POOLINGS: &'static [RankPooling];

    /// What it is made of, for people.
    fn describe(&self) -> Option<String> {
        None
    }
}

/// From what sounds all the time to what sounds once; and what is never silent.
impl PooledKind for Mahalanobis {
    const POOLINGS: &'static [RankPooling] = &[
        RankPooling::MEAN,
        RankPooling::Ranked(0.99),
        RankPooling::Ranked(0.9),
        RankPooling::Ranked(0.5),
        RankPooling::Ranked(0.0),
        RankPooling::Minimum,
    ];
}

impl PooledKind for GaussianMixture {
    const POOLINGS: &'static [RankPooling] = &[RankPooling::MEAN];

    fn describe(&self) -> Option<String> {
        Some(format!("{} of them", self.precisions.len()))
    }
}

impl PooledKind for BandNeighbours {
    const POOLINGS: &'static [RankPooling] = &[RankPooling::MEAN];

    fn describe(&self) -> Option<String> {
        Some(format!("{} normal vectors, in {} groups of bands", self.vectors.nrows(), self.normal.len()))
    }
}

impl<D: PooledKind> Detector for PooledDetector<D> {
    type Parameters = PooledParameters<D::Shape>;

    const HELD_OUT_IN_STRETCHES: bool = true;
    const UNIT: &'static str = "";

    fn fit(training: &Training<'_>, observe: Observer<'_>) -> Result<TrainedDetector<Self>, DetectionError> {
        let Training { clips, options, split } = *training;
        let views: Vec<Vec<_>> =
            clips.iter().map(|clip| clip.channels.iter().map(|channel| channel.view()).collect()).collect();
        // A share that is held out is one fold: its clips are scored by a detector of the others, and fitted in the end
        // like all.
        let folds = if split.folds.is_empty() { vec![split.held_out.clone()] } else { split.folds.clone() };
        let fitted = Self::cross_fit(D::POOLINGS, &views, &folds, options.seed, &mut |done, total| {
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

    fn parameters(&self) -> Self::Parameters {
        let parameters = |part: &PooledPart<D>| PooledPartParameters {
            pooling: part.pooling,
            log_distance: part.scale,
            distance: part.distance.shape(),
        };
        PooledParameters { parts: self.parts.iter().map(parameters).collect() }
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let parts = self.parts.iter().enumerate();
        parts.flat_map(|(index, part)| part.distance.tensors(&prefix(index))).collect()
    }

    fn read(parameters: &Self::Parameters, file: &TensorFile<'_>, spec: &FeatureSpec) -> Result<Self, DetectionError> {
        let parts = &parameters.parts;
        let counts = parts.iter().map(|part| D::tensor_count(&part.distance));
        file.expect(counts.fold(0, usize::saturating_add), &format!("{} parts", parts.len()))?;
        let read = |(index, part): (usize, &PooledPartParameters<D::Shape>)| {
            let distance = D::read(&part.distance, spec.n_mels, &prefix(index), file)?;
            Ok(PooledPart { pooling: part.pooling, scale: part.log_distance, distance })
        };
        Ok(Self { parts: parts.iter().enumerate().map(read).collect::<Result<_, DetectionError>>()? })
    }

    fn check(&self, _spec: &FeatureSpec) -> Result<(), DetectionError> {
        if self.parts.is_empty() {
            return Err(invalid_package("it has no parts".to_owned()));
        }
        for PooledPart { pooling, scale, distance } in &self.parts {
            if !pooling.is_sound() {
                return Err(invalid_package(format!("{pooling:?} is no way of pooling")));
            }
            let LogScale { mean, deviation } = *scale;
            if !mean.is_finite() || !deviation.is_finite() || deviation <= 0.0 {
                return Err(invalid_package("a part's normal distances are no sensible numbers".to_owned()));
            }
            distance.check().map_err(invalid_package)?;
        }
        Ok(())
    }

    fn scorer(&self, manifest: &Manifest, _backend: Backend<'_>) -> Result<Box<dyn Scorer>, DetectionError> {
        Ok(Box::new(ChannelScorer { detector: self.clone(), mels: manifest.feature_spec.n_mels }))
    }

    fn summary(&self) -> Option<(&'static str, String)> {
        let name = |pooling: RankPooling| match pooling {
            RankPooling::MEAN => "mean".to_owned(),
            RankPooling::Ranked(0.0) => "maximum".to_owned(),
            RankPooling::Ranked(r) => format!("ranked {r}"),
            RankPooling::Minimum => "minimum".to_owned(),
        };
        let parts = self.parts.iter().map(|part| match part.distance.describe() {
            Some(description) => format!("{} ({description})", name(part.pooling)),
            None => name(part.pooling),
        });
        Some(("pooled by", parts.collect::<Vec<_>>().join(", ")))
    }
}

fn prefix(part: usize) -> String {
    format!("parts.{part:02}")
}
