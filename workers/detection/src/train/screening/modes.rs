//! Finds clips that differ from the others but are similar to each other: another operating mode of the machine.

use ndarray::{Array1, Axis};

use super::stacked;
use crate::DetectionError;
use crate::fused::{ClipVectors, Mahalanobis};

/// Minimum share of all clips in a mode: a smaller group may be one fault that was recorded several times.
const LEAST_SHARE: f64 = 0.1;
/// Clips of one mode deviate in the same direction: minimum cosine of their whitened deviations.
const LEAST_COSINE: f64 = 0.6;

/// Groups among the apparently foreign clips, largest first.
pub(super) fn modes(level: &ClipVectors, core: &[bool], foreign: &[bool]) -> Result<Vec<Vec<usize>>, DetectionError> {
    let least = (LEAST_SHARE * core.len() as f64).ceil() as usize;
    let mut left: Vec<usize> = (0..foreign.len()).filter(|clip| foreign[*clip]).collect();
    let mut modes = Vec::new();
    if left.len() < least.max(2) {
        return Ok(modes);
    }
    let distance = Mahalanobis::fit(&stacked(&level.vectors, |clip| core[clip]))?;
    let deviation = |clip: usize| -> Array1<f64> {
        distance.scaled(level.vectors[clip].mean_axis(Axis(0)).expect("a clip has a channel").view())
    };
    let deviations: Vec<(usize, Array1<f64>)> = left.iter().map(|clip| (*clip, deviation(*clip))).collect();
    let of = |clip: usize| &deviations.iter().find(|(other, _)| *other == clip).expect("each has one").1;
    let cosine = |one: usize, other: usize| {
        let product = |a: &Array1<f64>, b: &Array1<f64>| a.dot(&distance.precision.dot(b));
        let (a, b) = (of(one), of(other));
        product(a, b) / (product(a, a) * product(b, b)).sqrt().max(f64::MIN_POSITIVE)
    };
    loop {
        let alike = |clip: usize| -> Vec<usize> {
            left.iter().copied().filter(|other| cosine(clip, *other) >= LEAST_COSINE).collect()
        };
        let Some(mode) = left.iter().map(|clip| alike(*clip)).max_by_key(Vec::len).filter(|mode| mode.len() >= least)
        else {
            return Ok(modes);
        };
        left.retain(|clip| !mode.contains(clip));
        modes.push(mode);
    }
}
