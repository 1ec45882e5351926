//! Which frequencies deviate: the squared error of each mel band beside what held-out normal clips have there.
//!
//! A band that is hard to reconstruct is loud in error on normal sound too and explains nothing. A band deviates when
//! its error lies more than three standard deviations above its own mean on held-out normal clips, and when it holds at
//! least half of its even share of the clip's whole excess, so that a loud fault does not drag in every band that it
//! merely brushes.

use auscult_schemas::{DeviatingBand, FeatureSpec, MelScale};

use crate::Calibration;

const DEVIATIONS: f64 = 3.0;
/// Neighbours of which one is louder by so much and the other quieter are two bands, dB.
const OPPOSITE_DB: f64 = 1.0;
const SHARE_OF_EVEN_EXCESS: f64 = 0.5;
/// More bands than these are no explanation any more.
const MAX_BANDS: usize = 5;

/// Where each mel band lies: its peak, and the edges where its triangle meets its neighbours' at equal height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandEdges {
    /// Lower edge, Hz.
    pub hz_low: f64,
    /// Peak of the triangle, Hz.
    pub hz_centre: f64,
    /// Upper edge, Hz. It is the next band's lower edge.
    pub hz_high: f64,
}

/// The edges of all mel bands of a spec, ascending.
#[must_use]
pub fn band_edges(spec: &FeatureSpec) -> Vec<BandEdges> {
    let MelScale::Slaney = spec.mel_scale;
    let (low, high) = (mel_from_hz(f64::from(spec.f_min_hz)), mel_from_hz(f64::from(spec.f_max())));
    let step = (high - low) / (spec.n_mels + 1) as f64;
    let point = |index: usize| hz_from_mel(low + step * index as f64);
    (0..spec.n_mels)
        .map(|band| {
            // Two triangles cross half-way, in Hz, between their peaks.
            let (before, centre, after) = (point(band), point(band + 1), point(band + 2));
            let hz_low = if band == 0 { before } else { f64::midpoint(before, centre) };
            let hz_high = if band + 1 == spec.n_mels { after } else { f64::midpoint(centre, after) };
            BandEdges { hz_low, hz_centre: centre, hz_high }
        })
        .collect()
}

/// Slaney's scale (Auditory Toolbox, 1998): linear up to 1 kHz, 27 bands to each factor of 6.4 above.
const HZ_PER_MEL: f64 = 200.0 / 3.0;
const BREAK_HZ: f64 = 1000.0;
const BREAK_MEL: f64 = BREAK_HZ / HZ_PER_MEL;

fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn mel_from_hz(hz: f64) -> f64 {
    if hz < BREAK_HZ { hz / HZ_PER_MEL } else { BREAK_MEL + (hz / BREAK_HZ).ln() / log_step() }
}

fn hz_from_mel(mel: f64) -> f64 {
    if mel < BREAK_MEL { mel * HZ_PER_MEL } else { BREAK_HZ * (log_step() * (mel - BREAK_MEL)).exp() }
}

/// The bands of a clip that deviate, neighbours merged, widest share first.
///
/// `errors_db2` is the clip's mean squared error by mel band, dB², `[mels]`, as are the calibration's;
/// `level_changes_db` is the mean level of each less that of the training sound, dB, `[mels]`. Neighbours that have
/// moved in opposite directions are not merged.
#[must_use]
pub fn deviating_bands(
    errors_db2: &[f64],
    level_changes_db: &[f64],
    calibration: &Calibration,
    edges: &[BandEdges],
) -> Vec<DeviatingBand> {
    let total: f64 = errors_db2.iter().sum();
    let normal = calibration.band_error_mean_db2.iter().zip(&calibration.band_error_deviation_db2);
    let excess: Vec<f64> =
        errors_db2.iter().zip(&calibration.band_error_mean_db2).map(|(got, mean)| got - mean).collect();
    let even_excess = excess.iter().map(|excess| excess.max(0.0)).sum::<f64>() / excess.len().max(1) as f64;
    let deviates: Vec<bool> = errors_db2
        .iter()
        .zip(normal)
        .map(|(got, (mean, deviation))| {
            *got > mean + DEVIATIONS * deviation && got - mean >= SHARE_OF_EVEN_EXCESS * even_excess
        })
        .collect();

    let mut runs: Vec<std::ops::RangeInclusive<usize>> = Vec::new();
    for band in (0..edges.len()).filter(|band| deviates[*band]) {
        match runs.last_mut() {
            Some(run) if *run.end() + 1 == band && !are_opposite(level_changes_db, *run.end(), band) => {
                *run = *run.start()..=band;
            }
            _ => runs.push(band..=band),
        }
    }
    let merged = |run: std::ops::RangeInclusive<usize>| {
        let changes = &level_changes_db[run.clone()];
        DeviatingBand {
            hz_low: edges[*run.start()].hz_low,
            hz_high: edges[*run.end()].hz_high,
            share: (errors_db2[run].iter().sum::<f64>() / total).min(1.0),
            level_change_db: Some(changes.iter().sum::<f64>() / changes.len() as f64),
            since: None,
        }
    };
    let mut bands: Vec<DeviatingBand> = runs.into_iter().map(merged).collect();
    bands.sort_by(|a, b| b.share.total_cmp(&a.share));
    bands.truncate(MAX_BANDS);
    bands
}

fn are_opposite(level_changes_db: &[f64], one: usize, other: usize) -> bool {
    let (one, other) = (level_changes_db[one], level_changes_db[other]);
    one * other < 0.0 && one.abs().min(other.abs()) >= OPPOSITE_DB
}
