//! Simulated machines whose sound changes within a clip: what no rule must take for a fault of the sensor.

use std::f64::consts::TAU;

use auscult_features::Clip;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// A kind of machine, and its sound at a rate for a seed, 4 s.
pub struct Unsteady {
    pub name: &'static str,
    sound: fn(f64, &mut SmallRng) -> Vec<f64>,
}

pub const UNSTEADY: [Unsteady; 7] = [
    Unsteady { name: "run-up through 50 orders", sound: run_up },
    Unsteady { name: "speed that hunts", sound: hunting },
    Unsteady { name: "valve", sound: valve },
    Unsteady { name: "two modes by turns", sound: modes },
    Unsteady { name: "flow noise that beats band by band", sound: flow },
    Unsteady { name: "hammer in a hall", sound: hammer },
    Unsteady { name: "tools that come and go", sound: tools },
];

impl Unsteady {
    /// In steps of 16 bits, at a peak of 0.01 to 0.5 of full scale.
    pub fn recorded(&self, sample_rate_hz: u32, seed: u64) -> Clip {
        let mut rng = SmallRng::seed_from_u64(seed);
        let sound = (self.sound)(f64::from(sample_rate_hz), &mut rng);
        let peak = sound.iter().fold(0.0_f64, |peak, value| peak.max(value.abs()));
        let gain = 10.0_f64.powf(rng.random_range(-2.0..-0.3)) / peak;
        let samples = sound.iter().map(|value| ((gain * value * 32_768.0).round() / 32_768.0) as f32).collect();
        Clip { sample_rate_hz, channels: vec![samples], step: Some(1.0 / 32_768.0), ..Clip::default() }
    }
}

const SECONDS: f64 = 4.0;

fn white(rng: &mut SmallRng) -> f64 {
    (0..3).map(|_| rng.random_range(-1.0..1.0_f64)).sum()
}

/// Noise that falls with frequency, of RMS about 1.
fn room(rate_hz: f64, rng: &mut SmallRng) -> Vec<f64> {
    let mut low = 0.0;
    (0..(SECONDS * rate_hz) as usize)
        .map(|_| {
            let white = white(rng);
            low = 0.9 * low + 0.3 * white;
            low + 0.3 * white
        })
        .collect()
}

/// Adds the harmonics of a speed that changes, Hz at a time.
fn add_orders(sound: &mut [f64], rate_hz: f64, orders: u32, loudness: f64, speed_hz: impl Fn(f64) -> f64) {
    let mut turn = 0.0;
    for (index, value) in sound.iter_mut().enumerate() {
        let speed_hz = speed_hz(index as f64 / rate_hz);
        turn += speed_hz / rate_hz;
        let audible = (1..=orders).map(f64::from).take_while(|order| order * speed_hz < 0.45 * rate_hz);
        *value +=
            loudness * audible.map(|order| (TAU * order * turn + order * order).sin() / order.sqrt()).sum::<f64>();
    }
}

fn run_up(rate_hz: f64, rng: &mut SmallRng) -> Vec<f64> {
    let mut sound = room(rate_hz, rng);
    let (from, to) = (rng.random_range(8.0..60.0), rng.random_range(60.0..200.0));
    add_orders(&mut sound, rate_hz, 50, rng.random_range(0.3..30.0), |time| from + (to - from) * time / SECONDS);
    sound
}

fn hunting(rate_hz: f64, rng: &mut SmallRng) -> Vec<f64> {
    let mut sound = room(rate_hz, rng);
    let (speed, depth, hz) = (rng.random_range(10.0..200.0), rng.random_range(0.01..0.15), rng.random_range(0.2..3.0));
    add_orders(&mut sound, rate_hz, 50, rng.random_range(0.3..30.0), |time| {
        speed * (1.0 + depth * (TAU * hz * time).sin())
    });
    sound
}

/// Adds strikes at times, each of which rings at the same frequencies.
fn add_strikes(sound: &mut [f64], rate_hz: f64, times: &[f64], modes: &[(f64, f64, f64)], rng: &mut SmallRng) {
    for time in times {
        let strength = rng.random_range(0.5..1.5);
        for (hz, decay_s, loudness) in modes {
            let begin = (time * rate_hz) as usize;
            let length = (8.0 * decay_s * rate_hz) as usize;
            for (index, value) in sound.iter_mut().skip(begin).take(length).enumerate() {
                let since = index as f64 / rate_hz;
                *value += strength * loudness * (-since / decay_s).exp() * (TAU * hz * since).sin();
            }
        }
    }
}

fn ringing(rate_hz: f64, decay_s: std::ops::Range<f64>, loudness: f64, rng: &mut SmallRng) -> Vec<(f64, f64, f64)> {
    (0..24)
        .map(|_| {
            let hz = rng.random_range(100.0..0.45 * rate_hz);
            (hz, rng.random_range(decay_s.clone()), loudness * rng.random_range(0.2..1.0))
        })
        .collect()
}

fn valve(rate_hz: f64, rng: &mut SmallRng) -> Vec<f64> {
    let mut sound = room(rate_hz, rng);
    let (every, loudness) = (rng.random_range(0.05..1.0), rng.random_range(1.0..300.0));
    let modes = ringing(rate_hz, 0.002..0.06, loudness, rng);
    let times: Vec<f64> = (0..).map(|index| f64::from(index) * every).take_while(|time| *time < SECONDS).collect();
    add_strikes(&mut sound, rate_hz, &times, &modes, rng);
    sound
}

fn hammer(rate_hz: f64, rng: &mut SmallRng) -> Vec<f64> {
    let mut sound = room(rate_hz, rng);
    let loudness = rng.random_range(1.0..300.0);
    let modes = ringing(rate_hz, 0.05..0.4, loudness, rng);
    let times: Vec<f64> = (0..rng.random_range(5..60)).map(|_| rng.random_range(0.0..SECONDS)).collect();
    add_strikes(&mut sound, rate_hz, &times, &modes, rng);
    sound
}

fn modes(rate_hz: f64, rng: &mut SmallRng) -> Vec<f64> {
    let mut sound = room(rate_hz, rng);
    let (every, loudness) = (rng.random_range(0.2..2.0), rng.random_range(1.0..30.0));
    for turn in 0..2_u8 {
        let mut other = vec![0.0; sound.len()];
        let speed = rng.random_range(20.0..300.0);
        add_orders(&mut other, rate_hz, 60, loudness, |_| speed);
        let hiss = rng.random_range(0.1..10.0);
        let mut last = 0.0;
        for (index, value) in sound.iter_mut().enumerate() {
            let white = white(rng);
            let is_on = (index as f64 / rate_hz / every) as u64 % 2 == u64::from(turn);
            // One mode hisses high, the other low.
            let noise = if turn == 0 { white - last } else { white + last };
            last = white;
            if is_on {
                *value += other[index] + hiss * noise;
            }
        }
    }
    sound
}

fn flow(rate_hz: f64, rng: &mut SmallRng) -> Vec<f64> {
    let mut sound = room(rate_hz, rng);
    for _ in 0..24 {
        let (hz, width) = (rng.random_range(100.0..0.45 * rate_hz), rng.random_range(50.0..1_500.0));
        let (beat, phase) = (rng.random_range(0.3..30.0), rng.random_range(0.0..TAU));
        let (depth, loudness) = (rng.random_range(0.3..1.0), rng.random_range(0.3..3.0));
        // A resonator of two poles.
        let radius = (-std::f64::consts::PI * width / rate_hz).exp();
        let turn = 2.0 * radius * (TAU * hz / rate_hz).cos();
        let (mut last, mut before) = (0.0, 0.0);
        for (index, value) in sound.iter_mut().enumerate() {
            let next = turn * last - radius * radius * before + (1.0 - radius) * white(rng);
            (before, last) = (last, next);
            let envelope = 1.0 + depth * (TAU * beat * index as f64 / rate_hz + phase).sin();
            *value += 4.0 * loudness * envelope * next;
        }
    }
    sound
}

/// Tones of other machines, each for some tenths of a second.
fn tools(rate_hz: f64, rng: &mut SmallRng) -> Vec<f64> {
    let mut sound = room(rate_hz, rng);
    let loudness = rng.random_range(0.3..30.0);
    for _ in 0..60 {
        let begin = (rng.random_range(0.0..SECONDS) * rate_hz) as usize;
        let length = (rng.random_range(0.05..1.0) * rate_hz) as usize;
        let (from, to) = (rng.random_range(50.0..800.0), rng.random_range(50.0..800.0));
        let end = sound.len().min(begin + length);
        let seconds = length as f64 / rate_hz;
        add_orders(&mut sound[begin..end], rate_hz, 12, loudness, |time| from + (to - from) * time / seconds);
    }
    sound
}
