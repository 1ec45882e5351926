//! How far a defect's lines stand out of an envelope spectrum.

use serde::Serialize;

use super::envelope::{Band, EnvelopeSpectrum};
use super::geometry::{BearingOrders, BearingPart};

/// What one line may count at least and at most, natural logarithm: one missing line must not hide five that are there, nor
/// one loud line (the shaft's own, the mains') stand for six.
const LINE_RANGE: (f64, f64) = (-1.0, 3.0);
/// Decibels of a magnitude to the natural logarithm's unit: 20 / ln 10.
pub(super) const DB_PER_NEPER: f64 = 8.685_889_638_065_035;

/// The lines of one defect in the band where they stand out furthest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comb {
    /// The part that would be damaged.
    pub part: BearingPart,
    /// Strikes a second at which the lines fit best, Hz.
    pub strikes_hz: f64,
    /// By how much that differs from geometry times shaft speed: slip, or a speed that is not quite the stated one, %.
    pub slip_percent: f64,
    /// Mean height of the lines over the noise floor, dB. A line counts with -8.7 to 26 dB.
    pub prominence_db: f64,
    /// Lower edge of the band whose envelope this is, Hz.
    pub band_low_hz: f64,
    /// Upper edge of the band, Hz.
    pub band_high_hz: f64,
}

/// Where the lines of a comb are sought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search {
    pub shaft_hz: f64,
    pub harmonics: usize,
    /// Largest deviation of the strikes from geometry, as a share of them.
    pub slip: f64,
}

/// The best fit of one part's comb in one band's envelope spectrum.
pub(super) fn fit(
    spectrum: &EnvelopeSpectrum,
    part: BearingPart,
    orders: &BearingOrders,
    search: &Search,
    band: Band,
) -> Comb {
    let expected_hz = orders.strikes_of(part) * search.shaft_hz;
    let sideband_hz = orders.modulation_of(part).map(|order| order * search.shaft_hz);
    // From one try to the next the highest harmonic moves by one value of the spectrum.
    let highest_hz = search.harmonics as f64 * expected_hz;
    let tries = (search.slip * highest_hz / spectrum.step_hz).ceil() as i32;
    let best = (-tries..=tries)
        .map(|attempt| {
            let scale = if tries == 0 { 1.0 } else { 1.0 + search.slip * f64::from(attempt) / f64::from(tries) };
            (scale, mean_height(spectrum, expected_hz * scale, sideband_hz, search.harmonics))
        })
        .max_by(|(_, one), (_, other)| one.total_cmp(other));
    let (scale, height) = best.expect("the expected place itself is always tried");
    Comb {
        part,
        strikes_hz: expected_hz * scale,
        slip_percent: 100.0 * (scale - 1.0),
        prominence_db: DB_PER_NEPER * height,
        band_low_hz: band.low_hz,
        band_high_hz: band.high_hz,
    }
}

/// Mean over the harmonics. Where something modulates the strikes, the pair of sidebands counts as much as the line itself,
/// which tells an inner race from an outer race whose lines happen to lie close.
fn mean_height(spectrum: &EnvelopeSpectrum, strikes_hz: f64, sideband_hz: Option<f64>, harmonics: usize) -> f64 {
    let height = |harmonic: usize| {
        let hz = harmonic as f64 * strikes_hz;
        let line = line_height(spectrum, hz);
        match sideband_hz {
            None => line,
            Some(away) => {
                let pair = f64::midpoint(line_height(spectrum, hz - away), line_height(spectrum, hz + away));
                f64::midpoint(line, pair)
            }
        }
    };
    (1..=harmonics).map(height).sum::<f64>() / harmonics as f64
}

/// The highest of the three values about a frequency.
fn line_height(spectrum: &EnvelopeSpectrum, hz: f64) -> f64 {
    let nearest = (hz / spectrum.step_hz).round().max(1.0) as usize;
    let around = spectrum.log_heights.get(nearest - 1..=nearest + 1).unwrap_or_default();
    around.iter().copied().fold(f64::NEG_INFINITY, f64::max).clamp(LINE_RANGE.0, LINE_RANGE.1)
}
