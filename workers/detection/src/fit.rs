//! How a network learns: Adam on the mean squared error, one seeded generator for weights and shuffles.

mod ops;

use std::ops::ControlFlow;

use candle_core::{Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use ndarray::{Array1, Array2};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use self::ops::{DenseRelu, ReconstructionLoss};
use crate::autoencoder::{Autoencoder, Dense};
use crate::{DetectionError, vectors};

/// Part of the fit vectors that only chooses the best epoch (the reference method's `validation_split`).
const VALIDATION_SHARE: f64 = 0.1;
/// Rows of one validation pass.
const VALIDATION_BATCH: usize = 512;

/// What is to be fitted.
pub(crate) struct FitPlan<'a> {
    /// Standardised spectrograms, `[rows, mels]` each; the stacked vectors of all of them are the fit set.
    pub spectrograms: &'a [Vec<f32>],
    pub mels: usize,
    pub frames: usize,
    pub hidden: &'a [usize],
    pub epochs: usize,
    pub batch_size: usize,
    pub learning_rate: f64,
    pub seed: u64,
}

/// One epoch's result, in the units of the standardised input squared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EpochLoss {
    /// From 1.
    pub epoch: usize,
    pub train: f64,
    pub validation: f64,
    /// The best so far.
    pub best: bool,
}

/// The best epoch's network.
pub(crate) struct Fitted {
    pub network: Autoencoder,
    pub epochs_run: usize,
    pub best: EpochLoss,
}

/// Fits a network; `on_epoch` hears of every epoch and may end it there. At least one epoch is run.
///
/// The vectors of the shuffled spectrograms stand one after the other, and their last tenth is for validation only. So
/// validation vectors come from other clips than the fitted ones, but for one clip that is cut in two.
pub(crate) fn fit(
    plan: &FitPlan<'_>,
    on_epoch: &mut dyn FnMut(EpochLoss) -> ControlFlow<()>,
) -> Result<Fitted, DetectionError> {
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let width = plan.mels * plan.frames;
    let trainable = Trainable::new(&Autoencoder::glorot(width, plan.hidden, &mut rng))?;

    let mut order: Vec<usize> = (0..plan.spectrograms.len()).collect();
    order.shuffle(&mut rng);
    let mut all: Vec<&[f32]> = Vec::new();
    for index in order {
        let spectrogram = &plan.spectrograms[index];
        let count = vectors::count(spectrogram.len() / plan.mels, plan.frames);
        all.extend((0..count).map(|vector| &spectrogram[vector * plan.mels..vector * plan.mels + width]));
    }
    let validation_count = ((all.len() as f64 * VALIDATION_SHARE) as usize).max(1);
    let validation = all.split_off(all.len().saturating_sub(validation_count));
    let mut training = all;
    if training.is_empty() {
        return Err(DetectionError::Training("there are not even two stacked vectors to fit to".to_owned()));
    }

    // Keras' Adam: no weight decay, epsilon 1e-7.
    let adam = ParamsAdamW { lr: plan.learning_rate, weight_decay: 0.0, eps: 1e-7, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(trainable.variables(), adam)?;
    let mut best: Option<(EpochLoss, Autoencoder)> = None;
    let mut epochs_run = 0;
    for epoch in 1..=plan.epochs.max(1) {
        training.shuffle(&mut rng);
        let mut loss_sum = 0.0;
        for batch in training.chunks(plan.batch_size) {
            let input = gather(batch, width)?;
            let loss = trainable.loss(&input)?;
            optimizer.backward_step(&loss)?;
            loss_sum += f64::from(loss.to_scalar::<f32>()?) * batch.len() as f64;
        }
        let mut validation_sum = 0.0;
        for batch in validation.chunks(VALIDATION_BATCH) {
            let loss = trainable.loss(&gather(batch, width)?)?;
            validation_sum += f64::from(loss.to_scalar::<f32>()?) * batch.len() as f64;
        }
        epochs_run = epoch;
        let mut report = EpochLoss {
            epoch,
            train: loss_sum / training.len() as f64,
            validation: validation_sum / validation.len() as f64,
            best: false,
        };
        if !report.validation.is_finite() {
            let reason = format!("the loss left the range of numbers in epoch {epoch}; lower the learning rate");
            return Err(DetectionError::Training(reason));
        }
        report.best = best.as_ref().is_none_or(|(before, _)| report.validation < before.validation);
        if report.best {
            best = Some((report, trainable.snapshot()?));
        }
        if on_epoch(report).is_break() {
            break;
        }
    }
    let (best, network) = best.expect("the first epoch is the best so far");
    Ok(Fitted { network, epochs_run, best })
}

fn gather(batch: &[&[f32]], width: usize) -> Result<Tensor, DetectionError> {
    let mut values = Vec::with_capacity(batch.len() * width);
    for vector in batch {
        values.extend_from_slice(vector);
    }
    Ok(Tensor::from_vec(values, (batch.len(), width), &Device::Cpu)?)
}

/// The network's weights as candle variables, `[outputs, inputs]` and `[outputs]` of each layer.
struct Trainable {
    layers: Vec<(Var, Var)>,
}

impl Trainable {
    fn new(network: &Autoencoder) -> Result<Self, DetectionError> {
        let mut layers = Vec::with_capacity(network.layers.len());
        for layer in &network.layers {
            let weight = Tensor::from_iter(layer.weight.iter().copied(), &Device::Cpu)?.reshape(layer.weight.dim())?;
            let bias = Tensor::from_iter(layer.bias.iter().copied(), &Device::Cpu)?;
            layers.push((Var::from_tensor(&weight)?, Var::from_tensor(&bias)?));
        }
        Ok(Self { layers })
    }

    fn variables(&self) -> Vec<Var> {
        self.layers.iter().flat_map(|(weight, bias)| [weight.clone(), bias.clone()]).collect()
    }

    /// Mean squared error of the reconstruction, a scalar.
    fn loss(&self, input: &Tensor) -> Result<Tensor, DetectionError> {
        let ((weight, bias), hidden) = self.layers.split_last().expect("an autoencoder has an output layer");
        let mut activation = input.clone();
        for (index, (weight, bias)) in hidden.iter().enumerate() {
            activation = activation.apply_op3(weight, bias, DenseRelu { input_gradient: index > 0 })?;
        }
        Ok(activation.apply_op3(weight, bias, ReconstructionLoss::of(input))?)
    }

    fn snapshot(&self) -> Result<Autoencoder, DetectionError> {
        let mut layers = Vec::with_capacity(self.layers.len());
        for (weight, bias) in &self.layers {
            let weights = weight.flatten_all()?.to_vec1::<f32>()?;
            layers.push(Dense {
                weight: Array2::from_shape_vec(weight.dims2()?, weights).expect("as many values as the shape has"),
                bias: Array1::from_vec(bias.to_vec1::<f32>()?),
            });
        }
        Ok(Autoencoder { layers })
    }
}
