//! The transient with which some recorders begin a clip: an input's coupling or a sensor's supply that settles.

use super::levels::Levels;

/// Parts of a clip whose means are compared.
const PARTS: usize = 64;
/// Fewest samples of a part.
const SHORTEST_PART: usize = 32;
/// The transient has died away within so many parts: a quarter of the clip.
const SETTLED: usize = PARTS / 4;
/// How many standard deviations of the later parts' means the first mean lies away from theirs.
const FAR: f64 = 12.0;
/// Within so many it has settled.
const NEAR: f64 = 4.0;
/// Least standard deviation to count with, of the RMS within the later parts: a mean of noise is not known better.
const LEAST_DEVIATION: f64 = 0.02;

/// Whether the mean of the clip begins far away and settles.
pub(super) fn has_transient(samples: &[f32]) -> bool {
    let length = samples.len() / PARTS;
    if length < SHORTEST_PART {
        return false;
    }
    let (mut means, mut power) = ([0.0_f64; PARTS], [0.0_f64; PARTS]);
    for (index, part) in samples.chunks_exact(length).take(PARTS).enumerate() {
        let levels = Levels::measure(part);
        (means[index], power[index]) = (levels.mean, levels.variance);
    }
    let (early, late) = means.split_at(SETTLED);
    let centre = late.iter().sum::<f64>() / late.len() as f64;
    let variance = late.iter().map(|mean| (mean - centre).powi(2)).sum::<f64>() / late.len() as f64;
    let within = power[SETTLED..].iter().sum::<f64>() / late.len() as f64 + variance;
    let deviation = variance.sqrt().max(LEAST_DEVIATION * within.sqrt());
    let away = |mean: &f64| (mean - centre).abs();
    let falls = early
        .windows(2)
        .take_while(|pair| away(&pair[1]) > NEAR * deviation)
        .all(|pair| away(&pair[1]) < away(&pair[0]));
    let first = early.first().map_or(0.0, away);
    first > FAR * deviation && falls && early.last().is_some_and(|last| away(last) <= NEAR * deviation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_settles_is_told_and_a_machine_that_starts_loud_is_not() {
        let mut state = 7_u32;
        let machine: Vec<f32> = (0..32_000)
            .map(|index| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
                0.05 * (0.0114 * index as f32).sin() + 0.05 * noise
            })
            .collect();
        assert!(!has_transient(&machine));
        let settling = |seconds: f32| {
            let offset = move |index: usize| 0.5 * (-(index as f32) / (16_000.0 * seconds)).exp();
            machine.iter().enumerate().map(move |(index, sample)| sample + offset(index)).collect::<Vec<f32>>()
        };
        assert!(has_transient(&settling(0.02)) && has_transient(&settling(0.08)));
        assert!(!has_transient(&settling(5.0)), "an offset that drifts is none");
        let loud: Vec<f32> = machine
            .iter()
            .enumerate()
            .map(|(index, sample)| if index < 3_000 { 12.0 * sample } else { *sample })
            .collect();
        assert!(!has_transient(&loud));
    }
}
