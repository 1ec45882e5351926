//! The autoencoder's forward pass with everything around it, beside the bare matrix products that it cannot do without.
//!
//! `cargo bench -p auscult-detection --bench forward`. Goal: `judge` at most twice `bare_products`, which are the same
//! products of the same blocks on the same threads. `candle_products` are those of candle's own CPU backend on whole
//! matrices.
//!
//! `detectors_32_clips_of_10_s` sets the other networks side by side: what the Mahalanobis score costs beside the mean
//! squared error of the same network, and what convolutions cost.

use std::hint::black_box;
use std::ops::ControlFlow;

use auscult_detection::{ClipView, DetectorKind, HoldOut, Model, ModelPackage, TrainingClip, TrainingOptions, train};
use auscult_schemas::FeatureSpec;
use candle_core::{Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

const CLIPS: usize = 32;
/// Frames of ten seconds at 16 kHz, and the stacked vectors that they give.
const FRAMES: usize = 313;
const VECTORS: usize = 309;
const MELS: usize = 64;
const WIDTHS: [usize; 7] = [320, 64, 64, 8, 64, 64, 320];

/// A log-mel of pseudo-random levels, `[frames, mels]`, dB.
fn log_mel(seed: usize, frames: usize, mels: usize) -> Array2<f32> {
    Array2::from_shape_fn((frames, mels), |(frame, mel)| {
        let hash = (seed * 7919 + frame * 104_729 + mel * 1_299_709) % 10_007;
        -60.0 - 0.3 * mel as f32 + 20.0 * hash as f32 / 10_007.0
    })
}

fn package(options: TrainingOptions) -> ModelPackage {
    let clips: Vec<TrainingClip> = (0..8)
        .map(|seed| TrainingClip {
            name: seed.to_string(),
            channels: vec![log_mel(seed, 60, options.spec.n_mels)],
            ..TrainingClip::default()
        })
        .collect();
    let options = TrainingOptions { epochs: 1, hold_out: HoldOut::Folds(2), ..options };
    train(&clips, &options, &mut |_| ControlFlow::Continue(())).expect("the clips are sound")
}

fn forward(criterion: &mut Criterion) {
    let package = package(TrainingOptions::default());
    let spectrograms: Vec<Array2<f32>> = (0..CLIPS).map(|seed| log_mel(seed, FRAMES, MELS)).collect();
    let clips: Vec<ClipView<'_>> = spectrograms
        .iter()
        .map(|values| ClipView {
            channels: 1,
            frames: FRAMES,
            mels: MELS,
            values: values.as_slice().expect("just made, row by row"),
        })
        .collect();

    let mut group = criterion.benchmark_group("forward_32_clips_of_10_s");
    group.throughput(Throughput::Elements(CLIPS as u64));
    group.sample_size(30);

    group.bench_function("bare_products", |bencher| {
        let weights: Vec<Array2<f32>> =
            WIDTHS.windows(2).map(|pair| Array2::from_elem((pair[0], pair[1]), 0.01)).collect();
        let inputs: Vec<Array2<f32>> = (0..CLIPS).map(|_| Array2::from_elem((VECTORS, WIDTHS[0]), 0.5)).collect();
        let outputs =
            || -> Vec<Array2<f32>> { WIDTHS[1..].iter().map(|width| Array2::zeros((VECTORS, *width))).collect() };
        bencher.iter(|| {
            inputs.par_iter().for_each_init(outputs, |outputs, input| {
                for (index, weight) in weights.iter().enumerate() {
                    let (before, rest) = outputs.split_at_mut(index);
                    let activation: ArrayView2<'_, f32> = before.last().map_or(input.view(), |output| output.view());
                    general_mat_mul(1.0, &activation, weight, 0.0, &mut rest[0]);
                }
                black_box(outputs);
            });
        });
    });

    let model = Model::load(&package, &Device::Cpu).expect("the CPU is always there");
    group.bench_function("judge", |bencher| bencher.iter(|| black_box(model.judge(&clips))));

    group.bench_function("candle_products", |bencher| {
        let ones = |rows: usize, columns: usize| {
            Tensor::full(0.01_f32, (rows, columns), &Device::Cpu).expect("the CPU is always there")
        };
        let input = ones(CLIPS * VECTORS, WIDTHS[0]);
        let weights: Vec<Tensor> = WIDTHS.windows(2).map(|pair| ones(pair[0], pair[1])).collect();
        bencher.iter(|| {
            let product = |activation: Tensor, weight| activation.matmul(weight).expect("the shapes fit");
            black_box(weights.iter().fold(input.clone(), product))
        });
    });

    let tensors = Model::load_as_tensors(&package, &Device::Cpu).expect("the CPU is always there");
    group.bench_function("judge_through_candle", |bencher| bencher.iter(|| black_box(tensors.judge(&clips))));
    group.finish();
}

fn detectors(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("detectors_32_clips_of_10_s");
    group.throughput(Throughput::Elements(CLIPS as u64));
    group.sample_size(20);
    for (kind, mels) in
        [(DetectorKind::Wide, 128), (DetectorKind::WideMahalanobis, 128), (DetectorKind::Convolutional, MELS)]
    {
        let spec = FeatureSpec { n_mels: mels, ..FeatureSpec::default() };
        let package = package(TrainingOptions { spec, ..TrainingOptions::of(kind) });
        let model = Model::load(&package, &Device::Cpu).expect("the CPU is always there");
        let spectrograms: Vec<Array2<f32>> = (0..CLIPS).map(|seed| log_mel(seed, FRAMES, mels)).collect();
        let clip = |values| ClipView { channels: 1, frames: FRAMES, mels, values };
        let clips: Vec<ClipView<'_>> =
            spectrograms.iter().map(|values| clip(values.as_slice().expect("just made, row by row"))).collect();
        group.bench_function(kind.name(), |bencher| bencher.iter(|| black_box(model.judge(&clips))));
    }
    group.finish();
}

criterion_group!(benches, forward, detectors);
criterion_main!(benches);
