//! A machine with a rolling bearing, simulated after R. B. Randall and J. Antoni, *Rolling element bearing diagnostics:
//! a tutorial* (2011).
//!
//! What a machine has besides its bearing is here, too, because it is what examinations stumble over: coloured noise,
//! tones, noise that comes and goes with the shaft, and impulses at rates that are not the bearing's.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use auscult_bearing::{BearingOrders, BearingPart};

const TAU: f64 = std::f64::consts::TAU;

/// What is simulated. Strengths are multiples of the noise's standard deviation.
#[derive(Debug, Clone)]
pub struct Machine {
    pub rate_hz: f64,
    pub shaft_hz: f64,
    pub seconds: f64,
    /// The damaged part, and the height of a strike's ringing.
    pub damage: Option<(BearingOrders, BearingPart, f64)>,
    /// By how much the noise is modulated at each of the shaft's first eight multiples.
    pub shaft_modulation: f64,
    /// Tones at multiples of the shaft's speed and at mains frequency, the height of the strongest.
    pub tones: f64,
    /// Impulses at a rate that is not the bearing's: Hz, and their height.
    pub clicks: Option<(f64, f64)>,
    /// Height of impacts once a turn, each a little elsewhere: looseness, which puts lines at all multiples of the
    /// shaft's speed.
    pub looseness: f64,
    /// How much of an outer race's strikes comes and goes once a turn, where unbalance moves the load: 0 to 1; by
    /// chance up to 0.3 where absent.
    pub outer_depth: Option<f64>,
    pub seed: u64,
}

impl Machine {
    /// A healthy machine, 1,797 turns a minute.
    pub fn healthy(rate_hz: f64, turns: f64, seed: u64) -> Self {
        let shaft_hz = 1797.0 / 60.0;
        let seconds = turns / shaft_hz;
        Self {
            rate_hz,
            shaft_hz,
            seconds,
            damage: None,
            shaft_modulation: 0.1,
            tones: 1.0,
            clicks: None,
            looseness: 0.0,
            outer_depth: None,
            seed,
        }
    }

    pub fn damaged(self, orders: BearingOrders, part: BearingPart, height: f64) -> Self {
        Self { damage: Some((orders, part, height)), ..self }
    }

    /// `[samples]`, with a standard deviation of noise of 0.02.
    pub fn vibration(&self) -> Vec<f32> {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let samples = (self.seconds * self.rate_hz) as usize;
        let resonances: Vec<Resonance> =
            (0..rng.random_range(1..=3)).map(|_| Resonance::any(&mut rng, self.rate_hz)).collect();
        let mut signal = self.noise(&mut rng, samples, &resonances);
        self.modulate(&mut rng, &mut signal);
        self.add_tones(&mut rng, &mut signal);
        if let Some((orders, part, height)) = self.damage {
            for (at, strength) in self.strikes(&mut rng, &orders, part) {
                self.ring(&mut signal, &resonances, at, strength * height);
            }
        }
        if let Some((hz, height)) = self.clicks {
            let mut at = rng.random_range(0.0..1.0 / hz);
            while at < self.seconds {
                self.ring(&mut signal, &resonances, at, height);
                at += 1.0 / hz;
            }
        }
        if self.looseness > 0.0 {
            let mut at = rng.random_range(0.0..1.0 / self.shaft_hz);
            while at < self.seconds {
                let late = 0.002 * normal(&mut rng) / self.shaft_hz;
                self.ring(
                    &mut signal,
                    &resonances,
                    (at + late).max(0.0),
                    self.looseness * (1.0 + 0.3 * normal(&mut rng)),
                );
                at += 1.0 / self.shaft_hz;
            }
        }
        signal.iter().map(|value| (0.02 * value) as f32).collect()
    }

    /// White noise, and white noise that went through the same resonances.
    fn noise(&self, rng: &mut StdRng, samples: usize, resonances: &[Resonance]) -> Vec<f64> {
        let mut sum: Vec<f64> = (0..samples).map(|_| normal(rng)).collect();
        for resonance in resonances {
            let share = rng.random_range(0.0..1.0);
            let radius = (-1.0 / (4.0 * resonance.decay_s * self.rate_hz)).exp();
            let turn = TAU * resonance.hz / self.rate_hz;
            let (mut last, mut before) = (0.0, 0.0);
            for value in &mut sum {
                let next = 2.0 * radius * turn.cos() * last - radius * radius * before + normal(rng);
                *value += share * (1.0 - radius) * next;
                (last, before) = (next, last);
            }
        }
        sum
    }

    fn modulate(&self, rng: &mut StdRng, signal: &mut [f64]) {
        let phases: Vec<f64> = (0..8).map(|_| rng.random_range(0.0..TAU)).collect();
        let depths: Vec<f64> = (0..8).map(|_| rng.random_range(0.0..2.0) * self.shaft_modulation).collect();
        for (index, value) in signal.iter_mut().enumerate() {
            let turn = TAU * self.shaft_hz * index as f64 / self.rate_hz;
            let load: f64 = phases
                .iter()
                .zip(&depths)
                .enumerate()
                .map(|(order, (phase, depth))| depth * (turn * (order + 1) as f64 + phase).cos())
                .sum();
            *value *= (1.0 + load).max(0.0);
        }
    }

    /// Unbalance and its multiples, slots of the motor with sidebands, mains.
    fn add_tones(&self, rng: &mut StdRng, signal: &mut [f64]) {
        let slots = f64::from(rng.random_range(24..48_u32));
        let mains_hz = 60.0;
        let mut tones = vec![(self.shaft_hz, 1.0), (2.0 * self.shaft_hz, 0.5), (2.0 * mains_hz, 0.3)];
        for multiple in [1.0, 2.0] {
            for side in [-2.0, 0.0, 2.0] {
                tones.push((multiple * slots * self.shaft_hz + side * mains_hz, 0.3));
            }
        }
        for (hz, share) in tones {
            let (height, phase) = (self.tones * share * rng.random_range(0.3..1.0), rng.random_range(0.0..TAU));
            for (index, value) in signal.iter_mut().enumerate() {
                *value += height * (TAU * hz * index as f64 / self.rate_hz + phase).sin();
            }
        }
    }

    /// Moments and strengths. The cage slips by a share that stays, and each strike comes a little early or late; the
    /// next one is reckoned from where it came.
    fn strikes(&self, rng: &mut StdRng, orders: &BearingOrders, part: BearingPart) -> Vec<(f64, f64)> {
        let slip = 1.0 + rng.random_range(-0.007..0.007);
        let jitter = rng.random_range(0.001..0.01);
        let period = 1.0 / (orders.strikes_of(part) * self.shaft_hz * slip);
        let phase = rng.random_range(0.0..TAU);
        // How much of the strength comes and goes: an outer race's by unbalance alone.
        let (order, depth) = match part {
            BearingPart::OuterRace => {
                let depth = rng.random_range(0.0..0.3);
                (1.0, self.outer_depth.unwrap_or(depth))
            }
            BearingPart::InnerRace => (1.0, rng.random_range(0.6..1.0)),
            BearingPart::Ball => (orders.ftf, rng.random_range(0.5..1.0)),
        };
        // A ball strikes one race harder than the other.
        let every_other = if part == BearingPart::Ball { rng.random_range(0.5..1.0) } else { 1.0 };
        let mut strikes = Vec::new();
        let mut at = rng.random_range(0.0..period);
        while at < self.seconds {
            let load = 1.0 - depth / 2.0 + depth / 2.0 * (TAU * order * self.shaft_hz * at + phase).cos();
            let side = if strikes.len() % 2 == 0 { 1.0 } else { every_other };
            strikes.push((at, load * side * (1.0 + 0.2 * normal(rng))));
            at += period * (1.0 + jitter * normal(rng));
        }
        strikes
    }

    fn ring(&self, signal: &mut [f64], resonances: &[Resonance], at: f64, height: f64) {
        for (number, resonance) in resonances.iter().enumerate() {
            let height = height / (1 + number) as f64;
            let first = (at * self.rate_hz).ceil() as usize;
            let end = signal.len().min(first + (6.0 * resonance.decay_s * self.rate_hz) as usize);
            for (index, value) in signal.iter_mut().enumerate().take(end).skip(first) {
                let since = index as f64 / self.rate_hz - at;
                *value += height * (TAU * resonance.hz * since).sin() * (-since / resonance.decay_s).exp();
            }
        }
    }
}

struct Resonance {
    hz: f64,
    decay_s: f64,
}

impl Resonance {
    fn any(rng: &mut StdRng, rate_hz: f64) -> Self {
        let highest = (0.45 * rate_hz).min(9_000.0);
        Self { hz: rng.random_range(1_000.0..highest), decay_s: rng.random_range(0.0004..0.0015) }
    }
}

/// Twelve uniform numbers: near enough to a normal distribution of variance 1.
pub fn normal(rng: &mut StdRng) -> f64 {
    (0..12).map(|_| rng.random_range(-0.5..0.5)).sum()
}
