//! A model at work: many clips in, one judgement of each out.

use auscult_schemas::{DeviatingBand, FeatureSpec, FeatureSpecHash, ModelRef, TimeCourse};
use candle_core::Device;
use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::explain::{BandEdges, band_edges, deviating_bands};
use crate::forward::{BandErrors, CpuNetwork, Segment, TensorNetwork};
use crate::fused::{Examined, FusedDetector};
use crate::{DetectionError, Manifest, ModelPackage, Weights, time_course, vectors};

/// One clip's log-mel spectrogram.
#[derive(Debug, Clone, Copy)]
pub struct ClipView<'a> {
    /// Microphones.
    pub channels: usize,
    /// Spectrogram frames of each.
    pub frames: usize,
    /// Mel bands of each frame.
    pub mels: usize,
    /// `[channels, frames, mels]`, row-major, dB.
    pub values: &'a [f32],
}

/// What a model says of one clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The channels' scores together, in the detector's unit: their mean, dB², of an autoencoder; their geometric mean, dimensionless, of a fused
    /// detector.
    pub score: f64,
    /// Each channel's score.
    pub channel_scores: Vec<f64>,
    /// The probability that normal sound scores this high or higher.
    pub p_value: f64,
    /// 100 is as normal as the training sound, 50 is at the threshold, 0 is far beyond.
    pub health_index: f64,
    /// Scores above it are anomalous.
    pub threshold: f64,
    /// `score > threshold`.
    pub anomalous: bool,
    /// The frequency bands that deviate, widest share first.
    pub bands: Vec<DeviatingBand>,
    /// When within the clip it deviates; only of an anomalous one.
    pub time_course: Option<TimeCourse>,
    /// Mean level of each mel band over frames and channels, dB, `[mels]`: what drift is measured on.
    pub band_levels_db: Vec<f32>,
}

/// A loaded model.
pub struct Model {
    manifest: Manifest,
    model_ref: ModelRef,
    edges: Vec<BandEdges>,
    engine: Engine,
}

enum Engine {
    Cpu(CpuNetwork),
    Tensor(TensorNetwork),
    /// A few dot products a clip: on no device would they be faster.
    Fused(FusedDetector),
}

/// What a detector says of one channel.
struct ChannelResult {
    score: f64,
    /// Mean squared error by mel band, dB², `[mels]`.
    band_errors: Vec<f64>,
}

impl Model {
    /// Makes a package ready to judge on a device.
    ///
    /// # Errors
    /// [`DetectionError::Tensor`] when the device cannot hold the weights.
    pub fn load(package: &ModelPackage, device: &Device) -> Result<Self, DetectionError> {
        if !matches!(device, Device::Cpu) {
            return Self::load_as_tensors(package, device);
        }
        let manifest = package.manifest();
        let spec = &manifest.feature_spec;
        let network = match package.weights() {
            Weights::Autoencoder(network) => network,
            Weights::Fused(detector) => return Ok(Self::with_engine(package, Engine::Fused(detector.clone()))),
        };
        let network = CpuNetwork::new(network, manifest.standardisation.as_ref(), spec.n_mels, spec.frames);
        Ok(Self::with_engine(package, Engine::Cpu(network)))
    }

    /// As [`Model::load`], but through candle's own operations even on the CPU: the same arithmetic as on a GPU, to compare with.
    ///
    /// # Errors
    /// [`DetectionError::Tensor`] when the device cannot hold the weights.
    pub fn load_as_tensors(package: &ModelPackage, device: &Device) -> Result<Self, DetectionError> {
        let manifest = package.manifest();
        let spec = &manifest.feature_spec;
        let scaling = manifest.standardisation.as_ref();
        let network = match package.weights() {
            Weights::Autoencoder(network) => network,
            Weights::Fused(detector) => return Ok(Self::with_engine(package, Engine::Fused(detector.clone()))),
        };
        let network = TensorNetwork::new(network, scaling, spec.n_mels, spec.frames, device)?;
        Ok(Self::with_engine(package, Engine::Tensor(network)))
    }

    fn with_engine(package: &ModelPackage, engine: Engine) -> Self {
        let manifest = package.manifest().clone();
        let edges = band_edges(&manifest.feature_spec);
        Self { model_ref: package.model_ref(), manifest, edges, engine }
    }

    /// What the model says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its name and version.
    #[must_use]
    pub fn model_ref(&self) -> &ModelRef {
        &self.model_ref
    }

    /// The feature spec that it wants.
    #[must_use]
    pub fn spec_hash(&self) -> FeatureSpecHash {
        self.manifest.feature_spec_hash
    }

    /// Whether a clip can be judged: its shape fits the model's spec, every number is finite, and there is at least one vector.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self, clip: &ClipView<'_>) -> Result<(), String> {
        let spec = &self.manifest.feature_spec;
        let ClipView { channels, frames, mels, values } = *clip;
        if mels != spec.n_mels {
            return Err(format!("{mels} mel bands, but the model was trained on {}", spec.n_mels));
        }
        if channels == 0 {
            return Err("no channel".to_owned());
        }
        if frames < spec.frames {
            return Err(format!("{frames} frames are fewer than the {} of one vector", spec.frames));
        }
        if channels.checked_mul(frames).and_then(|rows| rows.checked_mul(mels)) != Some(values.len()) {
            let found = values.len();
            return Err(format!("{found} values, but {channels} channels x {frames} frames x {mels} mel bands"));
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err("a value is not a finite number".to_owned());
        }
        Ok(())
    }

    /// Judges clips, which may differ in length and channels, all in one forward pass. One judgement a clip, in their order.
    ///
    /// # Errors
    /// [`DetectionError::Clip`] when one cannot be judged (ask [`Model::check`] beforehand to know which of a batch can);
    /// [`DetectionError::Tensor`] when the device fails.
    pub fn judge(&self, clips: &[ClipView<'_>]) -> Result<Vec<Judgement>, DetectionError> {
        let mut segments: Vec<Segment<'_>> = Vec::new();
        for (index, clip) in clips.iter().enumerate() {
            self.check(clip).map_err(|reason| DetectionError::Clip { index, reason })?;
            segments.extend(clip.values.chunks_exact(clip.frames * clip.mels));
        }
        let errors = match &self.engine {
            Engine::Cpu(network) => self.mean_errors(&segments, network.band_errors(&segments)),
            Engine::Tensor(network) => self.mean_errors(&segments, network.band_errors(&segments)?),
            Engine::Fused(detector) => self.fused(detector, &segments),
        };
        let mut judgements = Vec::with_capacity(clips.len());
        let mut remaining = errors.as_slice();
        for (index, clip) in clips.iter().enumerate() {
            let (own, rest) = remaining.split_at(clip.channels);
            remaining = rest;
            let judgement = self.decide(clip, own);
            if !judgement.score.is_finite() {
                let reason = "its levels are so far from any sound that the score is not a number".to_owned();
                return Err(DetectionError::Clip { index, reason });
            }
            judgements.push(judgement);
        }
        for (clip, judgement) in clips.iter().zip(&mut judgements).filter(|(_, judgement)| judgement.anomalous) {
            judgement.time_course = self.time_course(clip)?;
        }
        Ok(judgements)
    }

    /// When within a clip it deviates. Of a network that takes another pass over the clip, in slices.
    fn time_course(&self, clip: &ClipView<'_>) -> Result<Option<TimeCourse>, DetectionError> {
        let Manifest { feature_spec: spec, calibration, drift_reference, .. } = &self.manifest;
        let slices = time_course::slices(clip.frames, spec);
        let channels = clip.values.chunks_exact(clip.frames * clip.mels);
        let segments = channels.flat_map(|channel| {
            // Neighbours share the rows that the last vectors of the one and the first of the other have in common.
            slices.iter().map(|slice| &channel[slice.start * clip.mels..(slice.end + spec.frames - 1) * clip.mels])
        });
        let segments: Vec<Segment<'_>> = segments.collect();
        let sums = match &self.engine {
            Engine::Cpu(network) => network.band_errors(&segments),
            Engine::Tensor(network) => network.band_errors(&segments)?,
            Engine::Fused(_) => {
                let normal_db = &drift_reference.mean_band_levels_db;
                return Ok(time_course::of_levels(clip, normal_db, calibration, spec));
            }
        };
        let errors: Vec<f64> = self.mean_errors(&segments, sums).into_iter().map(|slice| slice.score).collect();
        Ok(time_course::of_errors(&errors, clip.frames, calibration, spec))
    }

    /// Sums over a channel's vectors to means, whose own mean is its score.
    fn mean_errors(&self, segments: &[Segment<'_>], sums: Vec<BandErrors>) -> Vec<ChannelResult> {
        let FeatureSpec { n_mels, frames, .. } = self.manifest.feature_spec;
        let of_channel = |(segment, mut bands): (&Segment<'_>, BandErrors)| {
            let per_band = (vectors::count(segment.len() / n_mels, frames) * frames) as f64;
            bands.iter_mut().for_each(|sum| *sum /= per_band);
            ChannelResult { score: bands.iter().sum::<f64>() / bands.len() as f64, band_errors: bands }
        };
        segments.iter().zip(sums).map(of_channel).collect()
    }

    fn fused(&self, detector: &FusedDetector, segments: &[Segment<'_>]) -> Vec<ChannelResult> {
        let mels = self.manifest.feature_spec.n_mels;
        let of_channel = |segment: &Segment<'_>| {
            let spectrogram = ArrayView2::from_shape((segment.len() / mels, mels), segment);
            let spectrogram = spectrogram.expect("a checked clip's channel holds whole frames");
            let Examined { score, band_errors } = detector.examine(spectrogram);
            ChannelResult { score, band_errors }
        };
        segments.par_iter().map(of_channel).collect()
    }

    fn decide(&self, clip: &ClipView<'_>, channels: &[ChannelResult]) -> Judgement {
        let calibration = &self.manifest.calibration;
        let channel_scores: Vec<f64> = channels.iter().map(|channel| channel.score).collect();
        let count = channels.len() as f64;
        let score = match self.engine {
            Engine::Cpu(_) | Engine::Tensor(_) => channel_scores.iter().sum::<f64>() / count,
            // Distances are compared by their ratios.
            Engine::Fused(_) => (channel_scores.iter().map(|score| score.ln()).sum::<f64>() / count).exp(),
        };
        let channel_errors: Vec<&[f64]> = channels.iter().map(|channel| channel.band_errors.as_slice()).collect();
        let band_levels_db = mean_band_levels(clip.values, clip.mels);
        let normal = &self.manifest.drift_reference.mean_band_levels_db;
        let level_changes: Vec<f64> =
            band_levels_db.iter().zip(normal).map(|(level, normal)| f64::from(*level) - normal).collect();
        Judgement {
            score,
            p_value: calibration.p_value(score),
            health_index: calibration.health_index(score),
            threshold: calibration.threshold,
            anomalous: score > calibration.threshold,
            bands: deviating_bands(&mean_over_channels(&channel_errors), &level_changes, calibration, &self.edges),
            time_course: None,
            band_levels_db,
            channel_scores,
        }
    }
}

/// A clip's error by mel band, dB²: the mean over its channels.
pub(crate) fn mean_over_channels(channel_errors: &[&[f64]]) -> Vec<f64> {
    let bands = channel_errors.first().map_or(0, |errors| errors.len());
    let channels = channel_errors.len() as f64;
    (0..bands).map(|band| channel_errors.iter().map(|errors| errors[band]).sum::<f64>() / channels).collect()
}

/// Mean level of each mel band over all rows, dB.
fn mean_band_levels(values: &[f32], mels: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f32; mels];
    for row in values.chunks_exact(mels) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
    let rows = (values.len() / mels) as f32;
    sums.iter().map(|sum| sum / rows).collect()
}
