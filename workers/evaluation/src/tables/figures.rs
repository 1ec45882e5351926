//! Metrics of detectors on tables.

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
    /// Metrics at its own threshold and over all thresholds.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Average precision; absent if one class has no clips.
    pub average_precision: Option<f64>,
    /// 95 % confidence intervals.
    pub intervals: Option<Intervals>,
}

/// All detectors on one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableFigures {
    /// The file.
    pub table: String,
    /// Number of level columns.
    pub bands: usize,
    /// Number of normal clips used for training.
    pub n_train: usize,
    /// Seed of the split.
    pub seed: u64,
    /// All detectors fused.
    #[serde(flatten)]
    pub fused: DetectorFigures,
    /// Each detector separately.
    #[serde(serialize_with = "by_name")]
    pub detectors: Vec<DetectorFigures>,
}

fn by_name<S: serde::Serializer>(figures: &[DetectorFigures], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(figures.iter().map(|figures| (figures.detector, figures)))
}

impl TableFigures {
    /// Trains on part of the table's normal clips and tests on the rest.
    ///
    /// # Errors
    /// If there are too few clips, or no detector can be trained on them.
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

/// The output of `evaluate --table --json`: the metrics of one table, or those of several tables and their means.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TablesReport {
    /// One table.
    One(Box<TableFigures>),
    /// Several tables.
    Several {
        /// Each of them.
        tables: Vec<TableFigures>,
        /// Means of the fused detector over the tables.
        means: Means,
        /// Means of every detector, by name.
        means_by_detector: BTreeMap<&'static str, Means>,
    },
}

impl TablesReport {
    /// From at least one table.
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
