//! Joins: places where samples were lost and the ends were put together, so that the signal jumps and goes on from
//! elsewhere.
//!
//! A join is one step between two samples and nothing before or after it. An impact rings, a click comes back, and a
//! jump within broad noise cannot be told from the noise, so that this is heard in smooth signals only: currents,
//! vibration, low tones.

use pulp::{Arch, Simd, WithSimd};

use super::levels::Levels;

/// Samples that are compared at a time.
const BLOCK: usize = 64;
/// How many times the largest second difference in the blocks around it that of a join is.
const ABOVE_NEIGHBOURS: f32 = 10.0;
/// Least height of the step, of the RMS about the mean.
const LEAST_HEIGHT: f64 = 0.25;
/// Joins that are worth a note.
const LEAST_JOINS: usize = 3;
/// More of them in a second are a converter that switches.
const MOST_PER_SECOND: f64 = 5.0;
/// Mean change from sample to sample beside a join, of its height. Less is a current that is switched on from rest, or
/// off.
const LEAST_CHANGE: f32 = 0.005;
/// Samples on either side in which that is looked for.
const BESIDE: usize = 16;

/// Whether samples were lost again and again.
pub(super) fn has_joins(samples: &[f32], rate_hz: u32, levels: &Levels) -> bool {
    Arch::new().dispatch(Joins { samples, rate_hz, least: (LEAST_HEIGHT * levels.deviation()) as f32 })
}

/// The search, compiled for the vector registers that the machine turns out to have.
struct Joins<'a> {
    samples: &'a [f32],
    rate_hz: u32,
    least: f32,
}

impl WithSimd for Joins<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> bool {
        are_joined(self.samples, self.rate_hz, self.least)
    }
}

#[inline(always)]
fn are_joined(samples: &[f32], rate_hz: u32, least: f32) -> bool {
    let blocks = samples.len().saturating_sub(2) / BLOCK;
    if blocks < 3 {
        return false;
    }
    let (mut before, mut here) =
        (largest_second_difference(seen_by(samples, 0)), largest_second_difference(seen_by(samples, 1)));
    let mut joins = 0;
    for block in 1..blocks - 1 {
        let after = largest_second_difference(seen_by(samples, block + 1));
        let is_high = here >= least && here > ABOVE_NEIGHBOURS * before.max(after);
        joins += usize::from(is_high && is_one_step(seen_by(samples, block), least));
        (before, here) = (here, after);
    }
    let seconds = samples.len() as f64 / f64::from(rate_hz);
    joins >= LEAST_JOINS && joins as f64 <= (MOST_PER_SECOND * seconds).max(LEAST_JOINS as f64)
}

/// A block, and the two samples behind it.
#[inline(always)]
fn seen_by(samples: &[f32], block: usize) -> &[f32] {
    &samples[block * BLOCK..(block + 1) * BLOCK + 2]
}

fn second_difference(triple: &[f32]) -> f32 {
    triple[2] - 2.0 * triple[1] + triple[0]
}

/// Of a block and the two samples behind it, so that every second difference belongs to one block. In lanes, for vector
/// registers.
#[inline(always)]
fn largest_second_difference(seen: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut largest = [0.0_f32; LANES];
    for start in (0..BLOCK).step_by(LANES) {
        let row = &seen[start..start + LANES + 2];
        for (lane, largest) in largest.iter_mut().enumerate() {
            let difference = (row[lane + 2] - 2.0 * row[lane + 1] + row[lane]).abs();
            *largest = if difference > *largest { difference } else { *largest };
        }
    }
    largest.into_iter().fold(0.0, f32::max)
}

/// Whether a block is smooth but for one step that does not come back.
fn is_one_step(samples: &[f32], least: f32) -> bool {
    let steps = samples.windows(2).map(|pair| pair[1] - pair[0]).enumerate();
    let Some((at, height)) = steps.max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs())) else { return false };
    // The step lies between `at` and `at + 1`, and is part of two second differences.
    let smooth = samples.windows(3).enumerate().filter(|(index, _)| *index != at && index + 1 != at);
    let largest = smooth.map(|(_, triple)| second_difference(triple).abs()).fold(0.0_f32, f32::max);
    let change = |side: &[f32]| {
        let changes = side.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        changes.sum::<f32>() / side.len().saturating_sub(1).max(1) as f32
    };
    let before = &samples[at.saturating_sub(BESIDE)..=at];
    let after = &samples[at + 1..samples.len().min(at + 1 + BESIDE)];
    let moves = change(before).min(change(after)) > LEAST_CHANGE * height.abs();
    moves && height.abs() >= least && height.abs() > ABOVE_NEIGHBOURS * largest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(seconds: usize, lose: impl Fn(usize) -> usize) -> Vec<f32> {
        let mut state = 7_u32;
        let mut at = 0;
        (0..seconds * 10_000)
            .map(|index| {
                at += 1 + lose(index);
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = f64::from(state >> 8) / f64::from(1 << 24) - 0.5;
                (0.3 * (std::f64::consts::TAU * 50.0 * at as f64 / 10_000.0).sin() + 0.003 * noise) as f32
            })
            .collect()
    }

    fn joins(samples: &[f32]) -> bool {
        has_joins(samples, 10_000, &Levels::measure(samples))
    }

    #[test]
    fn a_current_from_which_samples_are_lost_has_joins_and_a_whole_one_has_none() {
        assert!(joins(&current(3, |index| if index % 2_777 == 1_234 { 77 } else { 0 })));
        assert!(!joins(&current(3, |_| 0)));
    }

    #[test]
    fn clicks_that_come_back_and_impacts_that_ring_are_no_joins() {
        let mut clicks = current(3, |_| 0);
        clicks.iter_mut().skip(500).step_by(3_001).for_each(|sample| *sample += 0.5);
        assert!(!joins(&clicks));
        let mut rings = current(3, |_| 0);
        for begin in (500..29_000).step_by(3_001) {
            for index in 0..200 {
                rings[begin + index] += 0.5 * (-(index as f32) / 20.0).exp() * (1.9 * index as f32).sin();
            }
        }
        assert!(!joins(&rings));
    }
}
