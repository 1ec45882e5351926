//! What a machine's sound depends on besides the machine.

/// How hard the machine works, and what else is to be heard in the hall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circumstances {
    /// Load, −1…1 around the usual.
    pub load: f64,
    /// By how much the hall's usual noise is louder than on average, dB.
    pub hall_db: f64,
    /// Level at the microphone of something that is new in the hall, dB SPL; `None` where nothing is.
    pub newcomer_spl_db: Option<f64>,
}

impl Circumstances {
    /// The hall on average, nothing new in it.
    #[must_use]
    pub fn usual(load: f64) -> Self {
        Self { load, hall_db: 0.0, newcomer_spl_db: None }
    }
}
