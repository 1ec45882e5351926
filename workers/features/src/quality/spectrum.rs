//! What the spectrum of a channel says of its sensor: an edge far below half the rate, or nothing but the mains.

use auscult_schemas::QualityFlag;
use realfft::RealFftPlanner;

/// Windows taken from a clip, evenly spread: enough that no pause of the machine is mistaken for a fault of the sensor, few enough that the check
/// costs a fraction of the log-mel.
const WINDOWS: usize = 3;
/// Length of a window: the largest power of two within so many seconds. Its resolution separates the mains' harmonics from what
/// lies between, to four bins of at most 2 Hz.
const WINDOW_S: f64 = 1.0;
/// With fewer samples in a window there is no spectrum to speak of.
const SHORTEST_WINDOW: usize = 256;

/// Above this share of half the rate an edge is a recorder's own filter, not a lower rate: 0.6. From 8 to 16 kHz, from 16 to 44.1 or 48 kHz and
/// the like are all below.
const HIGHEST_EDGE: f64 = 0.6;
/// By how much the spectrum must fall at the edge, dB. Resampling filters fall by 60 and more; rooms, housings and microphones by
/// 24 to 48 dB an octave, which is 5 to 9 dB over the tenth of the frequency that is compared here.
const EDGE_DB: f64 = 35.0;

/// Share of the energy that must be the mains': 99 %. Motors and transformers hum at it too, but never without bearings, air and switching
/// about it.
const HUM_SHARE: f64 = 0.99;
/// Harmonics that count as the mains'.
const HUM_HARMONICS: usize = 20;
/// So many of them, the lowest, hold half of the energy or more.
const HUM_LOWEST: usize = 3;
/// Bins on each side of a harmonic that count with it: the main lobe of the Hann window, and one for mains that are not quite 50 Hz.
const HUM_BINS: usize = 3;
/// Bins from one harmonic to the next below which hum and broad sound cannot be told apart.
const HUM_SPACING_BINS: f64 = 20.0;

/// Keeps the transform's plans.
#[derive(Default)]
pub(super) struct SpectrumChecker {
    planner: RealFftPlanner<f32>,
}

impl SpectrumChecker {
    /// What the spectrum of a channel deserves.
    pub fn flags(&mut self, samples: &[f32], rate_hz: u32, mean: f32) -> Vec<QualityFlag> {
        let longest = (WINDOW_S * f64::from(rate_hz)) as usize;
        let fitting = longest.min(samples.len());
        if fitting < SHORTEST_WINDOW {
            return Vec::new();
        }
        let window = 1 << fitting.ilog2();
        let power = self.power_spectrum(samples, window, mean);
        let hz_per_bin = f64::from(rate_hz) / window as f64;
        let mut flags = Vec::new();
        if ends_at_an_edge(&power) {
            flags.push(QualityFlag::WrongRate);
        }
        if [50.0, 60.0].into_iter().any(|mains_hz| is_hum(&power, mains_hz / hz_per_bin)) {
            flags.push(QualityFlag::MainsHum);
        }
        flags
    }

    /// Sum of the windows' power spectra, `[window / 2 + 1]`, under a squared sine (Hann).
    fn power_spectrum(&mut self, samples: &[f32], window: usize, mean: f32) -> Vec<f64> {
        let fft = self.planner.plan_fft_forward(window);
        let (mut frame, mut spectrum) = (fft.make_input_vec(), fft.make_output_vec());
        let mut power = vec![0.0_f64; window / 2 + 1];
        let room = samples.len() - window;
        let windows = if room == 0 { 1 } else { WINDOWS };
        for number in 0..windows {
            let start = room * number / (windows - 1).max(1);
            for (index, (value, sample)) in frame.iter_mut().zip(&samples[start..]).enumerate() {
                let rise = (std::f32::consts::PI * index as f32 / window as f32).sin();
                *value = (sample - mean) * rise * rise;
            }
            fft.process(&mut frame, &mut spectrum).expect("the buffers are the plan's own");
            for (sum, value) in power.iter_mut().zip(&spectrum) {
                *sum += f64::from(value.norm_sqr());
            }
        }
        power
    }
}

/// Whether there is a frequency below which there is broad sound and above which, all the way up, there is none.
///
/// Compared are the lower quartile of the octave below the edge, which no lone tone and nothing that leaks from one lifts, and the
/// highest of the medians of all steps above it.
fn ends_at_an_edge(power: &[f64]) -> bool {
    const STEP: f64 = 1.05;
    let top = power.len() - 1;
    // The last twentieth belongs to the recorder's own filter.
    let last = top as f64 / STEP;
    let mut edges: Vec<f64> = Vec::new();
    let mut edge = last / STEP;
    while edge > 32.0 {
        edges.push(edge);
        edge /= STEP;
    }
    let mut scratch = Vec::new();
    let mut quantile = |from: f64, to: f64, share: f64| {
        scratch.clear();
        scratch.extend_from_slice(&power[from as usize..(to as usize).max(from as usize + 1)]);
        let place = (share * scratch.len() as f64) as usize;
        *scratch.select_nth_unstable_by(place, f64::total_cmp).1
    };
    let fall = 10.0_f64.powf(EDGE_DB / 10.0);
    let mut loudest_above = 0.0_f64;
    // From the top down: what was heard above an edge is above every lower one too. The step next to the edge is its slope.
    for edge in edges {
        loudest_above = loudest_above.max(quantile(edge * STEP, edge * STEP * STEP, 0.5));
        if edge <= HIGHEST_EDGE * top as f64 && quantile(edge / 2.0, edge / STEP, 0.25) > fall * loudest_above {
            return true;
        }
    }
    false
}

/// Whether the harmonics of a frequency, given in bins, hold nearly all of the power.
fn is_hum(power: &[f64], spacing: f64) -> bool {
    if spacing < HUM_SPACING_BINS {
        return false;
    }
    let total: f64 = power[1..].iter().sum();
    let harmonics: Vec<f64> = (1..=HUM_HARMONICS)
        .map(|harmonic| (harmonic as f64 * spacing).round() as usize)
        .take_while(|centre| centre + HUM_BINS < power.len())
        .map(|centre| power[centre - HUM_BINS..=centre + HUM_BINS].iter().sum::<f64>())
        .collect();
    // A tone that happens to be a high multiple of the mains is a machine's.
    let in_lowest: f64 = harmonics.iter().take(HUM_LOWEST).sum();
    harmonics.iter().sum::<f64>() >= HUM_SHARE * total && in_lowest >= 0.5 * total
}
