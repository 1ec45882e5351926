//! Mean levels of a window against those learnt before it: Student's two-sample t of each mel band and of the mean
//! level.
//!
//! What is learnt begins as the training clips' means and spreads, where the model package has them, and grows by each
//! window in which nothing drifts. So neither is taken for exact, and of normal levels the tests of successive windows
//! are independent of one another.
//!
//! Levels may wander by themselves, with the load and the time of day: then chunks of one window are more alike than
//! chunks of many days, and a window's mean is off by more than its chunks' spread tells. How much more is the variance
//! over all days less that within windows; as much is allowed for as their ratio may be at the upper end of its
//! confidence interval.

use auscult_schemas::{DriftMemory, LevelMemory};
use statrs::distribution::{ContinuousCDF, FisherSnedecor, StudentsT};

use super::DriftReference;

/// No level is known better than this: the least standard deviation of a chunk's level that is believed, dB.
const LEAST_DEVIATION_DB: f64 = 0.02;

/// How rarely levels may wander more than is allowed for, by the chance of what was heard: a share of bands.
const WANDER_PROBABILITY: f64 = 0.2;

/// What has been learnt before the first chunk.
pub(super) fn of_training(reference: &DriftReference) -> LevelMemory {
    let anew = to_be_learnt(reference);
    let Some(spread) = &reference.spread else { return anew };
    let freedom = f64::from(spread.clips.saturating_sub(1));
    let deviations = spread.band_deviation_db.iter().chain([&spread.level_deviation_db]);
    let square_sum_db2 = deviations.map(|deviation| deviation.powi(2) * freedom).collect();
    LevelMemory { chunks: spread.clips, square_sum_db2, ..anew }
}

/// The same where nothing is known but what to measure distances from.
pub(super) fn to_be_learnt(reference: &DriftReference) -> LevelMemory {
    let bands = &reference.mean_band_levels_db;
    let level = bands.iter().sum::<f64>() / bands.len().max(1) as f64;
    let mean_db: Vec<f64> = bands.iter().copied().chain([level]).collect();
    LevelMemory {
        chunks: 0,
        square_sum_db2: vec![0.0; mean_db.len()],
        mean_db,
        within_sum_db2: Vec::new(),
        within_freedom: 0,
    }
}

/// Adds a chunk's band levels to the window.
pub(super) fn hear(memory: &mut DriftMemory, levels_db: &[f32]) {
    let learnt = memory.learnt_levels.as_ref().map(|learnt| learnt.mean_db.as_slice()).unwrap_or_default();
    let mean = levels_db.iter().map(|level| f64::from(*level)).sum::<f64>() / levels_db.len().max(1) as f64;
    for (sum, level) in memory.band_sum_db.iter_mut().zip(levels_db) {
        *sum = rounded(*sum + f64::from(*level));
    }
    let heard = levels_db.iter().map(|level| f64::from(*level)).chain([mean]);
    for ((sum, level), learnt) in memory.square_sum_db2.iter_mut().zip(heard).zip(learnt) {
        *sum = rounded(*sum + (level - learnt).powi(2));
    }
}

/// To a thousandth: as exact as any level, and short in the changelog.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// A window's own means and spreads, in the order of [`LevelMemory`].
fn of_window(window: &DriftMemory, learnt: &LevelMemory) -> LevelMemory {
    let chunks = window.scores.len();
    let count = chunks as f64;
    let level_sum = window.band_sum_db.iter().sum::<f64>() / window.band_sum_db.len().max(1) as f64;
    let mean_db: Vec<f64> = window.band_sum_db.iter().chain([&level_sum]).map(|sum| sum / count).collect();
    let square_sum_db2 = mean_db
        .iter()
        .zip(&learnt.mean_db)
        .zip(&window.square_sum_db2)
        .map(|((mean, learnt), squares)| (squares - count * (mean - learnt).powi(2)).max(0.0))
        .collect();
    LevelMemory { chunks: chunks as u32, mean_db, square_sum_db2, within_sum_db2: Vec::new(), within_freedom: 0 }
}

/// How far a window's levels lie from what was learnt.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LevelTest {
    /// The band whose |t| is greatest.
    pub(super) band: usize,
    /// That t.
    pub(super) band_t: f64,
    /// The greatest |t| that the bands may have.
    pub(super) band_limit: f64,
    /// How far that band has moved, dB.
    pub(super) band_shift_db: f64,
    /// t of the mean level.
    pub(super) level_t: f64,
    /// The greatest |t| that it may have.
    pub(super) level_limit: f64,
    /// How far the mean level has moved, dB.
    pub(super) level_shift_db: f64,
}

/// Tests a window; `None` while too little has been learnt to test against.
pub(super) fn test(window: &DriftMemory, band_probability: f64, level_probability: f64) -> Option<LevelTest> {
    let learnt = window.learnt_levels.as_ref().filter(|learnt| learnt.chunks >= 2)?;
    let bands = window.band_sum_db.len();
    if bands == 0 || learnt.mean_db.len() != bands + 1 {
        return None;
    }
    let heard = of_window(window, learnt);
    let freedom = f64::from(learnt.chunks + heard.chunks - 2);
    let rarity = (1.0 / f64::from(learnt.chunks) + 1.0 / f64::from(heard.chunks)).sqrt();
    let wander = LevelVariation::of(learnt, &heard);
    let t = |index: usize| {
        let variance = (learnt.square_sum_db2[index] + heard.square_sum_db2[index]) / freedom;
        let by_chance = variance.max(LEAST_DEVIATION_DB.powi(2)) * rarity.powi(2);
        let shift = heard.mean_db[index] - learnt.mean_db[index];
        (shift / (by_chance + wander.variance_db2(index)).sqrt(), shift)
    };
    let student = StudentsT::new(0.0, 1.0, freedom).expect("two chunks learnt and one heard leave a degree of freedom");
    let limit = |probability: f64| student.inverse_cdf(1.0 - 0.5 * probability);
    let (band, (band_t, band_shift_db)) =
        (0..bands).map(|band| (band, t(band))).max_by(|a, b| a.1.0.abs().total_cmp(&b.1.0.abs()))?;
    let (level_t, level_shift_db) = t(bands);
    Some(LevelTest {
        band,
        band_t,
        band_limit: limit(band_probability / bands as f64),
        band_shift_db,
        level_t,
        level_limit: limit(level_probability),
        level_shift_db,
    })
}

/// How far levels wander by themselves from window to window.
struct LevelVariation<'a> {
    learnt: &'a LevelMemory,
    heard: &'a LevelMemory,
    /// Of all that was learnt, and within windows.
    freedoms: (f64, f64),
    /// So many times as large as it was found may the ratio of the two variances be.
    margin: f64,
}

impl<'a> LevelVariation<'a> {
    fn of(learnt: &'a LevelMemory, heard: &'a LevelMemory) -> Self {
        let within = learnt.within_freedom + heard.chunks.saturating_sub(1);
        let freedoms = (f64::from(learnt.chunks.saturating_sub(1)), f64::from(within));
        let distribution = FisherSnedecor::new(freedoms.1, freedoms.0).ok();
        let margin = distribution.map_or(1.0, |f| f.inverse_cdf(1.0 - WANDER_PROBABILITY));
        Self { learnt, heard, freedoms, margin }
    }

    fn variance_db2(&self, index: usize) -> f64 {
        let within_sum =
            self.learnt.within_sum_db2.get(index).copied().unwrap_or(0.0) + self.heard.square_sum_db2[index];
        let of_all = self.learnt.square_sum_db2[index] / self.freedoms.0;
        let within = within_sum / self.freedoms.1;
        (of_all * self.margin - within).max(0.0)
    }
}

/// Takes a window into what is learnt (Chan, Golub and LeVeque 1983), until there are `enough` chunks.
pub(super) fn learn(memory: &mut DriftMemory, enough: u32) {
    let Some(learnt) = memory.learnt_levels.as_ref().filter(|learnt| learnt.chunks < enough) else {
        return;
    };
    if learnt.mean_db.len() != memory.band_sum_db.len() + 1 || memory.scores.is_empty() {
        return;
    }
    let heard = of_window(memory, learnt);
    let (before, now) = (f64::from(learnt.chunks), f64::from(heard.chunks));
    let merged = |index: usize| {
        let shift = heard.mean_db[index] - learnt.mean_db[index];
        let squares =
            learnt.square_sum_db2[index] + heard.square_sum_db2[index] + shift.powi(2) * before * now / (before + now);
        // Finer than the sums: many windows' roundings add up here.
        (rounded(100.0 * (learnt.mean_db[index] + shift * now / (before + now))) / 100.0, rounded(squares))
    };
    let (mean_db, square_sum_db2) = (0..learnt.mean_db.len()).map(merged).unzip();
    let within = |(index, sum): (usize, &f64)| rounded(learnt.within_sum_db2.get(index).copied().unwrap_or(0.0) + sum);
    memory.learnt_levels = Some(LevelMemory {
        chunks: learnt.chunks + heard.chunks,
        mean_db,
        square_sum_db2,
        within_sum_db2: heard.square_sum_db2.iter().enumerate().map(within).collect(),
        within_freedom: learnt.within_freedom + heard.chunks.saturating_sub(1),
    });
}
