//! Detects clips that are pieces of one recording: a clip that continues another one, clips that share a segment of
//! samples, and file names.
//!
//! ```text
//!  samples ─► Trace ─┬─► joint    does the next clip start as this one's end predicts?  ─► runs of joints ─┐
//!                    └─► overlap  marks that two clips share at one shift ─────────────────────────────────┼─► recordings
//!  names ──────────────► names    rec3_part07, rec3_part08 ────────────────────────────────────────────────┘
//! ```
//!
//! Pieces of one recording are more similar than clips from two days, so a threshold calibrated on neighbours of
//! training clips is too low. Therefore the pieces of a recording are held out together, and count as one recording in
//! the guarantees of the threshold.

mod joint;
mod names;
mod overlap;

use std::collections::BTreeMap;

use self::joint::{End, Start};
use self::overlap::Mark;
use crate::natural_order;

/// Minimum total evidence of a run whose clips count as one recording, natural logarithm: for clips that do not
/// continue each other, the probability of such a sum is below one in ten thousand for each possible start of a run.
const RUN_EVIDENCE: f64 = 9.2;
/// A joint with less evidence than this ends a run.
const NO_JOINT: f64 = -2.0;
/// Minimum number of clips in a series, whose names differ only in a counter: a recording ends at the end of its
/// series.
const SERIES: usize = 4;
/// Share of a series that runs must cover for the whole series to count as one recording: a burst at a joint hides it.
const MOST_OF_SERIES: f64 = 0.5;

/// The data of a clip that is needed to find its recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    start: Start,
    end: Option<End>,
    marks: Vec<Mark>,
}

impl Trace {
    /// From one channel's decoded samples.
    #[must_use]
    pub fn of(samples: &[f32]) -> Self {
        Self { start: Start::of(samples), end: End::of(samples), marks: overlap::marks(samples) }
    }
}

/// Clips by recording, with the reasons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pieces {
    /// For each clip, the index of the first clip of its recording, in the given order; its own index if it stands
    /// alone.
    pub recording_of: Vec<usize>,
    /// Clips identified as pieces by their names.
    pub by_name: usize,
    /// Clips that continue another one.
    pub by_joint: usize,
    /// Clips that share samples with another.
    pub by_overlap: usize,
}

impl Pieces {
    /// Number of recordings.
    #[must_use]
    pub fn recordings(&self) -> usize {
        self.recording_of.iter().enumerate().filter(|(clip, first)| clip == *first).count()
    }

    /// `12 by their names, 30 that go on where another ended`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let found = [
            (self.by_name, "by their names"),
            (self.by_joint, "that go on where another ended"),
            (self.by_overlap, "that share samples with another"),
        ];
        let found = found.into_iter().filter(|(count, _)| *count > 0).map(|(count, how)| format!("{count} {how}"));
        found.collect::<Vec<_>>().join(", ")
    }
}

/// Groups clips into recordings by their names and traces. Clips are neighbours in the natural order of their names.
#[must_use]
pub fn pieces(clips: &[(&str, Option<&Trace>)]) -> Pieces {
    let mut first: Vec<usize> = (0..clips.len()).collect();
    let by_name = join_all(&mut first, named(clips));
    let by_overlap = join_all(&mut first, overlapping(clips));
    let by_joint = join_all(&mut first, going_on(clips));
    let recording_of = (0..clips.len()).map(|clip| root(&first, clip)).collect();
    Pieces { recording_of, by_name, by_joint, by_overlap }
}

/// Joins the clips of each group; returns the number of clips in groups.
fn join_all(first: &mut [usize], groups: Vec<Vec<usize>>) -> usize {
    let mut counted = vec![false; first.len()];
    for group in groups.iter().filter(|group| group.len() > 1) {
        for clip in group {
            counted[*clip] = true;
            let (one, other) = (root(first, group[0]), root(first, *clip));
            let (low, high) = (one.min(other), one.max(other));
            first[high] = low;
        }
    }
    counted.into_iter().filter(|counted| *counted).count()
}

fn root(first: &[usize], mut clip: usize) -> usize {
    while first[clip] != clip {
        clip = first[clip];
    }
    clip
}

fn named(clips: &[(&str, Option<&Trace>)]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (clip, (name, _)) in clips.iter().enumerate() {
        if let Some(recording) = names::recording(name) {
            groups.entry(recording).or_default().push(clip);
        }
    }
    groups.into_values().collect()
}

fn overlapping(clips: &[(&str, Option<&Trace>)]) -> Vec<Vec<usize>> {
    let marks: Vec<&[Mark]> =
        clips.iter().map(|(_, trace)| trace.map_or(&[][..], |trace| trace.marks.as_slice())).collect();
    overlap::pairs(&marks).into_iter().map(|(one, other)| vec![one, other]).collect()
}

/// Runs of neighbours in which each clip continues the one before.
fn going_on(clips: &[(&str, Option<&Trace>)]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..clips.len()).collect();
    order.sort_by(|one, other| natural_order(clips[*one].0, clips[*other].0).then(one.cmp(other)));
    let evidence = |pair: &[usize]| {
        let (before, after) = (clips[pair[0]].1?, clips[pair[1]].1?);
        joint::evidence(before.end.as_ref()?, &after.start)
    };
    let mut series: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    order.iter().for_each(|clip| series.entry(names::series(clips[*clip].0)).or_default().push(*clip));
    let is_end = |pair: &[usize]| {
        let [one, other] = [pair[0], pair[1]].map(|clip| names::series(clips[clip].0));
        one != other && series[&one].len() >= SERIES && series[&other].len() >= SERIES
    };
    let of_pair = |pair: &[usize]| evidence(pair).filter(|_| !is_end(pair)).unwrap_or(f64::NEG_INFINITY);
    let found: Vec<f64> = order.windows(2).map(of_pair).collect();
    let mut groups: Vec<Vec<usize>> = runs(&found).into_iter().map(|run| order[run.start..=run.end].to_vec()).collect();
    // If all clips belong to one series, the series gives no information.
    for all in series.values().filter(|all| all.len() >= SERIES && all.len() < clips.len()) {
        let joined = groups.iter().flatten().filter(|clip| all.contains(clip)).count();
        if joined as f64 >= MOST_OF_SERIES * all.len() as f64 {
            groups.push(all.clone());
        }
    }
    groups
}

/// Runs of joints with enough total evidence: the indices of the first and the last joint, the last one exclusive.
fn runs(evidence: &[f64]) -> Vec<std::ops::Range<usize>> {
    let (mut runs, mut at) = (Vec::new(), 0);
    while at < evidence.len() {
        let (mut sum, mut most, mut end) = (0.0, 0.0, at);
        for (place, found) in evidence.iter().enumerate().skip(at) {
            sum += found;
            if *found < NO_JOINT || sum < 0.0 {
                break;
            }
            if sum > most {
                (most, end) = (sum, place + 1);
            }
        }
        if most >= RUN_EVIDENCE {
            runs.push(at..end);
            at = end;
        } else {
            at += 1;
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise through a resonance, by Marsaglia's xorshift.
    fn coloured(samples: usize, seed: u64) -> Vec<f32> {
        let (mut state, mut last) = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, [0.0_f64; 2]);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let value = 1.9 * last[0] - 0.98 * last[1] + (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
            last = [value, last[0]];
            (value * 1e-3) as f32
        };
        (0..samples).map(|_| next()).collect()
    }

    fn white(samples: usize, seed: u64) -> Vec<f32> {
        let coloured = coloured(samples + 2, seed);
        (2..samples + 2).map(|at| coloured[at] - 1.9 * coloured[at - 1] + 0.98 * coloured[at - 2]).collect()
    }

    fn found(clips: &[(String, Vec<f32>)]) -> Pieces {
        let traces: Vec<Trace> = clips.iter().map(|(_, samples)| Trace::of(samples)).collect();
        pieces(&clips.iter().zip(&traces).map(|((name, _), trace)| (name.as_str(), Some(trace))).collect::<Vec<_>>())
    }

    /// Pieces of `whole`, each so many samples behind the one before.
    fn cut(whole: &[f32], samples: usize, step: usize, stem: &str) -> Vec<(String, Vec<f32>)> {
        let starts = (0..).map(|index| index * step).take_while(|start| start + samples <= whole.len());
        starts
            .enumerate()
            .map(|(index, start)| (format!("{stem}{index}.wav"), whole[start..start + samples].to_vec()))
            .collect()
    }

    #[test]
    fn pieces_that_were_cut_without_a_gap_are_one_recording_for_each_recording() {
        let clips = [1, 2, 3].map(|seed| cut(&coloured(80_000, seed), 8_000, 8_000, &format!("{seed}-"))).concat();
        let pieces = found(&clips);
        assert_eq!((clips.len(), pieces.recordings(), pieces.by_overlap), (30, 3, 0), "{pieces:?}");
        assert!((10..20).all(|clip| pieces.recording_of[clip] == 10));
    }

    #[test]
    fn pieces_that_overlap_are_one_recording_whatever_they_are_called_and_whatever_the_sound() {
        let mut clips = cut(&white(60_000, 1), 8_000, 6_000, "a");
        clips.extend(cut(&white(60_000, 2), 8_000, 6_000, "b"));
        // Names that say nothing of the order.
        clips.iter_mut().enumerate().for_each(|(index, (name, _))| *name = format!("{}.wav", (index * 7 + 3) % 18));
        let pieces = found(&clips);
        assert_eq!((clips.len(), pieces.recordings(), pieces.by_joint), (18, 2, 0), "{pieces:?}");
    }

    #[test]
    fn recordings_of_their_own_stay_so_noise_tones_quiet_and_silence_among_them() {
        let alone = |make: &dyn Fn(u64) -> Vec<f32>| {
            let clips: Vec<_> = (0..30).map(|seed| (format!("{seed}.wav"), make(seed))).collect();
            found(&clips).recordings()
        };
        assert_eq!(alone(&|seed| coloured(8_000, seed)), 30);
        assert_eq!(alone(&|seed| white(8_000, seed)), 30);
        // A whole number of samples a turn: the same samples come again and again, in every clip.
        let tone = |at: usize| ((at % 80) as f32 * std::f32::consts::TAU / 80.0).sin();
        assert_eq!(alone(&|seed| (0..8_000).map(|at| tone(at + 17 * seed as usize)).collect()), 30);
        let hum = |seed: u64, at: usize| 0.3 * ((at as f32 + 13.7 * seed as f32) * std::f32::consts::TAU / 97.31).sin();
        let noisy =
            |seed: u64| white(8_000, seed).iter().enumerate().map(|(at, noise)| hum(seed, at) + noise).collect();
        assert_eq!(alone(&noisy), 30);
        // Silence, then the machine, then silence: digital, or a converter's last bits.
        let gated = |seed: u64, floor: f32| -> Vec<f32> {
            let (sound, quiet) = (coloured(8_000, seed), white(8_000, seed + 100));
            let is_on = |at: usize| (2_000..6_000).contains(&at);
            let quiet = |at: usize| (quiet[at] * 4_000.0).round() * floor;
            (0..8_000).map(|at| if is_on(at) { sound[at] } else { quiet(at) }).collect()
        };
        assert_eq!(alone(&|seed| gated(seed, 0.0)), 30);
        assert_eq!(alone(&|seed| gated(seed, 1.0 / 32_768.0)), 30);
    }

    #[test]
    fn names_say_which_pieces_are_of_one_recording() {
        let names = ["rec3_part07.wav", "rec3_part08.wav", "rec4_part01.wav", "rec5.wav", "other/rec3_part09.wav"];
        let clips: Vec<(&str, Option<&Trace>)> = names.iter().map(|name| (*name, None)).collect();
        let pieces = pieces(&clips);
        assert_eq!(pieces.recording_of, [0, 0, 2, 3, 4]);
        assert_eq!(pieces.in_words(), "2 by their names");
    }

    #[test]
    fn a_run_ends_where_a_joint_is_none() {
        assert_eq!(runs(&[2.0, 3.0, -1.0, 6.0, -40.0, 9.0, 1.0]), [0..4, 5..7]);
        assert!(runs(&[1.0, -2.0, 1.0, -2.0, 3.0]).is_empty());
    }
}
