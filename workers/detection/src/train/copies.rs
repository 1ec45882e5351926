//! Finds copies of a recording, under another name or in another format.

use ndarray::Array2;

use crate::training::TrainingClip;

/// Maximum difference of copies' mean levels in any band, dB: the effect of another bit depth, or of a lossless format.
const LEVEL_DB: f32 = 0.05;
/// Maximum root mean square difference of copies over all frames and bands, dB. Two recordings of one steady sound
/// differ by some dB.
const FRAMES_DB: f64 = 0.1;

/// For each clip, the first one that it is a copy of.
pub(super) fn copies(clips: &[TrainingClip]) -> Vec<Option<usize>> {
    let levels: Vec<Vec<f32>> = clips.iter().map(mean_levels).collect();
    let mut copies: Vec<Option<usize>> = vec![None; clips.len()];
    for clip in 1..clips.len() {
        let is_copy = |other: &usize| {
            copies[*other].is_none()
                && near(&levels[*other], &levels[clip])
                && same_channels(&clips[*other].channels, &clips[clip].channels)
        };
        copies[clip] = (0..clip).find(is_copy);
    }
    copies
}

fn mean_levels(clip: &TrainingClip) -> Vec<f32> {
    let of_channel = |channel: &Array2<f32>| {
        let rows = channel.nrows() as f32;
        channel.columns().into_iter().map(|band| band.sum() / rows).collect::<Vec<f32>>()
    };
    clip.channels.iter().flat_map(of_channel).collect()
}

fn near(one: &[f32], other: &[f32]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| (a - b).abs() < LEVEL_DB)
}

fn same_channels(one: &[Array2<f32>], other: &[Array2<f32>]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(a, b)| {
            let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
            a.dim() == b.dim() && a.iter().zip(b).map(square).sum::<f64>() <= FRAMES_DB.powi(2) * a.len() as f64
        })
}
