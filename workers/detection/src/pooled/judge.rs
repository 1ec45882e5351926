//! Vectors that somebody else has pooled: fit to normal ones, judge others.

use ndarray::{Array2, Axis, Slice};

use super::{BandNeighbours, CrossFitted, GaussianMixture, VectorDistance, cross_fit, score};
use crate::DetectionError;
use crate::calibration::{GammaFit, MIN_CLIPS};
use crate::fused::Mahalanobis;

/// Stretches that are held out in turn.
const FOLDS: usize = 5;

/// What one detector says of vectors that it was not fitted to.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorScores {
    /// The detector: `fused`, `mahalanobis`, `gmm` or `knn`.
    pub detector: &'static str,
    /// Scores above it are anomalous: the quantile of a gamma distribution fitted to held-out normal scores.
    pub threshold: f64,
    /// Scores of the held-out normal vectors that the threshold is from, stretch after stretch.
    pub held_out: Vec<f64>,
    /// Scores of the vectors to be judged, in their order: dimensionless, 1 for a typical normal one, the higher the
    /// less normal.
    pub scores: Vec<f64>,
}

/// Fits every detector of vectors to normal ones, `[vectors, n]`, and judges others, `[others, n]`. The fused detector,
/// all of them together, comes first.
///
/// Normal vectors are held out in five stretches of their order; with their scores distances are made comparable and
/// thresholds chosen, so that `false_alarm_rate` of normal vectors lie above.
///
/// # Errors
/// [`DetectionError::TooFewClips`] with fewer than [`MIN_CLIPS`] normal vectors, [`DetectionError::InvalidOptions`] for
/// a rate outside 0 to 0.5 or vectors of different lengths or none, [`DetectionError::Training`] where no detector can
/// be fitted to the vectors.
pub fn judge_vectors(
    normal: &Array2<f64>,
    others: &Array2<f64>,
    false_alarm_rate: f64,
    seed: u64,
) -> Result<Vec<VectorScores>, DetectionError> {
    let count = normal.nrows();
    if count < MIN_CLIPS {
        return Err(DetectionError::TooFewClips { have: count, need: MIN_CLIPS });
    }
    if normal.ncols() == 0 || normal.ncols() != others.ncols() {
        let (one, other) = (normal.ncols(), others.ncols());
        return Err(DetectionError::InvalidOptions(format!("vectors of {one} and of {other} elements do not compare")));
    }
    if !(false_alarm_rate > 0.0 && false_alarm_rate <= 0.5) {
        let fault = "the false alarm rate must lie above 0 and not above 0.5";
        return Err(DetectionError::InvalidOptions(fault.to_owned()));
    }
    let clips: Vec<Array2<f64>> =
        (0..count).map(|row| normal.slice_axis(Axis(0), Slice::from(row..row + 1)).to_owned()).collect();
    let folds: Vec<Vec<usize>> =
        (0..FOLDS).map(|fold| (fold * count / FOLDS..(fold + 1) * count / FOLDS).collect()).collect();

    let parts = [
        ("mahalanobis", deviations::<Mahalanobis>(&clips, others, &folds, seed)?),
        ("gmm", deviations::<GaussianMixture>(&clips, others, &folds, seed)?),
        ("knn", deviations::<BandNeighbours>(&clips, others, &folds, seed)?),
    ];
    let mean = |of: fn(&Deviations) -> &Vec<f64>| -> Vec<f64> {
        let count = parts.len() as f64;
        let vectors = of(&parts[0].1).len();
        (0..vectors).map(|vector| parts.iter().map(|(_, part)| of(part)[vector]).sum::<f64>() / count).collect()
    };
    let fused = Deviations { held_out: mean(|part| &part.held_out), judged: mean(|part| &part.judged) };
    let mut judged = vec![fused.scores("fused", false_alarm_rate)?];
    for (name, part) in &parts {
        judged.push(part.scores(name, false_alarm_rate)?);
    }
    Ok(judged)
}

/// Logarithms of distances, in held-out normal deviations.
struct Deviations {
    held_out: Vec<f64>,
    judged: Vec<f64>,
}

impl Deviations {
    fn scores(&self, detector: &'static str, false_alarm_rate: f64) -> Result<VectorScores, DetectionError> {
        let scores = |deviations: &[f64]| deviations.iter().copied().map(score).collect::<Vec<f64>>();
        let held_out = scores(&self.held_out);
        let threshold = GammaFit::of(&held_out)?.upper_quantile(false_alarm_rate);
        Ok(VectorScores { detector, threshold, held_out, scores: scores(&self.judged) })
    }
}

fn deviations<D: VectorDistance>(
    clips: &[Array2<f64>],
    others: &Array2<f64>,
    folds: &[Vec<usize>],
    seed: u64,
) -> Result<Deviations, DetectionError> {
    let CrossFitted { distance, scale, logs, .. } = cross_fit::<D>(clips, folds, seed)?;
    let held_out = logs.iter().map(|log| scale.deviations(*log)).collect();
    let judged = others.rows().into_iter().map(|row| scale.deviations(distance.distance(row).ln())).collect();
    Ok(Deviations { held_out, judged })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::roc_auc;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    /// Sixteen bands that rise and fall together by some dB, and each by itself by one.
    fn vectors(count: usize, seed: u64, fault_db: f64) -> Array2<f64> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut vectors = Array2::zeros((count, 16));
        for mut row in vectors.rows_mut() {
            let load: f64 = rng.random_range(-3.0..3.0);
            for (band, level) in row.iter_mut().enumerate() {
                let fault = if band == 7 { fault_db } else { 0.0 };
                *level = -40.0 - band as f64 + load + rng.random_range(-1.0..1.0) + fault;
            }
        }
        vectors
    }

    #[test]
    fn every_detector_finds_a_louder_band_and_the_threshold_holds_on_fresh_vectors() {
        let others = ndarray::concatenate![Axis(0), vectors(300, 2, 0.0), vectors(100, 3, 6.0)];
        let judged = judge_vectors(&vectors(200, 1, 0.0), &others, 0.01, 42).unwrap();
        assert_eq!(judged.iter().map(|one| one.detector).collect::<Vec<_>>(), ["fused", "mahalanobis", "gmm", "knn"]);
        for VectorScores { detector, threshold, held_out, scores } in &judged {
            let (normal, abnormal) = scores.split_at(300);
            let auc = roc_auc(normal, abnormal).unwrap();
            assert!(auc > if *detector == "knn" { 0.9 } else { 0.99 }, "{detector}: {auc}");
            let false_alarms = normal.iter().filter(|score| *score > threshold).count();
            assert!(false_alarms <= 15, "{detector}: {false_alarms} of 300");
            assert!(held_out.len() == 200 && scores.iter().all(|score| *score > 0.0), "{detector}");
        }
    }

    #[test]
    fn vectors_that_cannot_be_fitted_are_refused_in_words() {
        let refused = |normal: &Array2<f64>, others: &Array2<f64>, rate| {
            judge_vectors(normal, others, rate, 1).unwrap_err().to_string()
        };
        let good = vectors(20, 1, 0.0);
        assert!(refused(&vectors(7, 1, 0.0), &good, 0.01).contains("at least 8"));
        assert!(refused(&good, &Array2::zeros((3, 15)), 0.01).contains("16 and of 15"));
        assert!(refused(&good, &good, 0.7).contains("not above 0.5"));
        assert!(refused(&Array2::ones((20, 16)), &good, 0.01).contains("copies of one"));
    }
}
