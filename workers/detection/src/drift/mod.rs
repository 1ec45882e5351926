//! Measures how far a machine's sound has moved from its model's training data, and whether that is more than chance.
//!
//! ```text
//!  score ──► sequential rank ──┬──► Page–Hinkley, EWMA ─────────────── every chunk ──┐
//!            uniform while     └──► KS, PSI of the window's ranks ──┐                ├──► drift found, drift over
//!            nothing drifts                                         ├─ every window ─┘    once each, with the start
//!  band levels ──► Student's t of each band and of the mean level ──┤
//!  quality flags ► Fisher's exact test of each flag's rate ─────────┘
//! ```
//!
//! All limits follow from one number: the average number of a machine's chunks between two false findings
//! ([`DriftPolicy::false_alarm_every_chunks`]). `docs/drift.md` has the measured run lengths and detection delays.
//!
//! During drift nothing is learned, so that the drift does not become normal. Drift ends after three windows without
//! any sign of it. Memory is bounded, a finding depends only on the chunks, and chunks without a working sensor are
//! ignored.

mod levels;
mod limits;
mod quality;
mod ranks;
mod report;
mod statistics;

use auscult_schemas::{
    ChartMemory, ChartReading, Drift, DriftChange, DriftChart, DriftEpisode, DriftMemory, QualityFlag,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judgement::Judgement;
use crate::observed_chunk::ObservedChunk;
use limits::{EWMA_WEIGHT, Limits, PAGE_ALLOWANCE};
use ranks::RankScale;

pub use crate::drift_reference::{DriftReference, LevelSpread};
pub use statistics::{KolmogorovSmirnov, kolmogorov_smirnov, population_stability_index};

/// Number of windows without any sign of drift after which it ends.
const QUIET_WINDOWS: u32 = 3;

/// When drift is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DriftPolicy {
    /// Consecutive chunks of one window; windows follow one another without overlap. Statistics are published once a
    /// window. Default: 50.
    #[schemars(range(min = 2))]
    pub window_chunks: u32,
    /// How many chunks of a machine that does not drift are heard, on average, until drift is found all the same: over
    /// all charts together. At least ten windows. Fewer find a change sooner. Default: 10000 (a machine heard every
    /// five minutes: one in 35 days).
    #[schemars(range(min = 20))]
    pub false_alarm_every_chunks: u64,
}

impl Default for DriftPolicy {
    fn default() -> Self {
        Self { window_chunks: 50, false_alarm_every_chunks: 10_000 }
    }
}

/// The input of the charts from one chunk.
#[derive(Debug, Clone, Copy)]
pub struct DriftSample<'a> {
    /// A unique id, which determines the random draw.
    pub id: &'a str,
    /// When it was recorded.
    pub time: Timestamp,
    /// Its score.
    pub score: f64,
    /// Mean level of each mel band, dB.
    pub band_levels_db: &'a [f32],
    /// Its quality flags.
    pub quality: &'a [QualityFlag],
}

/// The result of one chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftStep {
    /// The window that ended with it, and the chart values.
    pub window: DriftMemory,
    /// The change of the drift state, if any.
    pub change: Option<DriftChange>,
    /// The drift that is active or has just ended.
    pub episode: Option<DriftEpisode>,
    readings: report::Readings,
}

/// Adds one chunk to the charts; returns a result if it ended a window. A window ends when it is full, or with the
/// chunk on which drift is found.
#[must_use]
pub fn listen(
    memory: &mut DriftMemory,
    sample: &DriftSample<'_>,
    calibration_scores: &[f64],
    reference: &DriftReference,
    policy: &DriftPolicy,
) -> Option<DriftStep> {
    let limits = Limits::of(policy);
    let urn = RankScale::of(calibration_scores);
    let bands = sample.band_levels_db.len();
    if memory.band_sum_db.len() != bands || memory.learnt_scores.len() != urn.gaps() {
        // Nothing learned yet, or by an earlier version, or under a model with other bands.
        let learnt_levels = memory.learnt_levels.take().filter(|learnt| learnt.mean_db.len() == bands + 1);
        *memory = DriftMemory {
            learnt_scores: vec![0; urn.gaps()],
            learnt_levels: Some(learnt_levels.unwrap_or_else(|| levels::of_training(reference))),
            ..DriftMemory::default()
        };
        begin_window(memory, bands);
    }
    memory.window_start.get_or_insert(sample.time);
    let rank = urn.rank(&memory.learnt_scores, sample.score, ranks::draw(sample.id));
    memory.scores.push(sample.score);
    memory.ranks.push(rank);
    levels::hear(memory, sample.band_levels_db);
    quality::hear(memory, sample.quality);
    let found = chart(memory, ranks::deviate(rank), sample.time, &limits);
    if memory.episode.is_none() && memory.learnt_scores.iter().sum::<u32>() < limits.learn_chunks {
        memory.learnt_scores[urn.gap(sample.score)] += 1;
    }
    let is_full = memory.scores.len() >= policy.window_chunks.max(2) as usize;
    if !is_full && (found.is_none() || memory.episode.is_some()) {
        return None;
    }
    Some(end_window(memory, found, is_full, sample, &limits))
}

/// Updates the per-chunk charts; returns the chart beyond its limit, with the start of its change.
fn chart(memory: &mut DriftMemory, deviate: f64, time: Timestamp, limits: &Limits) -> Option<(DriftChart, Timestamp)> {
    let advance = |sum: &mut ChartMemory, step: f64| {
        let value = sum.value + step - PAGE_ALLOWANCE;
        *sum = if value > 0.0 {
            ChartMemory { value, since: Some(sum.since.unwrap_or(time)) }
        } else {
            ChartMemory::default()
        };
    };
    advance(&mut memory.higher, deviate);
    advance(&mut memory.lower, -deviate);
    let average = &mut memory.average;
    let value = (1.0 - EWMA_WEIGHT) * average.value + EWMA_WEIGHT * deviate;
    let keeps_side = (value > 0.0) == (average.value > 0.0);
    *average = ChartMemory { value, since: average.since.filter(|_| keeps_side).or(Some(time)) };

    let page = if memory.higher.value >= memory.lower.value { memory.higher } else { memory.lower };
    if page.value > limits.page {
        Some((DriftChart::PageHinkley, page.since.unwrap_or(time)))
    } else if memory.average.value.abs() > limits.ewma {
        Some((DriftChart::Ewma, memory.average.since.unwrap_or(time)))
    } else {
        None
    }
}

fn end_window(
    memory: &mut DriftMemory,
    found: Option<(DriftChart, Timestamp)>,
    is_full: bool,
    sample: &DriftSample<'_>,
    limits: &Limits,
) -> DriftStep {
    let readings = report::Readings::of(memory, is_full, limits);
    let window_start = memory.window_start.unwrap_or(sample.time);
    let found = found.or_else(|| readings.beyond().map(|chart| (chart, window_start)));
    let mut change = None;
    let mut told = memory.episode;
    match (&mut memory.episode, found) {
        (Some(episode), found) => {
            let is_quiet = found.is_none() && readings.is_quiet(memory.average.value, limits);
            episode.quiet_windows = if is_quiet { episode.quiet_windows + 1 } else { 0 };
            if episode.quiet_windows >= QUIET_WINDOWS {
                change = Some(DriftChange::Ended);
            }
        }
        (None, Some((chart, since))) => {
            let episode = DriftEpisode { chart, since, found: sample.time, quiet_windows: 0 };
            (memory.episode, told, change) = (Some(episode), Some(episode), Some(DriftChange::Began));
        }
        (None, None) => {
            levels::learn(memory, limits.learn_chunks);
            quality::learn(memory, limits.learn_chunks);
        }
    }
    let window = memory.clone();
    if change == Some(DriftChange::Ended) {
        memory.episode = None;
        memory.average = ChartMemory::default();
    }
    if memory.episode.is_some() || change.is_some() {
        // A sum that grew during a long drift would take as long to fall.
        memory.higher = ChartMemory::default();
        memory.lower = ChartMemory::default();
    }
    begin_window(memory, window.band_sum_db.len());
    DriftStep { window, change, episode: told, readings }
}

fn begin_window(memory: &mut DriftMemory, bands: usize) {
    memory.window_start = None;
    memory.scores.clear();
    memory.ranks.clear();
    memory.flagged.clear();
    memory.band_sum_db = vec![0.0; bands];
    memory.square_sum_db2 = vec![0.0; bands + 1];
}

/// The values of the per-chunk charts: Page–Hinkley and the moving average.
#[must_use]
pub fn charts_going_on(memory: &DriftMemory, policy: &DriftPolicy) -> [ChartReading; 2] {
    report::going_on(memory, &Limits::of(policy))
}

/// Discards the current window and the chart values, as for a machine in maintenance. Learned data and a reported drift
/// are kept.
pub fn pause(memory: &mut DriftMemory) {
    if !memory.band_sum_db.is_empty() {
        begin_window(memory, memory.band_sum_db.len());
    }
    (memory.higher, memory.lower, memory.average) = Default::default();
}

/// Resets to the model's own reference, as under a new model.
pub fn restart(memory: &mut DriftMemory) {
    *memory = DriftMemory::default();
}

/// Resets, and relearns levels and quality rates as well: the machine's surroundings have changed, and the levels of
/// the training clips no longer apply. Scores are still compared with the calibration: pass adjusted ones.
pub fn relearn(memory: &mut DriftMemory) {
    let learnt_levels = memory.learnt_levels.take().map(|mut learnt| {
        learnt.chunks = 0;
        learnt.square_sum_db2.iter_mut().for_each(|sum| *sum = 0.0);
        (learnt.within_sum_db2, learnt.within_freedom) = (Vec::new(), 0);
        learnt
    });
    *memory = DriftMemory { learnt_levels, ..DriftMemory::default() };
}

/// Adds one chunk to the charts; returns the message about a window that ended. `score` is on the scale of the
/// calibration; if the surroundings have changed, levels also differ from those of training.
pub(crate) fn advance(
    memory: &mut DriftMemory,
    chunk: &ObservedChunk<'_>,
    judgement: &Judgement,
    score: f64,
    has_moved: bool,
    policy: &DriftPolicy,
) -> Option<Drift> {
    let manifest = chunk.manifest;
    if has_moved && memory.learnt_levels.is_none() {
        memory.learnt_levels = Some(levels::to_be_learnt(&manifest.drift_reference));
    }
    let sample = DriftSample {
        id: chunk.id,
        time: chunk.time,
        score,
        band_levels_db: &judgement.band_levels_db,
        quality: chunk.quality,
    };
    let step = listen(memory, &sample, &manifest.calibration.scores, &manifest.drift_reference, policy)?;
    Some(report::drift(&step, chunk))
}
