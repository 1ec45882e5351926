//! Whether a channel is dead: constant, or nothing but a few of its format's own steps. Few values that are each held
//! are levels: of a relay, a tachometer, an inverter.

/// Distinct values that a dead channel may have: two steps about its mean on either side, which is what dither makes of
/// silence.
const FEW: usize = 5;
/// The coarsest step of a converter, of full scale: 12 bits. A format's own step may be coarser, but where it is finer,
/// values farther apart than this are levels of a signal, as of a relay.
const COARSEST_STEP: f32 = 1.0 / 2_048.0;
/// Samples for which a level is held on average, at least. Dither leaves a value after one or two.
const LEVEL_SAMPLES: f64 = 3.0;
/// Share of the samples that a level has at least.
const LEVEL_SHARE: f64 = 0.001;

/// The distinct values of a channel, where they are few.
pub(super) struct FewValues {
    /// Ascending.
    values: [f32; FEW],
    count: usize,
    /// Values that have a thousandth of the samples or more, and are held for three of them or longer on average.
    levels: usize,
    /// Mean number of samples for which a value is held, of all but the most frequent one.
    rarer_run: f64,
}

impl FewValues {
    /// `None` where there are more than five. A living signal shows that within a few samples.
    pub fn of(samples: &[f32]) -> Option<Self> {
        let mut found = Self { values: [0.0; FEW], count: 0, levels: 0, rarer_run: 0.0 };
        let mut last = f32::NAN;
        for &sample in samples {
            if sample == last || found.values[..found.count].contains(&sample) {
                last = sample;
                continue;
            }
            if found.count == FEW {
                return None;
            }
            found.values[found.count] = sample;
            found.count += 1;
            last = sample;
        }
        found.values[..found.count].sort_unstable_by(f32::total_cmp);
        found.measure_runs(samples);
        Some(found)
    }

    fn measure_runs(&mut self, samples: &[f32]) {
        let (mut lengths, mut runs) = ([0_usize; FEW], [0_usize; FEW]);
        for run in samples.chunk_by(|a, b| a == b) {
            let value = self.values[..self.count].iter().position(|value| *value == run[0]).unwrap_or(0);
            lengths[value] += run.len();
            runs[value] += 1;
        }
        let is_level = |(length, runs): &(&usize, usize)| {
            **length as f64 >= LEVEL_SHARE * samples.len() as f64 && **length as f64 >= LEVEL_SAMPLES * *runs as f64
        };
        self.levels = lengths.iter().zip(runs).filter(is_level).count();
        let most = (0..self.count).max_by_key(|&value| lengths[value]).unwrap_or(0);
        let rarer = |of: [usize; FEW]| of.iter().sum::<usize>() - of[most];
        self.rarer_run = rarer(lengths) as f64 / rarer(runs).max(1) as f64;
    }

    /// Whether two values or more are held, and left again: levels that something switches between.
    pub fn are_levels(&self) -> bool {
        self.levels > 1
    }

    /// Whether they are neighbouring steps. `step` is the format's own; float has none, so that there three values or
    /// more at equal distances between which the signal trembles are taken for steps, whatever the unit.
    pub fn is_dead(&self, step: Option<f32>) -> bool {
        let values = &self.values[..self.count];
        let (Some(&low), Some(&high)) = (values.first(), values.last()) else { return false };
        if low == high {
            return true;
        }
        let gap = values.windows(2).map(|pair| pair[1] - pair[0]).fold(f32::INFINITY, f32::min);
        // Half a gap of tolerance: float values in physical units are rounded.
        if high - low > (FEW as f32 - 0.5) * gap {
            return false;
        }
        let largest = low.abs().max(high.abs());
        match step {
            Some(step) => gap <= COARSEST_STEP.max(1.5 * step),
            None => {
                let trembles = self.count > 2 && self.rarer_run < LEVEL_SAMPLES;
                trembles || gap <= COARSEST_STEP * largest.max(1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP_16: f32 = 1.0 / 32_768.0;

    fn is_dead(values: &[f32], step: Option<f32>) -> bool {
        let samples: Vec<f32> = values.iter().copied().cycle().take(1_000).collect();
        FewValues::of(&samples).is_some_and(|few| few.is_dead(step))
    }

    #[test]
    fn a_constant_and_two_steps_either_way_are_dead_and_six_values_are_not() {
        for step in [Some(STEP_16), None] {
            assert!(is_dead(&[0.0], step) && is_dead(&[0.37], step));
            assert!(is_dead(&[0.0, STEP_16, -STEP_16, 2.0 * STEP_16, -2.0 * STEP_16], step));
            assert!(!is_dead(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0].map(|steps| steps * STEP_16), step));
            assert!(!is_dead(&[0.0, STEP_16, 9.0 * STEP_16], step), "a knock over silence");
        }
        assert!(
            is_dead(&[0.0, 256.0, -256.0].map(|steps| steps / 8_388_608.0), Some(1.0 / 8_388_608.0)),
            "16 bits in 24"
        );
        assert!(is_dead(&[1.0, 2.0].map(|steps| steps / 128.0), Some(1.0 / 128.0)), "8 bits");
    }

    #[test]
    fn a_dead_float_channel_in_physical_units_is_dead_and_a_relay_is_not() {
        assert!(is_dead(&[0.0, 0.015, -0.015], None), "16 bits of 500 m/s²");
        assert!(is_dead(&[1_234.0, 1_234.1], None));
        assert!(!is_dead(&[0.0, 24.0], None) && !is_dead(&[-0.5, 0.5], Some(STEP_16)));
    }

    #[test]
    fn three_levels_of_an_inverter_in_volts_are_not_dead() {
        let held: Vec<f32> = (0..1_000).map(|index| [0.0, 310.0, 0.0, -310.0][index / 7 % 4]).collect();
        let few = FewValues::of(&held).unwrap();
        assert!(!few.is_dead(None) && few.are_levels());
        let square: Vec<f32> = (0..1_000).map(|index| (0.0314_f32 * index as f32).sin().signum() * 0.5).collect();
        let with_a_crossing = [&[0.0], square.as_slice()].concat();
        assert!(FewValues::of(&with_a_crossing).unwrap().are_levels());
        let glitches: Vec<f32> = (0..1_000).map(|index| if index % 400 == 9 { 5.0 } else { 0.37 }).collect();
        assert!(!FewValues::of(&glitches).unwrap().are_levels(), "glitches are no level");
    }
}
