//! The microphone between the pressure and the file: well, or dead in one of the ways in which they die.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};

use super::acoustics::gaussian;

/// One step of a 16-bit converter, of full scale.
const STEP: f64 = 1.0 / 32_768.0;
/// RMS of a dead capsule's line, in steps: −100 dBFS, which rounds to two steps about zero at most.
const OWN_NOISE_STEPS: f64 = 0.35;

/// How a microphone is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MicrophoneFault {
    /// It gives its own noise and nothing else.
    Quiet,
    /// It gives one value for ever: its converter hangs.
    Stuck,
}

/// A microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Microphone {
    /// It hears.
    Well,
    /// It does not.
    Dead(MicrophoneFault),
}

impl Microphone {
    /// What it makes of `sound`; its own noise is decided by `seed`.
    #[must_use]
    pub fn hears(self, sound: Vec<f32>, seed: u64) -> Vec<f32> {
        match self {
            Self::Well => sound,
            Self::Dead(MicrophoneFault::Quiet) => {
                let mut rng = SmallRng::seed_from_u64(seed);
                sound.iter().map(|_| (OWN_NOISE_STEPS * STEP * gaussian(&mut rng)) as f32).collect()
            }
            Self::Dead(MicrophoneFault::Stuck) => {
                let held = sound.first().copied().unwrap_or_default();
                // A sound that begins on zero would hold zero, which is another defect.
                let held = if f64::from(held).abs() < 16.0 * STEP { (64.0 * STEP) as f32 } else { held };
                vec![held; sound.len()]
            }
        }
    }
}
