//! Compares the mean levels of a window with the learned ones: Student's two-sample t of each mel band and of the mean
//! level.
//!
//! Learning starts from the training clips' means and spreads, if the model package has them, and adds each window
//! without drift. Both sides of the test are estimates, and for normal levels the tests of successive windows are
//! independent.
//!
//! Levels may vary by themselves with the load and the time of day. Then chunks of one window are more similar than
//! chunks of many days, and a window's mean varies more than the spread of its chunks suggests. The additional variance
//! is the variance over all days minus the variance within windows; the test allows for the upper end of the confidence
//! interval of their ratio.

use auscult_schemas::{DriftMemory, LevelMemory};
use statrs::distribution::{ContinuousCDF, FisherSnedecor, StudentsT};

use super::DriftReference;

/// Minimum standard deviation of a chunk's level, dB: no level is known more precisely.
const LEAST_DEVIATION_DB: f64 = 0.02;

/// Probability, as a share of bands, that levels vary more than the test allows for.
const WANDER_PROBABILITY: f64 = 0.2;

/// The initial state, before the first chunk.
pub(super) fn of_training(reference: &DriftReference) -> LevelMemory {
    let anew = to_be_learnt(reference);
    let Some(spread) = &reference.spread else { return anew };
    let freedom = f64::from(spread.clips.saturating_sub(1));
    let deviations = spread.band_deviation_db.iter().chain([&spread.level_deviation_db]);
    let square_sum_db2 = deviations.map(|deviation| deviation.powi(2) * freedom).collect();
    LevelMemory { chunks: spread.clips, square_sum_db2, ..anew }
}

/// The same if nothing is known except the origin of distances.
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

/// Rounded to a thousandth: as exact as any level, and short in the changelog.
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

/// The result of comparing a window's levels with the learned ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LevelTest {
    /// The band with the greatest |t|.
    pub(super) band: usize,
    /// Its t.
    pub(super) band_t: f64,
    /// The limit of |t| for bands.
    pub(super) band_limit: f64,
    /// The shift of that band, dB.
    pub(super) band_shift_db: f64,
    /// t of the mean level.
    pub(super) level_t: f64,
    /// The limit of |t| for the mean level.
    pub(super) level_limit: f64,
    /// The shift of the mean level, dB.
    pub(super) level_shift_db: f64,
}

/// Tests a window; `None` if too little has been learned.
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

/// Normal variation of levels between windows.
struct LevelVariation<'a> {
    learnt: &'a LevelMemory,
    heard: &'a LevelMemory,
    /// Degrees of freedom of everything learned, and within windows.
    freedoms: (f64, f64),
    /// Factor on the estimated ratio of the two variances.
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

/// Adds a window to the learned data (Chan, Golub and LeVeque 1983), until there are `enough` chunks.
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
        // Finer than the sums: the rounding errors of many windows accumulate here.
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
