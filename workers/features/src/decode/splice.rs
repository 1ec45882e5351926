//! Joining sound across a gap, where a part of it was lost.
//!
//! Filling a gap (silence, a held value) would put a signal into the recording that the sensor never gave, and quality
//! checks rightly take such for a fault of the sensor. Joining the edges as they are would add a click. So the sound
//! after the gap is cross-faded with the sound before it: every value that remains was measured, the recording is
//! shorter by the gap and the fade, and [`Clip::incomplete`](crate::Clip::incomplete) says that something is missing.

/// Length of the cross-fade, as a part of a second.
const FADES_PER_SECOND: u32 = 100;

/// Joins what begins at sample `at` to what ends there, in every channel.
pub(super) fn join(channels: &mut [Vec<f32>], at: usize, rate_hz: u32) {
    for channel in channels {
        let after = channel.len() - at;
        let fade = ((rate_hz / FADES_PER_SECOND) as usize).min(at).min(after);
        let start = at - fade;
        for index in 0..fade {
            let weight = (index as f32 + 0.5) / fade as f32;
            let (old, new) = (channel[start + index], channel[at + index]);
            channel[start + index] = old + (new - old) * weight;
        }
        channel.drain(at..at + fade);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_adds_no_step_and_no_value_that_was_not_there() {
        let mut channels = vec![[vec![0.5; 300], vec![-0.5; 300]].concat()];
        join(&mut channels, 300, 16_000);
        let joined = &channels[0];
        assert_eq!(joined.len(), 600 - 160);
        let step = joined.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(step < 0.01, "{step}");
        assert!(joined.iter().all(|sample| sample.abs() <= 0.5));
    }

    #[test]
    fn a_join_at_an_edge_has_nothing_to_fade() {
        let mut channels = vec![vec![0.25; 10]];
        join(&mut channels, 0, 16_000);
        join(&mut channels, 10, 16_000);
        assert_eq!(channels, [vec![0.25; 10]]);
    }
}
