//! Whether a channel is dead: constant, or nothing but a few of its format's own steps.

/// Distinct values that a dead channel may have: two steps about its mean on either side, which is what dither makes of silence.
const FEW: usize = 5;
/// The coarsest step of a converter, of full scale: 12 bits. A format's own step may be coarser, but where it is finer, values
/// farther apart than this are levels of a signal, as of a relay.
const COARSEST_STEP: f32 = 1.0 / 2_048.0;

/// The distinct values of a channel, where they are few.
pub(super) struct FewValues {
    /// Ascending.
    values: [f32; FEW],
    count: usize,
}

impl FewValues {
    /// `None` where there are more than five. A living signal shows that within a few samples.
    pub fn of(samples: &[f32]) -> Option<Self> {
        let mut found = Self { values: [0.0; FEW], count: 0 };
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
        Some(found)
    }

    /// Whether they are neighbouring steps. `step` is the format's own; float has none, so that there three values or more at equal
    /// distances are taken for steps, whatever the unit.
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
            None => self.count > 2 || gap <= COARSEST_STEP * largest.max(1.0),
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
}
