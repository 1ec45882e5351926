//! Three tenths of a second of a machine: harmonics of its own speed, in noise.

use std::f32::consts::TAU;

use auscult_schemas::MachineId;
use rand::Rng;
use rand::rngs::SmallRng;

const RATE_HZ: u32 = 16_000;
const SAMPLES: usize = 4_800;

/// A WAV file of about 10 kB. A faulty machine whistles.
pub(super) fn wav(machine: &MachineId, is_faulty: bool, rng: &mut SmallRng) -> Vec<u8> {
    wav_of(SAMPLES, machine, is_faulty, rng)
}

/// A WAV file of so many samples.
pub(super) fn wav_of(samples: usize, machine: &MachineId, is_faulty: bool, rng: &mut SmallRng) -> Vec<u8> {
    // Machines differ by the number at the end of their id.
    let number: u8 = machine.as_str().bytes().rev().take(2).map(|digit| digit.wrapping_sub(b'0') % 10).sum();
    let speed_hz = 90.0 + 4.0 * f32::from(number);
    let phase = rng.random_range(0.0..TAU);
    let mut data = Vec::with_capacity(2 * samples);
    for index in 0..samples {
        let time = index as f32 / RATE_HZ as f32;
        let harmonics: f32 = (1..=4_u8)
            .map(|order| f32::from(order).recip() * (TAU * speed_hz * f32::from(order) * time + phase).sin())
            .sum();
        let whistle = if is_faulty { 0.5 * (TAU * 3_100.0 * time).sin() } else { 0.0 };
        let noise = rng.random_range(-0.15..0.15_f32);
        let sample = 0.25 * (harmonics + whistle) + noise;
        data.extend(((sample.clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes());
    }
    let len = data.len() as u32;
    let mut wav = Vec::with_capacity(44 + data.len());
    wav.extend(b"RIFF");
    wav.extend((36 + len).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend(1_u16.to_le_bytes());
    wav.extend(1_u16.to_le_bytes());
    wav.extend(RATE_HZ.to_le_bytes());
    wav.extend((2 * RATE_HZ).to_le_bytes());
    wav.extend(2_u16.to_le_bytes());
    wav.extend(16_u16.to_le_bytes());
    wav.extend(b"data");
    wav.extend(len.to_le_bytes());
    wav.extend(data);
    wav
}
