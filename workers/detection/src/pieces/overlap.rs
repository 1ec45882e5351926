//! Finds clips that share a segment of samples at a shift: cut from one recording with an overlap.
//!
//! It uses content-defined marks: of all windows of 32 samples, those whose hash ends in zeros. They are the same
//! windows in both clips, wherever they are. Samples must be bit-identical, as in pieces of one file in any lossless
//! format.

use std::collections::HashMap;

/// Samples per window.
const WINDOW: usize = 32;
/// One window in this many is a mark.
const ONE_IN: u64 = 128;
/// Minimum number of samples in a window that differ from the previous one: silence and steps are the same everywhere.
const LIVELY: usize = 16;
/// Minimum number of marks with the same shift.
const AGREEING: usize = 3;
/// A mark in more clips than this is a played sound, or a pattern of the format.
const MOST_CLIPS: usize = 64;
/// Multiplier of the rolling hash: that of Knuth's MMIX generator.
const BASE: u64 = 6_364_136_223_846_793_005;

/// A window that can be recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    hash: u64,
    at: u32,
}

/// The marks that occur exactly once in a clip, ordered by hash.
pub(super) fn marks(samples: &[f32]) -> Vec<Mark> {
    if samples.len() < WINDOW {
        return Vec::new();
    }
    let bits = |at: usize| u64::from(samples[at].to_bits()).wrapping_add(1);
    let moves = |at: usize| usize::from(at > 0 && samples[at].to_bits() != samples[at - 1].to_bits());
    let leaving = (0..WINDOW).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let (mut hash, mut lively, mut found) = (0_u64, 0_usize, Vec::new());
    for at in 0..samples.len() {
        hash = hash.wrapping_mul(BASE).wrapping_add(bits(at));
        lively += moves(at);
        if at >= WINDOW {
            hash = hash.wrapping_sub(bits(at - WINDOW).wrapping_mul(leaving));
            lively -= moves(at - WINDOW);
        }
        // The low bits of the product depend on few samples; after mixing, they depend on all samples.
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if at + 1 >= WINDOW && lively >= LIVELY && (mixed >> 32) % ONE_IN == 0 {
            found.push(Mark { hash: mixed, at: at as u32 });
        }
    }
    found.sort_unstable();
    let recurs = |index: usize| {
        let same = |other: Option<&Mark>| other.is_some_and(|other| other.hash == found[index].hash);
        same(index.checked_sub(1).and_then(|before| found.get(before))) || same(found.get(index + 1))
    };
    (0..found.len()).filter(|index| !recurs(*index)).map(|index| found[index]).collect()
}

/// Pairs of clips that share samples, the earlier clip first.
pub(super) fn pairs(clips: &[&[Mark]]) -> Vec<(usize, usize)> {
    let mut places: HashMap<u64, Vec<(usize, u32)>> = HashMap::new();
    for (clip, marks) in clips.iter().enumerate() {
        marks.iter().for_each(|mark| places.entry(mark.hash).or_default().push((clip, mark.at)));
    }
    let mut shifts: HashMap<(usize, usize, i64), usize> = HashMap::new();
    for shared in places.values().filter(|shared| (2..=MOST_CLIPS).contains(&shared.len())) {
        for (index, (one, at)) in shared.iter().enumerate() {
            for (other, other_at) in &shared[index + 1..] {
                *shifts.entry((*one, *other, i64::from(*at) - i64::from(*other_at))).or_default() += 1;
            }
        }
    }
    let mut pairs: Vec<(usize, usize)> =
        shifts.into_iter().filter(|(_, marks)| *marks >= AGREEING).map(|((one, other, _), _)| (one, other)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}
