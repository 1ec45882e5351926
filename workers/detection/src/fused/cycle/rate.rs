//! How often the cycle comes: the comb of frequencies at which all bands' envelopes fluctuate more than between its
//! teeth.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::envelope::Envelopes;

/// Frequencies above are hardly seen any more: half of the frame rate is 0.5.
const HIGHEST: f64 = 0.448;
/// The fastest cycle, so that it has at least two harmonics.
const FASTEST: f64 = 0.19;
/// A clip holds two cycles at least, or they cannot be compared.
const FEWEST_CYCLES: f64 = 2.0;
/// The grid's steps in one unit of a clip's own resolution.
const STEPS: f64 = 20.0;
/// Teeth of the comb at the most.
const TEETH: usize = 6;
/// A compressor has 1.8 in noise as loud as itself and up to 9 without; a lathe, a slide rail, a fan and small motors
/// have 1.0 to 1.15.
const LEAST_CONTRAST: f64 = 1.3;
/// Channels that are looked at: enough for a mean.
const MOST_CHANNELS: usize = 400;

/// How the envelopes of each of many channels fluctuate, on one grid of frequencies.
pub(in crate::fused) struct Spectra {
    /// Time from frame to frame, s.
    pub step_s: f64,
    frames: f64,
    /// Cycles per frame.
    frequencies: Vec<f64>,
    /// By clip, `None` for those that were not looked at.
    by_clip: Vec<Option<Vec<f64>>>,
}

/// A rate that was found.
pub(super) struct Found {
    /// Cycles per frame.
    pub rate: f64,
    pub contrast: f64,
    pub harmonics: usize,
}

impl Spectra {
    /// Of clips, each with its channels.
    pub(in crate::fused) fn of(clips: &[Vec<ArrayView2<'_, f32>>], step_s: f64) -> Self {
        let frames = clips.iter().flatten().map(|channel| channel.nrows()).max().unwrap_or(1) as f64;
        let step = 1.0 / (STEPS * frames);
        let lowest = 1.0 / frames;
        let count = ((HIGHEST + step - lowest) / step).max(0.0) as usize;
        let frequencies: Vec<f64> = (0..count).map(|index| lowest + index as f64 * step).collect();
        let every = clips.len().div_ceil(MOST_CHANNELS).max(1);
        let by_clip = clips
            .par_iter()
            .enumerate()
            .map(|(clip, channels)| {
                let first = channels.first().filter(|_| clip % every == 0)?;
                Some(Envelopes::of(*first).whitened(&frequencies))
            })
            .collect();
        Self { step_s, frames, frequencies, by_clip }
    }

    /// Mean over the clips that are used.
    pub(in crate::fused) fn mean(&self, is_used: impl Fn(usize) -> bool) -> Vec<f64> {
        let mut mean = vec![0.0; self.frequencies.len()];
        let used = self.by_clip.iter().enumerate().filter(|(clip, _)| is_used(*clip));
        let used: Vec<&Vec<f64>> = used.filter_map(|(_, spectrum)| spectrum.as_ref()).collect();
        for spectrum in &used {
            for (sum, value) in mean.iter_mut().zip(*spectrum) {
                *sum += value / used.len() as f64;
            }
        }
        mean
    }

    /// The rate whose multiples stand out most from the middles between them; `None` where none does.
    pub(super) fn search(&self, spectrum: &[f64]) -> Option<Found> {
        let first = *self.frequencies.first()?;
        let step = 1.0 / (STEPS * self.frames);
        let at = |frequency: f64| {
            let index = ((frequency - first) / step).round().max(0.0) as usize;
            spectrum[index.min(spectrum.len() - 1)]
        };
        let mut best: Option<(f64, Found)> = None;
        for rate in &self.frequencies {
            if *rate < FEWEST_CYCLES / self.frames || *rate > FASTEST {
                continue;
            }
            let harmonics = (HIGHEST / rate) as usize;
            let teeth = harmonics.min(TEETH);
            let mean =
                |offset: f64| (1..=teeth).map(|tooth| at((tooth as f64 - offset) * rate)).sum::<f64>() / teeth as f64;
            let (on, off) = (mean(0.0), mean(0.5));
            if best.as_ref().is_none_or(|(difference, _)| on - off > *difference) {
                let contrast = on / off.max(f64::MIN_POSITIVE);
                best = Some((on - off, Found { rate: *rate, contrast, harmonics }));
            }
        }
        best.map(|(_, found)| found).filter(|found| found.contrast >= LEAST_CONTRAST)
    }
}
