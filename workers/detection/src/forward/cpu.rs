//! The CPU's engine: matrix products of ndarray, everything else fused around them, blocks in parallel.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis, Slice};
use rayon::prelude::*;

use super::{BandErrors, Folded, Segment};
use crate::{Autoencoder, Standardisation, vectors};

/// Vectors that go through all layers together. Their widest layer (320 wide in the reference method) then takes 400 kB:
/// it stays in the second-level cache until it has been compared with its input.
const BLOCK: usize = 320;

pub(crate) struct CpuNetwork {
    folded: Folded,
    /// Each layer's weights as `[inputs, outputs]`, row-major, as the product wants them.
    weights: Vec<Array2<f32>>,
    mels: usize,
    frames: usize,
}

/// What a thread keeps between blocks: one matrix for each layer's output.
struct Scratch {
    centred: Vec<f32>,
    outputs: Vec<Array2<f32>>,
}

impl CpuNetwork {
    pub(crate) fn new(
        network: &Autoencoder,
        standardisation: Option<&Standardisation>,
        mels: usize,
        frames: usize,
    ) -> Self {
        let folded = Folded::new(network, standardisation, mels);
        let weights = folded.layers.iter().map(|layer| layer.weight.t().as_standard_layout().into_owned()).collect();
        Self { folded, weights, mels, frames }
    }

    /// Each segment's squared error by mel band. A segment's numbers do not depend on what else is in the batch.
    pub(crate) fn band_errors(&self, segments: &[Segment<'_>]) -> Vec<BandErrors> {
        let blocks: Vec<(usize, &[f32])> = segments
            .iter()
            .enumerate()
            .flat_map(|(index, segment)| self.blocks(segment).map(move |block| (index, block)))
            .collect();
        let errors: Vec<BandErrors> = blocks
            .par_iter()
            .map_init(|| self.scratch(), |scratch, (_, block)| self.block_errors(block, scratch))
            .collect();

        let mut by_segment = vec![vec![0.0; self.mels]; segments.len()];
        for ((segment, _), errors) in blocks.iter().zip(&errors) {
            for (sum, error) in by_segment[*segment].iter_mut().zip(errors) {
                *sum += error;
            }
        }
        by_segment
    }

    /// Cuts a segment into spectrograms of about equally many vectors, at most [`BLOCK`]; neighbours share `frames - 1` rows.
    fn blocks<'a>(&self, segment: Segment<'a>) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        let (mels, frames) = (self.mels, self.frames);
        let vectors = vectors::count(segment.len() / mels, frames);
        let blocks = vectors.div_ceil(BLOCK);
        (0..blocks).map(move |block| {
            let first = block * vectors / blocks;
            let end = (block + 1) * vectors / blocks;
            &segment[first * mels..(end + frames - 1) * mels]
        })
    }

    fn scratch(&self) -> Scratch {
        let outputs = self.weights.iter().map(|weight| Array2::zeros((BLOCK, weight.ncols()))).collect();
        Scratch { centred: Vec::with_capacity((BLOCK + self.frames) * self.mels), outputs }
    }

    fn block_errors(&self, block: &[f32], scratch: &mut Scratch) -> BandErrors {
        scratch.centred.clear();
        scratch.centred.extend(self.folded.centred(block));
        let input = vectors::view(&scratch.centred, self.mels, self.frames);
        let first_rows = Slice::from(..input.nrows());

        let last = self.weights.len() - 1;
        for (index, weight) in self.weights.iter().enumerate() {
            let (before, rest) = scratch.outputs.split_at_mut(index);
            let activation: ArrayView2<'_, f32> =
                before.last().map_or(input, |output| output.slice_axis(Axis(0), first_rows));
            let mut product = rest[0].slice_axis_mut(Axis(0), first_rows);
            general_mat_mul(1.0, &activation, weight, 0.0, &mut product);
            if index < last {
                let bias = self.folded.layers[index].bias.as_slice().expect("a bias is contiguous");
                for mut row in product.rows_mut() {
                    let row = row.as_slice_mut().expect("rows are contiguous");
                    for (value, bias) in row.iter_mut().zip(bias) {
                        *value = (*value + bias).max(0.0);
                    }
                }
            }
        }
        self.squared_errors(input, &scratch.outputs[last])
    }

    /// Compares each vector with its reconstruction, band by band; the last layer's bias is added on the way.
    fn squared_errors(&self, input: ArrayView2<'_, f32>, output: &Array2<f32>) -> BandErrors {
        let bias = self.folded.layers[self.weights.len() - 1].bias.as_slice().expect("a bias is contiguous");
        let mut sums = vec![0.0_f64; self.mels];
        let mut row_sums = vec![0.0_f32; self.mels];
        for (input_row, output_row) in input.rows().into_iter().zip(output.rows()) {
            let input_row = input_row.to_slice().expect("a vector is a contiguous slice");
            let output_row = output_row.to_slice().expect("rows are contiguous");
            row_sums.fill(0.0);
            let frames = input_row.chunks_exact(self.mels).zip(output_row.chunks_exact(self.mels));
            for ((wanted, got), bias) in frames.zip(bias.chunks_exact(self.mels)) {
                for (((sum, wanted), got), bias) in row_sums.iter_mut().zip(wanted).zip(got).zip(bias) {
                    let error = got + bias - wanted;
                    *sum += error * error;
                }
            }
            for (sum, row_sum) in sums.iter_mut().zip(&row_sums) {
                *sum += f64::from(*row_sum);
            }
        }
        sums
    }
}
