//! Linear prediction (J. Makhoul, *Linear prediction: a tutorial review*, Proceedings of the IEEE 63, 1975).

/// Number of samples from which the next is predicted.
pub const ORDER: usize = 32;

/// Weights of the samples before, the latest first: Levinson and Durbin's recursion. None of what is finite and not
/// silent has none.
#[must_use]
pub fn predictor_of(values: &[f64]) -> Option<Vec<f64>> {
    let correlation = |lag: usize| values.iter().zip(&values[lag..]).map(|(one, other)| one * other).sum::<f64>();
    let correlations: Vec<f64> = (0..=ORDER).map(correlation).collect();
    // A trace of white noise keeps a pure tone from having no remainder at all.
    let mut remainder = correlations[0] * (1.0 + 1e-9);
    let mut weights: Vec<f64> = Vec::with_capacity(ORDER);
    for order in 0..ORDER {
        if !(remainder.is_finite() && remainder > 0.0) {
            return None;
        }
        let explained: f64 = weights.iter().enumerate().map(|(lag, weight)| weight * correlations[order - lag]).sum();
        let reflection = (correlations[order + 1] - explained) / remainder;
        let reversed: Vec<f64> = weights.iter().rev().copied().collect();
        for (weight, mirrored) in weights.iter_mut().zip(reversed) {
            *weight -= reflection * mirrored;
        }
        weights.push(reflection);
        remainder *= 1.0 - reflection * reflection;
    }
    Some(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_predictor_of_two_samples_is_found() {
        let (mut state, mut values) = (1_u32, vec![0.0, 0.0]);
        for index in 2..40_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state >> 8) / f64::from(1 << 24) - 0.5;
            values.push(1.9 * values[index - 1] - 0.98 * values[index - 2] + noise);
        }
        let weights = predictor_of(&values).unwrap();
        assert!((weights[0] - 1.9).abs() < 0.02 && (weights[1] + 0.98).abs() < 0.03, "{weights:?}");
        assert!(weights[2..].iter().all(|weight| weight.abs() < 0.04), "{weights:?}");
    }
}
