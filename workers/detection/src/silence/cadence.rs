//! Estimates the usual interval between a machine's chunks.

use jiff::Timestamp;

/// Maximum effect of one interval on the estimate, as a power of e: a tenth.
const STEP: f64 = 0.2;
/// Deviations beyond this power of e are clipped to it.
const CLIP: f64 = 0.5;

/// Updates the estimate with the interval between two chunks, s.
///
/// A Huber estimate of location in the logarithm of the interval, by stochastic approximation: an outage of a week has
/// no more effect than an interval that is half as long again. It needs no state except the estimate. Intervals that
/// are not positive (a repeated chunk, or chunks out of order) are ignored.
#[must_use]
pub fn follow_cadence(cadence_s: Option<f64>, last_heard: Option<Timestamp>, time: Timestamp) -> Option<f64> {
    let Some(last_heard) = last_heard else { return cadence_s };
    let interval_s = time.duration_since(last_heard).as_secs_f64();
    if interval_s <= 0.0 {
        return cadence_s;
    }
    match cadence_s {
        Some(cadence) if cadence > 0.0 => {
            let off = (interval_s / cadence).ln().clamp(-CLIP, CLIP);
            Some(cadence * (STEP * off).exp())
        }
        _ => Some(interval_s),
    }
}
