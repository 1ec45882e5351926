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

    fn coloured(samples: usize) -> Vec<f32> {
        let (mut state, mut last, mut value) = (0x9e37_79b9_7f4a_7c15_u64, [0.0_f64; 2], Vec::new());
        for _ in 0..samples {
            // Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let next = 1.9 * last[0] - 0.98 * last[1] + (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
            last = [next, last[0]];
            value.push(next as f32);
        }
        value
    }

    #[test]
    fn a_predictor_of_two_samples_is_found() {
        let values: Vec<f64> = coloured(40_000).into_iter().map(f64::from).collect();
        let weights = predictor_of(&values).unwrap();
        assert!((weights[0] - 1.9).abs() < 0.02 && (weights[1] + 0.98).abs() < 0.03, "{weights:?}");
        assert!(weights[2..].iter().all(|weight| weight.abs() < 0.04), "{weights:?}");
    }
}
