//! The results of a window: the values of all charts, and the message.

use auscult_schemas::{ChartReading, Drift, DriftChange, DriftChart, DriftMemory, QualityFlag};

use super::levels::LevelTest;
use super::limits::{Limits, PSI_BINS};
use super::statistics::{distance_from_uniform, kolmogorov_smirnov, population_stability_index, psi_of_counts};
use super::{DriftStep, levels, quality, ranks};
use crate::explain::band_edges;
use crate::observed_chunk::ObservedChunk;

/// A window's mean rank is quiet within this many standard deviations.
const QUIET_DEVIATIONS: f64 = 1.5;

/// The chart values at the end of a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Readings {
    charts: Vec<ChartReading>,
    levels: Option<LevelTest>,
    quality: Option<(QualityFlag, f64)>,
    /// Mean deviate of the window's ranks, in standard deviations of such a mean.
    mean_deviation: f64,
}

impl Readings {
    pub(super) fn of(window: &DriftMemory, is_full: bool, limits: &Limits) -> Self {
        let reading = |chart, value: f64, limit| ChartReading { chart, value, limit };
        let mut charts = going_on(window, limits).to_vec();
        let deviates: f64 = window.ranks.iter().map(|rank| ranks::deviate(*rank)).sum();
        let mean_deviation = deviates / (window.ranks.len().max(1) as f64).sqrt();
        if !is_full {
            return Self { charts, levels: None, quality: None, mean_deviation };
        }
        let shares: Vec<f64> = window.ranks.iter().map(|rank| ranks::share(*rank)).collect();
        charts.push(reading(DriftChart::ScoreKs, distance_from_uniform(&shares), limits.ks));
        let mut counts = [0.0; PSI_BINS];
        shares.iter().for_each(|share| counts[(share * PSI_BINS as f64) as usize] += 1.0);
        charts.push(reading(DriftChart::ScorePsi, psi_of_counts(&counts), limits.psi));
        let levels = levels::test(window, limits.band_probability, limits.level_probability);
        if let Some(test) = &levels {
            charts.push(reading(DriftChart::BandLevel, test.band_t.abs(), test.band_limit));
            charts.push(reading(DriftChart::InputLevel, test.level_t.abs(), test.level_limit));
        }
        let quality = quality::test(window);
        if let Some((_, p_value)) = quality {
            let limit = -limits.quality_probability.log10();
            charts.push(reading(DriftChart::QualityRate, -p_value.log10(), limit));
        }
        Self { charts, levels, quality, mean_deviation }
    }

    /// The chart farthest beyond its limit.
    pub(super) fn beyond(&self) -> Option<DriftChart> {
        let excess = |reading: &ChartReading| reading.value / reading.limit;
        let beyond = self.charts.iter().filter(|reading| reading.value > reading.limit);
        beyond.max_by(|a, b| excess(a).total_cmp(&excess(b))).map(|reading| reading.chart)
    }

    /// Whether there is no sign of drift, not even below the limits.
    pub(super) fn is_quiet(&self, average: f64, limits: &Limits) -> bool {
        self.beyond().is_none() && self.mean_deviation.abs() < QUIET_DEVIATIONS && average.abs() < 0.5 * limits.ewma
    }
}

/// The values of the per-chunk charts.
pub(super) fn going_on(memory: &DriftMemory, limits: &Limits) -> [ChartReading; 2] {
    let page = memory.higher.value.max(memory.lower.value);
    [
        ChartReading { chart: DriftChart::PageHinkley, value: page, limit: limits.page },
        ChartReading { chart: DriftChart::Ewma, value: memory.average.value.abs(), limit: limits.ewma },
    ]
}

/// The message about a window.
pub(super) fn drift(step: &DriftStep, chunk: &ObservedChunk<'_>) -> Drift {
    let DriftStep { window, change, episode, readings } = step;
    let manifest = chunk.manifest;
    let chunks = window.scores.len();
    let shifts: Vec<f64> = window
        .band_sum_db
        .iter()
        .zip(&manifest.drift_reference.mean_band_levels_db)
        .map(|(sum, reference)| sum / chunks as f64 - reference)
        .collect();
    let by_size = |a: &(usize, f64), b: &(usize, f64)| a.1.abs().total_cmp(&b.1.abs());
    let (band, shift) = shifts.iter().copied().enumerate().max_by(by_size).unwrap_or((0, 0.0));
    let ks = kolmogorov_smirnov(&window.scores, &manifest.calibration.scores);
    let mut drift = Drift {
        id: chunk.id.to_owned(),
        machine: chunk.machine.clone(),
        window_start: window.window_start.unwrap_or(chunk.time),
        window_end: chunk.time,
        chunks: chunks as u32,
        score_psi: population_stability_index(&window.scores, &manifest.drift_reference.score_deciles),
        score_ks: ks.statistic,
        score_ks_p_value: ks.p_value,
        level_shift_db: shifts.iter().sum::<f64>() / shifts.len().max(1) as f64,
        max_band_shift_db: shift.abs(),
        max_band_shift_hz: band_centre_hz(chunk, band),
        charts: readings.charts.clone(),
        quality: quality::rates(window),
        drifting: episode.is_some() && *change != Some(DriftChange::Ended),
        change: *change,
        found_by: episode.map(|episode| episode.chart),
        since: episode.map(|episode| episode.since),
        explanation: None,
        model: chunk.model.clone(),
    };
    drift.explanation = words(&drift, step, chunk);
    drift
}

fn band_centre_hz(chunk: &ObservedChunk<'_>, band: usize) -> f64 {
    band_edges(&chunk.manifest.feature_spec).get(band).map_or(0.0, |edges| edges.hz_centre)
}

fn words(drift: &Drift, step: &DriftStep, chunk: &ObservedChunk<'_>) -> Option<String> {
    let episode = step.episode.as_ref()?;
    let since = episode.since.strftime("%Y-%m-%d %H:%M:%S UTC");
    if drift.change == Some(DriftChange::Ended) {
        return Some(format!(
            "The drift since {since} is over: scores, levels and quality are as they were before it."
        ));
    }
    let cause = match episode.chart {
        DriftChart::PageHinkley | DriftChart::Ewma => score_words(step),
        DriftChart::ScoreKs => "the scores are distributed otherwise than before".to_owned(),
        DriftChart::ScorePsi => "the scores scatter otherwise than before".to_owned(),
        DriftChart::BandLevel => match &step.readings.levels {
            Some(LevelTest { band, band_shift_db, .. }) => {
                let hz = band_centre_hz(chunk, *band);
                format!("the band around {hz:.0} Hz is {}", louder(*band_shift_db))
            }
            None => "a band's level has moved".to_owned(),
        },
        DriftChart::InputLevel => match &step.readings.levels {
            Some(test) => format!("the sound as a whole is {}", louder(test.level_shift_db)),
            None => "the level has moved".to_owned(),
        },
        DriftChart::QualityRate => match step.readings.quality {
            Some((flag, _)) => format!("chunks are flagged `{}` more or less often than before", flag.as_str()),
            None => "quality flags have become more or less frequent".to_owned(),
        },
    };
    let started = if drift.change == Some(DriftChange::Began) { "Drift found" } else { "Drifting" };
    Some(format!("{started}, since about {since}: {cause}."))
}

fn score_words(step: &DriftStep) -> String {
    let is_higher = step.readings.mean_deviation > 0.0;
    let direction = if is_higher { "higher" } else { "lower" };
    format!("the scores run {direction} than before")
}

fn louder(shift_db: f64) -> String {
    let direction = if shift_db > 0.0 { "louder" } else { "softer" };
    format!("{:.1} dB {direction} than before", shift_db.abs())
}
