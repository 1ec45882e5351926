//! The engine of any candle device: one product a layer over all vectors of a pass.

use candle_core::{Device, Tensor};

use super::{Folded, Segment, Sums, Whitening};
use crate::standardisation::Standardisation;
use crate::{Autoencoder, DetectionError, vectors};

/// Vectors of one pass: with 320 inputs about 250 MB of activations. More are taken in several passes.
const MAX_VECTORS: usize = 65_536;

pub(crate) struct TensorNetwork {
    folded: Folded,
    /// Each layer's weight `[inputs, outputs]` and bias `[outputs]` on the device.
    layers: Vec<(Tensor, Tensor)>,
    /// Whitening matrices, transposed, `[frames · mels, frames · mels]`, on the device.
    whitenings: Vec<Tensor>,
    device: Device,
    mels: usize,
    frames: usize,
}

impl TensorNetwork {
    pub(crate) fn new(
        network: &Autoencoder,
        standardisation: Option<&Standardisation>,
        mels: usize,
        frames: usize,
        device: &Device,
    ) -> Result<Self, DetectionError> {
        let folded = Folded::new(network, standardisation, mels);
        let mut layers = Vec::with_capacity(folded.layers.len());
        for layer in &folded.layers {
            let (outputs, inputs) = layer.weight.dim();
            let weight = Tensor::from_iter(layer.weight.t().iter().copied(), device)?.reshape((inputs, outputs))?;
            layers.push((weight, Tensor::from_iter(layer.bias.iter().copied(), device)?));
        }
        Ok(Self { folded, layers, whitenings: Vec::new(), device: device.clone(), mels, frames })
    }

    /// The same network, which also measures its errors by these.
    pub(crate) fn with_whitenings(mut self, whitenings: &[Whitening]) -> Result<Self, DetectionError> {
        for Whitening { matrix } in whitenings {
            self.whitenings.push(Tensor::from_iter(matrix.t().iter().copied(), &self.device)?.reshape(matrix.dim())?);
        }
        Ok(self)
    }

    /// Each segment's squared error by mel band, and its distances.
    pub(crate) fn sums(&self, segments: &[Segment<'_>]) -> Result<Vec<Sums>, DetectionError> {
        let mut by_segment = vec![Sums::zero(self.mels, self.whitenings.len()); segments.len()];
        // The next pass's rows, and which segment each of its vectors belongs to.
        let mut pass = Pass::default();
        for (index, segment) in segments.iter().enumerate() {
            let vectors = vectors::count(segment.len() / self.mels, self.frames);
            let mut first = 0;
            while first < vectors {
                let end = vectors.min(first + MAX_VECTORS - pass.owners.len());
                let part = &segment[first * self.mels..(end + self.frames - 1) * self.mels];
                pass.push(part, index, self);
                first = end;
                if pass.owners.len() == MAX_VECTORS {
                    self.run(&pass, &mut by_segment)?;
                    pass = Pass::default();
                }
            }
        }
        self.run(&pass, &mut by_segment)?;
        Ok(by_segment)
    }

    fn run(&self, pass: &Pass, by_segment: &mut [Sums]) -> Result<(), DetectionError> {
        let vectors = pass.owners.len();
        if vectors == 0 {
            return Ok(());
        }
        // Rows travel once; the overlapping vectors are gathered on the device.
        let rows = Tensor::from_slice(&pass.rows, (pass.rows.len() / self.mels, self.mels), &self.device)?;
        let row_numbers = Tensor::from_slice(&pass.row_numbers, pass.row_numbers.len(), &self.device)?;
        let input = rows.index_select(&row_numbers, 0)?.reshape((vectors, self.frames * self.mels))?;
        let mut activation = input.clone();
        for (index, (weight, bias)) in self.layers.iter().enumerate() {
            activation = activation.matmul(weight)?.broadcast_add(bias)?;
            if index + 1 < self.layers.len() {
                activation = activation.relu()?;
            }
        }
        let errors = (activation - input)?;
        let squares = errors.sqr()?.reshape((vectors, self.frames, self.mels))?.sum(1)?;
        let squares = squares.flatten_all()?.to_vec1::<f32>()?;
        for (row, segment) in squares.chunks_exact(self.mels).zip(&pass.owners) {
            for (sum, error) in by_segment[*segment].band_errors.iter_mut().zip(row) {
                *sum += f64::from(*error);
            }
        }
        for (index, whitening) in self.whitenings.iter().enumerate() {
            let distances = errors.matmul(whitening)?.sqr()?.mean(1)?.sqrt()?.to_vec1::<f32>()?;
            for (distance, segment) in distances.iter().zip(&pass.owners) {
                by_segment[*segment].distances[index] += f64::from(*distance);
            }
        }
        Ok(())
    }
}

/// The vectors of one pass.
#[derive(Default)]
struct Pass {
    /// Centred spectrogram rows.
    rows: Vec<f32>,
    /// For each vector, the rows that it stacks.
    row_numbers: Vec<u32>,
    /// For each vector, its segment.
    owners: Vec<usize>,
}

impl Pass {
    fn push(&mut self, part: &[f32], segment: usize, network: &TensorNetwork) {
        let first_row = self.rows.len() / network.mels;
        let vectors = vectors::count(part.len() / network.mels, network.frames);
        self.rows.extend(network.folded.centred(part));
        for vector in 0..vectors {
            let start = (first_row + vector) as u32;
            self.row_numbers.extend(start..start + network.frames as u32);
        }
        self.owners.extend(std::iter::repeat_n(segment, vectors));
    }
}
