//! Compares the rate of each quality flag with its earlier rate: Fisher's exact test.

use auscult_schemas::{DriftMemory, QualityFlag, QualityRate};
use statrs::function::gamma::ln_gamma;

pub(super) const FLAGS: usize = QualityFlag::ALL.len();

/// Counts a chunk's flags.
pub(super) fn hear(memory: &mut DriftMemory, flags: &[QualityFlag]) {
    if flags.is_empty() {
        return;
    }
    memory.flagged.resize(FLAGS, 0);
    for (count, flag) in memory.flagged.iter_mut().zip(QualityFlag::ALL) {
        *count += u32::from(flags.contains(&flag));
    }
}

/// Counts of a flag: in the window, and before.
fn counts(memory: &DriftMemory, flag: usize) -> (u32, u32) {
    let of = |counts: &[u32]| counts.get(flag).copied().unwrap_or(0);
    (of(&memory.flagged), of(&memory.learnt_flags))
}

/// The rate of each flag that was ever raised.
pub(super) fn rates(window: &DriftMemory) -> Vec<QualityRate> {
    let share = |count: u32, of: u32| (of > 0).then(|| f64::from(count) / f64::from(of));
    let rate = |(index, flag)| {
        let (now, before) = counts(window, index);
        (now + before > 0).then(|| QualityRate {
            flag,
            share: share(now, window.scores.len() as u32).unwrap_or(0.0),
            usual_share: share(before, window.learnt_flags_of),
        })
    };
    QualityFlag::ALL.into_iter().enumerate().filter_map(rate).collect()
}

/// The flag with the least likely change, with its p-value corrected for the number of flags; `None` in the first
/// window.
pub(super) fn test(window: &DriftMemory) -> Option<(QualityFlag, f64)> {
    if window.learnt_flags_of == 0 {
        return None;
    }
    let chunks = window.scores.len() as u32;
    let p_value = |index: usize| {
        let (now, before) = counts(window, index);
        fisher(now, chunks, before, window.learnt_flags_of)
    };
    let flags = QualityFlag::ALL.into_iter().enumerate().map(|(index, flag)| (flag, p_value(index)));
    let (flag, p_value) = flags.min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some((flag, (p_value * FLAGS as f64).min(1.0)))
}

/// Adds a window to the learned rates, until there are `enough` chunks.
pub(super) fn learn(memory: &mut DriftMemory, enough: u32) {
    if memory.learnt_flags_of >= enough {
        return;
    }
    memory.learnt_flags_of += memory.scores.len() as u32;
    if !memory.flagged.is_empty() {
        memory.learnt_flags.resize(FLAGS, 0);
        memory.learnt_flags.iter_mut().zip(&memory.flagged).for_each(|(learnt, heard)| *learnt += heard);
    }
}

/// Two-sided p-value of `a` of `n` against `b` of `m`: all splits of `a + b` that are at most as likely.
fn fisher(a: u32, n: u32, b: u32, m: u32) -> f64 {
    let drawn = a + b;
    if drawn == 0 || drawn == n + m {
        return 1.0;
    }
    let ln_choose = |of: u32, some: u32| {
        ln_gamma(f64::from(of) + 1.0) - ln_gamma(f64::from(some) + 1.0) - ln_gamma(f64::from(of - some) + 1.0)
    };
    let probability = |a: u32| (ln_choose(n, a) + ln_choose(m, drawn - a) - ln_choose(n + m, drawn)).exp();
    let observed = probability(a) * (1.0 + 1e-7);
    let splits = drawn.saturating_sub(m)..=drawn.min(n);
    splits.map(probability).filter(|likely| *likely <= observed).sum::<f64>().clamp(f64::MIN_POSITIVE, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_those_of_fishers_exact_test() {
        // scipy.stats.fisher_exact([[1, 9], [11, 3]]) and ([[8, 2], [1, 5]]).
        assert!((fisher(1, 10, 11, 14) - 0.002_759_456_185).abs() < 1e-9);
        assert!((fisher(8, 10, 1, 6) - 0.034_965_034_965).abs() < 1e-9);
        assert_eq!(fisher(0, 50, 0, 500), 1.0);
        assert_eq!(fisher(50, 50, 500, 500), 1.0);
    }
}
