//! Determines the exact rate from a time step: files state steps with few digits, and 1.95312e-05 s means 51,200 Hz.

/// Common sample rates of recorders, Hz.
const USUAL: [f64; 60] = [
    1000.0,
    2000.0,
    2048.0,
    2500.0,
    2560.0,
    3000.0,
    3200.0,
    4000.0,
    4096.0,
    5000.0,
    5120.0,
    6000.0,
    6400.0,
    8000.0,
    8192.0,
    10_000.0,
    10_240.0,
    11_025.0,
    12_000.0,
    12_500.0,
    12_800.0,
    15_000.0,
    16_000.0,
    16_384.0,
    20_000.0,
    20_480.0,
    22_050.0,
    24_000.0,
    25_000.0,
    25_600.0,
    30_000.0,
    32_000.0,
    32_768.0,
    40_000.0,
    40_960.0,
    44_100.0,
    48_000.0,
    48_828.125,
    50_000.0,
    51_200.0,
    64_000.0,
    65_536.0,
    80_000.0,
    81_920.0,
    88_200.0,
    96_000.0,
    97_656.0,
    97_656.25,
    100_000.0,
    102_400.0,
    128_000.0,
    131_072.0,
    192_000.0,
    200_000.0,
    204_800.0,
    250_000.0,
    256_000.0,
    500_000.0,
    512_000.0,
    1_000_000.0,
];

/// Maximum relative uncertainty for rounding to any short number.
pub(crate) const WELL_KNOWN: f64 = 2e-4;
/// Maximum relative uncertainty for taking a common rate if it is the only one in range.
const ROUGHLY_KNOWN: f64 = 2e-2;

/// The exact rate for `hz`, known to a relative `uncertainty`; `None` if it is ambiguous.
pub(crate) fn meant(hz: f64, uncertainty: f64) -> Option<f64> {
    if !(hz.is_finite() && hz > 0.0 && uncertainty.is_finite()) {
        return None;
    }
    let near = |other: f64, share: f64| (other - hz).abs() <= hz * share;
    // A step that itself has few digits, such as 0.00004 s, may be exact.
    if let Some(round) = shortest(hz, 1e-9, 4) {
        return Some(round);
    }
    if let Some(exact) = USUAL.into_iter().find(|&usual| near(usual, 1e-9)) {
        return Some(exact);
    }
    let uncertainty = (uncertainty * 1.01).max(1e-9);
    if uncertainty > ROUGHLY_KNOWN {
        return None;
    }
    let usual: Vec<f64> = USUAL.into_iter().filter(|&usual| near(usual, uncertainty)).collect();
    match usual[..] {
        [one] => Some(one),
        [] if uncertainty <= WELL_KNOWN => Some(shortest(hz, uncertainty, 9).unwrap_or(hz)),
        [_, _, ..] if uncertainty <= WELL_KNOWN => {
            usual.into_iter().min_by(|a, b| (a - hz).abs().total_cmp(&(b - hz).abs()))
        }
        _ => None,
    }
}

/// Whether this is a common sample rate of recorders.
pub(crate) fn is_usual(hz: f64) -> bool {
    USUAL.into_iter().any(|usual| (usual / hz - 1.0).abs() < 1e-4)
}

/// The rate of a stated step, s, which may be rounded to the digits it has.
pub(crate) fn of_step(step_s: f64) -> Option<f64> {
    meant(1.0 / step_s, digits_uncertainty(step_s))
}

/// Half of the last digit needed to write a number, relative to it; 0 for a number that needs all digits of a double.
pub(crate) fn digits_uncertainty(value: f64) -> f64 {
    let text = format!("{value:e}");
    let mantissa = text.split('e').next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    if digits > 8 {
        return 1e-9;
    }
    let Ok(mantissa) = mantissa.parse::<f64>() else { return 1e-9 };
    0.5 * 10_f64.powi(1 - digits as i32) / mantissa.abs()
}

/// The number of at most `digits` digits within a relative `uncertainty` of `value`, with as few digits as possible.
pub(crate) fn shortest(value: f64, uncertainty: f64, digits: usize) -> Option<f64> {
    (0..digits).find_map(|decimals| {
        let short: f64 = format!("{value:.decimals$e}").parse().ok()?;
        ((short - value).abs() <= value * uncertainty).then_some(short)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_few_digits_is_the_rate_that_was_set() {
        for (step, rate) in [
            (1.953_12e-5, 51_200.0),
            (3.9063e-5, 25_600.0),
            (3.906_25e-5, 25_600.0),
            (2.083_33e-5, 48_000.0),
            (1.024e-5, 97_656.25),
            (4e-5, 25_000.0),
            (3.9e-5, 25_600.0),
            (1.0 / 97_656.0, 97_656.0),
            (1.0 / 25_641.5, 25_641.5),
            (1.0 / 44_100.0, 44_100.0),
            (2.267_57e-5, 44_100.0),
            (0.001, 1000.0),
        ] {
            assert_eq!(of_step(step), Some(rate), "{step:e}");
        }
    }

    #[test]
    fn a_step_that_leaves_a_rate_open_is_none() {
        // Two digits: 12,800 lies outside, and nothing usual inside.
        assert_eq!(of_step(7.3e-5), None);
        assert_eq!(of_step(0.0), None);
        assert_eq!(of_step(f64::NAN), None);
    }
}
