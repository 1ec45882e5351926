//! The operations that a network's graph consists of, each one pass forward and one back.
//!
//! candle keeps the graph and the gradients; these give it a dense layer with bias and ReLU, and an output layer with
//! the loss, as one node each. Built of candle's own nodes the same network takes four times the processor time on the
//! CPU: gradients of the input that nobody asks for, a pool of spinning threads that fits side by side contend for, and
//! a look into `/proc/cpuinfo` at every product, which on large servers takes longer than the product. A test holds
//! both to the same numbers.

mod convolution;
mod normalisation;

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Storage, Tensor, bail};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

pub(super) use self::convolution::{Convolve, MeanSquaredError, Spread};
pub(super) use self::normalisation::{DenseProduct, Moments, NormRelu, inverse_deviation};

/// `relu(input · weightᵀ + bias)` for input `[rows, inputs]`, weight `[outputs, inputs]`, bias `[outputs]`.
pub(super) struct DenseRelu {
    /// Whether the input's gradient is wanted: not for the first layer, whose input is sound.
    pub input_gradient: bool,
}

impl CustomOp3 for DenseRelu {
    fn name(&self) -> &'static str {
        "dense-relu"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let input = matrix(values(input, input_layout)?, input_layout)?;
        let weight = matrix(values(weight, weight_layout)?, weight_layout)?;
        let mut output = product(input, weight.t());
        add_bias(&mut output, values(bias, bias_layout)?);
        output.mapv_inplace(|value| value.max(0.0));
        Ok(stored(output))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        output: &Tensor,
        output_gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let mut gradient = read(output_gradient, |values, layout| Ok(matrix(values, layout)?.to_owned()))?;
        read(output, |values, layout| {
            gradient.zip_mut_with(&matrix(values, layout)?, |gradient, output| {
                if *output <= 0.0 {
                    *gradient = 0.0;
                }
            });
            Ok(())
        })?;
        layer_gradients(self.input_gradient, input, weight, bias, gradient.view())
    }
}

/// `mean((input · weightᵀ + bias - target)²)`, a scalar, for input `[rows, inputs]`, weight `[outputs, inputs]`, bias
/// and target `[rows, outputs]`.
pub(super) struct ReconstructionLoss {
    target: Tensor,
    /// The error of the forward pass, which the backward pass begins with.
    error: OnceLock<Array2<f32>>,
}

impl ReconstructionLoss {
    pub(super) fn of(target: &Tensor) -> Self {
        Self { target: target.clone(), error: OnceLock::new() }
    }
}

impl CustomOp3 for ReconstructionLoss {
    fn name(&self) -> &'static str {
        "reconstruction-loss"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let input = matrix(values(input, input_layout)?, input_layout)?;
        let weight = matrix(values(weight, weight_layout)?, weight_layout)?;
        let mut error = product(input, weight.t());
        add_bias(&mut error, values(bias, bias_layout)?);
        read(&self.target, |values, layout| {
            error -= &matrix(values, layout)?;
            Ok(())
        })?;
        let sum: f64 = error.rows().into_iter().map(|row| f64::from(row.dot(&row))).sum();
        let loss = sum / error.len() as f64;
        self.error.get_or_init(|| error);
        Ok((CpuStorage::F32(vec![loss as f32]), Shape::from(())))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _loss: &Tensor,
        loss_gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(error) = self.error.get() else { bail!("backward pass of {} before its forward pass", self.name()) };
        let factor = 2.0 * loss_gradient.to_scalar::<f32>()? / error.len() as f32;
        layer_gradients(true, input, weight, bias, error.mapv(|error| factor * error).view())
    }
}

/// Gradients of a layer's input, weight and bias, given that of its product-plus-bias, `[rows, outputs]`.
fn layer_gradients(
    input_gradient: bool,
    input: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    gradient: ArrayView2<'_, f32>,
) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
    let of_input = if input_gradient {
        let values = read(weight, |values, layout| Ok(product(gradient, matrix(values, layout)?)))?;
        Some(tensor(values)?)
    } else {
        None
    };
    let of_weight = read(input, |values, layout| Ok(product(gradient.t(), matrix(values, layout)?)))?;
    let of_bias = gradient.sum_axis(Axis(0));
    let of_bias = Tensor::from_iter(of_bias, bias.device())?;
    Ok((of_input, Some(tensor(of_weight)?), Some(of_bias)))
}

fn tensor(values: Array2<f32>) -> Result<Tensor> {
    let shape = values.dim();
    Tensor::from_vec(values.into_raw_vec_and_offset().0, shape, &Device::Cpu)
}

fn product(left: ArrayView2<'_, f32>, right: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut product = Array2::zeros((left.nrows(), right.ncols()));
    general_mat_mul(1.0, &left, &right, 0.0, &mut product);
    product
}

fn add_bias(output: &mut Array2<f32>, bias: &[f32]) {
    let bias = ArrayView1::from(bias);
    for mut row in output.rows_mut() {
        row += &bias;
    }
}

fn stored(output: Array2<f32>) -> (CpuStorage, Shape) {
    let shape = Shape::from(output.dim());
    (CpuStorage::F32(output.into_raw_vec_and_offset().0), shape)
}

fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("a strided tensor where a contiguous one is due")
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn matrix<'a>(values: &'a [f32], layout: &Layout) -> Result<ArrayView2<'a, f32>> {
    let shape = layout.shape().dims2()?;
    Ok(ArrayView2::from_shape(shape, values).expect("a contiguous tensor has as many values as its shape"))
}

fn read<T>(tensor: &Tensor, look: impl FnOnce(&[f32], &Layout) -> Result<T>) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("training runs on the CPU") };
    look(values(storage, layout)?, layout)
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    pub(super) fn variable(shape: &[usize], seed: u32) -> Var {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count as u32).map(|i| ((i * 37 + seed * 11) % 23) as f32 / 23.0 - 0.45).collect();
        Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
    }

    pub(super) fn distance(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn loss_and_gradients_are_those_of_candles_own_operations() {
        let input = variable(&[17, 10], 1).as_detached_tensor();
        let hidden = [(variable(&[6, 10], 2), variable(&[6], 3)), (variable(&[4, 6], 4), variable(&[4], 5))];
        let (weight, bias) = (variable(&[10, 4], 6), variable(&[10], 7));

        let mut fused = input.clone();
        let mut plain = input.clone();
        for (index, (weight, bias)) in hidden.iter().enumerate() {
            fused = fused.apply_op3(weight, bias, DenseRelu { input_gradient: index > 0 }).unwrap();
            plain = plain.matmul(&weight.t().unwrap()).unwrap().broadcast_add(bias).unwrap().relu().unwrap();
        }
        let fused = fused.apply_op3(&weight, &bias, ReconstructionLoss::of(&input)).unwrap();
        let output = plain.matmul(&weight.t().unwrap()).unwrap().broadcast_add(&bias).unwrap();
        let plain = (output - &input).unwrap().sqr().unwrap().mean_all().unwrap();
        assert!(distance(&fused, &plain) < 1e-6);

        let (fused, plain) = (fused.backward().unwrap(), plain.backward().unwrap());
        let variables = hidden.iter().flat_map(|(weight, bias)| [weight, bias]).chain([&weight, &bias]);
        for variable in variables {
            let (fused, plain) = (fused.get(variable).unwrap(), plain.get(variable).unwrap());
            assert!(distance(fused, plain) < 1e-6, "{fused} {plain}");
            assert!(plain.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() > 1e-3, "nothing compared");
        }
    }
}
