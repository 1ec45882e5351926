//! How a network learns: Adam on the mean squared error, one seeded generator for weights and shuffles.
//!
//! | module | what learns |
//! |---|---|
//! | `dense` | dense layers as they are judged with: the reference method's |
//! | `normalised` | dense layers with batch normalisation, which is folded into them when they are read out |
//! | `convolutional` | convolutions with batch normalisation, folded likewise |
//! | `ops`, `tape` | the operations that these consist of, and the way back through them |
//! | `adam` | the optimiser |

mod adam;
mod convolutional;
mod dense;
mod normalised;
mod ops;
mod tape;

use std::ops::ControlFlow;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use self::adam::Adam;
pub(crate) use self::convolutional::ConvolutionalLearner;
pub(crate) use self::dense::DenseLearner;
pub(crate) use self::normalised::NormalisedLearner;
use crate::{DetectionError, vectors};

/// Part of the fit vectors that only chooses the best epoch (the reference method's `validation_split`).
const VALIDATION_SHARE: f64 = 0.1;
/// Rows of one validation pass.
const VALIDATION_BATCH: usize = 512;

/// A network that is being fitted.
pub(crate) trait Learner {
    /// What it is judged with.
    type Network;

    /// Batches of fewer rows teach nothing.
    const LEAST_BATCH: usize;

    /// What the optimiser moves.
    fn variables(&self) -> Vec<Var>;

    /// Mean squared error of the reconstruction of a batch, `[rows, width]`, and its gradients by the variables.
    fn gradients(&mut self, input: &Tensor) -> Result<(f64, GradStore), DetectionError>;

    /// The network as it stands.
    fn network(&self) -> Result<Self::Network, DetectionError>;

    /// Mean squared error of such a network's reconstruction of a batch, `[rows, width]`.
    fn error_of(network: &Self::Network, input: &Tensor) -> Result<f64, DetectionError>;
}

/// What is to be fitted to, and how.
pub(crate) struct FitPlan<'a> {
    /// Standardised spectrograms, `[rows, mels]` each; the stacked vectors of all of them are the fit set.
    pub spectrograms: &'a [Vec<f32>],
    pub mels: usize,
    /// Rows of a stacked vector or patch.
    pub frames: usize,
    pub epochs: usize,
    pub batch_size: usize,
    /// At most so many vectors, drawn anew for each epoch.
    pub vectors_per_epoch: usize,
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
pub(crate) struct Fitted<N> {
    pub network: N,
    pub epochs_run: usize,
    pub best: EpochLoss,
}

/// Fits a network, which `learner` begins with fresh weights; `on_epoch` hears of every epoch and may end it there. At
/// least one epoch is run.
///
/// The vectors of the shuffled spectrograms stand one after the other, and their last tenth is for validation only. So
/// validation vectors come from other clips than the fitted ones, but for one clip that is cut in two.
pub(crate) fn fit<L: Learner>(
    plan: &FitPlan<'_>,
    learner: impl FnOnce(&mut StdRng) -> Result<L, DetectionError>,
    on_epoch: &mut dyn FnMut(EpochLoss) -> ControlFlow<()>,
) -> Result<Fitted<L::Network>, DetectionError> {
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let width = plan.mels * plan.frames;
    let mut learner = learner(&mut rng)?;

    let mut order: Vec<usize> = (0..plan.spectrograms.len()).collect();
    order.shuffle(&mut rng);
    let mut all: Vec<&[f32]> = Vec::new();
    for index in order {
        let spectrogram = &plan.spectrograms[index];
        let count = vectors::count(spectrogram.len() / plan.mels, plan.frames);
        all.extend((0..count).map(|vector| &spectrogram[vector * plan.mels..vector * plan.mels + width]));
    }
    let validation_count = ((all.len() as f64 * VALIDATION_SHARE) as usize).max(1);
    let mut validation = all.split_off(all.len().saturating_sub(validation_count));
    let mut training = all;
    if training.is_empty() {
        return Err(DetectionError::Training("there are not even two stacked vectors to fit to".to_owned()));
    }
    // The same ones every time, so that epochs can be compared.
    let validation_per_epoch = ((plan.vectors_per_epoch as f64 * VALIDATION_SHARE) as usize).max(1);
    if validation.len() > validation_per_epoch {
        validation.shuffle(&mut rng);
        validation.truncate(validation_per_epoch);
    }
    let per_epoch = training.len().min(plan.vectors_per_epoch);
    let least = L::LEAST_BATCH.min(plan.batch_size).min(per_epoch);

    let mut adam = Adam::new(learner.variables(), plan.learning_rate)?;
    let mut best: Option<(EpochLoss, L::Network)> = None;
    let mut epochs_run = 0;
    for epoch in 1..=plan.epochs.max(1) {
        training.shuffle(&mut rng);
        let (mut loss_sum, mut seen) = (0.0, 0);
        for batch in training[..per_epoch].chunks(plan.batch_size).filter(|batch| batch.len() >= least) {
            let input = gather(batch, width)?;
            let (loss, gradients) = learner.gradients(&input)?;
            adam.step(&gradients)?;
            loss_sum += loss * batch.len() as f64;
            seen += batch.len();
        }
        let network = learner.network()?;
        let mut validation_sum = 0.0;
        for batch in validation.chunks(VALIDATION_BATCH) {
            validation_sum += L::error_of(&network, &gather(batch, width)?)? * batch.len() as f64;
        }
        epochs_run = epoch;
        let mut report = EpochLoss {
            epoch,
            train: loss_sum / seen as f64,
            validation: validation_sum / validation.len() as f64,
            best: false,
        };
        if !report.validation.is_finite() {
            let reason = format!("the loss left the range of numbers in epoch {epoch}; lower the learning rate");
            return Err(DetectionError::Training(reason));
        }
        report.best = best.as_ref().is_none_or(|(before, _)| report.validation < before.validation);
        if report.best {
            best = Some((report, network));
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
