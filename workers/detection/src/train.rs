//! Assigns clips to fitting and hold-out, and builds the package.
//!
//! ```text
//!  fewer than 200 clips: cross-fitting                 from 200 clips on: one hold-out
//!
//!  all clips ─────────────────► the package's network   four fifths ──► the package's network
//!  all but fold 1 ─► network 1 ─► fold 1's scores ┐                             │
//!  all but fold 2 ─► network 2 ─► fold 2's scores ├─► calibration   one fifth ──┴─► scores ─► calibration
//!  …                                              ┘
//! ```
//!
//! In both cases no clip is scored by a network that was fitted to it. With few clips, every clip is needed for both:
//! cross-fitting calibrates on all of them and fits on all of them, at the cost of some more fits. Their networks have
//! seen slightly less data than the package's, so any error is towards a higher threshold. They start with the same
//! weights and make the same number of steps. With many clips, a fifth is enough for calibration, and one fit is
//! sufficient.

mod copies;
mod corpus;
mod screening;
mod set;
mod split;
mod unlike;

use std::ops::ControlFlow;

use self::corpus::{clip_band_levels, fingerprint, mean_band_levels};
pub use self::set::TrainingSet;
use crate::channel_normals::{ChannelNormal, mean_of};
use crate::detector::Training;
use crate::drift_reference::{DriftReference, LevelSpread};
use crate::training::{HoldOut, Split, TrainingClip, TrainingEvent, TrainingOptions};
use crate::{DetectionError, Learned, Manifest, ModelPackage, TrainingSummary, vectors};

/// Trains a model on normal sound and calibrates it.
///
/// Copies count once, and foreign clips are excluded: see [`TrainingSet`]. `observe` is called after every epoch, on
/// the calling thread. When it returns `Break` (once is enough), the package's network stops with its best epoch so
/// far; folds then train no longer than it did, and folds not yet started are skipped once twenty held-out clips have
/// scores. The result is still a calibrated package.
///
/// # Errors
/// [`DetectionError::TooFewClips`], [`DetectionError::TrainingClip`], [`DetectionError::InvalidOptions`], or
/// [`DetectionError::Training`] if training gives no usable model.
pub fn train(
    clips: &[TrainingClip],
    options: &TrainingOptions,
    observe: &mut dyn FnMut(TrainingEvent) -> ControlFlow<()>,
) -> Result<ModelPackage, DetectionError> {
    TrainingSet::of(clips.to_vec(), options)?.train(options, observe)
}

impl TrainingSet {
    /// Trains a model on the clips of the set. `observe` as in [`train`].
    ///
    /// # Errors
    /// As [`train`].
    pub fn train(
        &self,
        options: &TrainingOptions,
        observe: &mut dyn FnMut(TrainingEvent) -> ControlFlow<()>,
    ) -> Result<ModelPackage, DetectionError> {
        let clips = self.clips.as_slice();
        let split = Split::new(clips, options)?;
        let mut learnt = options.detector.fit(&Training { clips, options, split: &split }, observe)?;
        let own = unlike::own_normals(clips, options, &split, observe)?;
        let (channel_normals, channel_weights) = match own {
            Some(own) => {
                learnt.calibration = own.calibration;
                (own.normals, own.weights)
            }
            None => (Vec::new(), Vec::new()),
        };
        let mels = options.spec.n_mels;
        let levels_of = |clips: &[TrainingClip]| levels_of(clips, &channel_normals, mels);
        let levels = levels_of(clips);
        let learned = Learned::of(clips, &levels, &levels_of(&options.at_rest), &options.spec)?;
        let spread = LevelSpread::of(&levels);
        let drift_reference = DriftReference::new(
            &learnt.calibration,
            if channel_normals.is_empty() { mean_band_levels(clips, mels) } else { mean_of(&channel_normals, mels) },
            spread,
        );
        let spec = &options.spec;
        let rows_of_first_channels: usize = clips.iter().map(|clip| clip.channels[0].nrows()).sum();
        let manifest = Manifest {
            format_version: Manifest::FORMAT_VERSION,
            model_id: options.model_id.clone(),
            feature_spec: spec.clone(),
            feature_spec_hash: spec.hash(),
            detector: learnt.detector.parameters(),
            standardisation: learnt.standardisation,
            calibration: learnt.calibration,
            drift_reference,
            learned: Some(learned),
            channels: options.channels.clone(),
            channel_normals,
            training: TrainingSummary {
                fingerprint: fingerprint(clips),
                clips: clips.len(),
                fitted_clips: split.model.len(),
                left_out: self.left_out.clone(),
                vectors: clips
                    .iter()
                    .flat_map(|clip| &clip.channels)
                    .map(|channel| vectors::count(channel.nrows(), spec.frames))
                    .sum(),
                seconds: (rows_of_first_channels * spec.hop_length) as f64 / f64::from(spec.sample_rate_hz),
                hold_out: split.hold_out,
                network: learnt.network,
                seed: options.seed,
            },
            weights_sha256: String::new(),
            created_at: options.created_at,
            software: concat!("auscult ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        ModelPackage::new(manifest, learnt.detector, channel_weights)
    }
}

/// Each clip's mean level by mel band, dB, `[clips][mels]`. For dissimilar channels, as if the clip had all of them.
fn levels_of(clips: &[TrainingClip], normals: &[ChannelNormal], mels: usize) -> Vec<Vec<f64>> {
    let mut levels = clip_band_levels(clips, mels);
    if !normals.is_empty() {
        let all = mean_of(normals, mels);
        for (clip, levels) in clips.iter().zip(&mut levels) {
            let own = (0..clip.channels.len()).map(|place| clip.number_of(place));
            let own: Vec<&ChannelNormal> =
                own.filter_map(|number| normals.iter().find(|normal| normal.channel == number)).collect();
            if !own.is_empty() {
                let of_own = mean_of(own, mels);
                levels.iter_mut().zip(all.iter().zip(of_own)).for_each(|(level, (all, own))| *level += all - own);
            }
        }
    }
    levels
}

fn check_options(options: &TrainingOptions) -> Result<(), DetectionError> {
    options.spec.validate().map_err(|error| DetectionError::InvalidOptions(error.to_string()))?;
    let hold_out_holds = match options.hold_out {
        HoldOut::Auto => true,
        HoldOut::Folds(folds) => folds >= 2,
        HoldOut::Share(share) => share > 0.0 && share < 1.0,
    };
    let checks = [
        (options.epochs >= 1, "epochs must be at least 1"),
        (options.batch_size >= 1, "batch_size must be at least 1"),
        (options.learning_rate > 0.0 && options.learning_rate < 1.0, "learning_rate must lie between 0 and 1"),
        (
            options.false_alarm_rate > 0.0 && options.false_alarm_rate <= 0.5,
            "false_alarm_rate must lie above 0 and not above 0.5",
        ),
        (hold_out_holds, "hold_out must be at least 2 folds or a share between 0 and 1"),
        (options.hidden.iter().all(|width| *width >= 1), "hidden layers must be at least 1 wide"),
    ];
    let faults: Vec<&str> = checks.iter().filter(|(holds, _)| !holds).map(|(_, fault)| *fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(DetectionError::InvalidOptions(faults.join("; "))) }
}

fn check_clips(clips: &[TrainingClip], options: &TrainingOptions) -> Result<(), DetectionError> {
    clips.iter().try_for_each(|clip| check_clip(clip, options))?;
    options.at_rest.iter().try_for_each(|clip| check_clip(clip, options))
}

fn check_clip(clip: &TrainingClip, options: &TrainingOptions) -> Result<(), DetectionError> {
    let spec = &options.spec;
    let least_frames = options.detector.least_frames(spec);
    let refused = |reason: String| Err(DetectionError::TrainingClip { name: clip.name.clone(), reason });
    if clip.channels.is_empty() {
        return refused("it has no channel".to_owned());
    }
    for channel in &clip.channels {
        let (rows, mels) = channel.dim();
        if mels != spec.n_mels {
            return refused(format!("it has {mels} mel bands, the feature spec {}", spec.n_mels));
        }
        if rows < least_frames {
            return refused(format!(
                "its {rows} frames are fewer than the {least_frames} that the detector sees at a time"
            ));
        }
        if !channel.iter().all(|value| value.is_finite()) {
            return refused("a level is not a finite number".to_owned());
        }
    }
    Ok(())
}
