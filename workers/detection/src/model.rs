//! A model at work: many clips in, one judgement of each out.

use auscult_schemas::{FeatureSpecHash, ModelRef, TimeCourse};
use candle_core::Device;

use crate::channel_normals::{ChannelNormal, combined, mean_of, weighted_mean};
use crate::clip::ClipView;
use crate::detector::{Backend, Scorer};
use crate::examined::{Examined, mean_over_channels};
use crate::explain::{BandEdges, band_edges, deviating_bands};
use crate::forward::Segment;
use crate::judgement::Judgement;
use crate::{DetectionError, HealthyClip, Manifest, ModelPackage, time_course};

/// A loaded model.
pub struct Model {
    manifest: Manifest,
    model_ref: ModelRef,
    edges: Vec<BandEdges>,
    scorer: Box<dyn Scorer>,
    least_frames: usize,
    /// In the order of the manifest's `channel_normals`.
    own_scorers: Vec<Box<dyn Scorer>>,
}

/// A clip, and which channels of the recording its channels are.
type Numbered<'a> = (ClipView<'a>, Vec<usize>);

impl Model {
    /// Makes a package ready to judge on a device.
    ///
    /// # Errors
    /// [`DetectionError::Tensor`] when the device cannot hold the weights.
    pub fn load(package: &ModelPackage, device: &Device) -> Result<Self, DetectionError> {
        let backend = if matches!(device, Device::Cpu) { Backend::Cpu } else { Backend::Tensors(device) };
        Self::on(package, backend)
    }

    /// As [`Model::load`], but through candle's own operations even on the CPU: the same arithmetic as on a GPU, to
    /// compare with.
    ///
    /// # Errors
    /// [`DetectionError::Tensor`] when the device cannot hold the weights.
    pub fn load_as_tensors(package: &ModelPackage, device: &Device) -> Result<Self, DetectionError> {
        Self::on(package, Backend::Tensors(device))
    }

    fn on(package: &ModelPackage, backend: Backend<'_>) -> Result<Self, DetectionError> {
        let manifest = package.manifest().clone();
        let scorer = package.weights().scorer(&manifest, backend)?;
        let own_scorers = package.of_channels().map(|(_, own)| own.scorer(&manifest, backend));
        let own_scorers = own_scorers.collect::<Result<Vec<_>, DetectionError>>()?;
        let edges = band_edges(&manifest.feature_spec);
        let least_frames = package.weights().kind().least_frames(&manifest.feature_spec);
        Ok(Self { model_ref: package.model_ref(), edges, manifest, scorer, least_frames, own_scorers })
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

    /// Whether a clip can be judged: its shape fits the model's spec, every number is finite, and there is at least one
    /// vector.
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

    /// Judges clips, which may differ in length and channels, all in one forward pass. One judgement a clip, in their
    /// order. A clip's channels are taken for the first that the model knows; [`Model::judge_heard`] is told which they
    /// are.
    ///
    /// # Errors
    /// [`DetectionError::Clip`] when one cannot be judged (ask [`Model::check`] beforehand to know which of a batch
    /// can); [`DetectionError::Tensor`] when the device fails.
    pub fn judge(&self, clips: &[ClipView<'_>]) -> Result<Vec<Judgement>, DetectionError> {
        let normals = &self.manifest.channel_normals;
        let beyond = normals.last().map_or(0, |normal| normal.channel + 1);
        // A clip of more channels than values is refused below.
        let count = |clip: &ClipView<'_>| clip.channels.min(clip.values.len());
        let known = || normals.iter().map(|normal| normal.channel).chain(beyond..);
        self.judge_numbered(clips.iter().map(|clip| (*clip, known().take(count(clip)).collect())).collect())
    }

    /// As [`Model::judge`], of the channels that are left of clips.
    ///
    /// # Errors
    /// As [`Model::judge`]; and where channels have normals of their own, for a channel that has none.
    pub fn judge_heard(&self, clips: &[HealthyClip<'_>]) -> Result<Vec<Judgement>, DetectionError> {
        self.judge_numbered(clips.iter().map(|clip| (clip.view(), clip.channels.clone())).collect())
    }

    fn judge_numbered(&self, clips: Vec<Numbered<'_>>) -> Result<Vec<Judgement>, DetectionError> {
        let mut segments: Vec<(Option<usize>, Segment<'_>)> = Vec::new();
        for (index, (clip, numbers)) in clips.iter().enumerate() {
            self.check(clip).map_err(|reason| DetectionError::Clip { index, reason })?;
            let places = self.places(numbers).map_err(|reason| DetectionError::Clip { index, reason })?;
            segments.extend(places.into_iter().zip(clip.values.chunks_exact(clip.frames * clip.mels)));
        }
        let examined = self.examine(&segments)?;
        let mut judgements = Vec::with_capacity(clips.len());
        let mut remaining = examined.as_slice();
        for (index, (clip, numbers)) in clips.iter().enumerate() {
            let (own, rest) = remaining.split_at(clip.channels);
            remaining = rest;
            let judgement = self.decide(clip, numbers, own);
            if !judgement.score.is_finite() {
                let reason = "its levels are so far from any sound that the score is not a number".to_owned();
                return Err(DetectionError::Clip { index, reason });
            }
            judgements.push(judgement);
        }
        for ((clip, numbers), judgement) in clips.iter().zip(&mut judgements).filter(|(_, of)| of.anomalous) {
            judgement.time_course = self.time_course(clip, numbers)?;
        }
        Ok(judgements)
    }

    /// Where each channel's own normal stands in the manifest; `None` where all share one.
    fn places(&self, numbers: &[usize]) -> Result<Vec<Option<usize>>, String> {
        let normals = &self.manifest.channel_normals;
        if normals.is_empty() {
            return Ok(vec![None; numbers.len()]);
        }
        let place = |number: &usize| {
            let place = normals.iter().position(|normal| normal.channel == *number);
            place.map(Some).ok_or_else(|| {
                let known: Vec<String> = normals.iter().map(|normal| normal.channel.to_string()).collect();
                format!(
                    "channel {number} has no normal: the model learned channels {}, each for itself; train again with clips of all channels, or choose some with --channels",
                    known.join(", ")
                )
            })
        };
        numbers.iter().map(place).collect()
    }

    /// What each channel's detector makes of it, in one pass a detector.
    fn examine(&self, segments: &[(Option<usize>, Segment<'_>)]) -> Result<Vec<Examined>, DetectionError> {
        if self.own_scorers.is_empty() {
            return self.scorer.examine(&segments.iter().map(|(_, segment)| *segment).collect::<Vec<_>>());
        }
        let mut examined: Vec<(usize, Examined)> = Vec::with_capacity(segments.len());
        for (place, scorer) in self.own_scorers.iter().enumerate() {
            let own = segments.iter().enumerate().filter(|(_, (of, _))| *of == Some(place));
            let (indices, own): (Vec<usize>, Vec<Segment<'_>>) =
                own.map(|(index, (_, segment))| (index, *segment)).unzip();
            examined.extend(indices.into_iter().zip(scorer.examine(&own)?));
        }
        examined.sort_by_key(|(index, _)| *index);
        Ok(examined.into_iter().map(|(_, examined)| examined).collect())
    }

    /// The normals of a clip's channels; none where all share one.
    fn normals_of(&self, numbers: &[usize]) -> Vec<&ChannelNormal> {
        let normal = |number: &usize| self.manifest.channel_normals.iter().find(|normal| normal.channel == *number);
        numbers.iter().filter_map(normal).collect()
    }

    /// When within a clip it deviates. Of a network that takes another pass over the clip, in slices.
    fn time_course(&self, clip: &ClipView<'_>, numbers: &[usize]) -> Result<Option<TimeCourse>, DetectionError> {
        let Manifest { feature_spec: spec, calibration, drift_reference, .. } = &self.manifest;
        let slices = time_course::slices(clip.frames, spec);
        let mut segments: Vec<Segment<'_>> = Vec::with_capacity(clip.channels * slices.len());
        for channel in clip.values.chunks_exact(clip.frames * clip.mels) {
            // Neighbours share the rows that the last vectors of the one and the first of the other have in common.
            let rows = slices.iter().map(|slice| slice.start..slice.end + spec.frames - 1);
            segments.extend(rows.map(|rows| &channel[rows.start * clip.mels..rows.end * clip.mels]));
        }
        Ok(match self.scorer.errors_by_time(&segments)? {
            Some(errors_db2) => time_course::of_errors(&errors_db2, clip.frames, calibration, spec),
            None => {
                let mut normals: Vec<&[f64]> =
                    self.normals_of(numbers).iter().map(|normal| normal.mean_band_levels_db.as_slice()).collect();
                normals.resize(clip.channels, &drift_reference.mean_band_levels_db);
                time_course::of_levels(clip, &normals, calibration, spec)
            }
        })
    }

    fn decide(&self, clip: &ClipView<'_>, numbers: &[usize], channels: &[Examined]) -> Judgement {
        let calibration = &self.manifest.calibration;
        let channel_scores: Vec<f64> = channels.iter().map(|channel| channel.score).collect();
        let own = self.normals_of(numbers);
        let weights = || own.iter().map(|normal| normal.weight);
        let score = if own.is_empty() {
            self.scorer.combine(&channel_scores)
        } else {
            combined(weights().zip(channel_scores.iter().copied()))
        };
        let channel_errors: Vec<&[f64]> = channels.iter().map(|channel| channel.band_errors.as_slice()).collect();
        let band_errors = if own.is_empty() {
            mean_over_channels(&channel_errors)
        } else {
            weighted_mean(weights().zip(channel_errors.iter().copied()), clip.mels)
        };
        let mut band_levels_db = mean_band_levels(clip.values, clip.mels);
        if !own.is_empty() && own.len() < self.manifest.channel_normals.len() {
            // As if all channels were there: one that is left out is no change of the machine's level.
            let of_own = mean_of(own.iter().copied(), clip.mels);
            let all = mean_of(&self.manifest.channel_normals, clip.mels);
            let missing = all.iter().zip(of_own).map(|(all, own)| (all - own) as f32);
            band_levels_db.iter_mut().zip(missing).for_each(|(level, missing)| *level += missing);
        }
        let normal = &self.manifest.drift_reference.mean_band_levels_db;
        let level_changes: Vec<f64> =
            band_levels_db.iter().zip(normal).map(|(level, normal)| f64::from(*level) - normal).collect();
        Judgement {
            score,
            p_value: calibration.p_value(score),
            health_index: calibration.health_index(score),
            threshold: calibration.threshold,
            anomalous: score > calibration.threshold,
            bands: deviating_bands(&band_errors, &level_changes, calibration, &self.edges),
            time_course: None,
            band_levels_db,
            channel_scores,
        }
    }
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
