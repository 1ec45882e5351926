//! How a network's input is scaled.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::DetectionError;

/// The scaling of the input: `(dB - mean of its band) / deviation`.
///
/// One deviation for all bands, so that the fitted loss stays the reference method's, only in another unit: errors
/// times `deviation²` are dB² again, whichever band they lie in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardisation {
    /// Mean level of each mel band in the fitted sound, dB, `[mels]`.
    pub mean_db: Vec<f32>,
    /// Root mean square over all bands of the distance from those means, dB.
    pub deviation_db: f32,
}

pub(crate) fn standardisation(channels: &[&Array2<f32>], mels: usize) -> Result<Standardisation, DetectionError> {
    let rows: usize = channels.iter().map(|channel| channel.nrows()).sum();
    let mut mean = vec![0.0_f64; mels];
    let mut square = 0.0_f64;
    for row in channels.iter().flat_map(|channel| channel.rows()) {
        for (sum, value) in mean.iter_mut().zip(row) {
            *sum += f64::from(*value);
        }
    }
    mean.iter_mut().for_each(|sum| *sum /= rows as f64);
    for row in channels.iter().flat_map(|channel| channel.rows()) {
        square += row.iter().zip(&mean).map(|(value, mean)| (f64::from(*value) - mean).powi(2)).sum::<f64>();
    }
    let deviation = (square / (rows * mels) as f64).sqrt();
    if deviation < 1e-3 {
        let reason = "the clips' levels never change; is the sensor connected?";
        return Err(DetectionError::Training(reason.to_owned()));
    }
    Ok(Standardisation { mean_db: mean.iter().map(|mean| *mean as f32).collect(), deviation_db: deviation as f32 })
}

pub(crate) fn standardised(channel: &Array2<f32>, scaling: Option<&Standardisation>) -> Vec<f32> {
    let Some(scaling) = scaling else { return channel.iter().copied().collect() };
    let rows = channel.rows().into_iter();
    rows.flat_map(|row| {
        let scaled = row.into_iter().zip(&scaling.mean_db);
        scaled.map(|(value, mean)| (value - mean) / scaling.deviation_db)
    })
    .collect()
}
