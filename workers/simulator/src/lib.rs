//! Simulated machine sound: fans, pumps and valves with faults that start and grow, with the background noise of a
//! factory.
//!
//! ```text
//!  seed, id ──► Machine: its own shaft speed, blades, levels, resonances      (machines of a kind differ)
//!                  │
//!  chunk index ──► load, speed jitter, turbulence, background                 (no two chunks are the same)
//!  condition   ──► fault × severity 0…1                                       (0: as good as new, 1: fully broken)
//!                  ▼
//!               pressure at the microphone, full scale = 120 dB SPL  ──► WAV
//!
//!  fleet: many such machines in halls over days, by time of day: load and hall noise, faults that end in failure,
//!  new sound sources in a hall, microphone failures, gateway outages; with the ground truth
//! ```
//!
//! A chunk is a pure function of seed, id, index and condition: it can be generated again, in any order. Levels are
//! sound pressure levels (dB re 20 µPa); the microphone is a digital MEMS one with the usual sensitivity of −26 dBFS at
//! 94 dB SPL. The simulation does not replace recordings: it allows a demo without recordings, and gives the exact
//! chunk at which a fault starts.

mod acoustics;
mod circumstances;
mod factory;
mod fan;
pub mod fleet;
mod microphone;
mod pump;
mod rotor;
mod scenario;
mod valve;
mod wav;

use std::fmt;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};

pub use circumstances::Circumstances;
pub use microphone::{Microphone, MicrophoneFault};
pub use scenario::{Chunk, MachinePlan, Onset, Scenario};
pub use wav::wav_bytes;

/// Rate of all simulated sound, Hz.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// Default length of a chunk, s.
pub const CHUNK_SECONDS: f64 = 2.0;

/// A kind of machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineKind {
    /// Axial fan on a four-pole induction motor.
    Fan,
    /// Centrifugal pump on a two-pole induction motor.
    Pump,
    /// Solenoid valve that opens and closes periodically.
    Valve,
}

impl MachineKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Fan, Self::Pump, Self::Valve];

    /// The faults that are possible for this kind of machine.
    #[must_use]
    pub fn faults(self) -> &'static [Fault] {
        match self {
            Self::Fan => &[Fault::Imbalance, Fault::BearingWear, Fault::BladeDamage],
            Self::Pump => &[Fault::Cavitation, Fault::WornImpeller],
            Self::Valve => &[Fault::Leak, Fault::Sticking],
        }
    }
}

impl fmt::Display for MachineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fan => "fan",
            Self::Pump => "pump",
            Self::Valve => "valve",
        })
    }
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Fan: an unbalanced mass shakes casing and duct once per turn, and modulates the flow.
    Imbalance,
    /// Fan: a spalled outer race excites a casing resonance at the ball-pass frequency.
    BearingWear,
    /// Fan: one blade has lost part of its chord; its wake differs from the others', and its tip sheds vortices.
    BladeDamage,
    /// Pump: vapour bubbles collapse in bursts.
    Cavitation,
    /// Pump: worn vanes pump unevenly, and fluid flows back through the gap.
    WornImpeller,
    /// Valve: the seat leaks; a jet hisses while the valve is closed.
    Leak,
    /// Valve: the armature sticks: it buzzes, moves late, bounces, and sometimes does not move.
    Sticking,
}

impl Fault {
    /// The kind of machine that has it.
    #[must_use]
    pub fn kind(self) -> MachineKind {
        match self {
            Self::Imbalance | Self::BearingWear | Self::BladeDamage => MachineKind::Fan,
            Self::Cavitation | Self::WornImpeller => MachineKind::Pump,
            Self::Leak | Self::Sticking => MachineKind::Valve,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Imbalance => "imbalance",
            Self::BearingWear => "bearing wear",
            Self::BladeDamage => "blade damage",
            Self::Cavitation => "cavitation",
            Self::WornImpeller => "worn impeller",
            Self::Leak => "leak",
            Self::Sticking => "sticking",
        })
    }
}

/// The true condition of a machine during one chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Condition {
    /// The fault, if it has started.
    pub fault: Option<Fault>,
    /// Severity: 0 none, 1 fully broken. It has no effect without a fault.
    pub severity: f64,
}

impl Condition {
    /// As good as new.
    pub const NORMAL: Self = Self { fault: None, severity: 0.0 };

    /// A fault with `severity`, clamped to 0…1.
    #[must_use]
    pub fn faulty(fault: Fault, severity: f64) -> Self {
        Self { fault: Some(fault), severity: severity.clamp(0.0, 1.0) }
    }

    /// Whether the machine is faulty.
    #[must_use]
    pub fn is_faulty(&self) -> bool {
        self.fault.is_some() && self.severity > 0.0
    }

    /// Severity of `fault`; 0 if the machine has another fault or none.
    fn severity_of(&self, fault: Fault) -> f64 {
        if self.fault == Some(fault) { self.severity } else { 0.0 }
    }
}

/// One machine with individual properties: speed, levels, resonances.
#[derive(Debug, Clone)]
pub struct Machine {
    kind: MachineKind,
    id: String,
    seed: u64,
    samples: usize,
    build: Build,
}

#[derive(Debug, Clone)]
enum Build {
    Fan(fan::Fan),
    Pump(pump::Pump),
    Valve(valve::Valve),
}

impl Machine {
    /// Creates the machine determined by `seed` and `id`, with chunks of [`CHUNK_SECONDS`].
    #[must_use]
    pub fn new(kind: MachineKind, id: impl Into<String>, seed: u64) -> Self {
        let id = id.into();
        let seed = mix(seed ^ fnv1a(id.as_bytes()));
        let mut rng = SmallRng::seed_from_u64(seed);
        let build = match kind {
            MachineKind::Fan => Build::Fan(fan::Fan::new(&mut rng)),
            MachineKind::Pump => Build::Pump(pump::Pump::new(&mut rng)),
            MachineKind::Valve => Build::Valve(valve::Valve::new(&mut rng)),
        };
        Self { kind, id, seed, samples: samples_of(CHUNK_SECONDS), build }
    }

    /// The same machine with chunks of another length, s.
    #[must_use]
    pub fn with_chunk_seconds(mut self, seconds: f64) -> Self {
        self.samples = samples_of(seconds);
        self
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> MachineKind {
        self.kind
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The sound of chunk number `index`: mono at [`SAMPLE_RATE_HZ`], full scale ±1 = 120 dB SPL. The load varies with
    /// the number.
    ///
    /// # Panics
    /// If the condition's fault does not exist for this kind of machine.
    #[must_use]
    pub fn chunk(&self, index: u64, condition: Condition) -> Vec<f32> {
        self.chunk_in(index, condition, Circumstances::usual(self.load(index)))
    }

    /// The same under other circumstances: another load, a louder hall, a new sound source.
    ///
    /// # Panics
    /// If the condition's fault does not exist for this kind of machine.
    #[must_use]
    pub fn chunk_in(&self, index: u64, condition: Condition, circumstances: Circumstances) -> Vec<f32> {
        if let Some(fault) = condition.fault {
            assert_eq!(fault.kind(), self.kind, "{fault} is no fault of a {}", self.kind);
        }
        let seed = mix(self.seed ^ mix(index));
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut pressure = vec![0.0; self.samples];
        factory::add_background(&mut pressure, circumstances.hall_db, &mut rng);
        let load = circumstances.load;
        match &self.build {
            Build::Fan(fan) => fan.add(&mut pressure, load, condition, &mut rng),
            Build::Pump(pump) => pump.add(&mut pressure, load, condition, &mut rng),
            Build::Valve(valve) => valve.add(&mut pressure, load, condition, &mut rng),
        }
        if let Some(spl_db) = circumstances.newcomer_spl_db {
            // Separate random numbers, so that the machine's own sound does not change.
            factory::add_newcomer(&mut pressure, spl_db, &mut SmallRng::seed_from_u64(mix(seed)));
        }
        pressure.iter().map(|&sample| sample.clamp(-1.0, 1.0) as f32).collect()
    }

    /// A number on 0…1 that is specific to this machine and to each `purpose`.
    fn own_number(&self, purpose: u64) -> f64 {
        (mix(self.seed ^ mix(purpose)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Load during a chunk, −1…1 around the normal load: two slow oscillations with periods of 37 and 11 chunks.
    fn load(&self, index: u64) -> f64 {
        let phase = (self.seed >> 40) as f64 / (1_u64 << 24) as f64;
        let swing = |period: f64| (std::f64::consts::TAU * (index as f64 / period + phase)).sin();
        0.65 * swing(37.0) + 0.35 * swing(11.0)
    }
}

fn samples_of(seconds: f64) -> usize {
    (seconds * f64::from(SAMPLE_RATE_HZ)).round().max(1.0) as usize
}

/// SplitMix64's finaliser (Steele, Lea and Flood, 2014): neighbouring numbers become unrelated seeds.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// FNV-1a, 64 bit.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
