//! Adam (Kingma and Ba, *Adam: a method for stochastic optimization*, 2015), one pass over each variable.
//!
//! candle's takes a dozen, and shares those over large variables out among spinning threads. A test holds both to the
//! same numbers.

use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var};

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
/// Keras' default.
const EPSILON: f32 = 1e-7;

pub(super) struct Adam {
    variables: Vec<Moving>,
    learning_rate: f64,
    steps: i32,
}

struct Moving {
    variable: Var,
    values: Vec<f32>,
    /// Faded means of the gradient and of its square.
    mean: Vec<f32>,
    square: Vec<f32>,
}

impl Adam {
    pub(super) fn new(variables: Vec<Var>, learning_rate: f64) -> Result<Self> {
        let moving = variables.into_iter().map(|variable| {
            let values = variable.flatten_all()?.to_vec1::<f32>()?;
            let zeros = vec![0.0; values.len()];
            Ok(Moving { variable, values, mean: zeros.clone(), square: zeros })
        });
        Ok(Self { variables: moving.collect::<Result<_>>()?, learning_rate, steps: 0 })
    }

    /// Moves all variables that have a gradient.
    pub(super) fn step(&mut self, gradients: &GradStore) -> Result<()> {
        self.steps += 1;
        let (beta_1, beta_2) = (BETA_1 as f32, BETA_2 as f32);
        let (rest_1, rest_2) = ((1.0 - BETA_1) as f32, (1.0 - BETA_2) as f32);
        let mean_scale = (1.0 / (1.0 - BETA_1.powi(self.steps))) as f32;
        let square_scale = (1.0 / (1.0 - BETA_2.powi(self.steps))) as f32;
        let learning_rate = self.learning_rate as f32;
        for Moving { variable, values, mean, square } in &mut self.variables {
            let Some(gradient) = gradients.get(variable) else { continue };
            let gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
            let moments = mean.iter_mut().zip(square.iter_mut());
            for ((value, (mean, square)), gradient) in values.iter_mut().zip(moments).zip(&gradient) {
                *mean = *mean * beta_1 + gradient * rest_1;
                *square = *square * beta_2 + gradient * gradient * rest_2;
                *value -= *mean * mean_scale / ((*square * square_scale).sqrt() + EPSILON) * learning_rate;
            }
            variable.set(&Tensor::from_slice(values, variable.shape(), &Device::Cpu)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_nn::{AdamW, Optimizer, ParamsAdamW};

    use super::*;

    #[test]
    fn it_moves_as_candles_own_does() {
        let start = Tensor::new(&[[0.5_f32, -1.0, 2.0], [0.0, 3.0, -0.3]], &Device::Cpu).unwrap();
        let (ours, theirs) = (Var::from_tensor(&start).unwrap(), Var::from_tensor(&start).unwrap());
        let mut adam = Adam::new(vec![ours.clone()], 0.05).unwrap();
        let parameters = ParamsAdamW { lr: 0.05, weight_decay: 0.0, eps: f64::from(EPSILON), ..ParamsAdamW::default() };
        let mut candles = AdamW::new(vec![theirs.clone()], parameters).unwrap();
        // A valley that is steeper in some directions.
        let slopes = Tensor::new(&[[1.0_f32, 2.0, 0.1], [4.0, 0.5, 1.0]], &Device::Cpu).unwrap();
        let loss = |variable: &Var| ((variable.as_tensor() - 1.0).unwrap().sqr().unwrap() * &slopes).unwrap().sum_all();
        for _ in 0..50 {
            adam.step(&loss(&ours).unwrap().backward().unwrap()).unwrap();
            candles.backward_step(&loss(&theirs).unwrap()).unwrap();
        }
        let apart = (ours.as_tensor() - theirs.as_tensor()).unwrap().abs().unwrap().max_all().unwrap();
        assert!(apart.to_scalar::<f32>().unwrap() < 1e-5, "{ours} {theirs}");
        let moved = (ours.as_tensor() - &start).unwrap().abs().unwrap().min_all().unwrap();
        assert!(moved.to_scalar::<f32>().unwrap() > 0.1, "{ours}");
    }
}
