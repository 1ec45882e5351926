//! Ticks at round numbers.

/// Round tick positions within `low..=high`, at most `most` of them: steps of 1, 2 or 5 times a power of ten.
pub(crate) fn ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let rough = (high - low) / most.max(1) as f64;
    if !(rough.is_finite() && rough > 0.0) {
        return vec![low];
    }
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|index| index as f64 * step).collect()
}

/// A number without needless decimals: `0`, `2.5`, `10`.
pub(crate) fn label(value: f64, step: f64) -> String {
    let decimals = (-step.abs().max(1e-12).log10()).ceil().clamp(0.0, 6.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_range() {
        assert_eq!(ticks(0.0, 10.0, 10), (0..=10).map(f64::from).collect::<Vec<_>>());
        assert_eq!(ticks(0.0, 2.75, 8), [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]);
        assert_eq!(ticks(-83.0, -12.0, 4), [-80.0, -60.0, -40.0, -20.0]);
        assert_eq!(ticks(3.0, 3.0, 5), [3.0]);
    }

    #[test]
    fn labels_show_as_many_decimals_as_the_step_has() {
        assert_eq!((label(0.5, 0.5), label(20.0, 10.0), label(0.25, 0.05)), ("0.5".into(), "20".into(), "0.25".into()));
    }
}
