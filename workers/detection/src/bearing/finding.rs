//! What an examination found, in numbers and words.

use serde::Serialize;

use super::{BearingPart, Comb};

/// A comb that stands out by so much is no accident, dB. In white noise of seven and a half turns the best of the three combs
/// reaches it in one of a hundred recordings; more turns make it rarer.
pub const CLEAR_DB: f64 = 6.0;

/// Which part of a bearing is damaged, and what speaks for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BearingFinding {
    /// The damaged part; absent where no comb stands out by [`CLEAR_DB`].
    pub defect: Option<BearingPart>,
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
        combs.sort_by(|one, other| other.prominence_db.total_cmp(&one.prominence_db));
        let leading = &combs[0];
        let defect = (leading.prominence_db >= CLEAR_DB).then_some(leading.part);
        Self { defect, combs, shaft_hz, harmonics, resolution_hz, turns }
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
        let Comb { part, strikes_hz, slip_percent, prominence_db, band_low_hz, band_high_hz } = leading;
        let lead_db = prominence_db - second.prominence_db;
        let (part, second) = (part.as_str(), second.part.as_str());
        if self.defect.is_some() {
            format!(
                "{part}: strikes at {strikes_hz:.1} Hz ({slip_percent:+.1} % from geometry) and its harmonics stand {prominence_db:.1} dB \
                 above the noise of the {:.1}–{:.1} kHz band's envelope, {lead_db:.1} dB more than the {second}'s",
                band_low_hz / 1000.0,
                band_high_hz / 1000.0
            )
        } else {
            format!(
                "no defect stands out: the strongest comb, the {part}'s at {strikes_hz:.1} Hz, is {prominence_db:.1} dB above the \
                 noise, and noise alone reaches {CLEAR_DB} dB in one recording of a hundred"
            )
        }
    }
}
