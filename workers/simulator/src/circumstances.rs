//! Influences on a machine's sound other than its condition.

/// The machine's load, and other sound sources in the hall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circumstances {
    /// Load, −1…1 around the normal load.
    pub load: f64,
    /// Level of the hall's noise relative to its average, dB.
    pub hall_db: f64,
    /// Level at the microphone of a new sound source in the hall, dB SPL; `None` if there is none.
    pub newcomer_spl_db: Option<f64>,
}

impl Circumstances {
    /// The average hall, without a new sound source.
    #[must_use]
    pub fn usual(load: f64) -> Self {
        Self { load, hall_db: 0.0, newcomer_spl_db: None }
    }
}
