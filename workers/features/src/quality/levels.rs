//! A channel's levels in one pass: lowest, highest, mean, variance.

use pulp::{Arch, Simd, WithSimd};

/// One pass over a channel.
pub(super) struct Levels {
    pub finite: bool,
    pub min: f32,
    pub max: f32,
    pub mean: f64,
    /// About the mean; never negative.
    pub variance: f64,
}

impl Levels {
    /// Blocks of lanes, so that the compiler keeps every sum in vector registers; the mean adds up blocks in f64. The
    /// variance is taken about the first sample, so that an offset does not eat its digits.
    pub fn measure(samples: &[f32]) -> Self {
        Arch::new().dispatch(Measurement(samples))
    }

    #[inline(always)]
    fn measured(samples: &[f32]) -> Self {
        const LANES: usize = 16;
        const BLOCK: usize = 64 * LANES;
        let mut levels = Self { finite: true, min: f32::INFINITY, max: f32::NEG_INFINITY, mean: 0.0, variance: 0.0 };
        let origin = samples.first().copied().unwrap_or_default();
        let (mut total, mut squares) = (0.0_f64, 0.0_f64);
        for block in samples.chunks(BLOCK) {
            let mut min = [f32::INFINITY; LANES];
            let mut max = [f32::NEG_INFINITY; LANES];
            let mut sum = [0.0_f32; LANES];
            let mut square = [0.0_f32; LANES];
            let mut add = |lane: usize, sample: f32| {
                min[lane] = if sample < min[lane] { sample } else { min[lane] };
                max[lane] = if sample > max[lane] { sample } else { max[lane] };
                let shifted = sample - origin;
                sum[lane] += shifted;
                square[lane] += shifted * shifted;
            };
            let (rows, rest) = block.as_chunks::<LANES>();
            for row in rows {
                for (lane, &sample) in row.iter().enumerate() {
                    add(lane, sample);
                }
            }
            for (lane, &sample) in rest.iter().enumerate() {
                add(lane, sample);
            }
            for lane in 0..LANES {
                levels.min = levels.min.min(min[lane]);
                levels.max = levels.max.max(max[lane]);
                total += f64::from(sum[lane]);
                squares += f64::from(square[lane]);
            }
            // A NaN or an infinity survives every sum it is part of. A finite sum that overflowed f32 looks the same,
            // so the samples themselves decide.
            levels.finite &= sum.iter().all(|sum| sum.is_finite()) || block.iter().all(|sample| sample.is_finite());
        }
        let count = samples.len() as f64;
        let shifted_mean = total / count;
        levels.mean = f64::from(origin) + shifted_mean;
        levels.variance = (squares / count - shifted_mean * shifted_mean).max(0.0);
        levels
    }

    /// Distance of the extremes.
    pub fn range(&self) -> f32 {
        self.max - self.min
    }

    /// Root of the variance.
    pub fn deviation(&self) -> f64 {
        self.variance.sqrt()
    }
}

/// The pass, compiled for the vector registers that the machine turns out to have.
struct Measurement<'a>(&'a [f32]);

impl WithSimd for Measurement<'_> {
    type Output = Levels;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Levels {
        Levels::measured(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_does_not_eat_the_digits_of_the_variance() {
        let samples: Vec<f32> = (0..100_000).map(|index| 0.5 + if index % 2 == 0 { 1e-4 } else { -1e-4 }).collect();
        let levels = Levels::measure(&samples);
        assert!((levels.deviation() / 1e-4 - 1.0).abs() < 1e-3, "{}", levels.deviation());
        assert!((levels.mean - 0.5).abs() < 1e-6, "{}", levels.mean);
    }
}
