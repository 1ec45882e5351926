//! How far apart a machine's chunks usually are.

use jiff::Timestamp;

/// How far one interval moves the estimate, at the most, as a power of e: by a tenth.
const STEP: f64 = 0.2;
/// Intervals further off than this power of e count as this far.
const CLIP: f64 = 0.5;

/// Takes the interval between two chunks into the estimate, s.
///
/// A Huber estimate of location in the logarithm of the interval, by stochastic approximation: an outage of a week
/// moves it by no more than an interval half as long again. It needs no memory but itself. Intervals that are not
/// positive (a chunk again, or out of order) say nothing.
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
