//! Sensor faults and traces of recording, put into a healthy clip: what the rules must find.

use auscult_features::{Clip, Resampler};
use auscult_schemas::QualityFlag;

/// A fault or a trace, and how it is put into a channel.
pub struct Injected {
    pub name: &'static str,
    pub flag: QualityFlag,
    pub inject: fn(&mut [f32], u32),
}

pub const INJECTED: [Injected; 9] = [
    Injected { name: "constant", flag: QualityFlag::Silent, inject: |samples, _| samples.fill(0.0) },
    Injected { name: "dither of ±1 step", flag: QualityFlag::Silent, inject: dither },
    Injected { name: "last 75 % held", flag: QualityFlag::Stuck, inject: held },
    Injected { name: "gaps of zeros, 20 ms of 200", flag: QualityFlag::DroppedOut, inject: gaps },
    Injected { name: "cut off at both ends", flag: QualityFlag::Clipped, inject: cut_off },
    Injected { name: "cut off at one end", flag: QualityFlag::Clipped, inject: cut_off_above },
    Injected { name: "a quarter of the rate", flag: QualityFlag::WrongRate, inject: low_rate },
    Injected { name: "50 Hz, 60 dB above", flag: QualityFlag::MainsHum, inject: hum },
    Injected { name: "noise gate", flag: QualityFlag::Processed, inject: gate },
];

/// Puts it into every channel, in steps of 16 bits.
pub fn with(clip: &Clip, injected: &Injected) -> Clip {
    let mut clip = clip.clone();
    for channel in &mut clip.channels {
        (injected.inject)(channel, clip.sample_rate_hz);
        channel
            .iter_mut()
            .for_each(|sample| *sample = (*sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) / 32_768.0);
    }
    clip.step = Some(1.0 / 32_768.0);
    clip
}

fn dither(samples: &mut [f32], _: u32) {
    let mut state = 1_u32;
    for sample in samples {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *sample = ((state >> 16) % 3) as f32 / 32_768.0 - 1.0 / 32_768.0;
    }
}

fn held(samples: &mut [f32], _: u32) {
    let begin = samples.len() / 4;
    samples[begin..].fill(0.1);
}

fn gaps(samples: &mut [f32], rate_hz: u32) {
    let (every, length) = (rate_hz as usize / 5, rate_hz as usize / 50);
    for (index, sample) in samples.iter_mut().enumerate() {
        if index % every < length {
            *sample = 0.0;
        }
    }
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).sqrt()
}

fn cut_off(samples: &mut [f32], _: u32) {
    let limit = 1.5 * rms(samples);
    samples.iter_mut().for_each(|sample| *sample = sample.clamp(-limit, limit));
}

fn cut_off_above(samples: &mut [f32], _: u32) {
    let limit = 1.2 * rms(samples);
    samples.iter_mut().for_each(|sample| *sample = sample.min(limit));
}

fn low_rate(samples: &mut [f32], rate_hz: u32) {
    let (mut low, mut again) = (Vec::new(), Vec::new());
    Resampler::new(rate_hz / 4).resample(samples, rate_hz, &mut low).expect("the rate is within bounds");
    Resampler::new(rate_hz).resample(&low, rate_hz / 4, &mut again).expect("the rate is within bounds");
    again.resize(samples.len(), 0.0);
    samples.copy_from_slice(&again);
}

fn hum(samples: &mut [f32], rate_hz: u32) {
    let loudness = 1e-3 * 0.3 / rms(samples).max(1e-6);
    for (index, sample) in samples.iter_mut().enumerate() {
        let time = index as f64 / f64::from(rate_hz);
        *sample = loudness * *sample + 0.3 * (std::f64::consts::TAU * 50.0 * time).sin() as f32;
    }
}

fn gate(samples: &mut [f32], rate_hz: u32) {
    let second = rate_hz as usize;
    for (index, sample) in samples.iter_mut().enumerate() {
        let closed = (index % (second / 2)) as f32 / second as f32 - 0.2;
        let open = (1.0 - closed.max(0.0) / 0.02).max(0.0);
        *sample *= open * open;
    }
}
