//! How unusual a reconstruction's error is, given how the errors of normal sound vary together.
//!
//! An autoencoder errs more here than there, and in neighbouring bands and frames together. The mean squared error
//! counts all of that alike; the Mahalanobis distance measures each direction of the error by how far normal errors go
//! in it (the *selective Mahalanobis* mode of the baseline of DCASE 2023's Task 2; Harada et al., *First-shot anomaly
//! sound detection for machine condition monitoring*, 2023).
//!
//! The covariance is the mean of `error · errorᵀ` over the fitted vectors. They are errors, so it is zero that they are
//! measured from, not their mean. It is regularised as a correlation: each element is divided by its root mean square
//! (at least 0.05 dB), and then the matrix shrunk towards the identity by Ledoit and Wolf's share (*A well-conditioned
//! estimator for large-dimensional covariance matrices*, 2004). Their share supposes independent vectors; stacked ones
//! have all but one frame in common with the next, so only every `frames`th is counted.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};

use crate::cholesky::Cholesky;

/// No element is taken to err less than that, dB: below, numbers and not sounds would be compared.
const LEAST_ERROR_DB: f64 = 0.05;

/// Rows of the whitening matrix that are taken together. It is lower triangular: a panel needs only the columns up to
/// its own last row, and with as many panels as 128 fits into 640 two fifths of the products are saved.
const PANEL: usize = 128;

/// Turns errors into ones that on normal sound are uncorrelated and of deviation one.
#[derive(Debug, Clone, PartialEq)]
pub struct Whitening {
    /// Lower triangular, `[n, n]`, 1/dB: the squared length of its product with an error is the squared Mahalanobis
    /// distance.
    pub matrix: Array2<f32>,
}

impl Whitening {
    /// Calls `found` with each vector's number and Mahalanobis distance, divided by the root of the vector's length:
    /// about 1 on normal sound. `errors` is `[vectors, n]`, dB, `scratch` at least as large.
    pub(crate) fn distances(
        &self,
        errors: ArrayView2<'_, f32>,
        scratch: &mut Array2<f32>,
        mut found: impl FnMut(usize, f64),
    ) {
        let (vectors, size) = errors.dim();
        let first_rows = Slice::from(..vectors);
        for begin in (0..size).step_by(PANEL) {
            let end = size.min(begin + PANEL);
            let panel = self.matrix.slice_axis(Axis(0), Slice::from(begin..end));
            let panel = panel.slice_axis(Axis(1), Slice::from(..end));
            let known = errors.slice_axis(Axis(1), Slice::from(..end));
            let mut product = scratch.slice_axis_mut(Axis(0), first_rows);
            let mut product = product.slice_axis_mut(Axis(1), Slice::from(begin..end));
            general_mat_mul(1.0, &known, &panel.t(), 0.0, &mut product);
        }
        for (index, row) in scratch.slice_axis(Axis(0), first_rows).rows().into_iter().enumerate() {
            found(index, (f64::from(row.dot(&row)) / size as f64).sqrt());
        }
    }
}

/// Learns a [`Whitening`] from errors, in two passes over them: first how large each element's is, then how they go
/// together.
pub(crate) struct ErrorMoments {
    count: f64,
    squares: Array1<f64>,
}

impl ErrorMoments {
    pub(crate) fn new(size: usize) -> Self {
        Self { count: 0.0, squares: Array1::zeros(size) }
    }

    /// First pass, `[vectors, n]`, dB.
    pub(crate) fn add(&mut self, errors: ArrayView2<'_, f32>) {
        self.count += errors.nrows() as f64;
        for row in errors.rows() {
            self.squares.zip_mut_with(&row, |sum, error| *sum += f64::from(*error).powi(2));
        }
    }

    pub(crate) fn second_pass(self) -> ErrorCorrelation {
        let size = self.squares.len();
        let scale = self.squares.mapv(|sum| (sum / self.count).sqrt().max(LEAST_ERROR_DB));
        ErrorCorrelation { count: 0.0, scale, products: Array2::zeros((size, size)), fourth_powers: 0.0 }
    }
}

/// The second pass.
pub(crate) struct ErrorCorrelation {
    count: f64,
    /// Root mean square of each element, dB.
    scale: Array1<f64>,
    products: Array2<f64>,
    /// Sum of the vectors' lengths to the fourth power.
    fourth_powers: f64,
}

impl ErrorCorrelation {
    /// Second pass, the same errors again.
    pub(crate) fn add(&mut self, errors: ArrayView2<'_, f32>) {
        let scaled = &errors / &self.scale.mapv(|scale| scale as f32);
        self.count += scaled.nrows() as f64;
        self.fourth_powers += scaled.rows().into_iter().map(|row| f64::from(row.dot(&row)).powi(2)).sum::<f64>();
        let mut products = Array2::<f32>::zeros(self.products.dim());
        general_mat_mul(1.0, &scaled.t(), &scaled, 0.0, &mut products);
        self.products.zip_mut_with(&products, |sum, product| *sum += f64::from(*product));
    }

    /// `overlap`: how many neighbouring vectors share a frame. `None` where the errors are no numbers.
    pub(crate) fn whitening(self, overlap: usize) -> Option<Whitening> {
        let size = self.scale.len() as f64;
        let mut correlation = self.products / self.count;
        let trace: f64 = correlation.diag().sum();
        let level = trace / size;
        let norm: f64 = correlation.iter().map(|value| value * value).sum();
        let apart = (norm - 2.0 * level * trace + size * level * level) / size;
        let independent = (self.count / overlap as f64).max(1.0);
        let noise = ((self.fourth_powers / self.count - norm) / (size * independent)).min(apart);
        // Never none at all: bands at the floor of the decibels repeat each other exactly.
        let shrinkage = if apart > 0.0 { (noise / apart).clamp(LEAST_SHRINKAGE, 1.0) } else { 1.0 };
        correlation *= 1.0 - shrinkage;
        correlation.diag_mut().mapv_inplace(|value| value + shrinkage * level);
        let whitening = Cholesky::of(&correlation).filter(|_| trace.is_finite())?.inverse_factor / &self.scale;
        Some(Whitening { matrix: whitening.mapv(|value| value as f32) })
    }
}

/// The least share of the identity in a correlation: single precision then still tells all directions apart.
const LEAST_SHRINKAGE: f64 = 1e-3;

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn correlated(vectors: usize, size: usize, seed: u64) -> Array2<f32> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mixing = Array2::from_shape_fn((size, size), |(row, column)| {
            if row == column { 1.0 + row as f32 / size as f32 } else { rng.random_range(-0.1..0.1_f32) }
        });
        let mut rng = StdRng::seed_from_u64(seed + 1);
        // Sums of twelve uniform numbers: nearly normal, of variance one.
        let independent = Array2::from_shape_simple_fn((vectors, size), || {
            (0..12).map(|_| rng.random_range(-0.5..0.5_f32)).sum::<f32>()
        });
        independent.dot(&mixing)
    }

    fn learnt(errors: &Array2<f32>) -> Whitening {
        let mut moments = ErrorMoments::new(errors.ncols());
        for part in errors.axis_chunks_iter(Axis(0), 300) {
            moments.add(part);
        }
        let mut correlation = moments.second_pass();
        for part in errors.axis_chunks_iter(Axis(0), 300) {
            correlation.add(part);
        }
        correlation.whitening(1).unwrap()
    }

    #[test]
    fn whitened_errors_are_uncorrelated_and_of_one_deviation() {
        // More elements than a panel has.
        let errors = correlated(20_000, 150, 1);
        let whitening = learnt(&errors);
        let white = errors.dot(&whitening.matrix.t());
        let covariance = white.t().dot(&white) / 20_000.0;
        let apart = (&covariance - &Array2::<f32>::eye(150)).mapv_into(f32::abs).into_iter().fold(0.0, f32::max);
        assert!(apart < 0.05, "{apart}");
    }

    #[test]
    fn a_distance_is_that_of_the_definition() {
        let errors = correlated(5_000, 150, 2);
        let whitening = learnt(&errors);
        let (mut found, mut scratch) = (Vec::new(), Array2::zeros((8, 150)));
        let some = errors.slice_axis(Axis(0), Slice::from(..8));
        whitening.distances(some, &mut scratch, |_, distance| found.push(distance));
        let precision = whitening.matrix.t().dot(&whitening.matrix).mapv(f64::from);
        for (row, found) in some.rows().into_iter().zip(&found) {
            let row = row.mapv(f64::from);
            let expected = (row.dot(&precision.dot(&row)) / 150.0).sqrt();
            assert!((found - expected).abs() < 1e-4 * expected, "{found} {expected}");
            assert!((0.7..1.4).contains(found), "{found}");
        }
    }

    #[test]
    fn an_error_where_normal_sound_has_none_is_further_than_the_same_error_where_it_has_many() {
        let mut errors = correlated(5_000, 10, 3);
        errors.column_mut(2).mapv_inplace(|error| 0.1 * error);
        let whitening = learnt(&errors);
        let mut found = Vec::new();
        let mut two = Array2::zeros((2, 10));
        (two[[0, 2]], two[[1, 7]]) = (3.0, 3.0);
        whitening.distances(two.view(), &mut Array2::zeros((2, 10)), |_, distance| found.push(distance));
        assert!(found[0] > 5.0 * found[1], "{found:?}");
    }

    #[test]
    fn errors_that_repeat_each_other_or_never_come_are_borne() {
        let mut errors = correlated(500, 10, 4);
        let copy = errors.column(3).to_owned();
        errors.column_mut(4).assign(&copy);
        errors.column_mut(5).fill(0.0);
        assert!(learnt(&errors).matrix.iter().all(|value| value.is_finite()));
        errors[[0, 0]] = f32::NAN;
        let mut moments = ErrorMoments::new(10);
        moments.add(errors.view());
        let mut correlation = moments.second_pass();
        correlation.add(errors.view());
        assert!(correlation.whitening(1).is_none());
    }
}
