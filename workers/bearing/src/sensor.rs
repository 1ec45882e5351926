//! Whether what was recorded can be a vibration at all.

use std::collections::BTreeSet;

use serde::Serialize;

/// A vibration has more different values than these: a converter that stands still has one, its last bit and dither add
/// a few.
const FEW_VALUES: usize = 8;
/// A float's own rounding about a constant comes to so many of its steps.
const FEW_FLOAT_STEPS: f32 = 64.0;
/// Samples that are equal one after the other for so long are no vibration, s …
const HELD_S: f64 = 0.002;
/// … and so many at least.
const HELD_SAMPLES: usize = 32;
/// A channel of which more than this share is held, or is lost between stretches that are, is not examined.
const MOSTLY: f64 = 0.5;
/// With more than this share of samples at the two ends of the range, the ends are what is examined.
const MOSTLY_CLIPPED: f64 = 0.2;
/// From this share on clipping is told.
const CLIPPED: f64 = 0.001;
/// Clipped samples come in runs: so many equal ones at an extreme.
const RUN_AT_AN_END: usize = 2;

/// Why a channel shows no vibration.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SensorFault {
    /// All samples are equal.
    #[error(
        "every sample is {0}: a cable is cut, a sensor has no supply, or a converter stands still; check them and record again"
    )]
    Constant(f32),
    /// A converter's last bits.
    #[error(
        "the samples have only {0} different values: nothing but a converter's last bits, or dither; check cable, supply and range, and record again"
    )]
    FewValues(usize),
    /// Interrupted so often that nothing long enough is left.
    #[error(
        "the signal drops out for {dropped_percent:.0} % of the time, and the longest stretch between has {turns:.1} turns of the shaft: check \
         cable and link, and record again"
    )]
    DropsOut {
        /// Share of samples that are held, %.
        dropped_percent: f64,
        /// Turns in the longest stretch without a dropout.
        turns: f64,
    },
    /// More a square wave than a vibration.
    #[error(
        "{0:.0} % of the samples are at the ends of the range: lower the gain or take a sensor with a larger range, and record again"
    )]
    Clipped(f64),
}

/// What is to be said of a channel that is examined all the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum SensorNote {
    /// Samples at the ends of the range.
    Clipped {
        /// Share of samples, %.
        percent: f64,
    },
    /// Only the longest stretch without a dropout was examined.
    DropsOut {
        /// Share of samples that are held, %.
        dropped_percent: f64,
        /// Length of what was examined, s.
        examined_s: f64,
    },
}

impl SensorNote {
    pub(super) fn in_words(self) -> String {
        match self {
            Self::Clipped { percent } => {
                format!("{percent:.1} % of the samples are at the ends of the range: lower the gain")
            }
            Self::DropsOut { dropped_percent, examined_s } => format!(
                "the signal drops out for {dropped_percent:.1} % of the time; the longest stretch without, {examined_s:.2} s, was examined"
            ),
        }
    }
}

/// The longest stretch of a channel that can be a vibration, `[samples]`, and what is to be said of it.
pub(super) fn live_part(
    samples: &[f32],
    rate_hz: f64,
    shaft_hz: f64,
    fewest_turns: f64,
) -> Result<(&[f32], Vec<SensorNote>), SensorFault> {
    let values = different_values(samples);
    match values {
        0 | 1 => return Err(SensorFault::Constant(samples.first().copied().unwrap_or_default())),
        2..=FEW_VALUES => return Err(SensorFault::FewValues(values)),
        _ => {}
    }
    let (lowest, highest) = ends(samples);
    if highest - lowest < FEW_FLOAT_STEPS * f32::EPSILON * lowest.abs().max(highest.abs()) {
        return Err(SensorFault::Constant(samples[0]));
    }
    let mut notes = Vec::new();
    let clipped = clipped_share(samples, (lowest, highest));
    if clipped > MOSTLY_CLIPPED {
        return Err(SensorFault::Clipped(100.0 * clipped));
    }
    if clipped > CLIPPED {
        notes.push(SensorNote::Clipped { percent: 100.0 * clipped });
    }
    let shortest = HELD_SAMPLES.max((HELD_S * rate_hz) as usize);
    let (dropped, longest) = stretches(samples, shortest);
    if dropped == 0 {
        return Ok((samples, notes));
    }
    let dropped_percent = 100.0 * dropped as f64 / samples.len() as f64;
    let examined_s = longest.len() as f64 / rate_hz;
    let turns = examined_s * shaft_hz;
    if turns < fewest_turns || dropped as f64 > MOSTLY * samples.len() as f64 {
        return Err(SensorFault::DropsOut { dropped_percent, turns });
    }
    if different_values(longest) <= FEW_VALUES {
        return Err(SensorFault::FewValues(different_values(longest)));
    }
    notes.push(SensorNote::DropsOut { dropped_percent, examined_s });
    Ok((longest, notes))
}

/// How many, counted up to one more than [`FEW_VALUES`].
fn different_values(samples: &[f32]) -> usize {
    let mut seen = BTreeSet::new();
    for sample in samples {
        // 0.0 and -0.0 are one value.
        seen.insert((sample + 0.0).to_bits());
        if seen.len() > FEW_VALUES {
            break;
        }
    }
    seen.len()
}

/// Share of samples that stand at the highest or the lowest value in runs.
fn clipped_share(samples: &[f32], (lowest, highest): (f32, f32)) -> f64 {
    let at_an_end = |run: &&[f32]| run.len() >= RUN_AT_AN_END && (run[0] == lowest || run[0] == highest);
    let clipped: usize = samples.chunk_by(|one, other| one == other).filter(at_an_end).map(<[f32]>::len).sum();
    clipped as f64 / samples.len() as f64
}

fn ends(samples: &[f32]) -> (f32, f32) {
    samples.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
}

/// Samples in runs of equal ones of at least `shortest`, and the longest stretch between two such runs.
fn stretches(samples: &[f32], shortest: usize) -> (usize, &[f32]) {
    let (mut dropped, mut longest, mut start, mut at) = (0, 0..0, 0, 0);
    for run in samples.chunk_by(|one, other| one == other) {
        if run.len() >= shortest {
            dropped += run.len();
            if at - start > longest.len() {
                longest = start..at;
            }
            start = at + run.len();
        }
        at += run.len();
    }
    if at - start > longest.len() {
        longest = start..at;
    }
    (dropped, &samples[longest])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vibration of 16 bits, so many steps high.
    fn vibration(samples: usize, steps: f32) -> Vec<f32> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let uniform = (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5;
            (2.0 * steps * uniform).round() / 32_768.0
        };
        (0..samples).map(next).collect()
    }

    fn fault(samples: &[f32]) -> Option<SensorFault> {
        live_part(samples, 25_600.0, 30.0, 5.0).err()
    }

    #[test]
    fn a_cut_cable_a_frozen_converter_and_dither_are_no_vibration() {
        assert_eq!(fault(&[0.0; 50_000]), Some(SensorFault::Constant(0.0)));
        assert_eq!(fault(&[0.3; 50_000]), Some(SensorFault::Constant(0.3)));
        let dither: Vec<f32> = vibration(50_000, 1.4).iter().map(|value| value + 0.25).collect();
        assert_eq!(fault(&dither), Some(SensorFault::FewValues(3)));
        assert_eq!(fault(&vibration(50_000, 3.0)), Some(SensorFault::FewValues(7)));
        assert_eq!(fault(&vibration(50_000, 12.0)), None, "quiet, but alive");
    }

    #[test]
    fn the_longest_stretch_without_a_dropout_is_examined() {
        let mut samples = vibration(60_000, 1_000.0);
        samples[10_000..12_000].fill(0.0);
        let (live, notes) = live_part(&samples, 25_600.0, 30.0, 5.0).unwrap();
        assert_eq!(live, &samples[12_000..]);
        assert!(matches!(notes[..], [SensorNote::DropsOut { .. }]), "{notes:?}");
        // Every tenth of a second something is missing.
        for start in (0..samples.len()).step_by(2_560) {
            samples[start..start + 256].fill(0.1);
        }
        assert!(matches!(fault(&samples), Some(SensorFault::DropsOut { .. })));
    }

    #[test]
    fn clipping_is_told_and_a_square_wave_is_not_examined() {
        let clip = |limit: f32| -> Vec<f32> {
            let wave = (0..50_000).map(|index| (index as f32 * 0.02).sin() + 0.001 * (index as f32 * 1.7).sin());
            wave.map(|value: f32| value.clamp(-limit, limit)).collect()
        };
        let clipped = clip(0.98);
        assert!(matches!(live_part(&clipped, 25_600.0, 30.0, 5.0).unwrap().1[..], [SensorNote::Clipped { .. }]));
        assert!(matches!(fault(&clip(0.5)), Some(SensorFault::Clipped(_))));
        assert_eq!(live_part(&vibration(50_000, 1_000.0), 25_600.0, 30.0, 5.0).unwrap().1, []);
    }
}
