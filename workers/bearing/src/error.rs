//! Why a recording cannot be examined.

use super::sensor::SensorFault;

/// Why a recording cannot be examined.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BearingError {
    /// The geometry is none that a bearing has.
    #[error(
        "BPFO {bpfo}, BPFI {bpfi}, BSF {bsf} and FTF {ftf} per turn are no bearing's: all must be positive, FTF below 1, BPFI above BPFO; \
         state them as multiples of the shaft's speed, not in Hz"
    )]
    Orders {
        /// Balls passing a point of the outer race, per turn.
        bpfo: f64,
        /// Balls passing a point of the inner race, per turn.
        bpfi: f64,
        /// Turns of a ball, per turn.
        bsf: f64,
        /// Turns of the cage, per turn.
        ftf: f64,
    },
    /// The speed is none.
    #[error("a shaft speed of {0} Hz cannot be: state the speed while the recording was made")]
    Speed(f64),
    /// The slip is none.
    #[error("a slip of {0} cannot be: state a share from 0 to 0.05")]
    Slip(f64),
    /// Too short.
    #[error(
        "the recording holds {turns:.1} turns of the shaft and {fewest_turns} are needed: record for {needed_s:.2} s or longer"
    )]
    TooShort {
        /// Turns that it holds.
        turns: f64,
        /// Turns that are needed.
        fewest_turns: f64,
        /// Seconds that it should have.
        needed_s: f64,
    },
    /// The rate leaves no band in which an envelope could show the strikes.
    #[error(
        "at {rate_hz} samples a second no band is wide enough for strikes at {strikes_hz:.0} Hz: record at {needed_hz:.0} Hz or faster"
    )]
    RateTooLow {
        /// Rate of the recording, Hz.
        rate_hz: f64,
        /// Highest strike frequency, Hz.
        strikes_hz: f64,
        /// Lowest rate that would do, Hz.
        needed_hz: f64,
    },
    /// The rate that the file states leaves no band, and the recording fits another.
    #[error(
        "is the rate of {rate_hz} Hz right? What the recording shows fits {seems_hz:.0} Hz: state the rate at which it was sampled"
    )]
    RateInDoubt {
        /// Rate that is stated, Hz.
        rate_hz: f64,
        /// Rate that fits, Hz.
        seems_hz: f64,
    },
    /// There is no vibration in it.
    #[error("not examined: {0}")]
    Sensor(#[from] SensorFault),
    /// A sample is NaN or infinite.
    #[error("a sample is not a finite number: check the recorder's float conversion")]
    NonFinite,
}
