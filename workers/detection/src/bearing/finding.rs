//! What an examination found, in numbers and words.

use serde::Serialize;
use statrs::function::erf::erfc;

use super::{BearingPart, Comb};

/// A part is named where noise alone would raise any of the three combs so high in no more than this share of recordings.
pub const CLEAR_CHANCE: f64 = 0.01;
/// No smaller chance is stated: how noise is distributed further out, nothing here has measured.
const SMALLEST_CHANCE: f64 = 1e-6;

/// Which part of a bearing is damaged, and what speaks for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BearingFinding {
    /// The damaged part; absent where `chance` is more than [`CLEAR_CHANCE`].
    pub defect: Option<BearingPart>,
    /// Share of recordings of noise alone in which any of the three combs would stand out as far as the leading one does here: 1e-6
    /// or more. Of recordings longer than 32 turns it is an upper bound.
    pub chance: f64,
    /// Each part's comb, the one that stands out furthest first.
    pub combs: Vec<Comb>,
    /// Speed of the shaft as stated, Hz.
    pub shaft_hz: f64,
    /// Harmonics of each comb.
    pub harmonics: usize,
    /// Two lines closer than this are one, Hz: four over the length of a segment, the main lobe of its Hann window.
    pub resolution_hz: f64,
    /// Turns of the shaft in the recording.
    pub turns: f64,
}

impl BearingFinding {
    /// `combs` must hold one comb a part.
    pub(super) fn new(mut combs: Vec<Comb>, shaft_hz: f64, harmonics: usize, resolution_hz: f64, turns: f64) -> Self {
        debug_assert_eq!(combs.len(), BearingPart::ALL.len());
        combs.sort_by(|one, other| other.sigmas.total_cmp(&one.sigmas));
        let leading = &combs[0];
        let chance = chance_of(leading.sigmas);
        let defect = (chance <= CLEAR_CHANCE).then_some(leading.part);
        Self { defect, chance, combs, shaft_hz, harmonics, resolution_hz, turns }
    }

    /// The part whose comb stands out furthest, be it by little.
    #[must_use]
    pub fn leading(&self) -> &Comb {
        &self.combs[0]
    }

    /// One sentence or two for whoever stands before the machine.
    #[must_use]
    pub fn in_words(&self) -> String {
        let [leading, second, ..] = &self.combs[..] else { unreachable!("there is one comb a part") };
        let Comb { part, strikes_hz, slip_percent, prominence_db, band_low_hz, band_high_hz, excess_db, sigmas } =
            leading;
        let (part, second_part) = (part.as_str(), second.part.as_str());
        let chance = self.chance_in_words();
        if self.defect.is_some() {
            format!(
                "{part}: strikes at {strikes_hz:.1} Hz ({slip_percent:+.1} % from geometry) and its harmonics stand {excess_db:.1} dB above combs of \
                 no defect ({sigmas:.1} σ; the {second_part}'s {:.1} σ), most in the envelope of {:.1}–{:.1} kHz ({prominence_db:.1} dB over its \
                 noise); noise alone does so in {chance}",
                second.sigmas,
                band_low_hz / 1000.0,
                band_high_hz / 1000.0
            )
        } else {
            format!(
                "no defect stands out: the strongest comb, the {part}'s at {strikes_hz:.1} Hz, is {excess_db:.1} dB above combs of no defect \
                 ({sigmas:.1} σ), and noise alone does so in {chance}"
            )
        }
    }

    fn chance_in_words(&self) -> String {
        if self.chance <= SMALLEST_CHANCE {
            "fewer than one recording of a million".to_owned()
        } else if self.chance >= 0.5 {
            "most recordings".to_owned()
        } else {
            format!("one recording of {:.0}", 1.0 / self.chance)
        }
    }
}

/// Chance that the highest of three normal variables is `sigmas` or more.
fn chance_of(sigmas: f64) -> f64 {
    let of_one = 0.5 * erfc(sigmas / std::f64::consts::SQRT_2);
    // 1 - (1 - p)³ without loss where p is small.
    let of_any = -(BearingPart::ALL.len() as f64 * (-of_one).ln_1p()).exp_m1();
    of_any.max(SMALLEST_CHANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chance_is_that_of_the_highest_of_three() {
        // 1 - Φ(x)³, from tables of the normal distribution.
        for (sigmas, expected) in [(0.0, 0.875), (2.0, 0.066_704), (2.712, 0.01), (3.0, 0.004_044)] {
            assert!((chance_of(sigmas) - expected).abs() < 1e-4, "{sigmas}: {}", chance_of(sigmas));
        }
        assert_eq!(chance_of(9.0), SMALLEST_CHANCE);
        assert!((chance_of(-9.0) - 1.0).abs() < 1e-9);
    }
}
