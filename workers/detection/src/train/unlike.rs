//! Detects whether a machine's microphones are similar, and trains a detector for each one if they are not.
//!
//! A shared detector for a microphone at the machine and one across the hall has the spread of the worse one, and
//! misses what the near one detects. If the microphones are similar, a shared detector has more training clips.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::corpus::mean_band_levels;
use crate::calibration::quantile;
use crate::channel_normals::{ChannelNormal, combined, weighted_mean};
use crate::detector::{Training, Weights};
use crate::examined::Examined;
use crate::parameters::DetectorKind;
use crate::training::{Split, TrainingClip, TrainingEvent, TrainingOptions};
use crate::{Calibration, DetectionError};

/// Minimum number of clips; with fewer, a channel's own detector and the comparison of channels would be unreliable.
const LEAST_CLIPS: usize = 20;
/// Channels differ if their mean levels differ by more than this share of the variance between clips. For twenty clips
/// of similar channels, 0.05 occurs by chance.
const UNLIKE_MEANS: f64 = 0.15;
/// Channels also differ if the standard deviations of their levels differ by this factor.
const UNLIKE_SPREADS: f64 = 2.0;
/// Minimum standard deviation of a channel, dB: a microphone without any signal is constant, too.
const LEAST_SPREAD_DB: f64 = 1.0;

/// The detectors of dissimilar channels, and the calibration of their combined scores.
pub(super) struct OwnNormals {
    pub normals: Vec<ChannelNormal>,
    pub weights: Vec<Weights>,
    pub calibration: Calibration,
}

/// One channel's clips.
struct OfChannel {
    number: usize,
    /// Indices of its clips among the training clips, ascending.
    places: Vec<usize>,
    /// With this channel only.
    clips: Vec<TrainingClip>,
    /// Mean over the clips of the mean level by mel band, dB, `[mels]`.
    mean_db: Vec<f64>,
    /// The clips' variance around it, dB², `[mels]`.
    variance_db2: Vec<f64>,
}

/// A detector for each channel; `None` if the channels are similar, the clips are too few to decide, or the detector is
/// a network.
pub(super) fn own_normals(
    clips: &[TrainingClip],
    options: &TrainingOptions,
    split: &Split,
    observe: &mut dyn FnMut(TrainingEvent) -> ControlFlow<()>,
) -> Result<Option<OwnNormals>, DetectionError> {
    let has_own =
        matches!(options.detector, DetectorKind::Fused | DetectorKind::Pooled | DetectorKind::Gmm | DetectorKind::Knn);
    if !has_own || clips.iter().all(|clip| clip.channels.len() == 1 && clip.number_of(0) == 0) {
        return Ok(None);
    }
    let channels = by_channel(clips, options.spec.n_mels);
    if channels.len() < 2 || channels.iter().any(|channel| channel.places.len() < LEAST_CLIPS) || !are_unlike(&channels)
    {
        return Ok(None);
    }
    let (mut normals, mut weights) = (Vec::new(), Vec::new());
    let mut heard: BTreeMap<usize, Vec<(f64, Examined)>> = BTreeMap::new();
    for channel in channels {
        let of_channel = split.of_places(&channel.places);
        let held_out = of_channel.held_out_in_order();
        if of_channel.folds.len() == 1 || held_out.is_empty() {
            return Ok(None);
        }
        let learnt =
            options.detector.fit(&Training { clips: &channel.clips, options, split: &of_channel }, &mut *observe)?;
        let weight = channel.weight();
        for (place, examined) in held_out.into_iter().zip(learnt.held_out) {
            heard.entry(channel.places[place]).or_default().push((weight, examined));
        }
        normals.push(ChannelNormal {
            channel: channel.number,
            detector: learnt.detector.parameters(),
            weight,
            mean_band_levels_db: channel.mean_db,
        });
        weights.push(learnt.detector);
    }
    let scores = heard.values().map(|channels| combined(channels.iter().map(|(weight, of)| (*weight, of.score))));
    let errors = heard.values().map(|channels| {
        weighted_mean(channels.iter().map(|(weight, of)| (*weight, of.band_errors.as_slice())), options.spec.n_mels)
    });
    let recordings = Split::recordings_of(clips, &heard.keys().copied().collect::<Vec<_>>());
    let errors: Vec<Vec<f64>> = errors.collect();
    let calibration = Calibration::of_recordings(scores.collect(), &recordings, &errors, options.false_alarm_rate)?;
    Ok(Some(OwnNormals { normals, weights, calibration }))
}

/// The clips of one of several dissimilar channels.
pub(super) struct ChannelClips {
    /// Indices of its clips among all clips, ascending.
    pub places: Vec<usize>,
    /// With this channel only.
    pub clips: Vec<TrainingClip>,
}

/// The channels that need separate detectors; `None` if they are similar, or the clips are too few to decide.
pub(super) fn unlike_channels(clips: &[TrainingClip], mels: usize) -> Option<Vec<ChannelClips>> {
    if clips.iter().all(|clip| clip.channels.len() == 1 && clip.number_of(0) == 0) {
        return None;
    }
    let channels = by_channel(clips, mels);
    let is_enough = channels.len() >= 2 && channels.iter().all(|channel| channel.places.len() >= LEAST_CLIPS);
    if !is_enough || !are_unlike(&channels) {
        return None;
    }
    Some(channels.into_iter().map(|OfChannel { places, clips, .. }| ChannelClips { places, clips }).collect())
}

fn by_channel(clips: &[TrainingClip], mels: usize) -> Vec<OfChannel> {
    let numbers: BTreeSet<usize> =
        clips.iter().flat_map(|clip| (0..clip.channels.len()).map(|place| clip.number_of(place))).collect();
    numbers.into_iter().map(|number| OfChannel::of(number, clips, mels)).collect()
}

impl OfChannel {
    fn of(number: usize, clips: &[TrainingClip], mels: usize) -> Self {
        let (mut places, mut own) = (Vec::new(), Vec::new());
        for (place, clip) in clips.iter().enumerate() {
            let at = (0..clip.channels.len()).find(|at| clip.number_of(*at) == number);
            if let Some(at) = at {
                places.push(place);
                let channels = vec![clip.channels[at].clone()];
                own.push(TrainingClip { channels, numbers: vec![number], ..clip.with_no_channel() });
            }
        }
        let levels: Vec<Vec<f64>> = own.iter().map(|clip| mean_band_levels(std::slice::from_ref(clip), mels)).collect();
        let count = levels.len() as f64;
        let mean_db: Vec<f64> =
            (0..mels).map(|band| levels.iter().map(|clip| clip[band]).sum::<f64>() / count).collect();
        let variance_of = |band: usize| levels.iter().map(|clip| (clip[band] - mean_db[band]).powi(2)).sum::<f64>();
        let variance_db2 = (0..mels).map(|band| variance_of(band) / count).collect();
        Self { number, places, clips: own, mean_db, variance_db2 }
    }

    /// Standard deviation of the level between clips, median over bands, dB.
    fn spread_db(&self) -> f64 {
        let mut variances = self.variance_db2.clone();
        variances.sort_by(f64::total_cmp);
        quantile(&variances, 0.5).sqrt()
    }

    fn weight(&self) -> f64 {
        self.spread_db().max(LEAST_SPREAD_DB).powi(-2)
    }
}

fn are_unlike(channels: &[OfChannel]) -> bool {
    let (count, mels) = (channels.len() as f64, channels[0].mean_db.len());
    let (mut between, mut within) = (0.0, 0.0);
    for band in 0..mels {
        let mean = channels.iter().map(|channel| channel.mean_db[band]).sum::<f64>() / count;
        between += channels.iter().map(|channel| (channel.mean_db[band] - mean).powi(2)).sum::<f64>() / count;
        within += channels.iter().map(|channel| channel.variance_db2[band]).sum::<f64>() / count;
    }
    let spreads = channels.iter().map(|channel| channel.spread_db().max(LEAST_SPREAD_DB));
    let (least, most) =
        spreads.fold((f64::INFINITY, 0.0), |(least, most), spread| (f64::min(least, spread), f64::max(most, spread)));
    between > UNLIKE_MEANS * within || most > UNLIKE_SPREADS * least
}
