//! Unlike channels: each has a detector of its own, and counts by how steady its normal sound is.

use serde::{Deserialize, Serialize};

use crate::parameters::DetectorParameters;

/// One channel's own normal, in the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelNormal {
    /// The clip's channel, counted from 0.
    pub channel: usize,
    /// Its detector; the tensors' names begin with `channels.NN.`.
    pub detector: DetectorParameters,
    /// What its score counts beside the others': one over the variance of its level from clip to clip, 1/dB².
    pub weight: f64,
    /// Mean level of each mel band over its training clips, dB, `[mels]`.
    pub mean_band_levels_db: Vec<f64>,
}

/// A clip's score from its channels' weights and scores, each about 1 for normal sound: the root of the weighted mean
/// square. A mean of logarithms would let a normal channel hide what an anomalous one hears.
pub(crate) fn combined(channels: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (weights, squares) = channels
        .fold((0.0, 0.0), |(weights, squares), (weight, score)| (weights + weight, squares + weight * score * score));
    (squares / weights).sqrt()
}

/// Weighted mean over channels of values by mel band, `[mels]`.
pub(crate) fn weighted_mean<'a>(channels: impl Iterator<Item = (f64, &'a [f64])>, mels: usize) -> Vec<f64> {
    let mut sums = vec![0.0; mels];
    let mut weights = 0.0;
    for (weight, values) in channels {
        weights += weight;
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
    }
    sums.into_iter().map(|sum| sum / weights).collect()
}

/// Mean over channels of their mean levels by mel band, dB, `[mels]`.
pub(crate) fn mean_of<'a>(normals: impl IntoIterator<Item = &'a ChannelNormal>, mels: usize) -> Vec<f64> {
    weighted_mean(normals.into_iter().map(|normal| (1.0, normal.mean_band_levels_db.as_slice())), mels)
}
