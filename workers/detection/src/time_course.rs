//! When within a clip it deviates: its deviation, cut into at most twenty slices of time.
//!
//! Of a detector of levels a slice's part is how far its level in each band is from that of the training sound,
//! squared, where it lies on the same side as the clip as a whole. Two things keep normal sound from passing for an
//! event. A band counts by how far the whole clip deviates in it; and what a slice differs by anyway, for most machines
//! have a rhythm, is taken off: the variance of the clip's own slices around their median, by their median absolute
//! deviation, which an event in less than half of them leaves alone.
//!
//! Of a network a slice's part is its reconstruction error beyond that of held-out normal sound.

use std::ops::Range;

use auscult_schemas::{FeatureSpec, TimeCourse};

use crate::calibration::quantile;
use crate::clip::ClipView;
use crate::{Calibration, vectors};

/// No band is taken to vary less than that on normal sound, dB².
const LEAST_VARIANCE_DB2: f64 = 1e-4;

/// Vectors of each slice of a clip of so many frames.
pub(crate) fn slices(frames: usize, spec: &FeatureSpec) -> Vec<Range<usize>> {
    let count = vectors::count(frames, spec.frames);
    let slices = TimeCourse::MAX_SLICES.min(count);
    (0..slices).map(|slice| slice * count / slices..(slice + 1) * count / slices).collect()
}

/// Of a detector of levels. `normals_db` are each channel's mean level by band in the training sound, dB,
/// `[channels][mels]`.
pub(crate) fn of_levels(
    clip: &ClipView<'_>,
    normals_db: &[&[f64]],
    calibration: &Calibration,
    spec: &FeatureSpec,
) -> Option<TimeCourse> {
    let ClipView { frames, mels, values, .. } = *clip;
    let slices = slices(frames, spec);
    let mut parts = vec![0.0; slices.len()];
    for (channel, normal_db) in values.chunks_exact(frames * mels).zip(normals_db) {
        // The last slice takes the rows that only its last vector reaches into.
        let rows = |slice: usize| {
            let end = if slice + 1 == slices.len() { frames } else { slices[slice].end };
            slices[slice].start..end
        };
        let changes: Vec<Vec<f64>> = (0..slices.len())
            .map(|slice| {
                let rows = rows(slice);
                let mut change = vec![0.0; mels];
                for row in channel[rows.start * mels..rows.end * mels].chunks_exact(mels) {
                    for ((sum, level), normal) in change.iter_mut().zip(row).zip(*normal_db) {
                        *sum += (f64::from(*level) - normal) / rows.len() as f64;
                    }
                }
                change
            })
            .collect();
        for (band, normal_db2) in calibration.band_error_mean_db2.iter().enumerate() {
            let levels: Vec<f64> = changes.iter().map(|slice| slice[band]).collect();
            let lengths = (0..slices.len()).map(|slice| rows(slice).len() as f64 / frames as f64);
            let whole: f64 = levels.iter().zip(lengths).map(|(level, length)| level * length).sum();
            let weight = whole * whole / normal_db2.max(LEAST_VARIANCE_DB2);
            let usual = usual_variance(&levels);
            for (slice, part) in parts.iter_mut().enumerate() {
                let level = if levels[slice] * whole > 0.0 { levels[slice] } else { 0.0 };
                *part += weight * (level * level - usual).max(0.0) * rows(slice).len() as f64;
            }
        }
    }
    of_parts(parts, frames, spec)
}

/// Variance around the median, of which outliers in less than half of the values make nothing: `(1.4826 · MAD)²`, as
/// for normal ones.
fn usual_variance(values: &[f64]) -> f64 {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        quantile(&values, 0.5)
    };
    let middle = median(values.to_vec());
    (1.4826 * median(values.iter().map(|value| (value - middle).abs()).collect())).powi(2)
}

/// Of a network: `errors_db2` is each slice's mean squared error, dB², of every channel, one channel after the other.
pub(crate) fn of_errors(
    errors_db2: &[f64],
    frames: usize,
    calibration: &Calibration,
    spec: &FeatureSpec,
) -> Option<TimeCourse> {
    let slices = slices(frames, spec);
    let bands = &calibration.band_error_mean_db2;
    let normal_db2 = bands.iter().sum::<f64>() / bands.len().max(1) as f64;
    let mut parts = vec![0.0; slices.len()];
    for channel in errors_db2.chunks_exact(slices.len()) {
        for ((part, error), slice) in parts.iter_mut().zip(channel).zip(&slices) {
            *part += (error - normal_db2) * slice.len() as f64;
        }
    }
    of_parts(parts, frames, spec)
}

/// `None` where no slice deviates.
fn of_parts(mut parts: Vec<f64>, frames: usize, spec: &FeatureSpec) -> Option<TimeCourse> {
    parts.iter_mut().for_each(|part| *part = part.max(0.0));
    let whole: f64 = parts.iter().sum();
    if !(whole > 0.0 && whole.is_finite()) {
        return None;
    }
    let seconds = (frames * spec.hop_length) as f64 / f64::from(spec.sample_rate_hz);
    let slice_s = seconds / parts.len() as f64;
    Some(TimeCourse { slice_s, shares: parts.into_iter().map(|part| part / whole).collect() })
}

/// The shortest stretch that holds more than half of the deviation, s from the clip's beginning, where it is a quarter
/// of the clip or less: a longer one says nothing.
#[must_use]
pub fn most_of_it(course: &TimeCourse) -> Option<Range<f64>> {
    let shares = &course.shares;
    let longest = shares.len() / 4;
    let holds_most = |first: usize, length: usize| shares[first..first + length].iter().sum::<f64>() > 0.5;
    for length in 1..=longest {
        let most = (0..=shares.len() - length).find(|first| holds_most(*first, length));
        if let Some(first) = most {
            return Some(first as f64 * course.slice_s..(first + length) as f64 * course.slice_s);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slices_of_a_clip_are_all_its_vectors_and_at_most_twenty() {
        let spec = FeatureSpec::default();
        for frames in [5, 6, 24, 25, 100, 313] {
            let slices = slices(frames, &spec);
            assert_eq!(slices.len(), 20.min(frames - 4), "{frames}");
            assert_eq!((slices[0].start, slices[slices.len() - 1].end), (0, frames - 4), "{frames}");
            assert!(slices.windows(2).all(|pair| pair[0].end == pair[1].start), "{frames}");
            assert!(slices.iter().all(|slice| !slice.is_empty()), "{frames}");
        }
    }

    #[test]
    fn the_shortest_stretch_with_more_than_half_of_it_is_named_unless_it_is_long() {
        let course = |shares: &[f64]| TimeCourse { slice_s: 0.5, shares: shares.to_vec() };
        let mut event = [0.02; 20];
        (event[6], event[7]) = (0.4, 0.24);
        assert_eq!(most_of_it(&course(&event)), Some(3.0..4.0));
        assert_eq!(most_of_it(&course(&[0.05; 20])), None, "as much everywhere");
        assert_eq!(most_of_it(&course(&[0.9, 0.1])), None, "half of a clip is no point in time");
        assert_eq!(most_of_it(&course(&[])), None);
    }
}
