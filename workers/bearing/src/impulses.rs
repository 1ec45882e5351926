//! Impulses at a rate that need not be the bearing's: a relay, a gear, the mains, pulse widths, or once a turn of the
//! shaft.

use serde::Serialize;

use super::comb::Lines;
use super::geometry::{BearingOrders, BearingPart};
use super::search::Search;

/// Lines at so many multiples are held against the noise, where the envelope's spectrum has room for them …
const LINES: usize = 12;
/// … and at this many at least.
const FEWEST_LINES: usize = 4;
/// Impulses this far above what other rates show are told: of the thousands of rates that are tried, noise brings the
/// highest to 4 to 5.
const CLEAR_SIGMAS: f64 = 8.0;
/// A comb is as high at twice the rate. The lowest rate that comes to this share of the highest is the impulses'.
const AS_HIGH: f64 = 0.85;
/// The lowest lines tell the rate to this share; all of them together tell it better.
const RATE_ERROR: f64 = 0.01;
/// A clock keeps its rate, and the stated speed is right to this share.
const TOLERANCE: f64 = 0.004;
/// Multiples of a part's rate that are the part's. Half the cage's is that in which the lines of cage and shaft meet
/// where the cage turns twice in five turns.
const OWN_MULTIPLES: [f64; 4] = [0.5, 1.0, 2.0, 3.0];
/// Impulses explain a part's comb only if they are this much clearer than the part's own strikes.
pub(super) const CLEARER_THAN_PART: f64 = 1.15;
/// … and where this share of their height is left when the part's lines and sidebands are gone. In few turns the
/// sidebands of an inner race lie near multiples of a slower rate, and that rate's comb is made of them alone; impulses
/// of another source have lines elsewhere, too.
const LEFT_WITHOUT_PART: f64 = 0.4;
const MAINS_HZ: [f64; 2] = [50.0, 60.0];
const MAINS_TOLERANCE: f64 = 0.002;

/// Whose rate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImpulseRate {
    /// Once a turn of the shaft or at a multiple of that: looseness, unbalance, a damaged tooth, blades.
    Shaft,
    /// The cage's, or one of the parts'.
    Bearing,
    /// The mains', or twice that.
    Mains,
    /// None that the bearing, its shaft or the mains have.
    Foreign,
}

impl ImpulseRate {
    /// Whether the bearing or its shaft explains it.
    pub(super) fn is_own(self) -> bool {
        matches!(self, Self::Shaft | Self::Bearing)
    }
}

/// Impulses that come back at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Impulses {
    /// How often they come, Hz.
    pub hz: f64,
    /// Whose rate that is.
    pub rate: ImpulseRate,
    /// How far their lines stand above those of all other rates, in standard deviations of these.
    pub sigmas: f64,
}

/// The part that is named: its strikes, Hz, and what is left without its lines and their sidebands.
pub(super) struct Named {
    pub strikes_hz: f64,
    pub rest: Lines,
}

/// Impulses, beside the part that is named.
pub(super) struct Found {
    pub impulses: Impulses,
    /// How clear the named part's own strikes are, in the same measure.
    pub of_named: f64,
    /// Whether the impulses are nothing but the named part's lines.
    pub is_named_part: bool,
}

impl Impulses {
    /// The clearest impulses in the envelope spectra; none where nothing is clear.
    pub(super) fn find(lines: &Lines, search: &Search, orders: &BearingOrders, named: Option<&Named>) -> Option<Found> {
        let strikes = BearingPart::ALL.map(|part| orders.strikes_of(part) * search.shaft_hz);
        let highest_hz = 1.6 * strikes.into_iter().fold(0.0, f64::max);
        let scores = lines.comb_heights(search.lowest_impulses_hz, highest_hz, (FEWEST_LINES, LINES));
        let (mean, spread) = spread_of(&scores)?;
        let sigmas_of = |height: f64, count: usize| (height - mean) / spread * (count as f64 / LINES as f64).sqrt();
        let top = scores.iter().map(|(_, height, count)| sigmas_of(*height, *count)).fold(f64::NEG_INFINITY, f64::max);
        if top < CLEAR_SIGMAS {
            return None;
        }
        let first = scores.iter().position(|(_, height, count)| sigmas_of(*height, *count) >= AS_HIGH * top)?;
        // The peak that begins there.
        let first_hz = scores[first].0;
        let near = scores[first..].iter().take_while(|(hz, ..)| *hz < first_hz + search.lowest_impulses_hz / 2.0);
        let (hz, height, count) = near.copied().max_by(|one, other| one.1.total_cmp(&other.1))?;
        let hz = lines.refined(hz, RATE_ERROR);
        let rate = rate_of(hz, search.shaft_hz, search.slip, orders);
        let named_hz = named.map(|named| named.strikes_hz);
        let is_named = |tried_hz: f64| named_hz.is_some_and(|named| (tried_hz / named - 1.0).abs() < TOLERANCE);
        let of_named = scores.iter().filter(|(hz, ..)| is_named(*hz));
        let of_named = of_named.map(|(_, height, count)| sigmas_of(*height, *count)).fold(f64::NEG_INFINITY, f64::max);
        // All lines of a comb at a multiple of the impulses' rate are lines of the impulses.
        let is_part_of_them = named_hz.is_some_and(|named| {
            let multiple = (named / hz).round();
            multiple >= 2.0 && (named / (multiple * hz) - 1.0).abs() < TOLERANCE
        });
        let of_named = if is_part_of_them { f64::NEG_INFINITY } else { of_named };
        let sigmas = sigmas_of(height, count);
        let is_named_part = named.is_some_and(|named| {
            let left = sigmas_of(named.rest.comb_height(hz, count), count);
            left < LEFT_WITHOUT_PART * sigmas
        });
        Some(Found { impulses: Self { hz, rate, sigmas }, of_named, is_named_part })
    }

    /// Whether they would be the bearing's or its shaft's if the shaft's speed stood at `shaft_hz`.
    pub(super) fn would_be_own(&self, shaft_hz: f64, slip: f64, orders: &BearingOrders) -> bool {
        rate_of(self.hz, shaft_hz, slip, orders).is_own()
    }

    /// One clause for whoever stands before the machine.
    pub(super) fn in_words(&self) -> String {
        let hz = self.hz;
        match self.rate {
            ImpulseRate::Shaft => {
                format!("impulses at {hz:.1} Hz go with the shaft: looseness, unbalance, a rub, or one tooth or blade")
            }
            ImpulseRate::Bearing => format!("impulses at {hz:.1} Hz are at a rate of this bearing's"),
            ImpulseRate::Mains => format!("impulses at {hz:.1} Hz are the mains', none of this bearing's rates"),
            ImpulseRate::Foreign => format!(
                "impulses at {hz:.1} Hz, which is none of this bearing's rates: look for a relay, a gear, another machine or electrical pulses"
            ),
        }
    }
}

/// Middle and spread of most heights: those of the combs that are there hardly move them.
fn spread_of(scores: &[(f64, f64, usize)]) -> Option<(f64, f64)> {
    let mut heights: Vec<f64> = scores.iter().map(|(_, height, _)| *height).collect();
    let at = |heights: &mut [f64], share: f64| {
        let index = (heights.len() as f64 * share) as usize;
        *heights.select_nth_unstable_by(index.min(heights.len() - 1), f64::total_cmp).1
    };
    if heights.len() < 100 {
        return None;
    }
    // From the sixteenth to the fiftieth hundredth a normal distribution has one standard deviation.
    let (low, middle) = (at(&mut heights, 0.16), at(&mut heights, 0.5));
    (middle > low).then_some((middle, middle - low))
}

fn rate_of(hz: f64, shaft_hz: f64, slip: f64, orders: &BearingOrders) -> ImpulseRate {
    let is = |of_hz: f64, tolerance: f64| (hz / of_hz - 1.0).abs() <= tolerance;
    let slip = slip.max(TOLERANCE);
    let parts = BearingPart::ALL.map(|part| orders.strikes_of(part));
    let own = parts.into_iter().chain([orders.bsf, orders.ftf]);
    if own.into_iter().any(|order| OWN_MULTIPLES.iter().any(|multiple| is(multiple * order * shaft_hz, slip))) {
        return ImpulseRate::Bearing;
    }
    if (1..=8).any(|multiple| is(f64::from(multiple) * shaft_hz, TOLERANCE)) {
        return ImpulseRate::Shaft;
    }
    if MAINS_HZ.into_iter().any(|mains| is(mains, MAINS_TOLERANCE) || is(2.0 * mains, MAINS_TOLERANCE)) {
        return ImpulseRate::Mains;
    }
    ImpulseRate::Foreign
}
