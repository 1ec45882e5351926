//! What an examination found, in numbers and words.

use serde::Serialize;
use statrs::function::erf::erfc;

use super::comb::Comb;
use super::geometry::BearingPart;
use super::impulses::{ImpulseRate, Impulses};
use super::rate::RateCheck;
use super::sensor::SensorNote;
use super::view::LONG_TURNS;

/// A part is named where a healthy bearing would show any comb so high in no more than this share of recordings …
pub const CLEAR_CHANCE: f64 = 0.01;
/// … and of long recordings no more than this: they can afford it.
pub const CLEAR_CHANCE_LONG: f64 = 0.002;
/// No smaller chance is stated: how noise is distributed further out, nothing here has measured.
const SMALLEST_CHANCE: f64 = 1e-6;
/// Of two parts whose combs both stand out, the first is named where the second comes to less than this share of it.
const RIVAL: f64 = 0.75;

/// Which part of a bearing is damaged, and what speaks for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BearingFinding {
    /// The damaged part; absent where none stands out, where two do, and where the recording's rate is in doubt.
    pub defect: Option<BearingPart>,
    /// The parts between which this recording does not decide, or the one of which only each second or third line is
    /// there; empty where one is named or none stands out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<BearingPart>,
    /// How often a healthy bearing shows as high a comb of any part: the share of recordings with this one's noise and
    /// without a defect in which any of the combs would stand out as far as the leading one does; 1e-6 or more. It is
    /// not the chance that the bearing is healthy, nor that the part is the wrong one.
    pub chance_if_healthy: f64,
    /// Each part's comb, the one that stands out furthest first.
    pub combs: Vec<Comb>,
    /// Impulses at one rate, where they are clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impulses: Option<Impulses>,
    /// Whether the stated rate can be right.
    #[serde(flatten)]
    pub rate: RateCheck,
    /// What is to be said of the sensor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sensor_notes: Vec<SensorNote>,
    /// Speed of the shaft as stated, Hz.
    pub shaft_hz: f64,
    /// Speed at which the shaft's lines stand, Hz, where that differs from the stated one: strikes are held against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shaft_found_hz: Option<f64>,
    /// Harmonics of each comb.
    pub harmonics: usize,
    /// Two lines closer than this are one, Hz: four over the length of a segment, the main lobe of its Hann window.
    pub resolution_hz: f64,
    /// Turns of the shaft in the recording.
    pub turns: f64,
}

impl BearingFinding {
    /// `combs` must hold one comb a part, the strongest of so many `views`.
    pub(super) fn new(mut combs: Vec<Comb>, views: usize, shaft_hz: f64, turns: f64) -> Self {
        debug_assert_eq!(combs.len(), BearingPart::ALL.len());
        combs.sort_by(|one, other| other.sigmas.total_cmp(&one.sigmas));
        let tried = views * BearingPart::ALL.len();
        let chance_if_healthy = chance_of(combs[0].sigmas, tried);
        let clear_chance = clear_chance(turns);
        let is_rival =
            |comb: &&Comb| chance_of(comb.sigmas, tried) <= clear_chance && comb.sigmas >= RIVAL * combs[0].sigmas;
        let clear: Vec<BearingPart> = combs.iter().filter(is_rival).map(|comb| comb.part).collect();
        let (defect, candidates) = match clear[..] {
            [_] if turns >= LONG_TURNS && !combs[0].is_of_its_own() => (None, Vec::new()),
            [part] if combs[0].has_lines_between() => (Some(part), Vec::new()),
            _ => (None, clear),
        };
        Self {
            defect,
            candidates,
            chance_if_healthy,
            combs,
            impulses: None,
            rate: RateCheck::NotChecked,
            sensor_notes: Vec::new(),
            shaft_hz,
            shaft_found_hz: None,
            harmonics: 0,
            resolution_hz: 0.0,
            turns,
        }
    }

    /// Whether a comb that stands out so far, of so many views, is one that healthy bearings do not show.
    pub(super) fn is_clear(&self, sigmas: f64, views: usize) -> bool {
        chance_of(sigmas, views * BearingPart::ALL.len()) <= clear_chance(self.turns)
    }

    /// Names a part of the candidates, whose comb leads from then on.
    pub(super) fn name(&mut self, part: BearingPart) {
        self.combs.sort_by_key(|comb| comb.part != part);
        self.candidates.clear();
        if !self.combs[0].is_of_its_own() {
            return;
        }
        if self.combs[0].has_lines_between() {
            self.defect = Some(part);
        } else {
            self.candidates.push(part);
        }
    }

    /// Nothing is named where the rate is in doubt: every frequency would be another.
    pub(super) fn take_rate(&mut self, rate: RateCheck) {
        if matches!(rate, RateCheck::InDoubt(_)) {
            self.defect = None;
            self.candidates.clear();
        }
        let goes_with_shaft = self.impulses.is_some_and(|impulses| impulses.rate == ImpulseRate::Shaft);
        self.rate = if rate == RateCheck::NotChecked && goes_with_shaft { RateCheck::Fits } else { rate };
    }

    /// The part whose comb stands out furthest, be it by little.
    #[must_use]
    pub fn leading(&self) -> &Comb {
        &self.combs[0]
    }

    /// The comb of the part that is named.
    pub(super) fn clear_comb(&self) -> Option<&Comb> {
        self.defect.and(self.combs.first())
    }

    /// The verdict in a few words.
    #[must_use]
    pub fn verdict(&self) -> String {
        match (self.rate, self.defect, &self.candidates[..], &self.impulses) {
            (RateCheck::InDoubt(_), ..) => "rate in doubt".to_owned(),
            (_, Some(part), ..) => part.as_str().to_owned(),
            (_, None, [first, rest @ ..], _) => {
                let others = rest.iter().map(|part| format!(" or {}", part.as_str()));
                format!("uncertain: {}{}", first.as_str(), others.collect::<String>())
            }
            (_, None, [], Some(impulses)) => format!("no defect of a part; impulses at {:.1} Hz", impulses.hz),
            (_, None, [], None) => "no defect".to_owned(),
        }
    }

    /// A few sentences for whoever stands before the machine.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut words = vec![self.combs_in_words()];
        if let Some(impulses) = &self.impulses
            && !(self.defect.is_some() && impulses.rate.is_own())
        {
            words.push(impulses.in_words());
        }
        match self.rate {
            RateCheck::InDoubt(doubt) => words.insert(
                0,
                format!(
                    "is the rate right? The shaft's speed, stated as {:.1} Hz, stands at {:.1} Hz: the rate seems to be {:.0} Hz. No part is named",
                    self.shaft_hz, doubt.shaft_stands_at_hz, doubt.seems_hz
                ),
            ),
            RateCheck::NotChecked => words.push(
                "rate and speed could not be checked: the shaft's line is not visible".to_owned(),
            ),
            RateCheck::Fits => {}
        }
        if let Some(found_hz) = self.shaft_found_hz {
            words.push(format!(
                "the shaft's lines stand at {found_hz:.2} Hz, not at the stated {:.2} Hz ({:+.1} %): strikes are held against that",
                self.shaft_hz,
                100.0 * (found_hz / self.shaft_hz - 1.0)
            ));
        }
        words.extend(self.sensor_notes.iter().map(|note| note.in_words()));
        words.join("; ")
    }

    fn combs_in_words(&self) -> String {
        let [leading, second, ..] = &self.combs[..] else { unreachable!("there is one comb a part") };
        let Comb {
            part, strikes_hz, slip_percent, prominence_db, band_low_hz, band_high_hz, excess_db, sigmas, ..
        } = leading;
        let (part, second_part) = (part.as_str(), second.part.as_str());
        let chance = self.chance_in_words();
        let between = if leading.has_lines_between() || self.candidates.is_empty() {
            ""
        } else {
            "; only each second or third line is there, so something strikes at a multiple of that rate"
        };
        if self.defect.is_some() || !self.candidates.is_empty() {
            format!(
                "{part}: strikes at {strikes_hz:.1} Hz ({slip_percent:+.1} % from geometry) and its harmonics stand {excess_db:.1} dB above combs of \
                 no defect ({sigmas:.1} σ; the {second_part}'s {:.1} σ), most in the envelope of {:.1}–{:.1} kHz ({prominence_db:.1} dB over its \
                 noise); a healthy bearing shows as high a comb in {chance}{between}",
                second.sigmas,
                band_low_hz / 1000.0,
                band_high_hz / 1000.0
            )
        } else {
            let explained = match self.impulses {
                Some(impulses) if !impulses.rate.is_own() && self.chance_if_healthy <= CLEAR_CHANCE => {
                    ", but the impulses explain it"
                }
                _ => "",
            };
            format!(
                "no part's comb decides: the strongest, the {part}'s at {strikes_hz:.1} Hz, is {excess_db:.1} dB above combs of no defect \
                 ({sigmas:.1} σ); a healthy bearing shows as high a comb in {chance}{explained}"
            )
        }
    }

    fn chance_in_words(&self) -> String {
        if self.chance_if_healthy <= SMALLEST_CHANCE {
            "fewer than one recording of a million".to_owned()
        } else if self.chance_if_healthy >= 0.5 {
            "most recordings".to_owned()
        } else {
            format!("one recording of {:.0}", 1.0 / self.chance_if_healthy)
        }
    }
}

fn clear_chance(turns: f64) -> f64 {
    if turns >= LONG_TURNS { CLEAR_CHANCE_LONG } else { CLEAR_CHANCE }
}

/// Chance that the highest of so many normal variables is `sigmas` or more.
fn chance_of(sigmas: f64, variables: usize) -> f64 {
    let of_one = 0.5 * erfc(sigmas / std::f64::consts::SQRT_2);
    // 1 - (1 - p)ⁿ without loss where p is small.
    let of_any = -(variables as f64 * (-of_one).ln_1p()).exp_m1();
    of_any.max(SMALLEST_CHANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comb(part: BearingPart, sigmas: f64) -> Comb {
        Comb {
            part,
            strikes_hz: 107.0,
            slip_percent: 0.0,
            prominence_db: 10.0,
            lines: 6,
            visible_lines: 6,
            band_low_hz: 1_000.0,
            band_high_hz: 3_000.0,
            excess_db: 5.0,
            sigmas,
            share_between: 1.0,
            lines_of_their_own: 6,
        }
    }

    fn finding(outer: f64, inner: f64, ball: f64) -> BearingFinding {
        let combs = vec![
            comb(BearingPart::OuterRace, outer),
            comb(BearingPart::InnerRace, inner),
            comb(BearingPart::Ball, ball),
        ];
        BearingFinding::new(combs, 1, 30.0, 60.0)
    }

    #[test]
    fn a_chance_is_that_of_the_highest_of_three() {
        // 1 - Φ(x)³, from tables of the normal distribution.
        for (sigmas, expected) in [(0.0, 0.875), (2.0, 0.066_704), (2.712, 0.01), (3.0, 0.004_044)] {
            assert!((chance_of(sigmas, 3) - expected).abs() < 1e-4, "{sigmas}: {}", chance_of(sigmas, 3));
        }
        assert_eq!(chance_of(9.0, 3), SMALLEST_CHANCE);
        assert!((chance_of(-9.0, 3) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn two_parts_that_stand_out_alike_are_uncertain() {
        assert_eq!(finding(6.0, 3.0, 0.0).defect, Some(BearingPart::OuterRace));
        let uncertain = finding(4.0, 4.5, 0.0);
        assert_eq!(uncertain.defect, None);
        assert_eq!(uncertain.candidates, [BearingPart::InnerRace, BearingPart::OuterRace]);
        assert_eq!(uncertain.verdict(), "uncertain: inner race or outer race");
        let healthy = finding(1.0, 2.0, 0.5);
        assert_eq!((healthy.defect, healthy.verdict().as_str()), (None, "no defect"));
    }

    #[test]
    fn each_second_line_of_another_comb_is_uncertain() {
        let combs = BearingPart::ALL.map(|part| Comb { share_between: 0.1, ..comb(part, 0.0) });
        let mut combs = Vec::from(combs);
        combs[1].sigmas = 9.0;
        let finding = BearingFinding::new(combs, 1, 30.0, 60.0);
        assert_eq!((finding.defect, finding.verdict().as_str()), (None, "uncertain: inner race"));
    }

    #[test]
    fn the_chance_says_of_what_it_is_one() {
        let words = finding(6.0, 1.0, 0.0).in_words();
        assert!(
            words.contains("a healthy bearing shows as high a comb in fewer than one recording of a million"),
            "{words}"
        );
    }
}
