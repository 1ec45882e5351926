//! Where the lines of a comb are sought.

/// Strikes of combs that no defect has, as multiples of the defect's.
pub(super) const DECOY_RANGE: (f64, f64) = (0.6, 1.5);

/// Where the lines of a comb are sought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search {
    pub shaft_hz: f64,
    pub harmonics: usize,
    /// Largest deviation of the strikes from geometry, as a share of them.
    pub slip: f64,
    /// The spectrum of an envelope ends at the width of its band, Hz.
    pub band_width_hz: f64,
    /// The slowest impulses whose lines are told apart, Hz.
    pub lowest_impulses_hz: f64,
    /// Strikes this close to a multiple of the shaft's speed, Hz, are not told from it: its lines are looseness,
    /// unbalance or misalignment.
    pub beside_shaft_hz: f64,
}

impl Search {
    /// Whether strikes at this rate would be told from the shaft's lines by nothing.
    pub fn is_shafts(&self, strikes_hz: f64) -> bool {
        self.hz_beside_shaft(strikes_hz) < self.beside_shaft_hz
    }

    /// Whether they would be, whatever the slip.
    pub fn is_all_shafts(&self, strikes_hz: f64) -> bool {
        self.is_shafts(strikes_hz) && self.hz_beside_shaft(strikes_hz) + self.slip * strikes_hz < self.beside_shaft_hz
    }

    fn hz_beside_shaft(&self, hz: f64) -> f64 {
        (hz - self.shaft_hz * (hz / self.shaft_hz).round()).abs()
    }

    /// The highest frequency at which a line is sought for strikes so many times a second, Hz.
    pub fn top_hz(&self, strikes_hz: f64) -> f64 {
        self.harmonics as f64 * strikes_hz * self.highest_decoy(strikes_hz) * (1.0 + self.slip) + self.shaft_hz
    }

    /// The highest decoy whose lines the envelope still holds, as a multiple of the strikes.
    pub fn highest_decoy(&self, strikes_hz: f64) -> f64 {
        (self.band_width_hz / (self.harmonics as f64 * strikes_hz)).clamp(1.0, DECOY_RANGE.1)
    }
}
