//! The convolutional autoencoder: a stretch of the log-mel as an image, halved three times, squeezed through a few
//! numbers and built up again.
//!
//! ```text
//!  [32, mels, 1] ─► [16, mels/2, 16] ─► [8, mels/4, 32] ─► [4, mels/8, 64] ─► code of 24
//!                5×5                3×3                3×3                       │
//!  [32, mels, 1] ◄─ [16, mels/2, 16] ◄─ [8, mels/4, 32] ◄─ [4, mels/8, 64] ◄─────┘
//! ```
//!
//! ReLU follows each convolution and the way up from the code; the output is linear. Unlike the dense networks it sees
//! a second of sound at a time, and knows that what happens now could as well have happened a little later.

mod grid;
mod patches;

use ndarray::{Array1, Array2, Axis};

pub(crate) use self::grid::{Grid, product};
pub use self::patches::{PATCH_FRAMES, patch_starts};

/// Channels after each halving.
pub(crate) const CHANNELS: [usize; 3] = [16, 32, 64];
/// Sides of the kernels, from the outside in.
const KERNELS: [usize; 3] = [5, 3, 3];
/// Numbers in the middle.
pub(crate) const CODE: usize = 24;

/// A layer's weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// `[outputs, kernel · kernel · inputs]` on the way in, `[inputs, kernel · kernel · outputs]` on the way out.
    pub weight: Array2<f32>,
    /// `[outputs]`.
    pub bias: Array1<f32>,
}

/// A convolutional autoencoder as it judges, with batch normalisation folded in.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvolutionalAutoencoder {
    /// Mel bands of its patches.
    pub mels: usize,
    /// From the outside in.
    pub encoder: Vec<Kernel>,
    /// To the code, `[code, rows · columns · channels]`; linear and without bias, which the way up would only add to
    /// its own.
    pub down: Array2<f32>,
    /// From the code, `[rows · columns · channels, code]`, and its bias.
    pub up: Kernel,
    /// From the inside out; the last is the output.
    pub decoder: Vec<Kernel>,
}

/// The grids of a network for so many mel bands, from the outside in.
pub(crate) fn grids(mels: usize) -> [Grid; 3] {
    let (mut rows, mut columns) = (PATCH_FRAMES, mels);
    KERNELS.map(|kernel| {
        let grid = Grid { rows, columns, kernel };
        (rows, columns) = grid.halved();
        grid
    })
}

/// Numbers of the innermost image.
pub(crate) fn innermost(mels: usize) -> usize {
    grids(mels)[CHANNELS.len() - 1].positions() * CHANNELS[CHANNELS.len() - 1]
}

impl ConvolutionalAutoencoder {
    /// Shapes of all weights in their order, kernels as rows and columns, biases as one row.
    #[must_use]
    pub fn shapes(mels: usize) -> Vec<(String, Vec<usize>)> {
        let inputs = [1, CHANNELS[0], CHANNELS[1]];
        let cells = KERNELS.map(|kernel| kernel * kernel);
        let inner = innermost(mels);
        let mut shapes = Vec::new();
        for layer in 0..CHANNELS.len() {
            shapes.push((format!("encoder.{layer}.weight"), vec![CHANNELS[layer], cells[layer] * inputs[layer]]));
            shapes.push((format!("encoder.{layer}.bias"), vec![CHANNELS[layer]]));
        }
        shapes.push(("down.weight".to_owned(), vec![CODE, inner]));
        shapes.push(("up.weight".to_owned(), vec![inner, CODE]));
        shapes.push(("up.bias".to_owned(), vec![inner]));
        for layer in (0..CHANNELS.len()).rev() {
            let step = CHANNELS.len() - 1 - layer;
            shapes.push((format!("decoder.{step}.weight"), vec![CHANNELS[layer], cells[layer] * inputs[layer]]));
            shapes.push((format!("decoder.{step}.bias"), vec![inputs[layer]]));
        }
        shapes
    }

    /// All weights in the order of [`ConvolutionalAutoencoder::shapes`].
    #[must_use]
    pub fn values(&self) -> Vec<Vec<f32>> {
        let of = |kernel: &Kernel| [kernel.weight.iter().copied().collect(), kernel.bias.to_vec()];
        let mut values: Vec<Vec<f32>> = self.encoder.iter().flat_map(of).collect();
        values.push(self.down.iter().copied().collect());
        values.extend(of(&self.up));
        values.extend(self.decoder.iter().flat_map(of));
        values
    }

    /// The network of weights in the order of [`ConvolutionalAutoencoder::shapes`]; `None` where one has another shape.
    #[must_use]
    pub fn from_values(mels: usize, values: Vec<Vec<f32>>) -> Option<Self> {
        let shapes = Self::shapes(mels);
        let fits =
            shapes.iter().zip(&values).all(|((_, shape), values)| shape.iter().product::<usize>() == values.len());
        if !fits || shapes.len() != values.len() {
            return None;
        }
        let mut parts = shapes.into_iter().map(|(_, shape)| shape).zip(values);
        let mut matrix = || {
            let (shape, values) = parts.next()?;
            // A bias is a matrix of one row.
            let shape = if shape.len() == 1 { (1, shape[0]) } else { (shape[0], shape[1]) };
            Array2::from_shape_vec(shape, values).ok()
        };
        let kernel = |matrix: &mut dyn FnMut() -> Option<Array2<f32>>| {
            Some(Kernel { weight: matrix()?, bias: matrix()?.row(0).to_owned() })
        };
        let encoder = (0..CHANNELS.len()).map(|_| kernel(&mut matrix)).collect::<Option<_>>()?;
        let down = matrix()?;
        let up = kernel(&mut matrix)?;
        let decoder = (0..CHANNELS.len()).map(|_| kernel(&mut matrix)).collect::<Option<_>>()?;
        Some(Self { mels, encoder, down, up, decoder })
    }

    /// Reconstructs patches, `[patches, frames · mels]`, standardised; the result has the same shape.
    #[must_use]
    pub fn reconstruct(&self, patches: &[f32]) -> Vec<f32> {
        let grids = grids(self.mels);
        let count = patches.len() / (PATCH_FRAMES * self.mels);
        let mut images = patches.to_vec();
        let mut channels = 1;
        for (grid, layer) in grids.iter().zip(&self.encoder) {
            let seen = grid.gather_all(&images, channels);
            let activation = relu(product(seen.view(), layer.weight.t()), &layer.bias);
            channels = activation.ncols();
            images = activation.into_raw_vec_and_offset().0;
        }
        let inner = self.down.ncols();
        let images_matrix = Array2::from_shape_vec((count, inner), images).expect("as many numbers as the grids have");
        let code = product(images_matrix.view(), self.down.t());
        let mut images = relu(product(code.view(), self.up.weight.t()), &self.up.bias).into_raw_vec_and_offset().0;
        for (index, (grid, layer)) in grids.iter().rev().zip(&self.decoder).enumerate() {
            let inputs = layer.weight.nrows();
            let input = Array2::from_shape_vec((images.len() / inputs, inputs), images).expect("whole cells");
            let outputs = layer.bias.len();
            let mut sums = vec![0.0; count * grid.cells() * outputs];
            grid.scatter_all(&product(input.view(), layer.weight.view()), outputs, &mut sums);
            let output = Array2::from_shape_vec((count * grid.cells(), outputs), sums).expect("just made so long");
            let is_last = index + 1 == self.decoder.len();
            let output = if is_last { output + &layer.bias } else { relu(output, &layer.bias) };
            images = output.into_raw_vec_and_offset().0;
        }
        images
    }
}

fn relu(mut product: Array2<f32>, bias: &Array1<f32>) -> Array2<f32> {
    for mut row in product.axis_iter_mut(Axis(0)) {
        row.zip_mut_with(bias, |value, bias| *value = (*value + bias).max(0.0));
    }
    product
}
