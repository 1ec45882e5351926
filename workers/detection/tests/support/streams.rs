//! Simulated machines: scores and band levels that are independent from chunk to chunk, and one change of them.

#![allow(dead_code, reason = "the test and the benchmark each use their part")]

use std::collections::BTreeMap;

use auscult_detection::drift::{DriftSample, listen};
use auscult_detection::{DriftPolicy, DriftReference, LevelSpread};
use auscult_schemas::{DriftChange, DriftChart, DriftMemory};
use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// How scores are distributed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    Gamma,
    Normal,
    HeavyTailed,
}

impl Distribution {
    pub const ALL: [Self; 3] = [Self::Gamma, Self::Normal, Self::HeavyTailed];

    /// A score whose `deviate` is the standard normal number that it is made of, where it is made of one.
    fn score(self, deviate: f64, rng: &mut SmallRng) -> f64 {
        match self {
            Self::Normal => 10.0 + deviate,
            // The time of the eighth of evenly spread events.
            Self::Gamma => -(0..8).map(|_| 1.0 - rng.random::<f64>()).product::<f64>().ln(),
            // Student's t with three degrees of freedom: a variance, but no kurtosis.
            Self::HeavyTailed => {
                let squares: f64 = (0..3).map(|_| normal(rng).powi(2)).sum();
                50.0 + deviate / (squares / 3.0).sqrt()
            }
        }
    }

    /// Its standard deviation.
    fn deviation(self) -> f64 {
        match self {
            Self::Normal => 1.0,
            Self::Gamma => 8.0_f64.sqrt(),
            Self::HeavyTailed => 3.0_f64.sqrt(),
        }
    }
}

/// A change of the sound: scores rise by `deviations` of their own, at once or evenly over so many chunks.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    pub at: u64,
    pub deviations: f64,
    pub over: u64,
}

/// One machine, calibrated with a finite number of clips.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    pub distribution: Distribution,
    pub clips: usize,
    pub wanted: u64,
    pub correlation: f64,
    pub bands: usize,
    pub change: Option<Change>,
    pub give_up: u64,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            distribution: Distribution::Normal,
            clips: 100,
            wanted: 10_000,
            correlation: 0.0,
            bands: 8,
            change: None,
            give_up: u64::MAX,
        }
    }
}

/// Two standard normal numbers (Box and Muller's transform).
fn normals(rng: &mut SmallRng) -> (f64, f64) {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let (sine, cosine) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
    (radius * sine, radius * cosine)
}

/// A standard normal number.
fn normal(rng: &mut SmallRng) -> f64 {
    normals(rng).0
}

impl Stream {
    /// Bands that share half of their variance, as neighbours do.
    fn levels(&self, rng: &mut SmallRng, levels: &mut [f32]) {
        const HALF: f64 = std::f64::consts::FRAC_1_SQRT_2;
        let shared = normal(rng);
        for pair in levels.chunks_mut(2) {
            let (one, other) = normals(rng);
            for (level, own) in pair.iter_mut().zip([one, other]) {
                *level = (HALF * (shared + own) - 40.0) as f32;
            }
        }
    }

    /// Chunks until drift was found, and the chart that found it; `give_up` where none was.
    pub fn run(&self, seed: u64) -> (f64, Option<DriftChart>) {
        let mut rng = SmallRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9).wrapping_add(self.wanted));
        let mut scores = Vec::new();
        for _ in 0..self.clips {
            let deviate = normal(&mut rng);
            scores.push(self.distribution.score(deviate, &mut rng));
        }
        scores.sort_by(f64::total_cmp);
        let mut levels = vec![0.0_f32; self.bands];
        let clips: Vec<Vec<f64>> = (0..self.clips)
            .map(|_| {
                self.levels(&mut rng, &mut levels);
                levels.iter().map(|level| f64::from(*level)).collect()
            })
            .collect();
        let mean = |band: usize| clips.iter().map(|levels| levels[band]).sum::<f64>() / clips.len() as f64;
        let reference = DriftReference {
            mean_band_levels_db: (0..self.bands).map(mean).collect(),
            score_deciles: vec![0.0; 9],
            spread: LevelSpread::of(&clips),
        };
        let policy = DriftPolicy { false_alarm_every_chunks: self.wanted, ..DriftPolicy::default() };
        let mut memory = DriftMemory::default();
        let innovation = (1.0 - self.correlation.powi(2)).sqrt();
        let mut deviate = normal(&mut rng);
        for chunk in 1..=self.give_up {
            deviate = self.correlation * deviate + innovation * normal(&mut rng);
            let shift = self.change.map_or(0.0, |change| {
                let age = chunk.saturating_sub(change.at) as f64;
                change.deviations * if age > 0.0 { (age / change.over.max(1) as f64).min(1.0) } else { 0.0 }
            });
            self.levels(&mut rng, &mut levels);
            let sample = DriftSample {
                id: &format!("{seed}/{chunk}"),
                time: Timestamp::UNIX_EPOCH,
                score: self.distribution.score(deviate, &mut rng) + shift * self.distribution.deviation(),
                band_levels_db: &levels,
                quality: &[],
            };
            if let Some(step) = listen(&mut memory, &sample, &scores, &reference, &policy)
                && step.change == Some(DriftChange::Began)
            {
                return (chunk as f64, step.episode.map(|episode| episode.chart));
            }
        }
        (self.give_up as f64, None)
    }
}

/// A mean and its standard error.
pub fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    (mean, (variance / count).sqrt())
}

/// How much of the findings each chart made, %.
pub fn by_chart(found: &[(f64, Option<DriftChart>)]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for chart in found.iter().filter_map(|(_, chart)| *chart) {
        *counts.entry(chart.as_str()).or_default() += 1;
    }
    let share = |count: usize| 100.0 * count as f64 / found.len() as f64;
    counts.iter().map(|(chart, count)| format!("{chart} {:.0} %", share(*count))).collect::<Vec<_>>().join(", ")
}
