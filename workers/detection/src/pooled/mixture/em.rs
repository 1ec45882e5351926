//! Expectation and maximisation.

use ndarray::{Array1, Array2, Axis};

use super::start::k_means;
use crate::cholesky::Cholesky;
use crate::fused::shrunken_covariance;

const MOST_ROUNDS: usize = 100;
/// Rounds end where the mean logarithm of the likelihood changes by less (scikit-learn's `tol`).
const TOLERANCE: f64 = 1e-3;
/// A component that fewer vectors than that belong to has vanished.
const LEAST_VECTORS: f64 = 1e-6;

pub(super) struct Component {
    /// Share of the vectors.
    pub weight: f64,
    /// `[n]`.
    pub mean: Array1<f64>,
    /// Of the covariance, `[n, n]`.
    pub cholesky: Cholesky,
}

pub(super) struct Mixture {
    pub components: Vec<Component>,
}

/// How a component's covariance is held to what is believed of it before.
struct Prior {
    covariance: Array2<f64>,
    /// As many vectors it counts as.
    vectors: f64,
}

impl Mixture {
    /// Fits so many components to vectors of about unit deviation, `[vectors, n]`. `None` where they cannot be told
    /// apart or have no covariance.
    pub fn fit(vectors: &Array2<f64>, components: usize, seed: u64) -> Option<Self> {
        let (centres, nearest) = k_means(vectors, components, seed)?;
        let residuals = vectors - &centres.select(Axis(0), &nearest);
        let prior = Prior { covariance: shrunken_covariance(&residuals), vectors: vectors.ncols() as f64 };
        Self::refine(vectors, &one_hot(&nearest, components), &prior, TOLERANCE)
    }

    fn refine(vectors: &Array2<f64>, start: &Array2<f64>, prior: &Prior, tolerance: f64) -> Option<Self> {
        let mut mixture = Self::maximise(vectors, start, prior)?;
        let mut before = f64::NEG_INFINITY;
        for _ in 0..MOST_ROUNDS {
            let (responsibilities, likelihood) = mixture.expect(vectors);
            mixture = Self::maximise(vectors, &responsibilities, prior)?;
            if (likelihood - before).abs() < tolerance {
                break;
            }
            before = likelihood;
        }
        Some(mixture)
    }

    /// The components that are likeliest where vectors belong to them by these shares, `[vectors, components]`.
    fn maximise(vectors: &Array2<f64>, shares: &Array2<f64>, prior: &Prior) -> Option<Self> {
        let of_component = |share: ndarray::ArrayView1<'_, f64>| {
            let count = share.sum();
            // What is no number has vanished, too.
            if count.is_nan() || count <= LEAST_VECTORS {
                return None;
            }
            let mean = vectors.t().dot(&share) / count;
            let centred = vectors - &mean;
            let weighted = &centred * &share.insert_axis(Axis(1));
            let scatter = centred.t().dot(&weighted) + &prior.covariance * prior.vectors;
            let cholesky = Cholesky::of(&(scatter / (count + prior.vectors)))?;
            Some(Component { weight: count / vectors.nrows() as f64, mean, cholesky })
        };
        Some(Self { components: shares.columns().into_iter().map(of_component).collect::<Option<_>>()? })
    }

    /// To what share each vector belongs to each component, `[vectors, components]`, and the mean logarithm of the
    /// likelihood.
    fn expect(&self, vectors: &Array2<f64>) -> (Array2<f64>, f64) {
        let mut logs = self.weighted_log_densities(vectors);
        let totals = log_sums(&logs);
        for (mut row, total) in logs.rows_mut().into_iter().zip(&totals) {
            row.mapv_inplace(|log| (log - total).exp());
        }
        (logs, totals.sum() / vectors.nrows() as f64)
    }

    /// Natural logarithm of each vector's density, `[vectors]`.
    pub fn log_likelihoods(&self, vectors: &Array2<f64>) -> Array1<f64> {
        log_sums(&self.weighted_log_densities(vectors))
    }

    /// `ln w_k N_k(x)`, `[vectors, components]`.
    fn weighted_log_densities(&self, vectors: &Array2<f64>) -> Array2<f64> {
        let constant = vectors.ncols() as f64 * std::f64::consts::TAU.ln();
        let mut logs = Array2::zeros((vectors.nrows(), self.components.len()));
        for (mut column, component) in logs.columns_mut().into_iter().zip(&self.components) {
            let white = (vectors - &component.mean).dot(&component.cholesky.inverse_factor.t());
            let at_centre = component.weight.ln() - 0.5 * (constant + component.cholesky.log_determinant);
            column.assign(&white.map_axis(Axis(1), |row| at_centre - 0.5 * row.dot(&row)));
        }
        logs
    }
}

/// `ln Σ e^x` of each row, without overflow.
fn log_sums(logs: &Array2<f64>) -> Array1<f64> {
    logs.map_axis(Axis(1), |row| {
        let greatest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        greatest + row.iter().map(|log| (log - greatest).exp()).sum::<f64>().ln()
    })
}

fn one_hot(nearest: &[usize], components: usize) -> Array2<f64> {
    Array2::from_shape_fn((nearest.len(), components), |(row, component)| {
        f64::from(u8::from(nearest[row] == component))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn vectors() -> Array2<f64> {
        array![
            [0.1, 0.3],
            [-0.9, 0.2],
            [0.7, -1.1],
            [1.4, 0.8],
            [-0.4, -0.6],
            [0.2, 1.2],
            [-1.3, -0.5],
            [3.1, 2.2],
            [4.2, 3.9],
            [3.7, 3.1],
            [5.0, 3.4],
            [4.4, 2.5],
            [2.6, 2.9]
        ]
    }

    #[test]
    fn without_a_prior_it_is_scikit_learn_s_mixture() {
        let vectors = vectors();
        let nearest = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1];
        let prior = Prior { covariance: Array2::zeros((2, 2)), vectors: 0.0 };
        let mixture = Mixture::refine(&vectors, &one_hot(&nearest, 2), &prior, 1e-14).unwrap();
        // Python: X as above; g = sklearn.mixture.GaussianMixture(2, reg_covar=0, tol=1e-15, max_iter=100000,
        // means_init=[X[:7].mean(0), X[7:].mean(0)]).fit(X), 1.9.1
        let weights = [0.538_440_274_908_109_3, 0.461_559_725_091_890_75];
        let means =
            [[-0.028_439_922_602_873_7, 0.043_014_893_990_173_04], [3.833_002_009_086_891, 2.999_679_740_409_440_4]];
        let precisions = [
            array![[1.485_928_142_727_889_6, -0.496_317_277_877_045], [-0.496_317_277_877_045, 1.906_448_969_063_141]],
            array![
                [1.925_879_030_327_655_6, -1.242_044_099_047_592_5],
                [-1.242_044_099_047_592_5, 3.984_503_989_523_701_3]
            ],
        ];
        for (index, component) in mixture.components.iter().enumerate() {
            assert!((component.weight - weights[index]).abs() < 1e-7, "{}", component.weight);
            assert!(component.mean.iter().zip(means[index]).all(|(found, mean)| (found - mean).abs() < 1e-7));
            let precision = component.cholesky.inverse();
            assert!((&precision - &precisions[index]).iter().all(|apart| apart.abs() < 1e-6), "{precision}");
        }
        // g.score(X), g.score_samples([[2, 2], [0, 0]])
        let score = mixture.log_likelihoods(&vectors).mean().unwrap();
        assert!((score + 2.852_514_819_511_843_5).abs() < 1e-9, "{score}");
        let samples = mixture.log_likelihoods(&array![[2.0, 2.0], [0.0, 0.0]]);
        let expected = array![-4.535_298_121_107_348, -1.984_771_799_703_351_8];
        assert!((&samples - &expected).iter().all(|apart| apart.abs() < 1e-6), "{samples}");
    }

    #[test]
    fn one_component_has_the_vectors_own_mean_and_shrunken_covariance() {
        let vectors = vectors();
        let mixture = Mixture::fit(&vectors, 1, 3).unwrap();
        let mean = vectors.mean_axis(Axis(0)).unwrap();
        let centred = &vectors - &mean;
        let scatter = centred.t().dot(&centred) + shrunken_covariance(&centred) * 2.0;
        let expected = Cholesky::of(&(scatter / 15.0)).unwrap().inverse();
        let found = mixture.components[0].cholesky.inverse();
        assert!((&mixture.components[0].mean - &mean).iter().all(|apart| apart.abs() < 1e-12));
        assert!((&found - &expected).iter().all(|apart| apart.abs() < 1e-9), "{found} {expected}");
    }

    #[test]
    fn no_round_makes_what_is_maximised_less() {
        let vectors = vectors();
        let prior = Prior { covariance: Array2::eye(2), vectors: 2.0 };
        let objective = |mixture: &Mixture, likelihood: f64| {
            let of_prior = mixture.components.iter().map(|component| {
                component.cholesky.log_determinant + component.cholesky.inverse().dot(&prior.covariance).diag().sum()
            });
            likelihood * vectors.nrows() as f64 - 0.5 * prior.vectors * of_prior.sum::<f64>()
        };
        let nearest = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1];
        let mut mixture = Mixture::maximise(&vectors, &one_hot(&nearest, 2), &prior).unwrap();
        let mut before = f64::NEG_INFINITY;
        for round in 0..30 {
            let (shares, likelihood) = mixture.expect(&vectors);
            let now = objective(&mixture, likelihood);
            assert!(now >= before - 1e-9, "round {round}: {now} after {before}");
            before = now;
            mixture = Mixture::maximise(&vectors, &shares, &prior).unwrap();
        }
    }
}
