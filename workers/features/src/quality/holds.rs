//! Stretches in which one value is held: what a living signal, which always carries some noise, does not do.

use auscult_schemas::QualityFlag;

/// Shortest hold that counts, s. At 16 bit the crest of a slow quiet tone may stay on one value for some milliseconds.
const SHORTEST_S: f64 = 0.01;
/// The same in samples, for slow sensors.
const SHORTEST_SAMPLES: usize = 16;
/// Share of a clip for which one value must be held to be stuck: a half. What is left cannot stand for the clip.
const STUCK_SHARE: f64 = 0.5;
/// A value this close to zero is no stuck one: a recorder that lost its sensor writes zeros.
const ZERO: f32 = 2.0 / 32_768.0;
/// Gaps that count as a broken line. One or two are a lead-in or a lead-out of a file that was cut together.
const GAPS: usize = 3;
/// Share of a clip that gaps may hold together, however few: a fifth.
const GAP_SHARE: f64 = 0.2;

/// What the holds of a channel deserve.
pub(super) fn flags(samples: &[f32], rate_hz: u32) -> Vec<QualityFlag> {
    let shortest = ((SHORTEST_S * f64::from(rate_hz)) as usize).max(SHORTEST_SAMPLES);
    let held = holds(samples, shortest);
    let all = samples.len() as f64;
    let is_stuck = held.iter().any(|hold| hold.value.abs() > ZERO && hold.samples as f64 >= STUCK_SHARE * all);
    if is_stuck {
        return vec![QualityFlag::Stuck];
    }
    let in_gaps: usize = held.iter().map(|hold| hold.samples).sum();
    // One hold from end to end is silence, which its level has told already.
    let is_silence = in_gaps == samples.len();
    let has_gaps = held.len() >= GAPS || in_gaps as f64 >= GAP_SHARE * all;
    if has_gaps && !is_silence { vec![QualityFlag::DroppedOut] } else { Vec::new() }
}

struct Hold {
    value: f32,
    samples: usize,
}

/// The holds of so many samples or more. Looked for in strides: a hold that long covers a whole stride and its neighbour's first
/// sample, so that sound without holds costs a fraction of its samples.
fn holds(samples: &[f32], shortest: usize) -> Vec<Hold> {
    let stride = (shortest / 2).max(1);
    let mut held = Vec::new();
    let mut end = 0;
    let mut at = 0;
    while at + stride < samples.len() {
        let value = samples[at];
        if at < end || samples[at + stride] != value {
            at += stride;
            continue;
        }
        let before = samples[end..at].iter().rev().take_while(|&&sample| sample == value).count();
        let after = samples[at..].iter().take_while(|&&sample| sample == value).count();
        end = at + after;
        if before + after >= shortest {
            held.push(Hold { value, samples: before + after });
        }
        at += stride;
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_found_wherever_it_begins() {
        for begin in 0..300 {
            let mut samples: Vec<f32> = (0..1_000).map(|index| (index % 7) as f32).collect();
            samples[begin..begin + 160].fill(0.5);
            let held = holds(&samples, 160);
            assert_eq!(held.len(), 1, "{begin}");
            assert_eq!((held[0].value, held[0].samples), (0.5, 160), "{begin}");
            assert!(holds(&samples, 161).is_empty(), "{begin}");
        }
    }
}
