//! A part's way of looking at a spectrogram, with what it had to learn for it.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::cycle::Cycle;
use super::pooling::{Pooling, level, moment, swing, wide_len};

/// From a spectrogram to a vector.
#[derive(Debug, Clone, PartialEq)]
pub enum FittedPooling {
    /// [`Pooling::Level`].
    Level,
    /// [`Pooling::Swing`].
    Swing,
    /// [`Pooling::Cycle`], for a machine that has one.
    Cycle(Cycle),
    /// [`Pooling::Moment`].
    Moment,
}

impl FittedPooling {
    /// Its kind.
    #[must_use]
    pub fn pooling(&self) -> Pooling {
        match self {
            Self::Level => Pooling::Level,
            Self::Swing => Pooling::Swing,
            Self::Cycle(_) => Pooling::Cycle,
            Self::Moment => Pooling::Moment,
        }
    }

    /// Length of the vector for spectrograms of so many mel bands.
    #[must_use]
    pub fn pooled_len(&self, mels: usize) -> usize {
        match self {
            Self::Level => mels,
            Self::Swing | Self::Moment => wide_len(mels),
            Self::Cycle(cycle) => cycle.pooled_len(),
        }
    }

    /// The vector of a spectrogram, `[frames, mels]`, dB.
    #[must_use]
    pub fn pool(&self, spectrogram: ArrayView2<'_, f32>) -> Array1<f64> {
        match self {
            Self::Level => level(spectrogram),
            Self::Swing => swing(spectrogram),
            Self::Cycle(cycle) => cycle.pool(spectrogram),
            Self::Moment => moment(spectrogram),
        }
    }

    /// The vectors of a clip's channels, `[channels, n]`.
    pub(super) fn pool_channels(&self, channels: &[ArrayView2<'_, f32>]) -> Array2<f64> {
        let rows: Vec<Array1<f64>> = channels.iter().map(|channel| self.pool(*channel)).collect();
        let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
        ndarray::stack(Axis(0), &views).expect("vectors of one pooling are equally long, and a clip has a channel")
    }
}
