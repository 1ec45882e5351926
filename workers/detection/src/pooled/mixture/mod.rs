//! A mixture of Gaussian clouds, for machines with several ways of running.
//!
//! Expectation-maximisation (Dempster, Laird and Rubin 1977) with full covariances. A component of few clips in many
//! bands has no covariance of its own worth the name, so each has a conjugate prior (Fraley and Raftery, *Bayesian
//! regularization for normal mixture estimation*, 2007): as though it had been seen with as many more vectors as a
//! vector has elements, scattered like the whole set about its k-means centres, whose covariance is Ledoit and Wolf's.
//! How many components there are is what held-out normal vectors are likeliest with.

mod em;
mod start;

use ndarray::{Array1, Array2, ArrayView1, Axis};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use self::em::Mixture;
use super::VectorDistance;
use crate::DetectionError;
use crate::fused::LEAST_DEVIATION_DB;
use crate::tensors::{NamedTensor, TensorFile, doubles};

/// Components that are tried.
const MOST_COMPONENTS: usize = 4;
/// Fewer vectors are no cloud.
const LEAST_VECTORS_A_COMPONENT: usize = 8;
/// Parts that are held out in turn to choose the number of components.
const FOLDS: usize = 3;

/// The clouds.
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianMixture {
    /// Mean of each component, dB, `[components, n]`.
    pub means: Array2<f64>,
    /// What elements are divided by before they are compared, dB, `[n]`.
    pub deviation: Array1<f64>,
    /// Inverse covariance of each component, of elements that have been divided so, `[n, n]`.
    pub precisions: Vec<Array2<f64>>,
    /// How much less dense a component is at its centre than the densest one: difference of the logarithms of their
    /// covariances' determinants, `[components]`, at least 0.
    pub sparser: Array1<f64>,
}

/// What a reader must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureShape {
    /// Clouds.
    pub components: usize,
}

impl GaussianMixture {
    /// The component that explains a vector best, and `-2 ln` of its density there, less what that is at the centre of
    /// the densest.
    fn best(&self, vector: ArrayView1<'_, f64>) -> (usize, f64) {
        let of_component = |component: usize| {
            let scaled = (&vector - &self.means.row(component)) / &self.deviation;
            scaled.dot(&self.precisions[component].dot(&scaled)) + self.sparser[component]
        };
        let all = (0..self.precisions.len()).map(|component| (component, of_component(component)));
        all.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f64::NAN))
    }
}

impl VectorDistance for GaussianMixture {
    type Shape = MixtureShape;

    fn tensor_count(shape: &MixtureShape) -> usize {
        shape.components.saturating_add(3)
    }

    fn fit(vectors: &Array2<f64>, seed: u64) -> Result<Self, DetectionError> {
        if vectors.nrows() < 2 {
            return Err(DetectionError::Training("fewer than two vectors to fit to".to_owned()));
        }
        let mean = vectors.sum_axis(Axis(0)) / vectors.nrows() as f64;
        let deviation = vectors.std_axis(Axis(0), 0.0).mapv_into(|deviation| deviation.max(LEAST_DEVIATION_DB));
        let scaled = (vectors - &mean) / &deviation;
        let components = likeliest_components(&scaled, seed);
        // More components than one may fail on few vectors; one cannot but for copies.
        let mixture = Mixture::fit(&scaled, components, seed).or_else(|| Mixture::fit(&scaled, 1, seed));
        let mixture =
            mixture.ok_or_else(|| DetectionError::Training("the clips seem to be copies of one".to_owned()))?;
        let log_determinants = mixture.components.iter().map(|component| component.cholesky.log_determinant);
        let densest = log_determinants.clone().fold(f64::INFINITY, f64::min);
        let mut means = Array2::zeros((mixture.components.len(), vectors.ncols()));
        for (mut row, component) in means.rows_mut().into_iter().zip(&mixture.components) {
            row.assign(&(&component.mean * &deviation + &mean));
        }
        Ok(Self {
            means,
            deviation,
            precisions: mixture.components.iter().map(|component| component.cholesky.inverse()).collect(),
            sparser: log_determinants.map(|log| log - densest).collect(),
        })
    }

    /// `-2 ln N(x)` of the component that explains it best, shifted by its least value and divided by the length: never
    /// negative, and of one component the Mahalanobis distance. How common a component is does not count: a machine
    /// that seldom runs so is no less well.
    fn distance(&self, vector: ArrayView1<'_, f64>) -> f64 {
        (self.best(vector).1 / vector.len() as f64).max(f64::MIN_POSITIVE)
    }

    /// From the centre of the component that explains it best.
    fn errors(&self, vector: ArrayView1<'_, f64>) -> Array1<f64> {
        let (component, _) = self.best(vector);
        (&vector - &self.means.row(component)).mapv_into(|apart| apart * apart)
    }

    fn shape(&self) -> MixtureShape {
        MixtureShape { components: self.precisions.len() }
    }

    fn tensors(&self, prefix: &str) -> Vec<NamedTensor> {
        let mut tensors = vec![
            doubles(format!("{prefix}.means"), &self.means),
            doubles(format!("{prefix}.deviation"), &self.deviation),
            doubles(format!("{prefix}.sparser"), &self.sparser),
        ];
        let precisions = self.precisions.iter().enumerate();
        tensors.extend(precisions.map(|(index, matrix)| doubles(precision_name(prefix, index), matrix)));
        tensors
    }

    fn read(shape: &MixtureShape, size: usize, prefix: &str, file: &TensorFile<'_>) -> Result<Self, DetectionError> {
        let precision = |component| file.doubles_2d(&precision_name(prefix, component), (size, size));
        Ok(Self {
            means: file.doubles_2d(&format!("{prefix}.means"), (shape.components, size))?,
            deviation: file.doubles_1d(&format!("{prefix}.deviation"), size)?,
            sparser: file.doubles_1d(&format!("{prefix}.sparser"), shape.components)?,
            precisions: (0..shape.components).map(precision).collect::<Result<_, _>>()?,
        })
    }

    fn check(&self) -> Result<(), String> {
        if self.precisions.is_empty() {
            return Err("its mixture has no component".to_owned());
        }
        let mut values = self.means.iter().chain(&self.deviation).chain(self.precisions.iter().flatten());
        if !values.all(|value| value.is_finite()) {
            return Err("a weight is not a finite number".to_owned());
        }
        if !self.sparser.iter().all(|sparser| sparser.is_finite() && *sparser >= 0.0) {
            return Err("a component is denser than the densest".to_owned());
        }
        if self.deviation.iter().any(|deviation| *deviation <= 0.0) {
            return Err("a deviation is not positive".to_owned());
        }
        Ok(())
    }
}

fn precision_name(prefix: &str, component: usize) -> String {
    format!("{prefix}.components.{component:02}.precision")
}

/// How many components the vectors that were held out are likeliest with, mean over folds that are dealt out.
fn likeliest_components(scaled: &Array2<f64>, seed: u64) -> usize {
    let count = scaled.nrows();
    let most = MOST_COMPONENTS.min(count / (2 * LEAST_VECTORS_A_COMPONENT)).max(1);
    if most == 1 {
        return 1;
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut StdRng::seed_from_u64(seed));
    let part = |is_held_out: bool, fold: usize| {
        let rows: Vec<usize> = order
            .iter()
            .enumerate()
            .filter(|(at, _)| (at % FOLDS == fold) == is_held_out)
            .map(|(_, row)| *row)
            .collect();
        scaled.select(Axis(0), &rows)
    };
    let folds: Vec<(Array2<f64>, Array2<f64>)> = (0..FOLDS).map(|fold| (part(false, fold), part(true, fold))).collect();
    let likelihood = |components: usize| -> Option<f64> {
        let of_fold = |(fitted, held_out): &(Array2<f64>, Array2<f64>)| {
            let mixture = Mixture::fit(fitted, components, seed)?;
            Some(mixture.log_likelihoods(held_out).sum())
        };
        folds.iter().map(of_fold).sum()
    };
    let mut best = (1, likelihood(1).unwrap_or(f64::NEG_INFINITY));
    for components in 2..=most {
        match likelihood(components) {
            Some(sum) if sum > best.1 => best = (components, sum),
            _ => {}
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    /// Clouds with centres `apart` from one another, six elements, about a deviation of 1.
    fn clouds(centres: usize, count: usize, apart: f64, seed: u64) -> Array2<f64> {
        let mut rng = StdRng::seed_from_u64(seed);
        Array2::from_shape_fn((count, 6), |(row, element)| {
            let centre = if element % centres == row % centres { apart } else { 0.0 };
            // A sum of twelve uniform numbers has a variance of 1.
            centre + (0..12).map(|_| rng.random_range(-0.5..0.5)).sum::<f64>()
        })
    }

    #[test]
    fn so_many_components_are_chosen_as_there_are_clouds() {
        for centres in [2, 3] {
            let fitted = GaussianMixture::fit(&clouds(centres, 240, 9.0, 1), 7).unwrap();
            assert_eq!(fitted.precisions.len(), centres);
        }
        assert_eq!(GaussianMixture::fit(&clouds(1, 240, 0.0, 1), 7).unwrap().precisions.len(), 1);
        assert_eq!(GaussianMixture::fit(&clouds(3, 12, 9.0, 1), 7).unwrap().precisions.len(), 1, "too few to tell");
    }

    #[test]
    fn normal_vectors_lie_about_one_away_and_what_lies_between_the_clouds_much_farther() {
        let fitted = GaussianMixture::fit(&clouds(2, 400, 12.0, 2), 7).unwrap();
        let fresh = clouds(2, 200, 12.0, 3);
        let mean = fresh.rows().into_iter().map(|row| fitted.distance(row)).sum::<f64>() / 200.0;
        assert!((0.7..1.4).contains(&mean), "{mean}");
        let between = Array1::from_elem(6, 6.0);
        assert!(fitted.distance(between.view()) > 10.0);
        assert!(fresh.rows().into_iter().all(|row| fitted.distance(row) > 0.0));
    }

    #[test]
    fn errors_are_those_from_the_cloud_that_explains_best() {
        let fitted = GaussianMixture::fit(&clouds(2, 400, 12.0, 2), 7).unwrap();
        let mut vector = clouds(2, 2, 12.0, 9).row(0).to_owned();
        vector[3] += 8.0;
        let errors = fitted.errors(vector.view());
        assert!(errors[3] > 25.0, "{errors}");
        assert!(errors.iter().enumerate().all(|(element, error)| element == 3 || *error < 16.0), "{errors}");
    }

    #[test]
    fn the_same_vectors_and_seed_give_the_same_mixture_and_copies_none() {
        let vectors = clouds(2, 60, 9.0, 4);
        assert_eq!(GaussianMixture::fit(&vectors, 5).unwrap(), GaussianMixture::fit(&vectors, 5).unwrap());
        let error = GaussianMixture::fit(&Array2::from_elem((30, 4), 3.0), 5).unwrap_err().to_string();
        assert!(error.contains("copies"), "{error}");
    }
}
