//! The CPU's engine: matrix products of ndarray, everything else fused around them, blocks in parallel.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, Slice};
use rayon::prelude::*;

use super::{Folded, Segment, Sums, Whitening};
use crate::standardisation::Standardisation;
use crate::{Autoencoder, vectors};

/// Vectors that go through all layers together. Their widest layer (320 wide in the reference method) then takes 400
/// kB: it stays in the second-level cache until it has been compared with its input.
const BLOCK: usize = 320;

pub(crate) struct CpuNetwork {
    folded: Folded,
    /// Each layer's weights as `[inputs, outputs]`, row-major, as the product wants them.
    weights: Vec<Array2<f32>>,
    /// Each makes a Mahalanobis distance of the error.
    whitenings: Vec<Whitening>,
    mels: usize,
    frames: usize,
}

/// What a thread keeps between blocks: one matrix for each layer's output.
struct Scratch {
    centred: Vec<f32>,
    outputs: Vec<Array2<f32>>,
    /// Whitened errors; empty where there is no whitening.
    whitened: Array2<f32>,
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
        Self { folded, weights, whitenings: Vec::new(), mels, frames }
    }

    /// The same network, which also measures its errors by these.
    pub(crate) fn with_whitenings(self, whitenings: Vec<Whitening>) -> Self {
        Self { whitenings, ..self }
    }

    /// Each segment's squared error by mel band, and its distances. A segment's numbers do not depend on what else is
    /// in the batch.
    pub(crate) fn sums(&self, segments: &[Segment<'_>]) -> Vec<Sums> {
        let blocks: Vec<(usize, &[f32])> = segments
            .iter()
            .enumerate()
            .flat_map(|(index, segment)| self.blocks(segment).map(move |block| (index, block)))
            .collect();
        let sums: Vec<Sums> = blocks
            .par_iter()
            .map_init(|| self.scratch(), |scratch, (_, block)| self.block_sums(block, scratch))
            .collect();

        let mut by_segment = vec![Sums::zero(self.mels, self.whitenings.len()); segments.len()];
        for ((segment, _), sums) in blocks.iter().zip(&sums) {
            by_segment[*segment].add(sums);
        }
        by_segment
    }

    /// Calls `visit` with the errors of a segment's vectors, `[vectors, frames · mels]`, dB, block by block.
    pub(crate) fn visit_errors(&self, segment: Segment<'_>, mut visit: impl FnMut(ArrayView2<'_, f32>)) {
        let mut scratch = self.scratch();
        for block in self.blocks(segment) {
            self.reconstruct(block, &mut scratch);
            visit(self.errors(&mut scratch).0.view());
        }
    }

    /// Cuts a segment into spectrograms of about equally many vectors, at most [`BLOCK`]; neighbours share `frames - 1`
    /// rows.
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
        let whitened = if self.whitenings.is_empty() { 0 } else { BLOCK };
        let whitened = Array2::zeros((whitened, self.frames * self.mels));
        Scratch { centred: Vec::with_capacity((BLOCK + self.frames) * self.mels), outputs, whitened }
    }

    fn block_sums(&self, block: &[f32], scratch: &mut Scratch) -> Sums {
        self.reconstruct(block, scratch);
        if self.whitenings.is_empty() {
            let input = vectors::view(&scratch.centred, self.mels, self.frames);
            let band_errors = self.squared_errors(input, &scratch.outputs[self.weights.len() - 1]);
            return Sums { band_errors, distances: Vec::new() };
        }
        let mut sums = Sums::zero(self.mels, self.whitenings.len());
        let (errors, whitened) = self.errors(scratch);
        let mut squares = vec![0.0_f32; self.frames * self.mels];
        for row in errors.rows() {
            for (sum, error) in squares.iter_mut().zip(row) {
                *sum += error * error;
            }
        }
        for frame in squares.chunks_exact(self.mels) {
            for (sum, square) in sums.band_errors.iter_mut().zip(frame) {
                *sum += f64::from(*square);
            }
        }
        for (sum, whitening) in sums.distances.iter_mut().zip(&self.whitenings) {
            whitening.distances(errors.view(), whitened, |_, distance| *sum += distance);
        }
        sums
    }

    /// The errors of the block that has last been reconstructed, `[vectors, frames · mels]`, dB, in the place of its
    /// reconstruction; and room for whitened ones.
    fn errors<'a>(&self, scratch: &'a mut Scratch) -> (ArrayViewMut2<'a, f32>, &'a mut Array2<f32>) {
        let last = self.weights.len() - 1;
        let bias = self.folded.layers[last].bias.as_slice().expect("a bias is contiguous");
        let input = vectors::view(&scratch.centred, self.mels, self.frames);
        let mut errors = scratch.outputs[last].slice_axis_mut(Axis(0), Slice::from(..input.nrows()));
        for (mut got, wanted) in errors.rows_mut().into_iter().zip(input.rows()) {
            let got = got.as_slice_mut().expect("rows are contiguous");
            let wanted = wanted.to_slice().expect("a vector is a contiguous slice");
            for ((got, wanted), bias) in got.iter_mut().zip(wanted).zip(bias) {
                *got += bias - wanted;
            }
        }
        (errors, &mut scratch.whitened)
    }

    /// Takes a block through all layers; the last one's bias is left out.
    fn reconstruct(&self, block: &[f32], scratch: &mut Scratch) {
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
    }

    /// Compares each vector with its reconstruction, band by band; the last layer's bias is added on the way.
    fn squared_errors(&self, input: ArrayView2<'_, f32>, output: &Array2<f32>) -> Vec<f64> {
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
