//! How far a machine's sound has moved from what its model was trained on, over windows of consecutive chunks.
//!
//! | statistic | question | source |
//! |---|---|---|
//! | PSI | do the scores fall into the calibration's deciles as the calibration's own did? | Siddiqi 2006 |
//! | Kolmogorov–Smirnov | could both sets of scores come from one distribution? | exact two-sample p-value, Hodges 1958 |
//! | level shift | has the sound become louder or softer as a whole? | mean log-mel level |
//! | band shift | has one band, though the whole may not have? | mean log-mel level by band |

use auscult_schemas::{Drift, DriftMemory, FeatureSpec};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calibration::quantile;
use crate::explain::band_edges;
use crate::{Calibration, Heard, Judgement};

/// When drift is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DriftPolicy {
    /// Consecutive chunks of one window; windows follow one another without overlap.
    #[schemars(range(min = 2))]
    pub window_chunks: u32,
}

impl Default for DriftPolicy {
    fn default() -> Self {
        Self { window_chunks: 50 }
    }
}

/// What drift is measured against, beside the calibration's scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftReference {
    /// Mean level of each mel band over the training clips, dB, `[mels]`.
    pub mean_band_levels_db: Vec<f64>,
    /// The nine deciles of the held-out normal scores, ascending, dB².
    pub score_deciles: Vec<f64>,
}

impl DriftReference {
    /// The reference that a calibration and the training clips' levels give.
    #[must_use]
    pub fn new(calibration: &Calibration, mean_band_levels_db: Vec<f64>) -> Self {
        let score_deciles = (1..10).map(|decile| quantile(&calibration.scores, f64::from(decile) / 10.0)).collect();
        Self { mean_band_levels_db, score_deciles }
    }
}

/// Takes one chunk into the window; a full window is reported and the next begins.
pub(crate) fn advance(
    memory: &mut DriftMemory,
    heard: &Heard<'_>,
    judgement: &Judgement,
    policy: &DriftPolicy,
) -> Option<Drift> {
    let levels = &judgement.band_levels_db;
    if memory.band_sum_db.len() != levels.len() {
        // Nothing heard yet, or under a model with other bands.
        *memory = DriftMemory { band_sum_db: vec![0.0; levels.len()], ..DriftMemory::default() };
    }
    let window_start = *memory.window_start.get_or_insert(heard.time);
    memory.scores.push(judgement.score);
    for (sum, level) in memory.band_sum_db.iter_mut().zip(levels) {
        *sum += f64::from(*level);
    }
    if memory.scores.len() < policy.window_chunks.max(2) as usize {
        return None;
    }
    let window = std::mem::take(memory);
    Some(measure(&window, window_start, heard))
}

fn measure(window: &DriftMemory, window_start: Timestamp, heard: &Heard<'_>) -> Drift {
    let manifest = heard.manifest;
    let calibration_scores = &manifest.calibration.scores;
    let chunks = window.scores.len();
    let shifts: Vec<f64> = window
        .band_sum_db
        .iter()
        .zip(&manifest.drift_reference.mean_band_levels_db)
        .map(|(sum, reference)| sum / chunks as f64 - reference)
        .collect();
    let (band, shift) = largest(&shifts);
    let ks = kolmogorov_smirnov(&window.scores, calibration_scores);
    Drift {
        id: heard.id.to_owned(),
        machine: heard.machine.clone(),
        window_start,
        window_end: heard.time,
        chunks: chunks as u32,
        score_psi: population_stability_index(&window.scores, &manifest.drift_reference.score_deciles),
        score_ks: ks.statistic,
        score_ks_p_value: ks.p_value,
        level_shift_db: shifts.iter().sum::<f64>() / shifts.len().max(1) as f64,
        max_band_shift_db: shift.abs(),
        max_band_shift_hz: band_centre_hz(&manifest.feature_spec, band),
        model: heard.model.clone(),
    }
}

fn largest(shifts: &[f64]) -> (usize, f64) {
    let by_size = |a: &(usize, f64), b: &(usize, f64)| a.1.abs().total_cmp(&b.1.abs());
    shifts.iter().copied().enumerate().max_by(by_size).unwrap_or((0, 0.0))
}

fn band_centre_hz(spec: &FeatureSpec, band: usize) -> f64 {
    band_edges(spec).get(band).map_or(0.0, |edges| edges.hz_centre)
}

/// Population stability index of scores against the deciles of a reference: `Σ (p - q) ln(p / q)` over the ten bins, `q` = 0.1.
///
/// Each bin counts half a score more than it holds, so that an empty bin of a small window costs no infinity:
/// `p = (n_bin + 0.5) / (n + 5)`. Without any drift a window of 50 against 100 calibration scores still gives about 0.2
/// (9 / 50 + 9 / 100, less the floor's pull): the usual "0.25 is drift" is meant for thousands.
#[must_use]
pub fn population_stability_index(scores: &[f64], deciles: &[f64]) -> f64 {
    const FLOOR: f64 = 0.5;
    let bins = deciles.len() + 1;
    let mut counts = vec![FLOOR; bins];
    for score in scores {
        counts[deciles.partition_point(|decile| decile < score)] += 1.0;
    }
    let total = scores.len() as f64 + FLOOR * bins as f64;
    let expected = 1.0 / bins as f64;
    counts.iter().map(|count| count / total).map(|share| (share - expected) * (share / expected).ln()).sum()
}

/// A two-sample Kolmogorov–Smirnov test's result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KolmogorovSmirnov {
    /// Largest distance between the two empirical distribution functions, 0–1.
    pub statistic: f64,
    /// Probability of such a distance or a larger one between samples of one continuous distribution, two-sided and exact.
    pub p_value: f64,
}

/// The two-sample Kolmogorov–Smirnov test (SciPy's `ks_2samp(method="exact")`). Either sample empty: statistic 0, p-value 1.
///
/// The p-value walks the lattice of all orders in which the two samples can be merged, equally likely without drift, and
/// sums the probability of first stepping as far off the diagonal as the statistic. That is exact, also where it is tiny.
/// O(n m) time for samples of n and m.
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

    // reach[j]: probability of a merge that has taken i of the first and j of the second without straying so far.
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
