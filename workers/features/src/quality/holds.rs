//! Stretches in which one value is held: what a living signal, which always carries some noise, does not do.
//!
//! A hold that the signal enters or leaves with a jump is a gap: samples are missing. A hold that it fades into and out
//! of is a noise gate's silence, a signal that rests, or one that is too quiet for its steps. One value into which or
//! out of which the signal goes without a jump again and again is a rest, too: a rectified current, or one that a
//! thyristor switches. A current or a pressure that is switched off rests at zero, whatever it jumped from. A signal
//! that is nothing but holds, of many values, is a staircase: a slow transmitter's values, repeated until the next one.

use auscult_schemas::{QualityFlag, Quantity};

use super::levels::Levels;

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
/// Shortest rest of an alternating current that is switched off, s: three periods of the mains. Lost packets are
/// shorter. What has one sign may rest for any time.
const SHORTEST_REST_S: f64 = 0.06;
/// Share of a clip that holds must cover for a staircase, and how many of them, and of their values, there must be.
const STAIRCASE_SHARE: f64 = 0.9;
const STAIRS: usize = 8;
const STAIR_VALUES: usize = 4;
/// What counts as a jump: a quarter of the RMS about the mean, and more than four of the format's steps.
const JUMP_OF_DEVIATION: f64 = 0.25;
const JUMP_STEPS: f32 = 4.0;
/// Share of the gaps that must begin with a jump, and share of those that must end with one, where all hold one value.
/// Lost samples meet the signal anywhere, and four of five times away from that value.
const BY_A_JUMP: f64 = 1.0 / 3.0;

/// What the holds of a channel deserve.
pub(super) fn flags(
    samples: &[f32],
    rate_hz: u32,
    levels: &Levels,
    step: Option<f32>,
    quantity: Quantity,
) -> Option<QualityFlag> {
    let shortest = ((SHORTEST_S * f64::from(rate_hz)) as usize).max(SHORTEST_SAMPLES);
    let mut held = holds(samples, shortest);
    let all = samples.len() as f64;
    let is_stuck = held.iter().any(|hold| hold.value.abs() > ZERO && hold.samples() as f64 >= STUCK_SHARE * all);
    if is_stuck {
        return Some(QualityFlag::Stuck);
    }
    if is_staircase(&held, samples.len(), JUMP_STEPS * step.unwrap_or(0.0)) {
        return Some(QualityFlag::WrongRate);
    }
    if matches!(quantity, Quantity::Current | Quantity::Pressure) {
        let has_one_sign = levels.min >= 0.0 || levels.max <= 0.0;
        let shortest_rest = if has_one_sign { 0 } else { (SHORTEST_REST_S * f64::from(rate_hz)) as usize };
        held.retain(|hold| hold.value != 0.0 || hold.samples() < shortest_rest);
    }
    let jump = (JUMP_STEPS * step.unwrap_or(0.0)).max((JUMP_OF_DEVIATION * levels.deviation()) as f32);
    let gaps = Gaps::among(&held, samples, shortest / 4, jump);
    let is_much = |count: usize, samples: usize| count >= GAPS || samples as f64 >= GAP_SHARE * all;
    if is_much(gaps.count, gaps.samples) && !gaps.are_rests() {
        return Some(QualityFlag::DroppedOut);
    }
    let silences = held.iter().filter(|hold| hold.value == 0.0);
    let (count, silent) = silences.fold((0, 0), |(count, sum), hold| (count + 1, sum + hold.samples()));
    is_much(count, silent).then_some(QualityFlag::Processed)
}

/// Whether the signal is made of holds, of many values. Most stairs are higher than the steps that a slow quiet signal
/// rests on.
fn is_staircase(held: &[Hold], samples: usize, least_height: f32) -> bool {
    let covered: usize = held.iter().map(Hold::samples).sum();
    if held.len() < STAIRS || (covered as f64) < STAIRCASE_SHARE * samples as f64 {
        return false;
    }
    let high = held.windows(2).filter(|pair| (pair[1].value - pair[0].value).abs() > least_height).count();
    if 2 * high < held.len() {
        return false;
    }
    let mut values: Vec<f32> = held.iter().map(|hold| hold.value).collect();
    values.sort_unstable_by(f32::total_cmp);
    values.dedup();
    values.len() >= STAIR_VALUES
}

struct Hold {
    value: f32,
    begin: usize,
    end: usize,
}

impl Hold {
    fn samples(&self) -> usize {
        self.end - self.begin
    }

    /// How far from the held value the signal lies in so many samples before the hold and after it; none at the ends of
    /// the clip.
    fn jumps(&self, samples: &[f32], seen: usize) -> [Option<f32>; 2] {
        let before = &samples[self.begin.saturating_sub(seen)..self.begin];
        let after = &samples[self.end..samples.len().min(self.end + seen)];
        [before, after].map(|edge| edge.iter().map(|sample| (sample - self.value).abs()).reduce(f32::max))
    }
}

/// The holds with a jump at either end.
struct Gaps {
    count: usize,
    samples: usize,
    /// Of those that begin, and of those that end within the clip.
    edges: [usize; 2],
    by_a_jump: [usize; 2],
    is_one_value: bool,
}

impl Gaps {
    /// The signal may cross the held value just where a gap begins or ends, so that a jump is looked for in as many
    /// samples as `seen`. Whether all gaps begin so by chance is told by the very next sample, where there are enough
    /// of them.
    fn among(held: &[Hold], samples: &[f32], seen: usize, jump: f32) -> Self {
        let mut gaps = Self { count: 0, samples: 0, edges: [0; 2], by_a_jump: [0; 2], is_one_value: true };
        let is_jump = |edge: Option<f32>| edge.map(|height| height > jump);
        let mut first = None;
        for hold in held {
            let wide = hold.jumps(samples, seen).map(is_jump);
            if !wide.contains(&Some(true)) {
                continue;
            }
            let edges = if held.len() < GAPS { wide } else { hold.jumps(samples, 1).map(is_jump) };
            gaps.count += 1;
            gaps.samples += hold.samples();
            for (index, edge) in edges.into_iter().enumerate() {
                gaps.edges[index] += usize::from(edge.is_some());
                gaps.by_a_jump[index] += usize::from(edge == Some(true));
            }
            gaps.is_one_value &= *first.get_or_insert(hold.value) == hold.value;
        }
        gaps
    }

    /// Whether the signal goes to one value, or leaves it, by itself each time: a rest, not a loss.
    fn are_rests(&self) -> bool {
        let mut edges = self.by_a_jump.into_iter().zip(self.edges);
        self.is_one_value && edges.any(|(jumps, of)| (jumps as f64) < BY_A_JUMP * of as f64)
    }
}

/// The holds of so many samples or more. Looked for in strides: a hold that long covers a whole stride and its
/// neighbour's first sample, so that sound without holds costs a fraction of its samples.
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
            held.push(Hold { value, begin: at - before, end });
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
            assert_eq!((held[0].value, held[0].samples()), (0.5, 160), "{begin}");
            assert!(holds(&samples, 161).is_empty(), "{begin}");
        }
    }

    /// As of 1 kHz, where 16 samples are a hold.
    fn judged(samples: &[f32]) -> Option<QualityFlag> {
        judged_as(samples, Quantity::Sound)
    }

    fn judged_as(samples: &[f32], quantity: Quantity) -> Option<QualityFlag> {
        flags(samples, 1_000, &Levels::measure(samples), Some(1.0 / 32_768.0), quantity)
    }

    fn in_steps(sample: f64) -> f32 {
        ((sample * 32_768.0).round() / 32_768.0) as f32
    }

    /// A current of 50 Hz of which a converter lets through what `passes`, by the phase of the half wave, 0–1.
    fn switched(passes: impl Fn(f64) -> bool) -> Vec<f32> {
        let wave = |index: u32| {
            let half_waves = f64::from(index) / 100.0;
            let wave = 0.5 * (std::f64::consts::PI * half_waves).sin();
            if passes(half_waves) { in_steps(wave) } else { 0.0 }
        };
        (0..30_000).map(wave).collect()
    }

    #[test]
    fn a_current_that_is_rectified_or_cut_by_phase_is_not_broken() {
        let half_wave = switched(|half_waves| half_waves % 2.0 < 1.0);
        assert_ne!(judged(&half_wave), Some(QualityFlag::DroppedOut));
        let leading = switched(|half_waves| half_waves % 1.0 > 0.7);
        assert_ne!(judged(&leading), Some(QualityFlag::DroppedOut));
        let trailing = switched(|half_waves| half_waves % 1.0 < 0.3);
        assert_ne!(judged(&trailing), Some(QualityFlag::DroppedOut));
    }

    #[test]
    fn a_slow_quiet_pressure_that_rests_on_its_steps_is_not_broken() {
        let samples: Vec<f32> =
            (0..30_000).map(|index| in_steps(0.4 + 2e-4 * (f64::from(index) / 400.0).sin())).collect();
        assert_eq!(judged(&samples), None);
    }

    #[test]
    fn a_last_value_that_is_repeated_for_lost_samples_is_a_gap() {
        let mut samples: Vec<f32> =
            (0..30_000).map(|index| in_steps(0.3 * (f64::from(index) * 0.0371).sin())).collect();
        for begin in [3_011, 9_500, 17_003, 22_222] {
            let last = samples[begin];
            samples[begin..begin + 250].fill(last);
        }
        assert_eq!(judged(&samples), Some(QualityFlag::DroppedOut));
    }

    #[test]
    fn a_current_or_pressure_that_is_switched_off_is_not_broken() {
        let ripple = |index: usize| 0.01 * (index as f64 * 0.7).sin();
        // Direct current, switched at any time; an alternating one, whose contactor opens and closes at any phase.
        let direct: Vec<f32> =
            (0..6_000).map(|at| if at % 70 < 31 { in_steps(0.5 + ripple(at)) } else { 0.0 }).collect();
        let wave = |at: usize| in_steps(0.5 * (at as f64 * 0.316).sin() + ripple(at));
        let alternating: Vec<f32> = (0..6_000).map(|at| if at % 617 < 300 { wave(at) } else { 0.0 }).collect();
        for quantity in [Quantity::Current, Quantity::Pressure] {
            assert_eq!(judged_as(&direct, quantity), None, "{quantity:?}");
            assert_eq!(judged_as(&alternating, quantity), None, "{quantity:?}");
        }
        assert_eq!(judged_as(&direct, Quantity::Sound), Some(QualityFlag::DroppedOut));
        let lost: Vec<f32> = (0..6_000).map(|at| if at % 200 < 180 { wave(at) } else { 0.0 }).collect();
        assert_eq!(judged_as(&lost, Quantity::Current), Some(QualityFlag::DroppedOut), "packets of 20 ms");
    }

    #[test]
    fn a_slow_transmitter_whose_values_are_repeated_is_told_and_judged() {
        let stairs: Vec<f32> = (0..6_000).map(|at| in_steps(0.4 + 0.1 * ((at / 50) as f64 * 0.9).sin())).collect();
        assert_eq!(judged_as(&stairs, Quantity::Pressure), Some(QualityFlag::WrongRate));
    }
}
