//! Judging by detectors that examine a channel's whole spectrogram by itself: a few sums and dot products each, which
//! no device would make faster.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::{Scorer, geometric_mean};
use crate::DetectionError;
use crate::examined::Examined;
use crate::forward::Segment;
use crate::fused::FusedDetector;
use crate::pooled::{PooledDetector, VectorDistance};

/// What scores and explains one channel's spectrogram, `[frames, mels]`.
pub(super) trait ExaminesSpectrogram: Send + Sync {
    fn examine(&self, spectrogram: ArrayView2<'_, f32>) -> Examined;
}

impl ExaminesSpectrogram for FusedDetector {
    fn examine(&self, spectrogram: ArrayView2<'_, f32>) -> Examined {
        self.examine(spectrogram)
    }
}

impl<D: VectorDistance> ExaminesSpectrogram for PooledDetector<D> {
    fn examine(&self, spectrogram: ArrayView2<'_, f32>) -> Examined {
        self.examine(spectrogram)
    }
}

/// Such a detector at work.
pub(super) struct ChannelScorer<D> {
    pub detector: D,
    pub mels: usize,
}

impl<D: ExaminesSpectrogram> Scorer for ChannelScorer<D> {
    fn examine(&self, channels: &[Segment<'_>]) -> Result<Vec<Examined>, DetectionError> {
        let of_channel = |channel: &Segment<'_>| {
            let spectrogram = ArrayView2::from_shape((channel.len() / self.mels, self.mels), channel);
            self.detector.examine(spectrogram.expect("a checked clip's channel holds whole frames"))
        };
        Ok(channels.par_iter().map(of_channel).collect())
    }

    fn combine(&self, channel_scores: &[f64]) -> f64 {
        // Distances are compared by their ratios.
        geometric_mean(channel_scores)
    }
}
