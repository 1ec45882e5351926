//! Convolutions of stride two as one node of the graph each: a few images at a time, whose patches fit into the cache.
//! On one core: fits run side by side, and to share out one fit's small products among cores took twice the processor
//! time.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use ndarray::{Array2, ArrayView2};

use super::{matrix, product, read, stored, tensor, values};
use crate::convolution::Grid;

/// Images whose patches are held at once.
const IMAGES: usize = 4;

/// A convolution: input `[images, rows · columns · channels]` (or as many numbers in another shape), kernel
/// `[outputs, kernel · kernel · channels]`, output `[images · positions, outputs]`.
pub(in crate::fit) struct Convolve {
    pub grid: Grid,
    /// Whether the input's gradient is wanted: not for the first layer, whose input is sound.
    pub input_gradient: bool,
}

impl CustomOp2 for Convolve {
    fn name(&self) -> &'static str {
        "convolve"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        kernel: &CpuStorage,
        kernel_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let input = values(input, input_layout)?;
        let kernel = matrix(values(kernel, kernel_layout)?, kernel_layout)?;
        let (outputs, channels) = (kernel.nrows(), kernel.ncols() / self.grid.kernel_cells());
        let parts: Vec<Array2<f32>> = input
            .chunks(IMAGES * self.grid.cells() * channels)
            .map(|images| product(self.grid.gather_all(images, channels).view(), kernel.t()))
            .collect();
        Ok(stored(below_each_other(&parts, outputs)))
    }

    fn bwd(
        &self,
        input: &Tensor,
        kernel: &Tensor,
        _output: &Tensor,
        output_gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradients = read3(input, kernel, output_gradient, |input, kernel, gradient| {
            let channels = kernel.ncols() / self.grid.kernel_cells();
            let outputs = kernel.nrows();
            let parts: Vec<(Array2<f32>, Vec<f32>)> = input
                .chunks(IMAGES * self.grid.cells() * channels)
                .zip(gradient.chunks(IMAGES * self.grid.positions() * outputs))
                .map(|(images, gradient)| {
                    let gradient = rows_of(gradient, outputs);
                    let of_kernel = product(gradient.t(), self.grid.gather_all(images, channels).view());
                    let mut of_images = Vec::new();
                    if self.input_gradient {
                        of_images = vec![0.0; images.len()];
                        self.grid.scatter_all(&product(gradient, kernel), channels, &mut of_images);
                    }
                    (of_kernel, of_images)
                })
                .collect();
            Ok(parts)
        })?;
        let of_input = self.input_gradient.then(|| joined(&gradients, input.shape()));
        Ok((of_input.transpose()?, Some(tensor(sum(gradients, kernel.dims2()?))?)))
    }
}

/// A transposed convolution: input `[images · positions, inputs]` (or as many numbers in another shape), kernel
/// `[inputs, kernel · kernel · channels]`, output `[images · rows · columns, channels]`.
pub(in crate::fit) struct Spread {
    pub grid: Grid,
}

impl CustomOp2 for Spread {
    fn name(&self) -> &'static str {
        "spread"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        kernel: &CpuStorage,
        kernel_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let input = values(input, input_layout)?;
        let kernel = matrix(values(kernel, kernel_layout)?, kernel_layout)?;
        let (inputs, channels) = (kernel.nrows(), kernel.ncols() / self.grid.kernel_cells());
        let parts: Vec<Array2<f32>> = input
            .chunks(IMAGES * self.grid.positions() * inputs)
            .map(|part| {
                let patches = product(rows_of(part, inputs), kernel);
                let images = part.len() / (self.grid.positions() * inputs);
                let mut output = vec![0.0; images * self.grid.cells() * channels];
                self.grid.scatter_all(&patches, channels, &mut output);
                Array2::from_shape_vec((images * self.grid.cells(), channels), output).expect("just made so long")
            })
            .collect();
        Ok(stored(below_each_other(&parts, channels)))
    }

    fn bwd(
        &self,
        input: &Tensor,
        kernel: &Tensor,
        _output: &Tensor,
        output_gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradients = read3(input, kernel, output_gradient, |input, kernel, gradient| {
            let (inputs, channels) = (kernel.nrows(), kernel.ncols() / self.grid.kernel_cells());
            let parts: Vec<(Array2<f32>, Vec<f32>)> = input
                .chunks(IMAGES * self.grid.positions() * inputs)
                .zip(gradient.chunks(IMAGES * self.grid.cells() * channels))
                .map(|(part, gradient)| {
                    let patches = self.grid.gather_all(gradient, channels);
                    let of_kernel = product(rows_of(part, inputs).t(), patches.view());
                    (of_kernel, product(patches.view(), kernel.t()).into_raw_vec_and_offset().0)
                })
                .collect();
            Ok(parts)
        })?;
        Ok((Some(joined(&gradients, input.shape())?), Some(tensor(sum(gradients, kernel.dims2()?))?)))
    }
}

/// `mean((output - target)²)`, a scalar, for an output and a target of as many numbers. Candle's own nodes would share
/// each subtraction out among cores, whose waiting for each other costs more than the subtraction.
pub(in crate::fit) struct MeanSquaredError {
    pub target: Tensor,
}

impl CustomOp1 for MeanSquaredError {
    fn name(&self) -> &'static str {
        "mean-squared-error"
    }

    fn cpu_fwd(&self, output: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let output = values(output, layout)?;
        let sum: f64 = read(&self.target, |target, _| {
            Ok(output.iter().zip(target).map(|(got, wanted)| f64::from(got - wanted).powi(2)).sum())
        })?;
        Ok((CpuStorage::F32(vec![(sum / output.len() as f64) as f32]), Shape::from(())))
    }

    fn bwd(&self, output: &Tensor, _loss: &Tensor, loss_gradient: &Tensor) -> Result<Option<Tensor>> {
        let factor = 2.0 * loss_gradient.to_scalar::<f32>()? / output.elem_count() as f32;
        let gradient: Vec<f32> = read(output, |output, _| {
            read(&self.target, |target, _| {
                Ok(output.iter().zip(target).map(|(got, wanted)| factor * (got - wanted)).collect())
            })
        })?;
        Ok(Some(Tensor::from_vec(gradient, output.shape(), output.device())?))
    }
}

fn rows_of(values: &[f32], columns: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((values.len() / columns, columns), values).expect("whole images")
}

fn below_each_other(parts: &[Array2<f32>], columns: usize) -> Array2<f32> {
    let values: Vec<f32> = parts.iter().flat_map(|part| part.iter().copied()).collect();
    Array2::from_shape_vec((values.len() / columns, columns), values).expect("whole rows")
}

fn joined(parts: &[(Array2<f32>, Vec<f32>)], shape: &Shape) -> Result<Tensor> {
    let values: Vec<f32> = parts.iter().flat_map(|(_, of_images)| of_images.iter().copied()).collect();
    Tensor::from_vec(values, shape, &candle_core::Device::Cpu)
}

fn sum(parts: Vec<(Array2<f32>, Vec<f32>)>, shape: (usize, usize)) -> Array2<f32> {
    parts.into_iter().fold(Array2::zeros(shape), |sum, (of_kernel, _)| sum + of_kernel)
}

fn read3<T>(
    input: &Tensor,
    kernel: &Tensor,
    gradient: &Tensor,
    look: impl FnOnce(&[f32], ArrayView2<'_, f32>, &[f32]) -> Result<T>,
) -> Result<T> {
    read(input, |input, _| {
        read(kernel, |kernel, layout| {
            let kernel = matrix(kernel, layout)?;
            read(gradient, |gradient, _| look(input, kernel, gradient))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{distance, variable};
    use super::*;

    /// `[images, rows, columns, channels]` to candle's `[images, channels, rows, columns]`.
    fn channels_first(tensor: &Tensor, shape: (usize, usize, usize, usize)) -> Tensor {
        tensor.reshape(shape).unwrap().permute((0, 3, 1, 2)).unwrap().contiguous().unwrap()
    }

    fn compare(fused: &Tensor, plain: &Tensor, variables: [&candle_core::Var; 2]) {
        assert!(distance(fused, plain) < 1e-4);
        let shape = fused.dims().to_vec();
        let weights = variable(&shape, 9);
        let of = |output: &Tensor| (output * weights.as_tensor()).unwrap().sum_all().unwrap().backward().unwrap();
        let (fused, plain) = (of(fused), of(plain));
        for variable in variables {
            let (fused, plain) = (fused.get(variable).unwrap(), plain.get(variable).unwrap());
            assert!(distance(fused, plain) < 1e-3, "{fused} {plain}");
            assert!(plain.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() > 1e-1, "nothing compared");
        }
    }

    #[test]
    fn a_convolution_is_candles_own() {
        // More images than are held at once.
        let (images, rows, columns, channels, outputs) = (6, 8, 6, 2, 3);
        for kernel_side in [3, 5] {
            let grid = Grid { rows, columns, kernel: kernel_side };
            let input = variable(&[images, rows * columns * channels], 1);
            let kernel = variable(&[outputs, grid.kernel_cells() * channels], 2);
            let fused = input.apply_op2(&kernel, Convolve { grid, input_gradient: true }).unwrap();
            let plain = channels_first(&input, (images, rows, columns, channels))
                .conv2d(
                    &channels_first(&kernel, (outputs, kernel_side, kernel_side, channels)),
                    kernel_side / 2,
                    2,
                    1,
                    1,
                )
                .unwrap();
            let plain = plain.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap().reshape(fused.shape()).unwrap();
            compare(&fused, &plain, [&input, &kernel]);
        }
    }

    #[test]
    fn the_mean_squared_error_is_candles_own() {
        let (output, target) = (variable(&[6, 5], 1), variable(&[6, 5], 2));
        let fused = output.apply_op1(MeanSquaredError { target: target.as_detached_tensor() }).unwrap();
        let plain = (output.as_tensor() - target.as_tensor()).unwrap().sqr().unwrap().mean_all().unwrap();
        assert!(distance(&fused, &plain) < 1e-6);
        let [fused, plain] = [fused, plain].map(|loss| loss.backward().unwrap().get(&output).unwrap().clone());
        assert!(distance(&fused, &plain) < 1e-6, "{fused} {plain}");
        assert!(plain.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() > 1e-3, "nothing compared");
    }

    #[test]
    fn a_transposed_convolution_is_candles_own() {
        let (images, rows, columns, inputs, channels) = (6, 8, 6, 3, 2);
        for kernel_side in [3, 5] {
            let grid = Grid { rows, columns, kernel: kernel_side };
            let input = variable(&[images, grid.positions() * inputs], 1);
            let kernel = variable(&[inputs, grid.kernel_cells() * channels], 2);
            let fused = input.apply_op2(&kernel, Spread { grid }).unwrap();
            let (halved_rows, halved_columns) = grid.halved();
            let plain = channels_first(&input, (images, halved_rows, halved_columns, inputs))
                .conv_transpose2d(
                    &channels_first(&kernel, (inputs, kernel_side, kernel_side, channels)),
                    kernel_side / 2,
                    1,
                    2,
                    1,
                )
                .unwrap();
            let plain = plain.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap().reshape(fused.shape()).unwrap();
            compare(&fused, &plain, [&input, &kernel]);
        }
    }
}
