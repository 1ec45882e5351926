//! Whether one recording goes on where another ended.

use auscult_signal::prediction::{ORDER, predictor_of};

/// Samples behind the joint that are predicted: most of what they are predicted from lies before it.
const BEHIND: usize = 8;
/// Samples before the joint that the prediction is learned from.
const LEARNED: usize = 16_384;
/// Samples before the joint that tell how well it predicts where nothing is missing.
const COMPARED: usize = 4_096;
/// By how much worse samples behind a joint may be predicted than those before it. Of 89 joints of recordings that one
/// clock made without a pause none is over 2.8; of joints of clips that do not follow on one in twenty is below 3.4,
/// and half are over 15.
const WORST: f64 = 3.0;

/// Whether `after` goes on where `before` ended, without a sample missing.
///
/// Vibration is coloured: its next sample is known from those before it but for a remainder (linear prediction, J.
/// Makhoul, *Linear prediction: a tutorial review*, Proceedings of the IEEE 63, 1975). Where samples are missing the
/// remainder is many times larger. White noise shows no joint, and then nothing is lost by joining it. A recording
/// shorter than 256 samples follows on nothing.
#[must_use]
pub fn follows_on(before: &[f32], after: &[f32]) -> bool {
    joint_error(before, after).is_some_and(|error| error <= WORST)
}

/// Root mean square of the prediction's error behind the joint, as a multiple of that before it.
fn joint_error(before: &[f32], after: &[f32]) -> Option<f64> {
    const FEWEST: usize = 8 * ORDER;
    if before.len() < FEWEST || after.len() < FEWEST {
        return None;
    }
    let learned = &before[before.len().saturating_sub(LEARNED)..];
    let mean = learned.iter().map(|&sample| f64::from(sample)).sum::<f64>() / learned.len() as f64;
    let values: Vec<f64> = learned.iter().chain(&after[..BEHIND]).map(|&sample| f64::from(sample) - mean).collect();
    let joint = learned.len();
    let predictor = predictor_of(&values[..joint])?;
    let error_of = |from: usize, to: usize| {
        let squared = (from..to).map(|index| {
            let predicted: f64 =
                predictor.iter().enumerate().map(|(lag, weight)| weight * values[index - 1 - lag]).sum();
            (values[index] - predicted).powi(2)
        });
        (squared.sum::<f64>() / (to - from) as f64).sqrt()
    };
    let usual = error_of(joint.saturating_sub(COMPARED).max(ORDER), joint);
    (usual > 0.0).then(|| error_of(joint, joint + BEHIND) / usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coloured(samples: usize) -> Vec<f32> {
        let (mut state, mut last, mut value) = (0x9e37_79b9_7f4a_7c15_u64, [0.0_f64; 2], Vec::new());
        for _ in 0..samples {
            // Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let next = 1.9 * last[0] - 0.98 * last[1] + (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
            last = [next, last[0]];
            value.push(next as f32);
        }
        value
    }

    #[test]
    fn what_was_cut_follows_on_and_what_misses_samples_seldom_does() {
        let samples = coloured(120_000);
        let cuts: Vec<usize> = (1..10).map(|cut| cut * 12_000).collect();
        assert!(cuts.iter().all(|&cut| follows_on(&samples[..cut], &samples[cut..])));
        let gaps = cuts.iter().filter(|&&cut| follows_on(&samples[..cut], &samples[cut + 500..])).count();
        assert!(gaps <= 3, "{gaps} of 9");
    }

    #[test]
    fn silence_and_scraps_follow_on_nothing() {
        assert!(!follows_on(&[0.0; 4_000], &[0.0; 4_000]));
        assert!(!follows_on(&[f32::NAN; 4_000], &coloured(4_000)));
        assert!(!follows_on(&coloured(4_000)[..100], &coloured(4_000)));
    }
}
