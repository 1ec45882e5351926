//! Rotation: the shaft's angle over a chunk, and the tones locked to it.

use std::f64::consts::TAU;

use rand::Rng;
use rand::rngs::SmallRng;

use super::SAMPLE_RATE_HZ;
use super::acoustics::{gaussian, time_of};

/// Variation of an induction motor's speed within a chunk: relative standard deviation, with a correlation time of
/// about 0.3 s.
const SPEED_JITTER: f64 = 6e-4;
const JITTER_MEMORY_S: f64 = 0.3;

/// The shaft's angle at each sample, in turns.
pub(super) struct Rotation {
    turns: Vec<f64>,
}

impl Rotation {
    /// Rotation with a mean of `shaft_hz` from a random angle.
    pub(super) fn new(samples: usize, shaft_hz: f64, rng: &mut SmallRng) -> Self {
        let step_s = 1.0 / f64::from(SAMPLE_RATE_HZ);
        let keep = (-step_s / JITTER_MEMORY_S).exp();
        let kick = SPEED_JITTER * (1.0 - keep * keep).sqrt();
        let mut deviation = SPEED_JITTER * gaussian(rng);
        let mut angle: f64 = rng.random();
        let turns = (0..samples)
            .map(|_| {
                deviation = keep * deviation + kick * gaussian(rng);
                angle += shaft_hz * (1.0 + deviation) * step_s;
                angle
            })
            .collect();
        Self { turns }
    }

    /// The sum of shaft orders 1, 2, 3 … with these RMS amplitudes and phases (in turns).
    pub(super) fn orders(&self, rms_and_phase: &[(f64, f64)]) -> Vec<f64> {
        let weights: Vec<(f64, f64)> = rms_and_phase
            .iter()
            .map(|(rms, phase)| {
                let (sin, cos) = (TAU * phase).sin_cos();
                let peak = rms * std::f64::consts::SQRT_2;
                (peak * cos, peak * sin)
            })
            .collect();
        self.turns
            .iter()
            .map(|turn| {
                let (sin, cos) = (TAU * turn.fract()).sin_cos();
                // Powers of e^{iθ}: one sine per sample, for any number of orders.
                let (mut order_sin, mut order_cos) = (sin, cos);
                let mut sum = 0.0;
                for (in_phase, quadrature) in &weights {
                    sum += in_phase * order_sin + quadrature * order_cos;
                    (order_sin, order_cos) = (order_sin * cos + order_cos * sin, order_cos * cos - order_sin * sin);
                }
                sum
            })
            .collect()
    }

    /// `1 + depth · sin(order · angle)`, for modulating a signal.
    pub(super) fn modulation(&self, order: f64, depth: f64) -> impl Iterator<Item = f64> + '_ {
        self.turns.iter().map(move |turn| 1.0 + depth * (TAU * (turn * order).fract()).sin())
    }

    /// The times at which `per_turn · angle` passes an integer, s: a ball over a spall, a vane past the tongue.
    pub(super) fn passings(&self, per_turn: f64) -> Vec<f64> {
        let mut times = Vec::new();
        for (index, pair) in self.turns.windows(2).enumerate() {
            let (before, after) = (pair[0] * per_turn, pair[1] * per_turn);
            let whole = before.floor() + 1.0;
            if after >= whole {
                times.push(time_of(index) + (whole - before) / (after - before) / f64::from(SAMPLE_RATE_HZ));
            }
        }
        times
    }
}

/// A motor's magnetic hum: twice the mains frequency and its harmonics, not locked to the shaft.
pub(super) fn mains_hum(samples: usize, mains_hz: f64, rng: &mut SmallRng) -> Vec<f64> {
    let hum = Rotation { turns: (0..samples).map(|index| 2.0 * mains_hz * time_of(index)).collect() };
    let phases: [f64; 3] = rng.random();
    hum.orders(&[(1.0, phases[0]), (0.3, phases[1]), (0.12, phases[2])])
}
