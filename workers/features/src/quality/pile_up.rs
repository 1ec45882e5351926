//! Clipping: one extreme value that recurs far more often than the shape of the signal explains.
//!
//! No full scale is asked for: float has none, and what was clipped before a gain sits anywhere. Two marks tell a limit
//! from a crest:
//!
//! - *recurrence*: the extreme occurs eight times as often as the next value inward. The crest of a sine, sampled in
//!   steps, occurs at most 2.4 times as often; a tone that is a whole fraction of the sample rate has every value as
//!   often as its extreme;
//! - *flat tops*: three equal samples or more, from which the signal drops by more than four steps. About a crest it is
//!   a parabola, which leaves three equal samples by fewer than three steps.

use pulp::{Arch, Simd, WithSimd};

use super::levels::Levels;

/// Share of a channel's samples that must be clipped: 1 %, a tenth of a second of ten. Less of it is the peaks of a
/// loud machine, which still tell what it does: a fault that makes it loud must not be hushed up as the sensor's.
const CLIPPED_SHARE: f64 = 0.01;
/// How many times as often as the next value the extreme must occur.
const RECURRENCE: usize = 8;
/// What is one value with the extreme, and what is one value with the next, of the channel's range: a periodic float
/// signal repeats with rounding errors of its samples, least at the crest, and of its phase.
const SAME: f32 = 1e-4;
const NEXT: f32 = 1e-3;
/// Equal samples of a flat top.
const FLAT_SAMPLES: usize = 3;
/// How far from a whole number of steps float values are by rounding.
const WHOLE: f32 = 0.05;
/// Steps by which the signal leaves a flat top.
const FLAT_DROP_STEPS: f32 = 4.0;

/// Whether the channel is clipped.
pub(super) fn is_clipped(samples: &[f32], levels: &Levels, step: Option<f32>) -> bool {
    let least = (CLIPPED_SHARE * samples.len() as f64).max(2.0);
    let [at_min, at_max] = count_extremes(samples, levels);
    if ((at_min + at_max) as f64) < least {
        return false;
    }
    let step = actual_step(samples, levels, step);
    // A signal of one sign that rests at zero is at rest: a rectified current, a pulse counter.
    let sides = [(levels.min, at_min, 1.0), (levels.max, at_max, -1.0)];
    let piled = sides.into_iter().filter(|(extreme, ..)| *extreme != 0.0).map(|(extreme, count, inward)| {
        let is_pile = count >= RECURRENCE * next_value_count(samples, extreme, inward, levels.range()).max(1);
        if is_pile { count } else { flat_top_samples(samples, extreme, step) }
    });
    piled.sum::<usize>() as f64 >= least
}

/// How many samples have the lowest value, and how many the highest.
fn count_extremes(samples: &[f32], levels: &Levels) -> [usize; 2] {
    Arch::new().dispatch(Extremes { samples, levels })
}

/// The count, compiled for the vector registers that the machine turns out to have.
struct Extremes<'a> {
    samples: &'a [f32],
    levels: &'a Levels,
}

impl WithSimd for Extremes<'_> {
    type Output = [usize; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> [usize; 2] {
        counts_of_extremes(self.samples, self.levels)
    }
}

#[inline(always)]
fn counts_of_extremes(samples: &[f32], levels: &Levels) -> [usize; 2] {
    let mut counts = [0; 2];
    // Blocks, so that the compiler counts in vector registers of 32 bits.
    for block in samples.chunks(4_096) {
        let (mut low, mut high) = (0_u32, 0_u32);
        for &sample in block {
            low += u32::from(sample == levels.min);
            high += u32::from(sample == levels.max);
        }
        counts[0] += low as usize;
        counts[1] += high as usize;
    }
    counts
}

/// The step in which the samples really differ: of 16 bits that lie in 24, 256 of the format's own. Of float the
/// smallest difference of neighbours, where all samples are whole numbers of it apart, else 0.
fn actual_step(samples: &[f32], levels: &Levels, step: Option<f32>) -> f32 {
    match step {
        Some(step) => {
            let bits = samples.iter().fold(0_i64, |bits, sample| bits | (sample / step) as i64);
            let shift = if bits == 0 { 0 } else { bits.trailing_zeros() };
            step * (shift as f32).exp2()
        }
        None => {
            let differences = samples.windows(2).map(|pair| (pair[1] - pair[0]).abs());
            let smallest = differences.filter(|difference| *difference > 0.0).fold(f32::INFINITY, f32::min);
            // What was cut off was cut off anywhere between two steps.
            let mut inner = samples.iter().filter(|&&sample| sample > levels.min && sample < levels.max);
            let Some(&origin) = inner.next() else { return 0.0 };
            let is_whole = |steps: f32| (steps - steps.round()).abs() < WHOLE;
            if inner.all(|sample| is_whole((sample - origin) / smallest)) { smallest } else { 0.0 }
        }
    }
}

/// How many samples have the value next to an extreme. `inward` is the sign of the way to it.
fn next_value_count(samples: &[f32], extreme: f32, inward: f32, range: f32) -> usize {
    let depth = |sample: f32| (sample - extreme) * inward;
    let inner = samples.iter().map(|&sample| depth(sample)).filter(|depth| *depth > SAME * range);
    let next = inner.clone().fold(f32::INFINITY, f32::min);
    let last = next + NEXT * range;
    inner.filter(|depth| *depth <= last).count()
}

/// How many samples lie on flat tops at an extreme.
fn flat_top_samples(samples: &[f32], extreme: f32, step: f32) -> usize {
    let mut found = 0;
    let mut at = 0;
    while at < samples.len() {
        if samples[at] != extreme {
            at += 1;
            continue;
        }
        let flat = samples[at..].iter().take_while(|&&sample| sample == extreme).count();
        let before = at.checked_sub(1).map(|index| samples[index]);
        let after = samples.get(at + flat).copied();
        let drop = before.into_iter().chain(after).map(|sample| (sample - extreme).abs()).fold(0.0, f32::max);
        if flat >= FLAT_SAMPLES && drop > FLAT_DROP_STEPS * step {
            found += flat;
        }
        at += flat;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clipped(samples: &[f32], step: Option<f32>) -> bool {
        is_clipped(samples, &Levels::measure(samples), step)
    }

    /// A sine of so many samples a turn, in steps of `1 / steps` where that is given.
    fn sine(amplitude: f64, turn: f64, steps: Option<f64>) -> Vec<f32> {
        let wave = |index: u32| amplitude * (std::f64::consts::TAU * f64::from(index) / turn + 0.3).sin();
        let rounded = |value: f64| steps.map_or(value, |steps| (value * steps).round() / steps);
        (0..32_000).map(|index| rounded(wave(index)) as f32).collect()
    }

    #[test]
    fn no_sine_is_clipped_whatever_its_amplitude_frequency_and_format() {
        for amplitude in [3e-4, 1e-3, 0.01, 0.1, 0.3, 0.999_97, 1.0, 3.2, 30.0] {
            for turn in [4.0, 8.0, 16.0, 16.03, 40.0, 123.4, 320.0, 549.0, 1_600.0, 16_000.0] {
                assert!(!clipped(&sine(amplitude, turn, None), None), "{amplitude}, {turn} samples a turn, float");
                assert!(
                    !clipped(&sine(amplitude, turn, Some(32_768.0)), None),
                    "{amplitude}, {turn}, float of 16 bits"
                );
                if amplitude < 1.0 {
                    for (steps, of) in [(32_768.0, 32_768.0), (32_768.0, 8_388_608.0), (8_388_608.0, 8_388_608.0)] {
                        let step = Some(1.0 / of as f32);
                        assert!(
                            !clipped(&sine(amplitude, turn, Some(steps)), step),
                            "{amplitude}, {turn}, {steps} in {of}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_tone_whose_phase_is_rounded_is_not_clipped() {
        for hz in [250.0, 500.0, 1_000.0, 2_000.0, 4_000.0] {
            let wave = |index: u32| 0.25 * (std::f32::consts::TAU * hz * index as f32 / 16_000.0).sin();
            assert!(!clipped(&(0..16_000).map(wave).collect::<Vec<f32>>(), None), "{hz} Hz");
        }
    }

    #[test]
    fn what_is_cut_off_is_clipped_at_any_level_on_one_side_or_both() {
        for turn in [16.0, 16.03, 123.4, 549.0] {
            for limit in [0.02_f32, 0.3, 1.0, 30.0] {
                for steps in [None, Some(32_768.0)] {
                    let wave = sine(f64::from(limit) * 1.3, turn, steps);
                    let limit = steps.map_or(limit, |steps| (limit * steps as f32).round() / steps as f32);
                    let both: Vec<f32> = wave.iter().map(|sample| sample.clamp(-limit, limit)).collect();
                    let one: Vec<f32> = wave.iter().map(|sample| sample.min(limit)).collect();
                    assert!(clipped(&both, None) && clipped(&one, None), "{limit}, {turn} samples a turn, {steps:?}");
                }
            }
        }
    }

    #[test]
    fn a_rectified_signal_that_rests_at_zero_is_not_clipped() {
        let half: Vec<f32> = sine(0.5, 200.0, Some(32_768.0)).iter().map(|sample| sample.max(0.0)).collect();
        assert!(!clipped(&half, Some(1.0 / 32_768.0)));
    }
}
