//! Distance to the nearest normal vectors, group of bands by group of bands.
//!
//! A nearest neighbour in all bands at once is decided by those that vary most; and a clip that is normal in every
//! band, though in a combination not heard before, has no near neighbour at all. In groups of neighbouring bands there
//! are enough normal clips to be near to.

use ndarray::{Array1, Array2, ArrayView1, Axis, Slice};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::VectorDistance;
use crate::DetectionError;
use crate::fused::LEAST_DEVIATION_DB;
use crate::tensors::{NamedTensor, TensorFile, doubles};

/// Groups of bands.
const GROUPS: usize = 8;
/// Which neighbour's distance counts: not the nearest, so that one odd clip among the normal ones does not excuse
/// another.
const NEIGHBOUR: usize = 2;
/// A group's normal distance is taken to be at least this share of one deviation squared: groups that are constant in
/// the normal clips would otherwise make everything of a rounding error.
const LEAST_NORMAL: f64 = 0.01;

/// All normal vectors, and how near they are to each other.
#[derive(Debug, Clone, PartialEq)]
pub struct BandNeighbours {
    /// The normal vectors, `[vectors, n]`.
    pub vectors: Array2<f64>,
    /// Standard deviation of each element, `[n]`.
    pub deviation: Array1<f64>,
    /// Mean over normal vectors of each group's squared distance to the second nearest of the others, in deviations,
    /// `[groups]`.
    pub normal: Array1<f64>,
}

/// What a reader must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighboursShape {
    /// Normal vectors.
    pub vectors: usize,
    /// Groups of bands.
    pub groups: usize,
}

/// A group's elements, of `size` in all.
fn group(index: usize, groups: usize, size: usize) -> Slice {
    Slice::from(index * size / groups..(index + 1) * size / groups)
}

impl BandNeighbours {
    /// The squared distance of a group of `vector` to the second nearest normal vector (or the last, of fewer), in
    /// deviations, and which those nearest are. `but` is left out.
    fn nearest(&self, vector: ArrayView1<'_, f64>, index: usize, but: Option<usize>) -> (f64, Vec<usize>) {
        let group = group(index, self.normal.len(), vector.len());
        let own = vector.slice_axis(Axis(0), group);
        let deviation = self.deviation.slice_axis(Axis(0), group);
        let others = self.vectors.slice_axis(Axis(1), group);
        let mut distances: Vec<(f64, usize)> = others
            .rows()
            .into_iter()
            .enumerate()
            .filter(|(row, _)| Some(*row) != but)
            .map(|(row, other)| {
                let elements = own.iter().zip(other).zip(&deviation);
                (elements.map(|((own, other), deviation)| ((own - other) / deviation).powi(2)).sum(), row)
            })
            .collect();
        let last = NEIGHBOUR.min(distances.len()) - 1;
        // Ties by their place: the same table gives the same numbers.
        distances.select_nth_unstable_by(last, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut rows: Vec<usize> = distances[..=last].iter().map(|(_, row)| *row).collect();
        rows.sort_unstable();
        (distances[last].0, rows)
    }
}

impl VectorDistance for BandNeighbours {
    type Shape = NeighboursShape;

    fn tensor_count(_shape: &NeighboursShape) -> usize {
        3
    }

    fn fit(vectors: &Array2<f64>, _seed: u64) -> Result<Self, DetectionError> {
        let size = vectors.ncols();
        if vectors.nrows() < 2 || size == 0 {
            return Err(DetectionError::Training("fewer than two vectors to fit to".to_owned()));
        }
        let deviation = vectors.std_axis(Axis(0), 0.0).mapv_into(|deviation| deviation.max(LEAST_DEVIATION_DB));
        let groups = GROUPS.min(size);
        let mut fitted = Self { vectors: vectors.clone(), deviation, normal: Array1::ones(groups) };
        let by_vector: Vec<Vec<f64>> = (0..vectors.nrows())
            .into_par_iter()
            .map(|row| (0..groups).map(|index| fitted.nearest(vectors.row(row), index, Some(row)).0).collect())
            .collect();
        if by_vector.iter().flatten().all(|distance| *distance == 0.0) {
            return Err(DetectionError::Training("the clips seem to be copies of one".to_owned()));
        }
        fitted.normal = (0..groups)
            .map(|index| {
                let mean = by_vector.iter().map(|distances| distances[index]).sum::<f64>() / vectors.nrows() as f64;
                let width = (index + 1) * size / groups - index * size / groups;
                mean.max(LEAST_NORMAL * width as f64)
            })
            .collect();
        Ok(fitted)
    }

    /// Mean over groups of their squared distances, each divided by what is normal for it: one group that is far off is
    /// enough.
    fn distance(&self, vector: ArrayView1<'_, f64>) -> f64 {
        let groups = self.normal.iter().enumerate();
        let sum: f64 = groups.map(|(index, normal)| self.nearest(vector, index, None).0 / normal).sum();
        (sum / self.normal.len() as f64).max(f64::MIN_POSITIVE)
    }

    /// From the mean of the nearest.
    fn errors(&self, vector: ArrayView1<'_, f64>) -> Array1<f64> {
        let mut errors = Array1::zeros(vector.len());
        for index in 0..self.normal.len() {
            let (_, rows) = self.nearest(vector, index, None);
            let group = group(index, self.normal.len(), vector.len());
            let nearest = self.vectors.slice_axis(Axis(1), group).select(Axis(0), &rows);
            let expected = nearest.sum_axis(Axis(0)) / rows.len() as f64;
            let apart = (&vector.slice_axis(Axis(0), group) - &expected).mapv_into(|apart| apart * apart);
            errors.slice_axis_mut(Axis(0), group).assign(&apart);
        }
        errors
    }

    fn shape(&self) -> NeighboursShape {
        NeighboursShape { vectors: self.vectors.nrows(), groups: self.normal.len() }
    }

    fn tensors(&self, prefix: &str) -> Vec<NamedTensor> {
        vec![
            doubles(format!("{prefix}.vectors"), &self.vectors),
            doubles(format!("{prefix}.deviation"), &self.deviation),
            doubles(format!("{prefix}.normal"), &self.normal),
        ]
    }

    fn read(shape: &NeighboursShape, size: usize, prefix: &str, file: &TensorFile<'_>) -> Result<Self, DetectionError> {
        Ok(Self {
            vectors: file.doubles_2d(&format!("{prefix}.vectors"), (shape.vectors, size))?,
            deviation: file.doubles_1d(&format!("{prefix}.deviation"), size)?,
            normal: file.doubles_1d(&format!("{prefix}.normal"), shape.groups)?,
        })
    }

    fn check(&self) -> Result<(), String> {
        if !self.vectors.iter().all(|value| value.is_finite()) {
            return Err("a weight is not a finite number".to_owned());
        }
        let is_positive = |value: &f64| value.is_finite() && *value > 0.0;
        if !self.deviation.iter().chain(&self.normal).all(is_positive) {
            return Err("a deviation is not positive".to_owned());
        }
        if self.vectors.nrows() < 2 || !(1..=self.vectors.ncols()).contains(&self.normal.len()) {
            return Err("its neighbours are too few, or not in groups of bands".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn vectors(count: usize, size: usize, seed: u64) -> Array2<f64> {
        let mut rng = StdRng::seed_from_u64(seed);
        Array2::from_shape_simple_fn((count, size), || rng.random_range(-3.0..3.0))
    }

    /// By sorting everything.
    fn second_nearest(fitted: &BandNeighbours, vector: &Array1<f64>, columns: std::ops::Range<usize>) -> f64 {
        let mut distances: Vec<f64> = (0..fitted.vectors.nrows())
            .map(|row| {
                let of = |band: usize| (vector[band] - fitted.vectors[[row, band]]) / fitted.deviation[band];
                columns.clone().map(|band| of(band) * of(band)).sum()
            })
            .collect();
        distances.sort_by(f64::total_cmp);
        distances[1]
    }

    #[test]
    fn the_distance_is_what_sorting_all_distances_gives() {
        let fitted = BandNeighbours::fit(&vectors(60, 20, 1), 0).unwrap();
        for vector in vectors(10, 20, 2).rows() {
            let vector = vector.to_owned();
            let bounds = [0, 2, 5, 7, 10, 12, 15, 17, 20];
            let expected: f64 = (0..8)
                .map(|index| second_nearest(&fitted, &vector, bounds[index]..bounds[index + 1]) / fitted.normal[index])
                .sum::<f64>()
                / 8.0;
            let found = fitted.distance(vector.view());
            assert!((found - expected).abs() < 1e-12 * expected, "{found} {expected}");
        }
    }

    #[test]
    fn normal_vectors_lie_about_one_away_and_a_faulty_band_much_farther() {
        let fitted = BandNeighbours::fit(&vectors(400, 16, 3), 0).unwrap();
        let fresh = vectors(100, 16, 4);
        let mean = fresh.rows().into_iter().map(|row| fitted.distance(row)).sum::<f64>() / 100.0;
        assert!((0.8..1.25).contains(&mean), "{mean}");
        let mut faulty = fresh.row(0).to_owned();
        faulty[9] += 12.0;
        assert!(fitted.distance(faulty.view()) > 5.0);
        let errors = fitted.errors(faulty.view());
        let worst = errors.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        assert_eq!(worst, 9, "{errors}");
    }

    #[test]
    fn copies_of_one_vector_cannot_be_fitted_and_two_vectors_can() {
        let error = BandNeighbours::fit(&Array2::from_elem((10, 4), 3.0), 0).unwrap_err().to_string();
        assert!(error.contains("copies"), "{error}");
        let two = BandNeighbours::fit(&vectors(2, 4, 5), 0).unwrap();
        assert!(two.distance(vectors(1, 4, 6).row(0)).is_finite());
    }
}
