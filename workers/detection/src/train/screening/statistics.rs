//! Statistics of the screening.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Standard deviation of a normal distribution in units of its median absolute deviation.
const DEVIATIONS_A_MAD: f64 = 1.4826;

/// Distances of values from their median, in robust standard deviations. A tenth of outliers hardly changes them.
pub(super) fn robust_deviations(values: &[f64]) -> Vec<f64> {
    let middle = median(values.to_vec());
    let spread = DEVIATIONS_A_MAD * median(values.iter().map(|value| (value - middle).abs()).collect());
    values.iter().map(|value| (value - middle) / spread.max(1e-9)).collect()
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => 0.0,
        count if count % 2 == 0 => f64::midpoint(values[half - 1], values[half]),
        _ => values[half],
    }
}

/// The probability that one of this many values of one distribution lies this many robust deviations or more above the
/// others. It uses Student's distribution with a quarter as many degrees of freedom as values, because distances from a
/// fit to few clips have long tails.
pub(super) fn chance_above(deviations: f64, values: usize) -> f64 {
    let freedom = (values as f64 / 4.0).max(1.0);
    let student = StudentsT::new(0.0, 1.0, freedom).expect("its parameters are positive");
    student.sf(deviations)
}

/// Selects the values with small probabilities, so that the expected share of false ones is at most `false_discoveries`
/// (Benjamini and Hochberg, *Controlling the false discovery rate*, 1995).
pub(super) fn discoveries(chances: &[f64], false_discoveries: f64) -> Vec<bool> {
    let mut ascending = chances.to_vec();
    ascending.sort_by(f64::total_cmp);
    let count = chances.len() as f64;
    let bounds = (1..).map(|rank| false_discoveries * f64::from(rank) / count);
    let accepted = ascending.iter().zip(bounds).filter(|(chance, bound)| **chance <= *bound);
    let largest = accepted.map(|(chance, _)| *chance).last();
    chances.iter().map(|chance| largest.is_some_and(|largest| *chance <= largest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_value_does_not_hide_itself_by_widening_the_spread() {
        let mut values: Vec<f64> = (0..20).map(f64::from).collect();
        values.push(1000.0);
        let deviations = robust_deviations(&values);
        assert!(deviations[20] > 100.0 && deviations[0].abs() < 2.5, "{deviations:?}");
    }

    #[test]
    fn discoveries_are_those_of_statsmodels() {
        // Python: statsmodels.stats.multitest.multipletests([.001, .008, .039, .041, .042, .06, .074, .205], alpha=.05,
        // method="fdr_bh")
        let chances = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205];
        let found = discoveries(&chances, 0.05);
        assert_eq!(found, [true, true, false, false, false, false, false, false]);
        assert_eq!(discoveries(&[0.5, 0.9], 0.1), [false, false]);
    }

    #[test]
    fn few_clips_need_a_larger_deviation() {
        assert!(chance_above(4.0, 8) > 0.02 && chance_above(4.0, 100) < 1e-3);
    }
}
