//! Dense layers with bias and ReLU: what learns is what judges.

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use ndarray::{Array1, Array2};
use rand::Rng;

use super::Learner;
use super::ops::{DenseRelu, ReconstructionLoss};
use crate::DetectionError;
use crate::autoencoder::{Autoencoder, Dense};

/// The network's weights as candle variables, `[outputs, inputs]` and `[outputs]` of each layer.
pub(crate) struct DenseLearner {
    layers: Vec<(Var, Var)>,
}

impl DenseLearner {
    pub(crate) fn fresh(inputs: usize, hidden: &[usize], rng: &mut impl Rng) -> Result<Self, DetectionError> {
        let network = Autoencoder::glorot(inputs, hidden, rng);
        let variables = network.layers.iter().map(|layer| {
            let (weight, bias) = tensors(layer)?;
            Ok((Var::from_tensor(&weight)?, Var::from_tensor(&bias)?))
        });
        Ok(Self { layers: variables.collect::<Result<_, DetectionError>>()? })
    }
}

impl Learner for DenseLearner {
    type Network = Autoencoder;

    const LEAST_BATCH: usize = 1;

    fn variables(&self) -> Vec<Var> {
        self.layers.iter().flat_map(|(weight, bias)| [weight.clone(), bias.clone()]).collect()
    }

    fn gradients(&mut self, input: &Tensor) -> Result<(f64, GradStore), DetectionError> {
        let loss = reconstruction_loss(
            self.layers.iter().map(|(weight, bias)| (weight.as_tensor(), bias.as_tensor())),
            input,
        )?;
        Ok((f64::from(loss.to_scalar::<f32>()?), loss.backward()?))
    }

    fn network(&self) -> Result<Autoencoder, DetectionError> {
        let mut layers = Vec::with_capacity(self.layers.len());
        for (weight, bias) in &self.layers {
            layers.push(Dense { weight: read_matrix(weight)?, bias: Array1::from_vec(bias.to_vec1::<f32>()?) });
        }
        Ok(Autoencoder { layers })
    }

    fn error_of(network: &Autoencoder, input: &Tensor) -> Result<f64, DetectionError> {
        error_of(network, input)
    }
}

/// Mean squared error of a dense network's reconstruction of a batch, `[rows, inputs]`.
pub(super) fn error_of(network: &Autoencoder, input: &Tensor) -> Result<f64, DetectionError> {
    let layers = network.layers.iter().map(tensors).collect::<Result<Vec<_>, _>>()?;
    let loss = reconstruction_loss(layers.iter().map(|(weight, bias)| (weight, bias)), input)?;
    Ok(f64::from(loss.to_scalar::<f32>()?))
}

/// Mean squared error, a scalar.
fn reconstruction_loss<'a>(
    layers: impl ExactSizeIterator<Item = (&'a Tensor, &'a Tensor)>,
    input: &Tensor,
) -> Result<Tensor, DetectionError> {
    let last = layers.len() - 1;
    let mut activation = input.clone();
    for (index, (weight, bias)) in layers.enumerate() {
        activation = if index < last {
            activation.apply_op3(weight, bias, DenseRelu { input_gradient: index > 0 })?
        } else {
            activation.apply_op3(weight, bias, ReconstructionLoss::of(input))?
        };
    }
    Ok(activation)
}

fn tensors(layer: &Dense) -> Result<(Tensor, Tensor), DetectionError> {
    Ok((matrix_tensor(&layer.weight)?, Tensor::from_iter(layer.bias.iter().copied(), &Device::Cpu)?))
}

pub(super) fn matrix_tensor(matrix: &Array2<f32>) -> Result<Tensor, DetectionError> {
    Ok(Tensor::from_iter(matrix.iter().copied(), &Device::Cpu)?.reshape(matrix.dim())?)
}

pub(super) fn read_matrix(tensor: &Tensor) -> Result<Array2<f32>, DetectionError> {
    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
    Ok(Array2::from_shape_vec(tensor.dims2()?, values).expect("as many values as the shape has"))
}
