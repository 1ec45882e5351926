//! How fast sound becomes numbers: ten seconds of one microphone at 16 kHz through each stage, and the log-mel
//! spectrogram beside the bare Fourier transforms that it cannot do without.
//!
//! `cargo bench -p auscult-features` ends with the ratio of the medians, measured in turns so that both see the same
//! machine.

// A benchmark, like a test, has nobody to hand an error to.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use auscult_features::{ChunkExtractor, LogMelExtractor, Resampler, check, decode};
use auscult_schemas::FeatureSpec;
use criterion::{Criterion, Throughput};
use rand::{Rng, SeedableRng};
use realfft::{FftNum, RealFftPlanner};

const SECONDS: usize = 10;

/// Tones and noise, quantised to 16 bits.
fn sound(rate_hz: usize) -> Vec<i16> {
    let mut noise = rand::rngs::SmallRng::seed_from_u64(7);
    (0..SECONDS * rate_hz)
        .map(|index| {
            let t = index as f32 / rate_hz as f32;
            let tones = 0.3 * (700.0 * t).sin() + 0.1 * (9_000.0 * t).sin();
            ((tones + noise.random_range(-0.05..0.05)) * 32_767.0) as i16
        })
        .collect()
}

fn floats(steps: &[i16]) -> Vec<f32> {
    steps.iter().map(|&step| f32::from(step) / 32_768.0).collect()
}

fn wav(steps: &[i16], channels: u16, rate_hz: u32) -> Vec<u8> {
    let data: Vec<u8> = steps.iter().flat_map(|step| step.to_le_bytes()).collect();
    let block = channels * 2;
    [
        b"RIFF".as_slice(),
        &(36 + data.len() as u32).to_le_bytes(),
        b"WAVEfmt ",
        &16_u32.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &channels.to_le_bytes(),
        &rate_hz.to_le_bytes(),
        &(rate_hz * u32::from(block)).to_le_bytes(),
        &block.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &(data.len() as u32).to_le_bytes(),
        &data,
    ]
    .concat()
}

/// One real transform per frame, planned once, on a buffer that is refilled each time (the transform spoils its input).
struct BareFfts<T> {
    fft: std::sync::Arc<dyn realfft::RealToComplex<T>>,
    source: Vec<T>,
    frame: Vec<T>,
    spectrum: Vec<realfft::num_complex::Complex<T>>,
    scratch: Vec<realfft::num_complex::Complex<T>>,
    frames: usize,
}

impl<T: FftNum> BareFfts<T> {
    fn new(spec: &FeatureSpec, frames: usize) -> Self {
        let fft = RealFftPlanner::<T>::new().plan_fft_forward(spec.n_fft);
        let mut source = fft.make_input_vec();
        for (index, value) in source.iter_mut().enumerate() {
            *value = T::from_f64((index as f64).sin()).unwrap();
        }
        let (frame, spectrum, scratch) = (source.clone(), fft.make_output_vec(), fft.make_scratch_vec());
        Self { fft, source, frame, spectrum, scratch, frames }
    }

    fn run(&mut self) {
        for _ in 0..self.frames {
            self.frame.copy_from_slice(&self.source);
            self.fft.process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch).unwrap();
            black_box(&mut self.spectrum);
        }
    }
}

fn log_mel(criterion: &mut Criterion) {
    let spec = FeatureSpec::default();
    let samples = floats(&sound(16_000));
    let frames = spec.frame_count(samples.len());
    let mut extractor = LogMelExtractor::new(&spec).unwrap();
    let mut ffts_f64 = BareFfts::<f64>::new(&spec, frames);
    let mut ffts_f32 = BareFfts::<f32>::new(&spec, frames);
    let mut group = criterion.benchmark_group("log_mel_10s_16khz");
    group.throughput(Throughput::Elements(frames as u64));
    group.bench_function("log_mel", |b| b.iter(|| extractor.log_mel(black_box(&samples))));
    group.bench_function("bare_ffts_f64", |b| b.iter(|| ffts_f64.run()));
    group.bench_function("bare_ffts_f32", |b| b.iter(|| ffts_f32.run()));
    group.finish();

    let mut whole = Vec::new();
    let mut double = Vec::new();
    let mut single = Vec::new();
    for _ in 0..1500 {
        whole.push(timed(|| drop(black_box(extractor.log_mel(black_box(&samples))))));
        double.push(timed(|| ffts_f64.run()));
        single.push(timed(|| ffts_f32.run()));
    }
    let [whole, double, single] = [whole, double, single].map(median);
    println!(
        "medians of 1500 turns: log-mel {whole:.1?}; bare f64 transforms {double:.1?}, ratio {:.2}; bare f32 transforms {single:.1?}, ratio {:.2}",
        whole.as_secs_f64() / double.as_secs_f64(),
        whole.as_secs_f64() / single.as_secs_f64(),
    );
}

fn timed(mut work: impl FnMut()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn stages(criterion: &mut Criterion) {
    let mono = wav(&sound(16_000), 1, 16_000);
    let eight: Vec<i16> = sound(16_000).iter().flat_map(|&step| [step; 8]).collect();
    let eight = wav(&eight, 8, 16_000);
    // An encoder's own output: 9,001 samples of a ramp.
    let flac = include_bytes!("../tests/golden/recordings/mono16.flac");
    let fast = floats(&sound(48_000));
    let clip = decode("audio/wav", &mono).unwrap();

    let mut group = criterion.benchmark_group("stages_10s");
    group.throughput(Throughput::Bytes(mono.len() as u64));
    group.bench_function("decode_wav_mono", |b| b.iter(|| decode("audio/wav", black_box(&mono)).unwrap()));
    group.throughput(Throughput::Bytes(eight.len() as u64));
    group.bench_function("decode_wav_eight_channels", |b| b.iter(|| decode("audio/wav", black_box(&eight)).unwrap()));
    group.throughput(Throughput::Elements(9_001));
    group.bench_function("decode_flac_9001_samples", |b| b.iter(|| decode("audio/flac", black_box(flac)).unwrap()));
    group.throughput(Throughput::Elements(clip.samples() as u64));
    group.bench_function("check_mono", |b| b.iter(|| check(black_box(&clip)).unwrap()));
    let mut resampler = Resampler::new(16_000);
    let mut output = Vec::new();
    group.throughput(Throughput::Elements(fast.len() as u64));
    group.bench_function("resample_48_to_16_khz", |b| {
        b.iter(|| resampler.resample(black_box(&fast), 48_000, &mut output).unwrap());
    });
    let mut extractor = ChunkExtractor::new(FeatureSpec::default()).unwrap();
    group.throughput(Throughput::Elements(1));
    group.bench_function("whole_chunk_wav_mono", |b| {
        b.iter(|| extractor.extract("audio/wav", black_box(&mono)).unwrap())
    });
    group.bench_function("whole_chunk_wav_eight_channels", |b| {
        b.iter(|| extractor.extract("audio/wav", black_box(&eight)).unwrap());
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(40)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    log_mel(&mut criterion);
    stages(&mut criterion);
    criterion.final_summary();
}
