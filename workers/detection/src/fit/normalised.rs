//! Dense layers with batch normalisation: it only exists while they learn.
//!
//! ```text
//!  learning  input ─► weight ─► (· - batch mean) / batch deviation ─► · scale + shift ─► ReLU
//!  judging   input ─► weight × scale / running deviation, bias = shift - scale × running mean / running deviation ─► ReLU
//! ```
//!
//! The layers have no bias of their own while they learn: the normalisation would take it away again. (Ioffe and
//! Szegedy, *Batch normalization*, 2015.)

use std::sync::{Arc, OnceLock};

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use ndarray::{Array1, Array2, Axis};
use rand::Rng;

use super::Learner;
use super::dense::{self, matrix_tensor, read_matrix};
use super::ops::{DenseProduct, Moments, NormRelu, ReconstructionLoss, inverse_deviation};
use super::tape::Tape;
use crate::DetectionError;
use crate::autoencoder::{Autoencoder, Dense, glorot};

/// A network whose hidden layers are normalised.
pub(crate) struct NormalisedLearner {
    hidden: Vec<(Var, Normalisation)>,
    /// The output layer's weight and bias.
    output: (Var, Var),
}

impl NormalisedLearner {
    pub(crate) fn fresh(inputs: usize, hidden: &[usize], rng: &mut impl Rng) -> Result<Self, DetectionError> {
        let mut layers = Vec::with_capacity(hidden.len());
        let mut fan_in = inputs;
        for &width in hidden {
            let weight = matrix_tensor(&glorot((width, fan_in), width + fan_in, rng))?;
            layers.push((Var::from_tensor(&weight)?, Normalisation::new(width)?));
            fan_in = width;
        }
        let weight = matrix_tensor(&glorot((inputs, fan_in), inputs + fan_in, rng))?;
        let output = (Var::from_tensor(&weight)?, Var::zeros(inputs, candle_core::DType::F32, &Device::Cpu)?);
        Ok(Self { hidden: layers, output })
    }
}

impl Learner for NormalisedLearner {
    type Network = Autoencoder;

    /// A mean and a deviation of fewer rows are mostly chance.
    const LEAST_BATCH: usize = 32;

    fn variables(&self) -> Vec<Var> {
        let hidden = self.hidden.iter().flat_map(|(weight, norm)| [weight.clone(), norm.scale_and_shift.clone()]);
        hidden.chain([self.output.0.clone(), self.output.1.clone()]).collect()
    }

    fn gradients(&mut self, input: &Tensor) -> Result<(f64, GradStore), DetectionError> {
        let mut tape = Tape::default();
        let mut activation = input.clone();
        for (index, (weight, normalisation)) in self.hidden.iter_mut().enumerate() {
            let product = tape.apply2(&activation, weight, DenseProduct { input_gradient: index > 0 })?;
            activation = normalisation.relu(&mut tape, &product)?;
        }
        let loss = tape.apply3(&activation, &self.output.0, &self.output.1, ReconstructionLoss::of(input))?;
        Ok((f64::from(loss.to_scalar::<f32>()?), tape.gradients(&loss)?))
    }

    fn network(&self) -> Result<Autoencoder, DetectionError> {
        let mut layers = Vec::with_capacity(self.hidden.len() + 1);
        for (weight, normalisation) in &self.hidden {
            let Folding { factor, shift } = normalisation.folding()?;
            let weight = read_matrix(weight)? * factor.insert_axis(Axis(1));
            layers.push(Dense { weight, bias: shift });
        }
        let (weight, bias) = &self.output;
        layers.push(Dense { weight: read_matrix(weight)?, bias: Array1::from_vec(bias.to_vec1::<f32>()?) });
        Ok(Autoencoder { layers })
    }

    fn error_of(network: &Autoencoder, input: &Tensor) -> Result<f64, DetectionError> {
        dense::error_of(network, input)
    }
}

/// One layer's batch normalisation.
pub(super) struct Normalisation {
    /// What the normalised numbers are multiplied with, and what is added then, `[2, channels]`.
    scale_and_shift: Var,
    /// Mean and variance of the last batches together, faded.
    running: Option<Moments>,
}

/// How much of the running moments a batch leaves as they are: together they are of the last ten batches or so. While
/// it learns a network changes faster than the hundred that DCASE's baseline averages over, with few clips above all.
const MEMORY: f32 = 0.9;

/// What a channel's product is multiplied with, and what is added then, once the moments are fixed, `[channels]` each.
pub(super) struct Folding {
    pub factor: Array1<f32>,
    pub shift: Array1<f32>,
}

impl Normalisation {
    pub(super) fn new(channels: usize) -> Result<Self, DetectionError> {
        let ones_and_zeros = std::iter::repeat_n(1.0_f32, channels).chain(std::iter::repeat_n(0.0, channels));
        let fresh = Tensor::from_iter(ones_and_zeros, &Device::Cpu)?.reshape((2, channels))?;
        Ok(Self { scale_and_shift: Var::from_tensor(&fresh)?, running: None })
    }

    pub(super) fn variable(&self) -> Var {
        self.scale_and_shift.clone()
    }

    /// Normalises each column of `[rows, channels]`, and cuts off what is negative.
    pub(super) fn relu(&mut self, tape: &mut Tape, product: &Tensor) -> Result<Tensor, DetectionError> {
        let moments = Arc::new(OnceLock::new());
        let activation = tape.apply2(product, &self.scale_and_shift, NormRelu { moments: Arc::clone(&moments) })?;
        let batch = moments.get().expect("the forward pass has computed them");
        match &mut self.running {
            Some(running) => running.fade(batch, MEMORY),
            None => self.running = Some(batch.clone()),
        }
        Ok(activation)
    }

    pub(super) fn folding(&self) -> Result<Folding, DetectionError> {
        let scale_and_shift: Array2<f32> = read_matrix(&self.scale_and_shift)?;
        let (scale, shift) = (scale_and_shift.row(0), scale_and_shift.row(1));
        let Some(Moments { mean, variance }) = &self.running else {
            return Err(DetectionError::Training("no batch has been seen yet".to_owned()));
        };
        let factor = &scale * &variance.mapv(inverse_deviation);
        Ok(Folding { shift: &shift - &(&factor * mean), factor })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::adam::Adam;
    use super::*;

    /// The reconstruction by the definition: every layer's product normalised with the running moments, in doubles.
    fn unfolded(learner: &NormalisedLearner, input: &Array2<f32>) -> Array2<f64> {
        let mut activation = input.mapv(f64::from);
        for (weight, normalisation) in &learner.hidden {
            let mut product = activation.dot(&read_matrix(weight).unwrap().mapv(f64::from).t());
            let scale_and_shift = read_matrix(&normalisation.scale_and_shift).unwrap();
            let Moments { mean, variance } = normalisation.running.as_ref().unwrap();
            for mut row in product.rows_mut() {
                for (channel, value) in row.iter_mut().enumerate() {
                    let deviation = (f64::from(variance[channel]) + 1e-3).sqrt();
                    let normalised = (*value - f64::from(mean[channel])) / deviation;
                    let [scale, shift] = [0, 1].map(|row| f64::from(scale_and_shift[[row, channel]]));
                    *value = (normalised * scale + shift).max(0.0);
                }
            }
            activation = product;
        }
        let (weight, bias) = &learner.output;
        let bias = Array1::from_vec(bias.to_vec1::<f32>().unwrap()).mapv(f64::from);
        activation.dot(&read_matrix(weight).unwrap().mapv(f64::from).t()) + &bias
    }

    #[test]
    fn the_folded_network_reconstructs_as_the_unfolded_one_does() {
        let mut rng = StdRng::seed_from_u64(3);
        let mut learner = NormalisedLearner::fresh(12, &[16, 16, 4, 16], &mut rng).unwrap();
        let input = Array2::from_shape_fn((64, 12), |_| rng.random_range(-2.0..2.0_f32));
        let tensor = matrix_tensor(&input).unwrap();
        // Some steps, so that no scale is one, no shift is zero, and the moments are those of several batches.
        let mut adam = Adam::new(learner.variables(), 0.01).unwrap();
        for _ in 0..30 {
            let (_, gradients) = learner.gradients(&tensor).unwrap();
            adam.step(&gradients).unwrap();
        }
        let expected = unfolded(&learner, &input);
        let folded = learner.network().unwrap();
        let mut activation = input.clone();
        for (index, Dense { weight, bias }) in folded.layers.iter().enumerate() {
            activation = activation.dot(&weight.t()) + bias;
            if index + 1 < folded.layers.len() {
                activation.mapv_inplace(|value| value.max(0.0));
            }
        }
        let apart = (&activation.mapv(f64::from) - &expected).mapv_into(f64::abs).into_iter().fold(0.0, f64::max);
        assert!(apart < 1e-4, "{apart}");
        let spread = expected.std(0.0);
        assert!(spread > 0.1, "nothing compared: {spread}");
    }
}
