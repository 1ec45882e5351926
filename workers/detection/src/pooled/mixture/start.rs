//! Where expectation-maximisation begins: k-means from centres far apart.

use ndarray::{Array2, ArrayView1, Axis};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const STARTS: u64 = 3;
const MOST_ROUNDS: usize = 30;

/// Centres, `[count, n]`, and the nearest of each vector: of three starts the one with the least sum of squares. First
/// centres are k-means++'s (Arthur and Vassilvitskii 2007), rounds are Lloyd's. `None` where there are fewer different
/// vectors than centres.
pub(super) fn k_means(vectors: &Array2<f64>, count: usize, seed: u64) -> Option<(Array2<f64>, Vec<usize>)> {
    let runs = (0..STARTS).filter_map(|start| {
        let mut rng = StdRng::seed_from_u64(seed.wrapping_add(start));
        let mut centres = plus_plus(vectors, count, &mut rng)?;
        let mut nearest = assign(vectors, &centres);
        for _ in 0..MOST_ROUNDS {
            centres = means(vectors, &nearest, &centres);
            let next = assign(vectors, &centres);
            if next == nearest {
                break;
            }
            nearest = next;
        }
        let squares: f64 =
            vectors.rows().into_iter().zip(&nearest).map(|(row, centre)| squared(row, centres.row(*centre))).sum();
        Some((squares, centres, nearest))
    });
    let best = runs.min_by(|a, b| a.0.total_cmp(&b.0))?;
    Some((best.1, best.2))
}

fn squared(one: ArrayView1<'_, f64>, other: ArrayView1<'_, f64>) -> f64 {
    one.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum()
}

/// Each next centre is a vector drawn by its squared distance to the nearest centre so far.
fn plus_plus(vectors: &Array2<f64>, count: usize, rng: &mut StdRng) -> Option<Array2<f64>> {
    let mut chosen = vec![rng.random_range(0..vectors.nrows())];
    let mut distances = vec![f64::INFINITY; vectors.nrows()];
    while chosen.len() < count {
        let last = vectors.row(chosen[chosen.len() - 1]);
        for (distance, row) in distances.iter_mut().zip(vectors.rows()) {
            *distance = distance.min(squared(row, last));
        }
        let total: f64 = distances.iter().sum();
        if total <= 0.0 {
            return None;
        }
        let mut left = rng.random_range(0.0..total);
        let drawn = distances.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        // Rounding may leave a little over behind the last.
        chosen.push(drawn.or_else(|| distances.iter().rposition(|distance| *distance > 0.0))?);
    }
    Some(vectors.select(Axis(0), &chosen))
}

fn assign(vectors: &Array2<f64>, centres: &Array2<f64>) -> Vec<usize> {
    let nearest = |row: ArrayView1<'_, f64>| {
        let distances = centres.rows().into_iter().map(|centre| squared(row, centre)).enumerate();
        distances.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(centre, _)| centre)
    };
    vectors.rows().into_iter().map(nearest).collect()
}

/// Means of what belongs to each centre; one that nothing belongs to stays.
fn means(vectors: &Array2<f64>, nearest: &[usize], centres: &Array2<f64>) -> Array2<f64> {
    let mut sums = Array2::<f64>::zeros(centres.dim());
    let mut counts = vec![0.0; centres.nrows()];
    for (row, centre) in vectors.rows().into_iter().zip(nearest) {
        let mut sum = sums.row_mut(*centre);
        sum += &row;
        counts[*centre] += 1.0;
    }
    for (index, count) in counts.iter().enumerate() {
        let mut mean = sums.row_mut(index);
        if *count > 0.0 {
            mean /= *count;
        } else {
            mean.assign(&centres.row(index));
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn two_heaps_are_told_apart() {
        let vectors = array![[0.0, 0.1], [9.0, 9.2], [0.2, -0.1], [9.1, 8.9], [-0.1, 0.0], [8.8, 9.0]];
        let (centres, nearest) = k_means(&vectors, 2, 11).unwrap();
        assert_eq!(nearest[0], nearest[2]);
        assert_eq!(nearest[0], nearest[4]);
        assert!(nearest[1] == nearest[3] && nearest[3] == nearest[5] && nearest[0] != nearest[1]);
        assert!((centres[[nearest[1], 0]] - 26.9 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn there_are_no_more_centres_than_different_vectors() {
        assert!(k_means(&Array2::from_elem((9, 3), 2.0), 2, 1).is_none());
        assert!(k_means(&Array2::from_elem((9, 3), 2.0), 1, 1).is_some());
    }
}
