//! A model at work: many clips in, one judgement of each out.

use auscult_schemas::{DeviatingBand, FeatureSpecHash, ModelRef};
use candle_core::Device;

use crate::detector::{Backend, Examined, Scorer};
use crate::explain::{BandEdges, band_edges, deviating_bands};
use crate::forward::Segment;
use crate::{DetectionError, Manifest, ModelPackage};

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
    /// The channels' scores together, in the detector's unit: their mean where they are errors, dB²; their geometric mean where they are
    /// distances, dimensionless.
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
    /// Mean level of each mel band over frames and channels, dB, `[mels]`: what drift is measured on.
    pub band_levels_db: Vec<f32>,
}

/// A loaded model.
pub struct Model {
    manifest: Manifest,
    model_ref: ModelRef,
    edges: Vec<BandEdges>,
    scorer: Box<dyn Scorer>,
    least_frames: usize,
}

impl Model {
    /// Makes a package ready to judge on a device.
    ///
    /// # Errors
    /// [`DetectionError::Tensor`] when the device cannot hold the weights.
    pub fn load(package: &ModelPackage, device: &Device) -> Result<Self, DetectionError> {
        let backend = if matches!(device, Device::Cpu) { Backend::Cpu } else { Backend::Tensors(device) };
        Self::on(package, backend)
    }

    /// As [`Model::load`], but through candle's own operations even on the CPU: the same arithmetic as on a GPU, to compare with.
    ///
    /// # Errors
    /// [`DetectionError::Tensor`] when the device cannot hold the weights.
    pub fn load_as_tensors(package: &ModelPackage, device: &Device) -> Result<Self, DetectionError> {
        Self::on(package, Backend::Tensors(device))
    }

    fn on(package: &ModelPackage, backend: Backend<'_>) -> Result<Self, DetectionError> {
        let manifest = package.manifest().clone();
        let scorer = package.weights().scorer(&manifest, backend)?;
        let edges = band_edges(&manifest.feature_spec);
        let least_frames = package.weights().kind().least_frames(&manifest.feature_spec);
        Ok(Self { model_ref: package.model_ref(), edges, manifest, scorer, least_frames })
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
        if frames < self.least_frames {
            let least = self.least_frames;
            return Err(format!("{frames} frames are fewer than the {least} that the detector sees at a time"));
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
        let examined = self.scorer.examine(&segments)?;
        let mut judgements = Vec::with_capacity(clips.len());
        let mut remaining = examined.as_slice();
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
        Ok(judgements)
    }

    fn decide(&self, clip: &ClipView<'_>, channels: &[Examined]) -> Judgement {
        let calibration = &self.manifest.calibration;
        let channel_scores: Vec<f64> = channels.iter().map(|channel| channel.score).collect();
        let score = self.scorer.combine(&channel_scores);
        let channel_errors: Vec<&[f64]> = channels.iter().map(|channel| channel.band_errors.as_slice()).collect();
        Judgement {
            score,
            p_value: calibration.p_value(score),
            health_index: calibration.health_index(score),
            threshold: calibration.threshold,
            anomalous: score > calibration.threshold,
            bands: deviating_bands(&mean_over_channels(&channel_errors), calibration, &self.edges),
            band_levels_db: mean_band_levels(clip.values, clip.mels),
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
