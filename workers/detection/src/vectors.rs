//! A spectrogram's stacked vectors: `frames` consecutive rows of a `[frames, mels]` log-mel, one after the other.
//!
//! Because the rows lie behind one another in memory, vector `t` is the contiguous slice that begins with row `t`, and
//! neighbouring vectors overlap. Nothing has to be copied to see the whole `[vectors, frames * mels]` matrix.

use ndarray::{ArrayView2, ShapeBuilder};

/// How many stacked vectors a spectrogram of `rows` frames has.
#[must_use]
pub fn count(rows: usize, frames: usize) -> usize {
    (rows + 1).saturating_sub(frames)
}

/// The matrix of all stacked vectors, `[vectors, frames * mels]`, over a row-major `[rows, mels]` spectrogram.
///
/// `spectrogram` must hold whole rows; where there are fewer than `frames` of them the matrix has no rows.
#[must_use]
pub fn view(spectrogram: &[f32], mels: usize, frames: usize) -> ArrayView2<'_, f32> {
    debug_assert_eq!(spectrogram.len() % mels, 0, "whole rows");
    let vectors = count(spectrogram.len() / mels, frames);
    if vectors == 0 {
        return ArrayView2::from_shape((0, frames * mels), &[]).expect("no rows take no values");
    }
    ArrayView2::from_shape((vectors, frames * mels).strides((mels, 1)), spectrogram)
        .expect("the last vector ends with the last row")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_its_frames_one_after_the_other() {
        let spectrogram: Vec<f32> = (0..7 * 3).map(|value| value as f32).collect();
        let matrix = view(&spectrogram, 3, 5);
        assert_eq!(matrix.shape(), [3, 15]);
        for vector in 0..3 {
            for frame in 0..5 {
                for mel in 0..3 {
                    assert_eq!(matrix[[vector, frame * 3 + mel]], spectrogram[(vector + frame) * 3 + mel]);
                }
            }
        }
    }

    #[test]
    fn a_spectrogram_too_short_for_one_vector_has_none() {
        assert_eq!(view(&[0.0; 4 * 3], 3, 5).shape(), [0, 15]);
        assert_eq!(view(&[], 3, 5).shape(), [0, 15]);
        assert_eq!(count(313, 5), 309);
    }
}
