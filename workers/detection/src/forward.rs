//! The forward pass with the error in the same sweep: clips in, squared error of every mel band out.
//!
//! Two engines give the same numbers. On the CPU, blocks of vectors go through all layers while they lie in the cache,
//! the input is a view on the overlapping slices of the spectrogram, bias and ReLU are one pass, and the output is
//! compared with its input while it is hot. On a GPU, candle runs each layer over all vectors at once.

mod cpu;
mod tensor;
mod whitening;

pub(crate) use cpu::CpuNetwork;
pub(crate) use tensor::TensorNetwork;
pub use whitening::Whitening;
pub(crate) use whitening::{ErrorCorrelation, ErrorMoments};

use crate::Autoencoder;
use crate::standardisation::Standardisation;

/// One microphone's spectrogram, `[rows, mels]`, dB.
pub(crate) type Segment<'a> = &'a [f32];

/// Sum over all vectors and their stacked frames of each mel band's squared error, dB², `[mels]`.
pub(crate) type BandErrors = Vec<f64>;

/// What a pass makes of one segment, summed over its vectors.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sums {
    pub band_errors: BandErrors,
    /// Mahalanobis distance of the reconstruction's error, one sum for each whitening.
    pub distances: Vec<f64>,
}

impl Sums {
    fn zero(mels: usize, whitenings: usize) -> Self {
        Self { band_errors: vec![0.0; mels], distances: vec![0.0; whitenings] }
    }

    fn add(&mut self, other: &Self) {
        for (sum, error) in self.band_errors.iter_mut().zip(&other.band_errors) {
            *sum += error;
        }
        for (sum, distance) in self.distances.iter_mut().zip(&other.distances) {
            *sum += distance;
        }
    }
}

/// A network that takes centred decibels: standardisation's division is folded into the first layer and its inverse
/// into the last, so that input, output and error are all in dB.
struct Folded {
    /// What is subtracted from each mel band before the first layer, dB.
    mean_db: Vec<f32>,
    layers: Vec<crate::Dense>,
}

impl Folded {
    fn new(network: &Autoencoder, standardisation: Option<&Standardisation>, mels: usize) -> Self {
        let mut layers = network.layers.clone();
        let Some(standardisation) = standardisation else {
            return Self { mean_db: vec![0.0; mels], layers };
        };
        let deviation = standardisation.deviation_db;
        if let Some(first) = layers.first_mut() {
            first.weight.mapv_inplace(|weight| weight / deviation);
        }
        if let Some(last) = layers.last_mut() {
            last.weight.mapv_inplace(|weight| weight * deviation);
            last.bias.mapv_inplace(|bias| bias * deviation);
        }
        Self { mean_db: standardisation.mean_db.clone(), layers }
    }

    fn centred(&self, segment: Segment<'_>) -> impl Iterator<Item = f32> {
        let mean_db = &self.mean_db;
        segment
            .chunks_exact(mean_db.len())
            .flat_map(move |row| row.iter().zip(mean_db).map(|(value, mean)| value - mean))
    }
}
