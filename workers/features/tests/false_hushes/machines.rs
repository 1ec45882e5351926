//! Simulated machines of every preset, at any shaft speed, with unbalance of any strength.

use std::f64::consts::TAU;

use auscult_features::Clip;
use auscult_schemas::{FeatureSpec, Quantity};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// A kind of machine under a kind of sensor.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    pub name: &'static str,
    pub rate_hz: u32,
    pub quantity: Quantity,
    seconds: f64,
    /// The signal at a time, for a shaft frequency and an unbalance in multiples of the usual level. White noise of RMS
    /// 1 comes last.
    signal: fn(f64, f64, f64, f64) -> f64,
}

impl Preset {
    pub fn spec(&self) -> FeatureSpec {
        FeatureSpec { quantity: Some(self.quantity), ..FeatureSpec::for_rate(self.rate_hz) }
    }
}

/// The sum of a shaft's first eight orders.
fn orders(time: f64, shaft_hz: f64) -> f64 {
    (1..=8).map(|order| (TAU * shaft_hz * f64::from(order) * time + f64::from(order)).sin() / f64::from(order)).sum()
}

fn unbalance(time: f64, shaft_hz: f64) -> f64 {
    (TAU * shaft_hz * time).sin()
}

fn fan(time: f64, shaft_hz: f64, strength: f64, white: f64) -> f64 {
    0.02 * orders(time, shaft_hz) + 0.02 * strength * unbalance(time, shaft_hz) + 0.02 * white
}

/// Acceleration, g: a ball over a spall rings the housing at 3 kHz.
fn bearing(time: f64, shaft_hz: f64, strength: f64, white: f64) -> f64 {
    let since = time % (1.0 / (3.585 * shaft_hz));
    let ring = (-since / 1e-3).exp() * (TAU * 3_000.0 * since).sin();
    0.02 * orders(time, shaft_hz) + 0.02 * strength * unbalance(time, shaft_hz) + 0.05 * ring + 0.01 * white
}

fn bearing_with_bias(time: f64, shaft_hz: f64, strength: f64, white: f64) -> f64 {
    0.45 + 0.3 * bearing(time, shaft_hz, strength, white)
}

/// Of a two-pole motor on a converter: the supply's frequency is the shaft's and 2 % of slip. Broken bars modulate it.
fn motor(time: f64, shaft_hz: f64, strength: f64, white: f64) -> f64 {
    let supply_hz = 1.02 * shaft_hz;
    let phase = TAU * supply_hz * time;
    let modulation = 1.0 + 0.002 * strength * (TAU * 0.04 * supply_hz * time).sin();
    0.3 * modulation * (phase.sin() + 0.03 * (5.0 * phase).sin() + 0.015 * (7.0 * phase).sin()) + 3e-4 * white
}

fn motor_by_hall_clamp(time: f64, shaft_hz: f64, strength: f64, white: f64) -> f64 {
    0.5 + motor(time, shaft_hz, strength, white)
}

/// No noise but that of its steps.
fn rectifier(time: f64, shaft_hz: f64, strength: f64, _: f64) -> f64 {
    (0.2 * (1.0 + 0.05 * strength * (TAU * 0.1 * shaft_hz * time).sin()) * (TAU * shaft_hz * time).sin()).max(0.0)
}

fn thyristor(time: f64, shaft_hz: f64, strength: f64, white: f64) -> f64 {
    let half_waves = 2.0 * shaft_hz * time;
    if half_waves % 1.0 > 0.6 { 0.3 * (TAU * shaft_hz * time).sin() * (1.0 + 1e-3 * strength * white) } else { 0.0 }
}

/// 4–20 mA: a pump's strokes about a mean.
fn pump(time: f64, shaft_hz: f64, strength: f64, white: f64) -> f64 {
    0.4 + 0.004 * orders(time, shaft_hz / 5.0) + 0.002 * strength * unbalance(time, shaft_hz / 5.0) + 0.001 * white
}

/// One that hardly moves, by a gauge with little noise.
fn quiet_pump(time: f64, shaft_hz: f64, strength: f64, white: f64) -> f64 {
    0.4 + (1e-4 + 1e-4 * strength) * unbalance(time, shaft_hz / 50.0) + 2e-6 * white
}

/// Direct current that a contactor switches on and off, and no offset: exactly zero while it rests.
fn switched(time: f64, shaft_hz: f64, strength: f64, white: f64) -> f64 {
    let is_on = (shaft_hz / 10.0 * time) % 1.0 < 0.45;
    if is_on { 0.3 + 0.001 * strength * unbalance(time, shaft_hz) + 1e-3 * white } else { 0.0 }
}

/// A heater whose controller passes the mains in bursts, at any phase.
fn bursts(time: f64, shaft_hz: f64, strength: f64, white: f64) -> f64 {
    let is_on = (shaft_hz / 20.0 * time) % 1.0 < 0.5;
    if is_on { 0.3 * (TAU * 50.3 * time).sin() + 1e-4 * strength * white + 1e-4 * white } else { 0.0 }
}

/// Pulses of a tachometer.
fn tachometer(time: f64, shaft_hz: f64, _: f64, _: f64) -> f64 {
    if shaft_hz * time % 1.0 < 0.2 { 0.5 } else { 0.0 }
}

/// Three levels of an inverter that switches at 500 Hz.
fn inverter(time: f64, shaft_hz: f64, strength: f64, _: f64) -> f64 {
    let wanted = (0.7 + 0.01 * strength) * unbalance(time, shaft_hz);
    if wanted.abs() > time * 500.0 % 1.0 { 0.3 * wanted.signum() } else { 0.0 }
}

pub const PRESETS: [Preset; 13] = [
    Preset { name: "sound: fan", rate_hz: 16_000, quantity: Quantity::Sound, seconds: 2.0, signal: fan },
    Preset {
        name: "vibration: bearing",
        rate_hz: 25_600,
        quantity: Quantity::Vibration,
        seconds: 1.0,
        signal: bearing,
    },
    Preset {
        name: "vibration: bearing, with bias",
        rate_hz: 25_600,
        quantity: Quantity::Vibration,
        seconds: 1.0,
        signal: bearing_with_bias,
    },
    Preset { name: "current: motor", rate_hz: 10_000, quantity: Quantity::Current, seconds: 2.0, signal: motor },
    Preset {
        name: "current: motor, by Hall clamp",
        rate_hz: 10_000,
        quantity: Quantity::Current,
        seconds: 2.0,
        signal: motor_by_hall_clamp,
    },
    Preset {
        name: "current: rectifier",
        rate_hz: 10_000,
        quantity: Quantity::Current,
        seconds: 2.0,
        signal: rectifier,
    },
    Preset {
        name: "current: thyristor",
        rate_hz: 10_000,
        quantity: Quantity::Current,
        seconds: 2.0,
        signal: thyristor,
    },
    Preset { name: "current: switched", rate_hz: 10_000, quantity: Quantity::Current, seconds: 2.0, signal: switched },
    Preset { name: "current: bursts", rate_hz: 10_000, quantity: Quantity::Current, seconds: 2.0, signal: bursts },
    Preset {
        name: "current: tachometer",
        rate_hz: 10_000,
        quantity: Quantity::Current,
        seconds: 2.0,
        signal: tachometer,
    },
    Preset { name: "current: inverter", rate_hz: 10_000, quantity: Quantity::Current, seconds: 2.0, signal: inverter },
    Preset { name: "pressure: pump", rate_hz: 1_000, quantity: Quantity::Pressure, seconds: 8.0, signal: pump },
    Preset {
        name: "pressure: quiet pump",
        rate_hz: 1_000,
        quantity: Quantity::Pressure,
        seconds: 8.0,
        signal: quiet_pump,
    },
];

/// How the samples are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Format {
    Bits16,
    Bits24,
    /// Float, in a unit of which full scale has so many.
    Float(f64),
}

/// What a sensor on such a machine writes.
pub fn recorded(preset: &Preset, shaft_hz: f64, strength: f64, format: Format, seed: u64) -> Clip {
    let mut rng = SmallRng::seed_from_u64(seed);
    let samples = (preset.seconds * f64::from(preset.rate_hz)) as usize;
    let begins: f64 = rng.random_range(0.0..1.0);
    let channel = (0..samples).map(|index| {
        let time = begins + index as f64 / f64::from(preset.rate_hz);
        // The sum of three uniform numbers within ±1 has variance 1.
        let white: f64 = (0..3).map(|_| rng.random_range(-1.0..1.0_f64)).sum();
        let value = (preset.signal)(time, shaft_hz, strength, white);
        match format {
            Format::Bits16 => (value * 32_768.0).round().clamp(-32_768.0, 32_767.0) / 32_768.0,
            Format::Bits24 => (value * 8_388_608.0).round().clamp(-8_388_608.0, 8_388_607.0) / 8_388_608.0,
            Format::Float(scale) => value * scale,
        }
    });
    let step = match format {
        Format::Bits16 => Some(1.0 / 32_768.0),
        Format::Bits24 => Some(1.0 / 8_388_608.0),
        Format::Float(_) => None,
    };
    Clip {
        sample_rate_hz: preset.rate_hz,
        channels: vec![channel.map(|value| value as f32).collect()],
        step,
        ..Clip::default()
    }
}
