//! Sequential ranks: converts scores to numbers that are uniform and independent while nothing changes, whatever the
//! distribution of the scores and however few clips the calibration has.
//!
//! A chart that compares with the mean of a hundred clips uses a mean with an error of a tenth of a standard deviation,
//! and detects this error within ten thousand chunks. The rank of a score *among all scores known before it* has no
//! such error: by symmetry, the next score is equally likely to fall into any gap between them. The calibration's
//! scores divide the line into gaps (Hill 1968). The probability of a gap grows with each score that falls into it
//! (Pólya's urn; Blackwell and MacQueen 1973), and the position within the gap is drawn at random. The result is
//! exactly uniform *given everything before*, hence independent from chunk to chunk (sequential ranks: McDonald 1990).
//! Ties are harmless, and only one count per gap is stored.

use statrs::distribution::{ContinuousCDF, Normal};

/// Ranks are in ten-thousandths: fine enough for any charted tail, and coarse enough to limit a score to
/// [`MAX_DEVIATIONS`].
pub(super) const STEPS: u32 = 10_000;
/// Deviation of the most extreme rank, in standard deviations.
#[cfg(test)]
const MAX_DEVIATIONS: f64 = 3.891;
/// Maximum number of gaps; more would cost memory without more information.
const MAX_GAPS: usize = 128;

/// The calibration as a Pólya urn.
#[derive(Debug, Clone, Copy)]
pub(super) struct RankScale<'a> {
    /// Ascending.
    scores: &'a [f64],
}

impl<'a> RankScale<'a> {
    pub(super) fn of(scores: &'a [f64]) -> Self {
        Self { scores }
    }

    /// Number of counts.
    pub(super) fn gaps(self) -> usize {
        (self.scores.len() + 1).min(MAX_GAPS)
    }

    /// For a long calibration, neighbouring gaps are merged: the first of those that make gap `gap`.
    fn first_of(self, gap: usize) -> usize {
        (gap * (self.scores.len() + 1)).div_ceil(self.gaps())
    }

    /// The gap that a score falls into.
    pub(super) fn gap(self, score: f64) -> usize {
        let fine = self.scores.partition_point(|other| *other < score);
        fine * self.gaps() / (self.scores.len() + 1)
    }

    /// The rank of a score, in `1 / STEPS`, among the calibration's and the `learnt` ones. `draw`, 0–1, selects the
    /// position within its gap.
    pub(super) fn rank(self, learnt: &[u32], score: f64, draw: f64) -> u32 {
        let gap = self.gap(score);
        let learnt_in = |gaps: &[u32]| gaps.iter().map(|count| f64::from(*count)).sum::<f64>();
        let below = self.first_of(gap) as f64 + learnt_in(&learnt[..gap]);
        let own = (self.first_of(gap + 1) - self.first_of(gap)) as f64 + f64::from(learnt[gap]);
        let all = (self.scores.len() + 1) as f64 + learnt_in(learnt);
        let share = (below + draw * own) / all;
        ((share * f64::from(STEPS)) as u32).min(STEPS - 1)
    }
}

/// The standard normal deviate of a rank, at the middle of its step.
pub(super) fn deviate(rank: u32) -> f64 {
    Normal::standard().inverse_cdf(share(rank))
}

/// A rank as a share, 0–1, at the middle of its step.
pub(super) fn share(rank: u32) -> f64 {
    (f64::from(rank) + 0.5) / f64::from(STEPS)
}

/// A number from 0 to below 1, determined by an id alone (FNV-1a, then the finaliser of SplitMix64), so that a replay
/// gives the same number.
pub(super) fn draw(id: &str) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_has_its_gap_and_the_gaps_share_the_calibration_evenly() {
        for count in [1_usize, 30, 127, 128, 129, 1000] {
            let scores: Vec<f64> = (0..count).map(|index| index as f64).collect();
            let urn = RankScale::of(&scores);
            assert_eq!(urn.gap(-1.0), 0);
            assert_eq!(urn.gap(1e9), urn.gaps() - 1);
            assert_eq!((urn.first_of(0), urn.first_of(urn.gaps())), (0, count + 1));
            for score in &scores {
                let (gap, fine) = (urn.gap(*score), *score as usize);
                assert!(urn.first_of(gap) <= fine && fine < urn.first_of(gap + 1), "{count} {score}");
            }
        }
    }

    #[test]
    fn ranks_of_a_distribution_that_goes_on_are_uniform_and_independent() {
        // A Weyl sequence as scores, ids drawn by hash: the first 30 are the calibration.
        let value = |index: u32| (f64::from(index) * 0.754_877_666).fract();
        let mut calibration: Vec<f64> = (0..30).map(value).collect();
        calibration.sort_by(f64::total_cmp);
        let urn = RankScale::of(&calibration);
        let mut learnt = vec![0; urn.gaps()];
        let mut shares = Vec::new();
        for index in 30..5030 {
            let score = value(index);
            shares.push(share(urn.rank(&learnt, score, draw(&index.to_string()))));
            learnt[urn.gap(score)] += 1;
        }
        let mean = shares.iter().sum::<f64>() / 5000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        let neighbours = shares.windows(2).map(|pair| (pair[0] - 0.5) * (pair[1] - 0.5)).sum::<f64>() / 4999.0;
        assert!(neighbours.abs() < 0.12 / 12.0_f64, "{neighbours}");
    }

    #[test]
    fn no_rank_is_farther_from_normal_than_the_finest_step() {
        assert!((deviate(STEPS - 1) - MAX_DEVIATIONS).abs() < 1e-3, "{}", deviate(STEPS - 1));
        assert!((deviate(0) + MAX_DEVIATIONS).abs() < 1e-3);
        assert!((deviate(0) + deviate(STEPS - 1)).abs() < 1e-9);
    }
}
