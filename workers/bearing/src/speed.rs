//! The shaft's true speed, from its own lines: what is stated is often the nominal one.

use super::comb::Lines;
use super::rate::line_near;
use super::search::Search;

/// The stated speed may be off by so much, as a share: an induction motor's slip between no load and full load, and a
/// rounded plate.
const SPEED_ERROR: f64 = 0.02;
/// Lines at so many multiples of the shaft's speed are looked at …
const LINES: usize = 8;
/// … and at this share of them a line must have its peak, in one band. The lines of an outer race that the shaft
/// modulates lie beside many multiples, but not on them.
const PEAKS: f64 = 0.7;
/// The comb at the true speed is so many nepers higher than the one at the stated speed; else the stated speed stays.
const CLEARER: f64 = 0.3;
/// The stated speed is right to this share: what is closer needs no correction.
const STATED_IS_RIGHT: f64 = 0.001;

/// Unbalance and misalignment put tones at the shaft's speed and twice that into the vibration itself. So high they
/// must be, nepers …
const TONE: f64 = 2.3;
/// … in a segment of so many turns …
const TONE_TURNS: f64 = 256.0;
/// … and tell one speed to this share: a mains' hum beside one of the two does not.
const TONES_AGREE: f64 = 0.0006;

/// The same by the tones at the shaft's speed and at twice that, which a strong defect does not hide.
pub(super) fn by_tones(samples: &[f32], rate_hz: f64, stated: f64) -> Option<f64> {
    let tone = |multiple: f64| {
        line_near(samples, rate_hz, multiple * stated, SPEED_ERROR, multiple * TONE_TURNS)
            .filter(|(height, _)| *height >= TONE)
            .map(|(_, hz)| hz / multiple)
    };
    let (once, twice) = (tone(1.0)?, tone(2.0)?);
    ((once / twice - 1.0).abs() <= TONES_AGREE && (twice / stated - 1.0).abs() > STATED_IS_RIGHT).then_some(twice)
}

/// The speed at which the shaft's lines stand, Hz, where it differs from the stated one, `search.shaft_hz`, and is
/// clear. `lines` must hold the shaft's lines.
pub(super) fn found(lines: &Lines, search: &Search) -> Option<f64> {
    let stated = search.shaft_hz;
    let (best, height) = lines.highest_comb(stated, SPEED_ERROR, LINES);
    let (_, at_stated) = lines.highest_comb(stated, STATED_IS_RIGHT, LINES);
    let is_clear = lines.share_of_peaks(best, LINES) >= PEAKS && height >= at_stated + CLEARER;
    (is_clear && (best / stated - 1.0).abs() > STATED_IS_RIGHT).then_some(best)
}
