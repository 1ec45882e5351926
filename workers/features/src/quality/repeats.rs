//! Repeated samples: a lower rate that was raised by writing each sample twice or more, as small controllers do it.

/// Changes that must be seen. A signal whose samples all differ shows within three that it is none of these.
const FEWEST_CHANGES: usize = 100;

/// Whether the signal changes only at every second sample, or at every third, and so on.
pub(super) fn are_regular(samples: &[f32]) -> bool {
    let (mut changes, mut last, mut spacing) = (0, None, 0);
    for (index, pair) in samples.windows(2).enumerate() {
        if pair[0] == pair[1] {
            continue;
        }
        changes += 1;
        if let Some(last) = last.replace(index) {
            spacing = greatest_common_divisor(spacing, index - last);
        }
        if spacing == 1 {
            return false;
        }
    }
    changes >= FEWEST_CHANGES
}

fn greatest_common_divisor(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_written_twice_or_six_times_is_told_wherever_the_clip_begins() {
        let signal: Vec<f32> = (0..4_000).map(|index| (index as f32 * 0.37).sin()).collect();
        assert!(!are_regular(&signal));
        for times in [2, 3, 6] {
            let repeated: Vec<f32> = signal.iter().flat_map(|sample| vec![*sample; times]).collect();
            for begin in 0..times {
                assert!(are_regular(&repeated[begin..]), "{times} times from {begin}");
            }
        }
    }

    #[test]
    fn a_slow_signal_in_coarse_steps_is_not_repeated() {
        let slow: Vec<f32> = (0..40_000).map(|index| ((index as f32 * 0.003).sin() * 300.0).round()).collect();
        assert!(!are_regular(&slow));
    }
}
