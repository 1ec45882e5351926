//! The reference method's network: dense layers, ReLU between them, a linear output as wide as the input.

use ndarray::{Array1, Array2};
use rand::Rng;

/// One dense layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// `[outputs, inputs]`.
    pub weight: Array2<f32>,
    /// `[outputs]`.
    pub bias: Array1<f32>,
}

/// A network that is to reproduce its input through a bottleneck.
#[derive(Debug, Clone, PartialEq)]
pub struct Autoencoder {
    /// The layers in order; ReLU follows each but the last.
    pub layers: Vec<Dense>,
}

impl Autoencoder {
    /// The reference method's hidden layers.
    pub const REFERENCE_HIDDEN: [usize; 5] = [64, 64, 8, 64, 64];

    /// The hidden layers of the baseline of DCASE's Task 2 (2020 and later), which has batch normalisation after each
    /// while it learns.
    pub const WIDE_HIDDEN: [usize; 9] = [128, 128, 128, 128, 8, 128, 128, 128, 128];

    /// Fresh weights: Glorot uniform (`±sqrt(6 / (inputs + outputs))`, Glorot and Bengio 2010, Keras' default), biases
    /// zero.
    #[must_use]
    pub fn glorot(inputs: usize, hidden: &[usize], rng: &mut impl Rng) -> Self {
        let widths: Vec<usize> = [inputs].into_iter().chain(hidden.iter().copied()).chain([inputs]).collect();
        let layers = widths
            .windows(2)
            .map(|pair| {
                let (fan_in, fan_out) = (pair[0], pair[1]);
                let weight = glorot((fan_out, fan_in), fan_in + fan_out, rng);
                Dense { weight, bias: Array1::zeros(fan_out) }
            })
            .collect();
        Self { layers }
    }

    /// Layer widths from input to output.
    #[must_use]
    pub fn widths(&self) -> Vec<usize> {
        let inputs = self.layers.first().map(|layer| layer.weight.ncols());
        inputs.into_iter().chain(self.layers.iter().map(|layer| layer.weight.nrows())).collect()
    }
}

/// A matrix of Glorot's uniform weights, of a layer with so many inputs and outputs together.
pub(crate) fn glorot(shape: (usize, usize), fans: usize, rng: &mut impl Rng) -> Array2<f32> {
    let limit = (6.0 / fans as f32).sqrt();
    Array2::from_shape_simple_fn(shape, || rng.random_range(-limit..limit))
}
