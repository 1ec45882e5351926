//! What detectors are worth on tables.

use std::collections::BTreeMap;

use anyhow::Context;
use auscult_detection::bootstrap::{Intervals, RESAMPLES, bootstrap};
use auscult_detection::metrics::average_precision;
use auscult_detection::{Evaluation, Means, VectorScores, evaluate, judge_vectors};
use serde::Serialize;

use super::Table;

/// Seed of the bootstrap, as in `evaluate --out`.
const BOOTSTRAP_SEED: u64 = 42;

/// One detector on one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DetectorFigures {
    /// Its name.
    #[serde(skip)]
    pub detector: &'static str,
    /// Figures at its own threshold and at all of them.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Average precision; absent when one class has no clips.
    pub average_precision: Option<f64>,
    /// 95 % confidence intervals.
    pub intervals: Option<Intervals>,
}

/// All detectors on one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableFigures {
    /// The file.
    pub table: String,
    /// Columns of levels.
    pub bands: usize,
    /// Normal clips that were fitted to.
    pub n_train: usize,
    /// What chose the clips.
    pub seed: u64,
    /// All detectors together.
    #[serde(flatten)]
    pub fused: DetectorFigures,
    /// Each by itself.
    #[serde(serialize_with = "by_name")]
    pub detectors: Vec<DetectorFigures>,
}

fn by_name<S: serde::Serializer>(figures: &[DetectorFigures], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(figures.iter().map(|figures| (figures.detector, figures)))
}

impl TableFigures {
    /// Fits to part of the table's normal clips and tests with the rest.
    ///
    /// # Errors
    /// When there are too few clips, or no detector can be fitted to them.
    pub fn of(table: &Table, seed: u64, false_alarm_rate: f64) -> anyhow::Result<Self> {
        let split = table.split(seed)?;
        let test: Vec<usize> = split.test_normal.iter().chain(&split.test_abnormal).copied().collect();
        let judged = judge_vectors(&table.rows(&split.train), &table.rows(&test), false_alarm_rate, seed)
            .with_context(|| format!("the table {}", table.path.display()))?;
        let mut figures = judged.iter().map(|scores| DetectorFigures::of(scores, split.test_normal.len()));
        Ok(Self {
            table: table.path.display().to_string(),
            bands: table.vectors.ncols(),
            n_train: split.train.len(),
            seed,
            fused: figures.next().context("no detector judged the table")?,
            detectors: figures.collect(),
        })
    }

    /// The fused detector, then the others.
    pub fn all(&self) -> impl Iterator<Item = &DetectorFigures> {
        std::iter::once(&self.fused).chain(&self.detectors)
    }
}

impl DetectorFigures {
    fn of(judged: &VectorScores, normal: usize) -> Self {
        let (normal, abnormal) = judged.scores.split_at(normal);
        Self {
            detector: judged.detector,
            evaluation: evaluate(normal, abnormal, judged.threshold),
            average_precision: average_precision(normal, abnormal),
            intervals: bootstrap(normal, abnormal, judged.threshold, RESAMPLES, BOOTSTRAP_SEED),
        }
    }
}

/// What `evaluate --table --json` prints: one table's figures as they are, of several all and their means.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TablesReport {
    /// Of one table.
    One(Box<TableFigures>),
    /// Of several.
    Several {
        /// Each of them.
        tables: Vec<TableFigures>,
        /// Of the fused detector over the tables.
        means: Means,
        /// Of every detector by its name.
        means_by_detector: BTreeMap<&'static str, Means>,
    },
}

impl TablesReport {
    /// Of at least one table.
    #[must_use]
    pub fn of(mut tables: Vec<TableFigures>) -> Self {
        if tables.len() == 1 {
            return Self::One(Box::new(tables.remove(0)));
        }
        let mut by_detector: BTreeMap<&'static str, Vec<Evaluation>> = BTreeMap::new();
        for figures in tables.iter().flat_map(TableFigures::all) {
            by_detector.entry(figures.detector).or_default().push(figures.evaluation);
        }
        let fused: Vec<Evaluation> = tables.iter().map(|table| table.fused.evaluation).collect();
        let means_by_detector = by_detector.into_iter().map(|(name, all)| (name, Means::of(&all))).collect();
        Self::Several { means: Means::of(&fused), means_by_detector, tables }
    }
}
