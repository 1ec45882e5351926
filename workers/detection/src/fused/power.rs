//! Powers of decibels, many at a time.

/// `10^(db / 10)`, to 3e-10 of itself, for levels within ±3,000 dB; what lies outside counts as the nearest of them,
/// and NaN gives no number.
///
/// A power of two for the whole part of the exponent, a polynomial for the rest: without branches, calls and
/// conversions to integers, so that the compiler computes several in one vector register. The library's `exp` takes one
/// at a time.
#[inline(always)]
pub(super) fn power_of(db: f64) -> f64 {
    /// Octaves a decibel.
    const OCTAVES: f64 = std::f64::consts::LOG2_10 / 10.0;
    /// Added to a number, leaves its whole part in the lowest bits.
    const ROUNDS: f64 = 6_755_399_441_055_744.0;
    /// Coefficients of the exponential's series, from the highest.
    const SERIES: [f64; 9] =
        [1.0 / 40_320.0, 1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let octaves = (db * OCTAVES).clamp(-1_000.0, 1_000.0);
    let rounded = octaves + ROUNDS;
    let rest = (octaves - (rounded - ROUNDS)) * std::f64::consts::LN_2;
    let mut power = SERIES[0];
    for coefficient in &SERIES[1..] {
        power = power * rest + coefficient;
    }
    f64::from_bits(power.to_bits().wrapping_add(rounded.to_bits() << 52))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_those_of_the_library() {
        for step in -60_000..=60_000 {
            let db = f64::from(step) * 0.041;
            let expected = 10.0_f64.powf(db / 10.0);
            assert!((power_of(db) / expected - 1.0).abs() < 3e-10, "{db} dB: {} for {expected}", power_of(db));
        }
        assert_eq!((power_of(0.0), power_of(f64::from(f32::MIN)) < 1e-290), (1.0, true));
        assert!(power_of(f64::NAN).is_nan());
    }
}
