//! Which cells of an image a kernel sees at each of its positions, two cells apart in both directions.
//!
//! ```text
//!  image [rows, columns, channels] ──gather──► patches [rows/2 · columns/2, kernel · kernel · channels]    (im2col)
//!                                  ◄──scatter──                                       sums where patches overlap
//! ```
//!
//! A convolution is `gather` and one matrix product, a transposed one is a product and `scatter`, and each is the
//! other's way back.

use ndarray::{Array2, ArrayView2, linalg::general_mat_mul};

/// An image's extent and the kernel that moves over it, its centre on every second cell. What lies outside counts as
/// zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    pub rows: usize,
    pub columns: usize,
    /// Cells of the square kernel's side, odd.
    pub kernel: usize,
}

impl Grid {
    /// Rows and columns of the kernel's positions.
    pub(crate) fn halved(&self) -> (usize, usize) {
        (self.rows.div_ceil(2), self.columns.div_ceil(2))
    }

    /// How many positions there are.
    pub(crate) fn positions(&self) -> usize {
        let (rows, columns) = self.halved();
        rows * columns
    }

    /// Cells of the image.
    pub(crate) fn cells(&self) -> usize {
        self.rows * self.columns
    }

    /// Cells that the kernel covers.
    pub(crate) fn kernel_cells(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Calls `visit` with each run of cells that a kernel's row sees: where it begins in the patches and in the image,
    /// and its length. All in numbers, `channels` a cell.
    fn runs(&self, channels: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let margin = self.kernel / 2;
        let (rows, columns) = self.halved();
        for position in 0..rows * columns {
            let (top, left) = (2 * (position / columns), 2 * (position % columns));
            let first = margin.saturating_sub(left);
            let end = self.kernel.min(self.columns + margin - left);
            for kernel_row in margin.saturating_sub(top)..self.kernel.min(self.rows + margin - top) {
                let patch = (position * self.kernel + kernel_row) * self.kernel + first;
                let image = (top + kernel_row - margin) * self.columns + left + first - margin;
                visit(patch * channels, image * channels, (end - first) * channels);
            }
        }
    }

    /// What the kernel sees at each position. `patches` must come as zeros, or from a `gather` of the same grid.
    pub(crate) fn gather(&self, image: &[f32], channels: usize, patches: &mut [f32]) {
        self.runs(channels, |patch, cell, length| {
            patches[patch..patch + length].copy_from_slice(&image[cell..cell + length]);
        });
    }

    /// Adds to each cell of the image whatever the patches hold for it.
    pub(crate) fn scatter(&self, patches: &[f32], channels: usize, image: &mut [f32]) {
        self.runs(channels, |patch, cell, length| {
            for (sum, value) in image[cell..cell + length].iter_mut().zip(&patches[patch..patch + length]) {
                *sum += value;
            }
        });
    }

    /// The patches of several images one below the other, `[images · positions, kernel cells · channels]`.
    pub(crate) fn gather_all(&self, images: &[f32], channels: usize) -> Array2<f32> {
        let width = self.kernel_cells() * channels;
        let image_length = self.cells() * channels;
        let mut patches = vec![0.0; images.len() / image_length * self.positions() * width];
        for (image, patches) in
            images.chunks_exact(image_length).zip(patches.chunks_exact_mut(self.positions() * width))
        {
            self.gather(image, channels, patches);
        }
        Array2::from_shape_vec((patches.len() / width, width), patches).expect("whole rows")
    }

    /// Adds the patches of several images, as [`Grid::gather_all`] gives them, to `images`.
    pub(crate) fn scatter_all(&self, patches: &Array2<f32>, channels: usize, images: &mut [f32]) {
        let patches = patches.as_slice().expect("rows one after the other");
        let length = self.positions() * self.kernel_cells() * channels;
        for (image, patches) in images.chunks_exact_mut(self.cells() * channels).zip(patches.chunks_exact(length)) {
            self.scatter(patches, channels, image);
        }
    }
}

/// `left · right`.
pub(crate) fn product(left: ArrayView2<'_, f32>, right: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut product = Array2::zeros((left.nrows(), right.ncols()));
    general_mat_mul(1.0, &left, &right, 0.0, &mut product);
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_what_the_kernel_sees() {
        for (rows, columns, kernel, channels) in [(6, 8, 5, 2), (5, 7, 3, 3), (1, 1, 3, 1), (2, 3, 5, 1)] {
            let grid = Grid { rows, columns, kernel };
            let image: Vec<f32> = (0..rows * columns * channels).map(|value| 1.0 + value as f32).collect();
            let patches = grid.gather_all(&image, channels);
            let (halved_rows, halved_columns) = grid.halved();
            assert_eq!(patches.dim(), (halved_rows * halved_columns, kernel * kernel * channels));
            for ((position, at), value) in patches.indexed_iter() {
                let (row, column) = (position / halved_columns, position % halved_columns);
                let (cell, channel) = (at / channels, at % channels);
                let y = (2 * row + cell / kernel) as isize - (kernel / 2) as isize;
                let x = (2 * column + cell % kernel) as isize - (kernel / 2) as isize;
                let inside = (0..rows as isize).contains(&y) && (0..columns as isize).contains(&x);
                let expected =
                    if inside { image[(y as usize * columns + x as usize) * channels + channel] } else { 0.0 };
                assert_eq!(*value, expected, "{grid:?} {position} {at}");
            }
        }
    }

    #[test]
    fn scatter_is_the_transpose_of_gather() {
        let (grid, channels) = (Grid { rows: 5, columns: 6, kernel: 3 }, 2);
        let image: Vec<f32> = (0..grid.cells() * channels).map(|i| (i * 7 % 13) as f32 - 6.0).collect();
        let gathered = grid.gather_all(&image, channels);
        let other = gathered.mapv(|value| (value * 3.0 + 1.0) % 5.0);
        let mut scattered = vec![0.0; image.len()];
        grid.scatter_all(&other, channels, &mut scattered);
        let left: f32 = (&gathered * &other).sum();
        let right: f32 = image.iter().zip(&scattered).map(|(a, b)| a * b).sum();
        assert!((left - right).abs() < 1e-2 && left.abs() > 1.0, "{left} {right}");
    }
}
