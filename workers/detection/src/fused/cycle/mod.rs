//! What the machine does over and over: how strongly each wider band takes part in its cycle, whatever sounds beside
//! it.
//!
//! ```text
//!  log-mel ─► envelopes of 16 bands ─► amplitude and phase at the cycle's harmonics ─► shifted onto the template ─┐
//!                     └─► what lies between the harmonics: how uncertain that is ───────────────────────────────┤
//!                                                                                                                 ▼
//!                                                       loadings, and the rate, in deviations of normal clips ─► distance
//! ```
//!
//! A compressor's stroke or a pump's stroke comes several times a second, and its sound swells and fades with it. A
//! background does not keep time with the machine: at the harmonics of the cycle there is only as much of it as between
//! them. So a loading, the projection of a band's envelope on that band's template, is right on average however loud
//! and however foreign the background is, and how far it may be off is measured in the same clip. Bands that drown
//! count for little; none of this needs to have heard the background before.
//!
//! The template is learned from normal clips alone: their common rate ([`rate`]), then the mean of their harmonics,
//! each clip shifted in time until it agrees with the others. The idea is the synchronous average of vibration analysis
//! (McFadden 1987, *A revised model for the extraction of periodic waveforms by time domain averaging*), applied to
//! envelopes and with the cycle found in the sound itself.

mod envelope;
mod rate;

use auscult_signal::num_complex::Complex64;
use ndarray::{Array1, Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::envelope::Envelopes;
pub(super) use self::rate::Spectra;

/// What is said of a cycle in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CycleParameters {
    /// Median rate of the normal clips, Hz.
    pub rate_hz: f64,
    /// Standard deviation of the normal clips' rates, Hz.
    pub rate_deviation_hz: f64,
    /// How many times more the envelopes fluctuate at the rate's harmonics than between them.
    pub contrast: f64,
    /// Harmonics of the rate in the template.
    pub harmonics: usize,
    /// Time from frame to frame, s.
    pub step_s: f64,
}

/// A machine's cycle.
#[derive(Debug, Clone, PartialEq)]
pub struct Cycle {
    /// Rate and shape.
    pub parameters: CycleParameters,
    /// Complex amplitude of each band's envelope at each harmonic, its real parts and then its imaginary ones,
    /// `[bands, 2 harmonics]`.
    pub template: Array2<f64>,
    /// A row each, `[4, bands]`: what a band counts in finding a clip's phase; mean and variance of its loading on
    /// normal clips, without what their background accounts for; 1 where the band takes part enough to be judged, else
    /// 0.
    pub bands: Array2<f64>,
}

/// Bands of envelopes: few enough to be steady, many enough to tell where a fault is.
const BANDS: usize = 16;
/// A band is judged where half of the normal clips let its loading be known to that variance: half of the loading
/// itself.
const LARGEST_UNCERTAINTY: f64 = 0.25;
/// A loading's variance on normal clips is taken to be at least this.
const LEAST_VARIANCE: f64 = 0.01;
/// A rate's deviation is taken to be at least this share of it.
const LEAST_RATE_DEVIATION: f64 = 5e-4;
/// Phases that are tried in aligning a clip.
const PHASES: usize = 64;
/// Rounds of aligning all clips to their mean.
const ROUNDS: usize = 6;

/// A clip against the template.
struct Fit {
    rate: f64,
    /// By band.
    loading: Vec<f64>,
    /// Variance of the loading that the clip's own background accounts for, by band.
    uncertainty: Vec<f64>,
}

/// One channel's harmonics, as they come, not yet aligned.
struct Harmonics {
    rate: f64,
    /// `[bands][harmonics]`.
    amplitudes: Vec<Vec<Complex64>>,
    /// Mean squared amplitude between the harmonics, by band.
    noise: Vec<f64>,
}

impl Cycle {
    /// Rows of [`bands`](Self::bands).
    pub(crate) const BAND_ROWS: usize = 4;

    /// Bands of the envelopes of a spectrogram with so many mel bands.
    pub(crate) fn bands_of(mels: usize) -> usize {
        BANDS.min(mels)
    }

    /// Whether it holds nothing that could make a judgement senseless, for frames so far apart.
    pub(crate) fn check(&self, step_s: f64) -> Result<(), String> {
        let CycleParameters { rate_hz, rate_deviation_hz, contrast, harmonics, step_s: own_step_s } = self.parameters;
        let is_positive = |value: f64| value.is_finite() && value > 0.0;
        if ![rate_hz, rate_deviation_hz, contrast].into_iter().all(is_positive) || harmonics < 2 {
            return Err("its cycle has no sensible rate".to_owned());
        }
        if (own_step_s / step_s - 1.0).abs() > 1e-9 {
            return Err(format!(
                "its cycle was learned of frames {own_step_s} s apart, the feature spec's are {step_s} s"
            ));
        }
        if !self.template.iter().chain(&self.bands).all(|value| value.is_finite()) {
            return Err("a number of its cycle is not finite".to_owned());
        }
        let variances = self.bands.row(2);
        if variances.iter().any(|variance| *variance <= 0.0) {
            return Err("a variance of its cycle is not positive".to_owned());
        }
        Ok(())
    }

    /// Learns the cycle of normal channels, `[frames, mels]` each, whose spectra have been averaged; `None` where they
    /// have none in common.
    pub(super) fn fit(channels: &[ArrayView2<'_, f32>], spectrum: &[f64], spectra: &Spectra) -> Option<Self> {
        let found = spectra.search(spectrum)?;
        let (step_s, count) = (spectra.step_s, found.harmonics);
        let harmonics: Vec<Harmonics> =
            channels.par_iter().map(|channel| Harmonics::of(*channel, found.rate, count)).collect();
        let bands = harmonics.first()?.noise.len();
        let mean_over = |value: &(dyn Fn(&Harmonics) -> f64 + Sync)| {
            harmonics.iter().map(value).sum::<f64>() / harmonics.len() as f64
        };
        let weights: Vec<f64> =
            (0..bands).map(|band| 1.0 / mean_over(&|of| of.noise[band]).max(f64::MIN_POSITIVE)).collect();

        let mut template = harmonics[0].amplitudes.clone();
        for _ in 0..ROUNDS {
            let aligned: Vec<_> = harmonics.par_iter().map(|of| of.aligned(&template, &weights)).collect();
            for (band, of_band) in template.iter_mut().enumerate() {
                for (harmonic, mean) in of_band.iter_mut().enumerate() {
                    let sum: Complex64 = aligned.iter().map(|amplitudes| amplitudes[band][harmonic]).sum();
                    *mean = sum / aligned.len() as f64;
                }
            }
        }

        let fits: Vec<Fit> = harmonics.par_iter().map(|of| of.against(&template, &weights)).collect();
        let rate = median(fits.iter().map(|fit| fit.rate).collect());
        let spread = fits.iter().map(|fit| (fit.rate - rate).powi(2)).sum::<f64>() / fits.len() as f64;
        let mut rows = Array2::zeros((Self::BAND_ROWS, bands));
        for band in 0..bands {
            let loadings: Vec<f64> = fits.iter().map(|fit| fit.loading[band]).collect();
            let uncertainties: Vec<f64> = fits.iter().map(|fit| fit.uncertainty[band]).collect();
            let (mean, variance) = moments(&loadings);
            let unexplained = variance - moments(&uncertainties).0;
            rows[[0, band]] = weights[band];
            rows[[1, band]] = median(loadings);
            rows[[2, band]] = unexplained.max(LEAST_VARIANCE);
            let is_known = median(uncertainties) < LARGEST_UNCERTAINTY && mean.is_finite();
            rows[[3, band]] = f64::from(u8::from(is_known));
        }
        if rows.row(3).sum() < 1.0 || !rows.iter().all(|value: &f64| value.is_finite()) {
            return None;
        }
        let parameters = CycleParameters {
            rate_hz: rate / step_s,
            rate_deviation_hz: spread.sqrt().max(LEAST_RATE_DEVIATION * rate) / step_s,
            contrast: found.contrast,
            harmonics: count,
            step_s,
        };
        let template = Array2::from_shape_fn((bands, 2 * count), |(band, column)| match column.checked_sub(count) {
            None => template[band][column].re,
            Some(imaginary) => template[band][imaginary].im,
        });
        Some(Self { parameters, template, bands: rows })
    }

    /// Length of what [`pool`](Self::pool) gives.
    #[must_use]
    pub fn pooled_len(&self) -> usize {
        self.bands.row(3).iter().filter(|judged| **judged > 0.0).count() + 1
    }

    /// The loadings of the bands that are judged, and the rate, each in deviations of normal clips, of which the clip's
    /// own background is a part.
    #[must_use]
    pub fn pool(&self, spectrogram: ArrayView2<'_, f32>) -> Array1<f64> {
        let CycleParameters { rate_hz, rate_deviation_hz, harmonics, step_s, .. } = self.parameters;
        let template: Vec<Vec<Complex64>> = self
            .template
            .rows()
            .into_iter()
            .map(|row| {
                (0..harmonics).map(|harmonic| Complex64::new(row[harmonic], row[harmonics + harmonic])).collect()
            })
            .collect();
        let weights = self.bands.row(0).to_vec();
        let fit = Harmonics::of(spectrogram, rate_hz * step_s, harmonics).against(&template, &weights);
        let judged = (0..self.bands.ncols()).filter(|band| self.bands[[3, *band]] > 0.0);
        let mut deviations: Vec<f64> = judged
            .map(|band| {
                let (mean, variance) = (self.bands[[1, band]], self.bands[[2, band]]);
                (fit.loading[band] - mean) / (variance + fit.uncertainty[band]).sqrt()
            })
            .collect();
        deviations.push((fit.rate / step_s - rate_hz) / rate_deviation_hz);
        Array1::from_vec(deviations)
    }
}

impl Harmonics {
    /// At the rate near `rate`, per frame, that this channel's envelopes follow most.
    fn of(spectrogram: ArrayView2<'_, f32>, rate: f64, harmonics: usize) -> Self {
        /// How far a clip's rate may be from the common one, and in what steps it is looked for.
        const REACH: i32 = 20;
        const STEP: f64 = 0.005;
        /// Higher harmonics are too weak to say more of the rate.
        const SEARCHED: usize = 5;
        let envelopes = Envelopes::of(spectrogram);
        let mut best = (f64::NEG_INFINITY, rate);
        for step in -REACH..=REACH {
            let candidate = rate * (1.0 + STEP * f64::from(step));
            let in_rhythm: f64 =
                (1..=harmonics.min(SEARCHED)).map(|harmonic| envelopes.explained(harmonic as f64 * candidate)).sum();
            if in_rhythm > best.0 {
                best = (in_rhythm, candidate);
            }
        }
        let (_, rate) = best;
        let at = |multiple: f64| envelopes.amplitudes(multiple * rate);
        let by_harmonic: Vec<Vec<Complex64>> = (1..=harmonics).map(|harmonic| at(harmonic as f64)).collect();
        let between: Vec<Vec<Complex64>> =
            (1..harmonics).flat_map(|harmonic| [0.4, 0.5, 0.6].map(|offset| at(harmonic as f64 + offset))).collect();
        let bands = by_harmonic[0].len();
        Self {
            rate,
            amplitudes: (0..bands).map(|band| by_harmonic.iter().map(|of| of[band]).collect()).collect(),
            noise: (0..bands)
                .map(|band| between.iter().map(|of| of[band].norm_sqr()).sum::<f64>() / between.len() as f64)
                .collect(),
        }
    }

    /// Shifted in time until they agree best with the template.
    fn aligned(&self, template: &[Vec<Complex64>], weights: &[f64]) -> Vec<Vec<Complex64>> {
        let count = self.amplitudes[0].len();
        let mut products = vec![Complex64::ZERO; count];
        for ((of_band, expected), weight) in self.amplitudes.iter().zip(template).zip(weights) {
            for ((product, found), expected) in products.iter_mut().zip(of_band).zip(expected) {
                *product += found * expected.conj() * weight;
            }
        }
        let turned = |turn: f64, harmonic: usize| {
            Complex64::from_polar(1.0, std::f64::consts::TAU * turn * (harmonic + 1) as f64)
        };
        let agreement = |turn: f64| -> f64 {
            products.iter().enumerate().map(|(harmonic, product)| (product * turned(turn, harmonic)).re).sum()
        };
        let turns = (0..PHASES).map(|phase| phase as f64 / PHASES as f64);
        let best = turns.max_by(|one, other| agreement(*one).total_cmp(&agreement(*other))).unwrap_or(0.0);
        let shifted = |of_band: &Vec<Complex64>| {
            of_band.iter().enumerate().map(|(harmonic, amplitude)| amplitude * turned(best, harmonic)).collect()
        };
        self.amplitudes.iter().map(shifted).collect()
    }

    fn against(&self, template: &[Vec<Complex64>], weights: &[f64]) -> Fit {
        let aligned = self.aligned(template, weights);
        let power =
            |expected: &[Complex64]| expected.iter().map(Complex64::norm_sqr).sum::<f64>().max(f64::MIN_POSITIVE);
        let loading = |(found, expected): (&Vec<Complex64>, &Vec<Complex64>)| {
            found.iter().zip(expected).map(|(found, expected)| (found * expected.conj()).re).sum::<f64>()
                / power(expected)
        };
        Fit {
            rate: self.rate,
            loading: aligned.iter().zip(template).map(loading).collect(),
            // Of the background's amplitude half lies along the template, and half across it.
            uncertainty: self
                .noise
                .iter()
                .zip(template)
                .map(|(noise, expected)| 0.5 * noise / power(expected))
                .collect(),
        }
    }
}

fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    crate::calibration::quantile(&values, 0.5)
}

#[cfg(test)]
mod tests;
