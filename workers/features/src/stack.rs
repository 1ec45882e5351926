//! Stacked frames: what the reference method's detector sees at once.

use ndarray::{Array2, ArrayView2};

use crate::FeatureError;

/// Stacks `frames` consecutive frames into one vector: `[frames_in_clip, mels]` to
/// `[frames_in_clip - frames + 1, frames * mels]`, where row `t` is `log_mel[t], log_mel[t + 1], …` one after the other
/// (the DCASE and MIMII baselines' order).
///
/// The rows overlap, so they are copied: a view that visits the same element twice is not one that ndarray builds
/// without `unsafe`.
///
/// # Errors
/// [`FeatureError::TooFewFrames`] when there are fewer than `frames`, or `frames` is 0.
pub fn stack_frames(log_mel: ArrayView2<'_, f32>, frames: usize) -> Result<Array2<f32>, FeatureError> {
    let (available, mels) = log_mel.dim();
    if frames == 0 || available < frames {
        return Err(FeatureError::TooFewFrames { available, wanted: frames });
    }
    let vectors = available - frames + 1;
    let contiguous = log_mel.as_standard_layout();
    let values = contiguous.as_slice().expect("the standard layout is contiguous");
    let mut stacked = Vec::with_capacity(vectors * frames * mels);
    for first in 0..vectors {
        stacked.extend_from_slice(&values[first * mels..(first + frames) * mels]);
    }
    Ok(Array2::from_shape_vec((vectors, frames * mels), stacked).expect("every vector has frames * mels values"))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn row_t_is_the_frames_from_t_on_one_after_the_other() {
        let log_mel = Array2::from_shape_fn((7, 3), |(frame, mel)| (10 * frame + mel) as f32);
        let stacked = stack_frames(log_mel.view(), 5).unwrap();
        assert_eq!(stacked.dim(), (3, 15));
        for ((row, column), &value) in stacked.indexed_iter() {
            assert_eq!(value, log_mel[[row + column / 3, column % 3]]);
        }
    }

    #[test]
    fn a_transposed_spectrogram_stacks_like_its_copy() {
        let transposed = Array2::from_shape_fn((3, 7), |(mel, frame)| (10 * frame + mel) as f32);
        let copy = transposed.t().as_standard_layout().into_owned();
        assert_eq!(stack_frames(transposed.t(), 2).unwrap(), stack_frames(copy.view(), 2).unwrap());
    }

    #[test]
    fn too_few_frames_are_refused() {
        let log_mel = Array2::zeros((4, 3));
        assert!(matches!(stack_frames(log_mel.view(), 5), Err(FeatureError::TooFewFrames { available: 4, wanted: 5 })));
        assert!(stack_frames(log_mel.view(), 0).is_err());
    }
}
