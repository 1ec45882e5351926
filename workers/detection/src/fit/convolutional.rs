//! The convolutional autoencoder while it learns: batch normalisation after each convolution, folded into it when it is
//! read out.

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use ndarray::{Array1, Array2, Axis};
use rand::Rng;

use super::Learner;
use super::dense::{matrix_tensor, read_matrix};
use super::normalised::{Folding, Normalisation};
use super::ops::{Convolve, DenseProduct, MeanSquaredError, Spread};
use super::tape::Tape;
use crate::DetectionError;
use crate::autoencoder::glorot;
use crate::convolution::{CHANNELS, CODE, ConvolutionalAutoencoder, Grid, Kernel, grids, innermost};

/// A convolutional network that learns.
pub(crate) struct ConvolutionalLearner {
    mels: usize,
    grids: [Grid; 3],
    encoder: Vec<(Var, Normalisation)>,
    down: Var,
    up: (Var, Normalisation),
    /// Without the output layer.
    decoder: Vec<(Var, Normalisation)>,
    /// Without bias: standardised sound is around zero.
    output: Var,
}

impl ConvolutionalLearner {
    pub(crate) fn fresh(mels: usize, rng: &mut impl Rng) -> Result<Self, DetectionError> {
        let grids = grids(mels);
        let inputs = [1, CHANNELS[0], CHANNELS[1]];
        let inner = innermost(mels);
        // A cell is in reach of a quarter as many kernels on the way out as a kernel covers cells, since they are two
        // cells apart.
        let kernel = |layer: usize, rng: &mut _| {
            let (outer, inner, cells) = (inputs[layer], CHANNELS[layer], grids[layer].kernel_cells());
            variable(&glorot((inner, cells * outer), cells * outer + (cells * inner).div_ceil(4), rng))
        };
        let mut encoder = Vec::new();
        for (layer, channels) in CHANNELS.into_iter().enumerate() {
            encoder.push((kernel(layer, rng)?, Normalisation::new(channels)?));
        }
        let down = variable(&glorot((CODE, inner), CODE + inner, rng))?;
        let last = CHANNELS.len() - 1;
        let up = (variable(&glorot((inner, CODE), CODE + inner, rng))?, Normalisation::new(CHANNELS[last])?);
        let mut decoder = Vec::new();
        for layer in (1..CHANNELS.len()).rev() {
            decoder.push((kernel(layer, rng)?, Normalisation::new(inputs[layer])?));
        }
        Ok(Self { mels, grids, encoder, down, up, decoder, output: kernel(0, rng)? })
    }
}

impl Learner for ConvolutionalLearner {
    type Network = ConvolutionalAutoencoder;

    /// Each patch has many cells to take a mean of.
    const LEAST_BATCH: usize = 8;

    fn variables(&self) -> Vec<Var> {
        let normalised = self.encoder.iter().chain([&self.up]).chain(&self.decoder);
        let variables = normalised.flat_map(|(weight, norm)| [weight.clone(), norm.variable()]);
        variables.chain([self.down.clone(), self.output.clone()]).collect()
    }

    fn gradients(&mut self, input: &Tensor) -> Result<(f64, GradStore), DetectionError> {
        let patches = input.dim(0)?;
        let mut tape = Tape::default();
        let mut activation = input.clone();
        for (layer, (weight, normalisation)) in self.encoder.iter_mut().enumerate() {
            let convolve = Convolve { grid: self.grids[layer], input_gradient: layer > 0 };
            let product = tape.apply2(&activation, weight, convolve)?;
            activation = normalisation.relu(&mut tape, &product)?;
        }
        let inner = activation.reshape((patches, innermost(self.mels)))?;
        let code = tape.apply2(&inner, &self.down, DenseProduct { input_gradient: true })?;
        let (weight, normalisation) = &mut self.up;
        let product = tape.apply2(&code, weight, DenseProduct { input_gradient: true })?;
        let channels = CHANNELS[CHANNELS.len() - 1];
        activation = normalisation.relu(&mut tape, &product.reshape(((), channels))?)?;
        for ((weight, normalisation), grid) in self.decoder.iter_mut().zip(self.grids.into_iter().rev()) {
            let sums = tape.apply2(&activation, weight, Spread { grid })?;
            activation = normalisation.relu(&mut tape, &sums)?;
        }
        let output = tape.apply2(&activation, &self.output, Spread { grid: self.grids[0] })?;
        let loss = tape.apply1(&output, MeanSquaredError { target: input.clone() })?;
        Ok((f64::from(loss.to_scalar::<f32>()?), tape.gradients(&loss)?))
    }

    fn network(&self) -> Result<ConvolutionalAutoencoder, DetectionError> {
        let mut encoder = Vec::new();
        for (weight, normalisation) in &self.encoder {
            let Folding { factor, shift } = normalisation.folding()?;
            encoder.push(Kernel { weight: read_matrix(weight)? * factor.insert_axis(Axis(1)), bias: shift });
        }
        let (weight, normalisation) = &self.up;
        let Folding { factor, shift } = normalisation.folding()?;
        let cells = innermost(self.mels) / factor.len();
        let up = Kernel {
            weight: read_matrix(weight)? * repeated(&factor, cells).insert_axis(Axis(1)),
            bias: repeated(&shift, cells),
        };
        let mut decoder = Vec::new();
        for (weight, normalisation) in &self.decoder {
            let Folding { factor, shift } = normalisation.folding()?;
            let weight: Array2<f32> = read_matrix(weight)?;
            let cells = weight.ncols() / factor.len();
            decoder.push(Kernel { weight: weight * &repeated(&factor, cells), bias: shift });
        }
        decoder.push(Kernel { weight: read_matrix(&self.output)?, bias: Array1::zeros(1) });
        Ok(ConvolutionalAutoencoder { mels: self.mels, encoder, down: read_matrix(&self.down)?, up, decoder })
    }

    fn error_of(network: &ConvolutionalAutoencoder, input: &Tensor) -> Result<f64, DetectionError> {
        let patches = input.flatten_all()?.to_vec1::<f32>()?;
        let width = input.dim(1)?;
        let sums: Vec<f64> = patches
            .chunks(8 * width)
            .map(|patches| {
                let errors = network.reconstruct(patches).into_iter().zip(patches);
                errors.map(|(got, wanted)| f64::from(got - wanted).powi(2)).sum::<f64>()
            })
            .collect();
        Ok(sums.iter().sum::<f64>() / patches.len() as f64)
    }
}

fn variable(matrix: &Array2<f32>) -> Result<Var, DetectionError> {
    Ok(Var::from_tensor(&matrix_tensor(matrix)?)?)
}

/// The same numbers for each of so many cells.
fn repeated(channels: &Array1<f32>, cells: usize) -> Array1<f32> {
    (0..cells).flat_map(|_| channels.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::adam::Adam;
    use super::*;
    use crate::convolution::PATCH_FRAMES;

    /// With the moments of the one batch that is learnt from, the folded network must reconstruct it as the learning
    /// one does.
    #[test]
    fn the_folded_network_reconstructs_as_the_unfolded_one_does() {
        let mut rng = StdRng::seed_from_u64(5);
        // Thirteen bands: halves that are no whole numbers.
        let mut learner = ConvolutionalLearner::fresh(13, &mut rng).unwrap();
        let rows = Array2::from_shape_fn((16, PATCH_FRAMES * 13), |_| rng.random_range(-2.0..2.0_f32));
        let input = matrix_tensor(&rows).unwrap();
        let mut adam = Adam::new(learner.variables(), 0.01).unwrap();
        for _ in 0..10 {
            let (_, gradients) = learner.gradients(&input).unwrap();
            adam.step(&gradients).unwrap();
        }
        let mut unfolded = 0.0;
        for _ in 0..200 {
            unfolded = learner.gradients(&input).unwrap().0;
        }
        let folded = ConvolutionalLearner::error_of(&learner.network().unwrap(), &input).unwrap();
        assert!((folded - unfolded).abs() < 1e-4 * folded, "{folded} {unfolded}");
        assert!(folded > 0.1, "nothing compared");
    }
}
