//! A frequency band in words, the same on every screen.

use auscult_schemas::DeviatingBand;

/// `2.1–2.9 kHz (41 %)`: its edges and its share of the error.
#[must_use]
pub fn in_words(band: &DeviatingBand) -> String {
    let share = 100.0 * band.share;
    if band.hz_high < 1000.0 {
        format!("{:.0}–{:.0} Hz ({share:.0} %)", band.hz_low, band.hz_high)
    } else {
        format!("{:.1}–{:.1} kHz ({share:.0} %)", band.hz_low / 1000.0, band.hz_high / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_bands_are_in_hertz_and_high_ones_in_kilohertz() {
        let words = |hz_low, hz_high| in_words(&DeviatingBand { hz_low, hz_high, share: 0.284 });
        assert_eq!(words(116.2, 441.0), "116–441 Hz (28 %)");
        assert_eq!(words(951.0, 1268.0), "1.0–1.3 kHz (28 %)");
    }
}
