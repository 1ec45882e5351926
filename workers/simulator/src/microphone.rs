//! The microphone between sound pressure and file: working, or failed in one of several ways.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};

use super::acoustics::gaussian;

/// One step of a 16-bit converter, of full scale.
const STEP: f64 = 1.0 / 32_768.0;
/// RMS noise of a failed capsule, in steps: −100 dBFS, which rounds to at most two steps around zero.
const OWN_NOISE_STEPS: f64 = 0.35;

/// How a microphone has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MicrophoneFault {
    /// It delivers its own noise only.
    Quiet,
    /// It delivers a constant value: its converter hangs.
    Stuck,
}

/// A microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Microphone {
    /// It works.
    Well,
    /// It has failed.
    Dead(MicrophoneFault),
}

impl Microphone {
    /// Its output for `sound`; `seed` determines its own noise.
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
                // A sound that starts at zero would hold zero, which is a different defect.
                let held = if f64::from(held).abs() < 16.0 * STEP { (64.0 * STEP) as f32 } else { held };
                vec![held; sound.len()]
            }
        }
    }
}
