//! The Mahalanobis distance from normal vectors, with a covariance that few clips are enough for.

use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::DetectionError;
use crate::cholesky::Cholesky;

/// Mean, deviations, and the inverse of a shrunken correlation matrix.
///
/// Bands differ in how much they vary, and shrinking a covariance towards a multiple of the identity would treat the
/// steady ones, on which a fault shows best, as though they varied like all others. So it is the correlation that is
/// shrunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Mahalanobis {
    /// Mean of each element, `[n]`.
    pub mean: Array1<f64>,
    /// Standard deviation of each element, `[n]`.
    pub deviation: Array1<f64>,
    /// Inverse of the shrunken correlation matrix, `[n, n]`.
    pub precision: Array2<f64>,
}

/// No element is taken to vary less than that, dB: below, numbers and not sounds would be compared.
pub(crate) const LEAST_DEVIATION_DB: f64 = 0.05;

impl Mahalanobis {
    /// Fits it to vectors, `[vectors, n]`.
    ///
    /// # Errors
    /// [`DetectionError::Training`] when there are fewer than two vectors.
    pub fn fit(vectors: &Array2<f64>) -> Result<Self, DetectionError> {
        let count = vectors.nrows() as f64;
        let mean = vectors.mean_axis(Axis(0)).filter(|_| vectors.nrows() >= 2);
        let mean = mean.ok_or_else(|| DetectionError::Training("fewer than two vectors to fit to".to_owned()))?;
        let centred = vectors - &mean;
        let deviation =
            centred.map_axis(Axis(0), |column| (column.dot(&column) / count).sqrt().max(LEAST_DEVIATION_DB));
        let correlation = shrunken_covariance(&(centred / &deviation));
        let cholesky = Cholesky::of(&correlation);
        let cholesky =
            cholesky.ok_or_else(|| DetectionError::Training("the clips seem to be copies of one".to_owned()))?;
        Ok(Self { mean, deviation, precision: cholesky.inverse() })
    }

    /// How far each element is from the mean, in its own deviations.
    #[must_use]
    pub fn scaled(&self, vector: ArrayView1<'_, f64>) -> Array1<f64> {
        (&vector - &self.mean) / &self.deviation
    }

    /// The squared distance of a vector, divided by its length: about 1 for normal ones.
    #[must_use]
    pub fn distance(&self, vector: ArrayView1<'_, f64>) -> f64 {
        let scaled = self.scaled(vector);
        (scaled.dot(&self.precision.dot(&scaled)) / scaled.len() as f64).max(f64::MIN_POSITIVE)
    }
}

/// Covariance of centred vectors, `[vectors, n]`, shrunk towards a multiple of the identity by as much as minimises the
/// expected squared error (Ledoit and Wolf, *A well-conditioned estimator for large-dimensional covariance matrices*,
/// 2004; scikit-learn's `ledoit_wolf(X, assume_centered=True)`).
#[must_use]
pub fn shrunken_covariance(centred: &Array2<f64>) -> Array2<f64> {
    let (count, size) = (centred.nrows() as f64, centred.ncols() as f64);
    let mut covariance = centred.t().dot(centred) / count;
    let trace: f64 = covariance.diag().sum();
    let level = trace / size;
    let squared = centred.mapv(|value| value * value);
    let fourth: f64 = squared.sum_axis(Axis(1)).iter().map(|sum| sum * sum).sum();
    let norm: f64 = covariance.iter().map(|value| value * value).sum();
    let apart = (norm - 2.0 * level * trace + size * level * level) / size;
    let noise = ((fourth / count - norm) / (size * count)).min(apart);
    let shrinkage = if apart > 0.0 { (noise / apart).clamp(0.0, 1.0) } else { 1.0 };
    covariance *= 1.0 - shrinkage;
    covariance.diag_mut().mapv_inplace(|value| value + shrinkage * level);
    covariance
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_shrunken_covariance_is_scikit_learn_s() {
        // Python: X = np.array([[1,2,0],[-1,0,1],[0,-2,-1],[2,1,1],[-2,-1,-1]], float);
        // sklearn.covariance.ledoit_wolf(X, assume_centered=True), 1.9.1
        let centred = array![[1., 2., 0.], [-1., 0., 1.], [0., -2., -1.], [2., 1., 1.], [-2., -1., -1.]];
        let expected = array![[1.84, 0.72, 0.36], [0.72, 1.84, 0.48], [0.36, 0.48, 1.12]];
        let found = shrunken_covariance(&centred);
        assert!((&found - &expected).iter().all(|apart| apart.abs() < 1e-12), "{found}");
    }

    #[test]
    fn copies_of_one_clip_cannot_be_fitted() {
        let error = Mahalanobis::fit(&Array2::from_elem((10, 4), 3.0)).unwrap_err().to_string();
        assert!(error.contains("copies"), "{error}");
    }
}
