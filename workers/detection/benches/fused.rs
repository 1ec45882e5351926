//! What the default detector costs: 32 ten-second clips of a machine without a cycle and of one with, beside the mere
//! reading of their levels, which it cannot do without.
//!
//! `cargo bench -p auscult-detection --bench fused`.

use std::hint::black_box;
use std::ops::ControlFlow;

use auscult_detection::{ClipView, DetectorKind, Model, Pooling, TrainingClip, TrainingOptions, train};
use candle_core::Device;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array2;
use rayon::prelude::*;

const CLIPS: usize = 32;
/// Frames of ten seconds at 16 kHz.
const FRAMES: usize = 313;
const MELS: usize = 64;

/// Pseudo-random levels that swell together, twice a second or now and then, `[frames, mels]`.
fn log_mel(seed: usize, is_cyclic: bool) -> Array2<f32> {
    Array2::from_shape_fn((FRAMES, MELS), |(frame, mel)| {
        let hash = (seed * 7919 + frame * 104_729 + mel * 1_299_709 + frame * mel * 31) % 10_007;
        let phase = 0.7 * seed as f32 + 0.4 * frame as f32;
        let now_and_then = ((seed * 31 + frame / 9) * 7_927 % 101) as f32 / 50.0 - 1.0;
        let swell = if is_cyclic { phase.sin() } else { now_and_then };
        -60.0 - 0.3 * mel as f32 + 20.0 * hash as f32 / 10_007.0 + 6.0 * swell
    })
}

fn model(is_cyclic: bool, expected: Pooling) -> Model {
    let clips: Vec<TrainingClip> = (0..20)
        .map(|seed| TrainingClip {
            name: seed.to_string(),
            channels: vec![log_mel(seed, is_cyclic)],
            ..TrainingClip::default()
        })
        .collect();
    let options = TrainingOptions { detector: DetectorKind::Fused, ..TrainingOptions::default() };
    let package = train(&clips, &options, &mut |_| ControlFlow::Continue(())).expect("the clips are sound");
    let auscult_detection::Weights::Fused(detector) = package.weights() else { unreachable!("as asked for") };
    assert!(
        detector.parts.iter().any(|part| part.fitted_pooling.pooling() == expected),
        "{expected:?} is what is measured"
    );
    Model::load(&package, &Device::Cpu).expect("it was just made")
}

fn fused(criterion: &mut Criterion) {
    let spectrograms: Vec<Array2<f32>> = (100..100 + CLIPS).map(|seed| log_mel(seed, true)).collect();
    let clips: Vec<ClipView<'_>> = spectrograms
        .iter()
        .map(|values| ClipView {
            channels: 1,
            frames: FRAMES,
            mels: MELS,
            values: values.as_slice().expect("just made, row by row"),
        })
        .collect();
    let mut group = criterion.benchmark_group("fused_32_clips_of_10_s");
    group.throughput(Throughput::Elements(CLIPS as u64));
    group.sample_size(30);
    group.bench_function("bare_powers", |bencher| {
        bencher.iter(|| -> f32 {
            black_box(&spectrograms)
                .par_iter()
                .map(|clip| clip.iter().map(|level| (level * 0.230).exp()).sum::<f32>())
                .sum()
        });
    });
    for (name, is_cyclic, pooling) in
        [("without_a_cycle", false, Pooling::Level), ("with_a_cycle", true, Pooling::Cycle)]
    {
        let model = model(is_cyclic, pooling);
        group.bench_function(name, |bencher| bencher.iter(|| model.judge(black_box(&clips)).expect("sound clips")));
    }
    group.finish();
}

criterion_group!(benches, fused);
criterion_main!(benches);
