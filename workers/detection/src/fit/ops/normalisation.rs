//! Batch normalisation with ReLU as one node of the graph, and the product before it.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use ndarray::{Array1, Array2, ArrayRef1, ArrayView2, Axis};

use super::{matrix, product, read, stored, tensor, values};

/// Added to a variance before it divides (Keras' default).
const EPSILON: f32 = 1e-3;

pub(in crate::fit) fn inverse_deviation(variance: f32) -> f32 {
    (variance + EPSILON).sqrt().recip()
}

/// Mean and variance of each channel, `[channels]`.
#[derive(Debug, Clone)]
pub(in crate::fit) struct Moments {
    pub mean: Array1<f32>,
    pub variance: Array1<f32>,
}

impl Moments {
    /// Of each column of `[rows, channels]`; the variance is that of the rows themselves, divided by their number.
    fn of(rows: &ArrayView2<'_, f32>) -> Self {
        let count = rows.nrows() as f32;
        let mean = rows.sum_axis(Axis(0)) / count;
        let mut variance = Array1::zeros(rows.ncols());
        for row in rows.rows() {
            for ((sum, value), mean) in variance.iter_mut().zip(row).zip(&mean) {
                *sum += (value - mean) * (value - mean);
            }
        }
        Self { mean, variance: variance / count }
    }

    /// Keeps `memory` of what was, and takes the rest from another batch.
    pub(in crate::fit) fn fade(&mut self, batch: &Self, memory: f32) {
        self.mean.zip_mut_with(&batch.mean, |old, new| *old = memory * *old + (1.0 - memory) * new);
        self.variance.zip_mut_with(&batch.variance, |old, new| *old = memory * *old + (1.0 - memory) * new);
    }
}

/// `input · weightᵀ` for input `[rows, inputs]`, weight `[outputs, inputs]`.
pub(in crate::fit) struct DenseProduct {
    /// Whether the input's gradient is wanted: not for the first layer, whose input is sound.
    pub input_gradient: bool,
}

impl CustomOp2 for DenseProduct {
    fn name(&self) -> &'static str {
        "dense-product"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let input = matrix(values(input, input_layout)?, input_layout)?;
        let weight = matrix(values(weight, weight_layout)?, weight_layout)?;
        Ok(stored(product(input, weight.t())))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        _output: &Tensor,
        output_gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        read(output_gradient, |gradient, layout| {
            let gradient = matrix(gradient, layout)?;
            let of_input = if self.input_gradient {
                let of_input = read(weight, |values, layout| Ok(product(gradient, matrix(values, layout)?)))?;
                Some(tensor(of_input)?)
            } else {
                None
            };
            let of_weight = read(input, |values, layout| Ok(product(gradient.t(), matrix(values, layout)?)))?;
            Ok((of_input, Some(tensor(of_weight)?)))
        })
    }
}

/// `relu((input - mean) / deviation · scale + shift)` for input `[rows, channels]` and scale and shift `[2, channels]`;
/// mean and deviation are each channel's own over the rows, and left in `moments`.
pub(in crate::fit) struct NormRelu {
    pub moments: Arc<OnceLock<Moments>>,
}

impl CustomOp2 for NormRelu {
    fn name(&self) -> &'static str {
        "norm-relu"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        scale_and_shift: &CpuStorage,
        scale_and_shift_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let input = matrix(values(input, input_layout)?, input_layout)?;
        let scale_and_shift = matrix(values(scale_and_shift, scale_and_shift_layout)?, scale_and_shift_layout)?;
        let moments = self.moments.get_or_init(|| Moments::of(&input));
        let factor = &scale_and_shift.row(0) * &moments.variance.mapv(inverse_deviation);
        let shift = &scale_and_shift.row(1) - &(&factor * &moments.mean);
        let mut output = input.to_owned();
        for mut row in output.rows_mut() {
            for ((value, factor), shift) in row.iter_mut().zip(&factor).zip(&shift) {
                *value = (*value * factor + shift).max(0.0);
            }
        }
        Ok(stored(output))
    }

    fn bwd(
        &self,
        input: &Tensor,
        scale_and_shift: &Tensor,
        output: &Tensor,
        output_gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Some(moments) = self.moments.get() else {
            bail!("backward pass of {} before its forward pass", self.name())
        };
        let inverse = moments.variance.mapv(inverse_deviation);
        let (mean, inverse) = (slice(&moments.mean), slice(&inverse));
        // What passes ReLU.
        let mut gradient = read(output_gradient, |values, layout| Ok(matrix(values, layout)?.to_owned()))?;
        read(output, |values, layout| {
            // Without a branch: which way it goes is a coin's throw.
            gradient.zip_mut_with(&matrix(values, layout)?, |gradient, output| {
                *gradient = if *output > 0.0 { *gradient } else { 0.0 };
            });
            Ok(())
        })?;
        let rows = gradient.nrows() as f32;
        let of_shift = gradient.sum_axis(Axis(0));
        read(input, |values, layout| {
            let input = matrix(values, layout)?;
            let mut of_scale = Array1::<f32>::zeros(gradient.ncols());
            {
                let sums = of_scale.as_slice_mut().expect("just made");
                for (gradient, input) in gradient.rows().into_iter().zip(input.rows()) {
                    let (gradient, input) = (slice(&gradient), slice(&input));
                    for (channel, sum) in sums.iter_mut().enumerate() {
                        *sum += gradient[channel] * (input[channel] - mean[channel]) * inverse[channel];
                    }
                }
            }
            // The normalised numbers sum to zero and have a fixed spread, whatever the input: the gradient loses both
            // directions.
            let factor = read(scale_and_shift, |values, layout| {
                Ok(&matrix(values, layout)?.row(0) * &moments.variance.mapv(inverse_deviation))
            })?;
            let mean_gradient = &of_shift / rows;
            let along = &of_scale * &moments.variance.mapv(inverse_deviation) / rows;
            let (factor, mean_gradient, along) = (slice(&factor), slice(&mean_gradient), slice(&along));
            for (mut gradient, input) in gradient.rows_mut().into_iter().zip(input.rows()) {
                let (gradient, input) = (gradient.as_slice_mut().expect("rows are contiguous"), slice(&input));
                for (channel, gradient) in gradient.iter_mut().enumerate() {
                    let centred = input[channel] - mean[channel];
                    *gradient = factor[channel] * (*gradient - mean_gradient[channel] - centred * along[channel]);
                }
            }
            let of_parameters = of_scale.iter().chain(&of_shift).copied().collect::<Vec<f32>>();
            let of_parameters = Array2::from_shape_vec((2, of_shift.len()), of_parameters).expect("two rows");
            Ok((Some(tensor(gradient.clone())?), Some(tensor(of_parameters)?)))
        })
    }
}

fn slice(values: &ArrayRef1<f32>) -> &[f32] {
    values.as_slice().expect("contiguous: a row, or just made")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{distance, variable};
    use super::*;

    #[test]
    fn gradients_are_those_of_candles_own_operations() {
        let (input, weight) = (variable(&[19, 7], 1), variable(&[5, 7], 2));
        let scale_and_shift = variable(&[2, 5], 3);
        let product = input.apply_op2(&weight, DenseProduct { input_gradient: true }).unwrap();
        let fused = product.apply_op2(&scale_and_shift, NormRelu { moments: Arc::default() }).unwrap();

        let product = input.matmul(&weight.t().unwrap()).unwrap();
        let centred = product.broadcast_sub(&product.mean_keepdim(0).unwrap()).unwrap();
        let variance = centred.sqr().unwrap().mean_keepdim(0).unwrap();
        let normalised = centred.broadcast_div(&(variance + f64::from(EPSILON)).unwrap().sqrt().unwrap()).unwrap();
        let scale = scale_and_shift.narrow(0, 0, 1).unwrap();
        let shift = scale_and_shift.narrow(0, 1, 1).unwrap();
        let plain = normalised.broadcast_mul(&scale).unwrap().broadcast_add(&shift).unwrap().relu().unwrap();
        assert!(distance(&fused, &plain) < 1e-5);

        // Some function of the output whose gradient differs from element to element.
        let weights = variable(&[19, 5], 4);
        let of = |output: &Tensor| (output * weights.as_tensor()).unwrap().sum_all().unwrap().backward().unwrap();
        let (fused, plain) = (of(&fused), of(&plain));
        for variable in [&input, &weight, &scale_and_shift] {
            let (fused, plain) = (fused.get(variable).unwrap(), plain.get(variable).unwrap());
            assert!(distance(fused, plain) < 1e-4, "{fused} {plain}");
            assert!(plain.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() > 1e-2, "nothing compared");
        }
    }
}
