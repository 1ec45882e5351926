//! Compares a window's scores with the calibration's: the statistics in `audio.drift`.

/// Population stability index of scores against the deciles of a reference: `Σ (p - q) ln(p / q)` over the ten bins,
/// `q` = 0.1.
///
/// Half a score is added to each bin, so that an empty bin of a small window does not give infinity:
/// `p = (n_bin + 0.5) / (n + 5)`. Without drift, a window of 50 against 100 calibration scores still gives about 0.2
/// (9 / 50 + 9 / 100, less the effect of the floor): the usual rule "0.25 is drift" is meant for thousands of scores.
#[must_use]
pub fn population_stability_index(scores: &[f64], deciles: &[f64]) -> f64 {
    let mut counts = vec![0.0; deciles.len() + 1];
    for score in scores {
        counts[deciles.partition_point(|decile| decile < score)] += 1.0;
    }
    psi_of_counts(&counts)
}

/// Added to the count of each bin.
pub(super) const FLOOR: f64 = 0.5;

/// The index of counts in bins of equal probability.
pub(super) fn psi_of_counts(counts: &[f64]) -> f64 {
    let bins = counts.len() as f64;
    let total = counts.iter().sum::<f64>() + FLOOR * bins;
    let expected = 1.0 / bins;
    counts.iter().map(|count| (count + FLOOR) / total).map(|share| (share - expected) * (share / expected).ln()).sum()
}

/// Largest distance of the empirical distribution function of shares (0–1) from the uniform distribution's.
pub(super) fn distance_from_uniform(shares: &[f64]) -> f64 {
    let mut ascending = shares.to_vec();
    ascending.sort_by(f64::total_cmp);
    let count = ascending.len() as f64;
    let distances = ascending.iter().enumerate().map(|(index, share)| {
        let below = index as f64 / count;
        (share - below).max(below + 1.0 / count - share)
    });
    distances.fold(0.0, f64::max)
}

/// A two-sample Kolmogorov–Smirnov test's result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KolmogorovSmirnov {
    /// Largest distance between the two empirical distribution functions, 0–1.
    pub statistic: f64,
    /// Probability of this or a larger distance between samples of one continuous distribution, two-sided and exact.
    pub p_value: f64,
}

/// The two-sample Kolmogorov–Smirnov test (SciPy's `ks_2samp(method="exact")`). If either sample is empty: statistic 0,
/// p-value 1.
///
/// The p-value is computed on the lattice of all orders in which the two samples can be merged, which are equally
/// likely without drift: it sums the probability of first reaching the statistic's distance from the diagonal. It is
/// exact even if it is tiny. O(n m) time for samples of n and m.
#[must_use]
pub fn kolmogorov_smirnov(first: &[f64], second: &[f64]) -> KolmogorovSmirnov {
    let (n, m) = (first.len(), second.len());
    if n == 0 || m == 0 {
        return KolmogorovSmirnov { statistic: 0.0, p_value: 1.0 };
    }
    let ascending = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let (a, b) = (ascending(first), ascending(second));
    // Distances are multiples of 1 / (n m): as integers they compare exactly.
    let distance = |i: usize, j: usize| (i * m).abs_diff(j * n);
    let farthest = a
        .iter()
        .chain(&b)
        .map(|value| distance(a.partition_point(|x| x <= value), b.partition_point(|x| x <= value)))
        .max()
        .unwrap_or(0);

    // reach[j]: probability of a merge with i of the first and j of the second that has not reached that distance.
    let mut reach = vec![0.0_f64; m + 1];
    reach[0] = 1.0;
    let mut strayed = 0.0;
    for i in 0..=n {
        for j in 0..=m {
            if i + j > 0 {
                let left = (n + m + 1 - i - j) as f64;
                let from_first = if i > 0 { reach[j] * (n + 1 - i) as f64 / left } else { 0.0 };
                let from_second = if j > 0 { reach[j - 1] * (m + 1 - j) as f64 / left } else { 0.0 };
                reach[j] = from_first + from_second;
            }
            if farthest > 0 && distance(i, j) >= farthest {
                strayed += reach[j];
                reach[j] = 0.0;
            }
        }
    }
    let p_value = if farthest == 0 { 1.0 } else { strayed.clamp(f64::MIN_POSITIVE, 1.0) };
    KolmogorovSmirnov { statistic: farthest as f64 / (n as f64 * m as f64), p_value }
}
