//! Cholesky's factor of a symmetric positive definite matrix, and what follows from it.

use ndarray::Array2;

/// A lower triangular `L` with `L Lᵀ` the matrix, inverted.
pub(crate) struct Cholesky {
    /// `L⁻¹`, lower triangular, `[n, n]`: it takes a centred vector to one whose squared length is the squared
    /// Mahalanobis distance.
    pub inverse_factor: Array2<f64>,
    /// Natural logarithm of the matrix's determinant.
    pub log_determinant: f64,
}

impl Cholesky {
    /// `None` where the matrix is not positive definite.
    pub fn of(matrix: &Array2<f64>) -> Option<Self> {
        let size = matrix.nrows();
        let mut factor = Array2::<f64>::zeros((size, size));
        for row in 0..size {
            for column in 0..=row {
                let known = factor.row(row).dot(&factor.row(column));
                let rest = matrix[[row, column]] - known;
                factor[[row, column]] = if row == column {
                    if rest <= 0.0 {
                        return None;
                    }
                    rest.sqrt()
                } else {
                    rest / factor[[column, column]]
                };
            }
        }
        let mut inverse_factor = Array2::<f64>::zeros((size, size));
        for column in 0..size {
            for row in column..size {
                let unit = f64::from(u8::from(row == column));
                let known =
                    (column..row).map(|index| factor[[row, index]] * inverse_factor[[index, column]]).sum::<f64>();
                inverse_factor[[row, column]] = (unit - known) / factor[[row, row]];
            }
        }
        let log_determinant = 2.0 * factor.diag().iter().map(|value| value.ln()).sum::<f64>();
        Some(Self { inverse_factor, log_determinant })
    }

    /// The matrix's inverse.
    pub fn inverse(&self) -> Array2<f64> {
        self.inverse_factor.t().dot(&self.inverse_factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_inverse_undoes_the_matrix() {
        let matrix = array![[2.0, 0.5, 0.1], [0.5, 1.5, -0.3], [0.1, -0.3, 1.0]];
        let product = matrix.dot(&Cholesky::of(&matrix).unwrap().inverse());
        assert!((&product - &Array2::<f64>::eye(3)).iter().all(|apart| apart.abs() < 1e-12), "{product}");
        assert!(Cholesky::of(&array![[1.0, 2.0], [2.0, 1.0]]).is_none());
    }

    #[test]
    fn the_determinant_is_the_matrix_s() {
        let cholesky = Cholesky::of(&array![[4.0, 1.0], [1.0, 3.0]]).unwrap();
        assert!((cholesky.log_determinant - 11_f64.ln()).abs() < 1e-12);
    }
}
