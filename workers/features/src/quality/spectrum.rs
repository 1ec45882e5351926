//! What the spectrum of a channel says of how it was recorded: an edge far below the top of the spec's bands, or little
//! but the mains.

use std::sync::Arc;

use auscult_schemas::{QualityFlag, Quantity};
use auscult_signal::num_complex::Complex;
use auscult_signal::transform::{self, RealToComplex};

/// Windows taken from a clip, evenly spread: enough that no pause of the machine is mistaken for a fault of the sensor,
/// few enough that the check costs a fraction of the log-mel.
const WINDOWS: usize = 3;
/// Length of a window: the largest power of two within so many seconds. Its resolution separates the mains' harmonics
/// from what lies between, to four bins of at most 2 Hz.
const WINDOW_S: f64 = 1.0;
/// With fewer samples in a window there is no spectrum to speak of.
const SHORTEST_WINDOW: usize = 256;

/// Above this share of half the rate, or of the top of the spec's bands, an edge is a recorder's own filter, not a
/// lower rate: 0.75. From 8 to 16 kHz, from 11.025 to 16, from 32 to 44.1 or 48 kHz and the like are all below; filters
/// of recorders end at 0.9.
const HIGHEST_EDGE: f64 = 0.75;
/// By how much the spectrum must fall at the edge, dB. Resampling filters fall by 60 and more; rooms, housings and
/// microphones by 24 to 48 dB an octave, which is 5 to 9 dB over the tenth of the frequency that is compared here.
const EDGE_DB: f64 = 35.0;

/// Share of the energy that must be the mains': 99 %. Motors and transformers hum at it too, but never without
/// bearings, air and switching about it.
const HUM_SHARE: f64 = 0.99;
/// Harmonics that count as the mains'.
const HUM_HARMONICS: usize = 20;
/// So many of them, the lowest, hold half of the energy or more.
const HUM_LOWEST: usize = 3;
/// Bins on each side of a harmonic that count with it: the main lobe of the Hann window, and one for where it lies
/// between bins.
const HUM_BINS: usize = 3;
/// How far from 50 or 60 Hz the mains are at most: 0.2 %. The grids of Europe and of America keep to it but for minutes
/// in a year.
const HUM_TOLERANCE: f64 = 0.002;
/// Bins from one harmonic to the next below which hum and broad sound cannot be told apart.
const HUM_SPACING_BINS: f64 = 20.0;

/// Keeps a plan for each length of windows met: powers of two, so a score of them at most.
pub(super) struct SpectrumChecker {
    plans: Vec<WindowPlan>,
    /// Top of the spec's mel bands, Hz.
    top_hz: f64,
    quantity: Quantity,
}

impl SpectrumChecker {
    /// For signals of a quantity that are judged up to a frequency.
    pub fn new(top_hz: f64, quantity: Quantity) -> Self {
        Self { plans: Vec::new(), top_hz, quantity }
    }

    /// What the spectrum of a channel deserves.
    pub fn flags(&mut self, samples: &[f32], rate_hz: u32, mean: f32) -> Vec<QualityFlag> {
        let longest = (WINDOW_S * f64::from(rate_hz)) as usize;
        let fitting = longest.min(samples.len());
        if fitting < SHORTEST_WINDOW {
            return Vec::new();
        }
        let window = 1 << fitting.ilog2();
        let (top_hz, quantity) = (self.top_hz, self.quantity);
        let power = self.power_spectrum(samples, window, mean);
        let hz_per_bin = f64::from(rate_hz) / window as f64;
        let mut flags = Vec::new();
        if ends_at_an_edge(power, top_hz / hz_per_bin) {
            flags.push(QualityFlag::WrongRate);
        }
        // A motor's current is the mains', and so is what a pump on them does to the pressure.
        let may_hum = matches!(quantity, Quantity::Sound | Quantity::Vibration);
        if may_hum && [50.0, 60.0].into_iter().any(|mains_hz| is_hum(power, mains_hz / hz_per_bin)) {
            flags.push(QualityFlag::MainsHum);
        }
        flags
    }

    /// Sum of the windows' power spectra, `[window / 2 + 1]`, under a squared sine (Hann).
    fn power_spectrum(&mut self, samples: &[f32], window: usize, mean: f32) -> &[f64] {
        let known = self.plans.iter().position(|plan| plan.sine.len() == window);
        let index = known.unwrap_or_else(|| {
            self.plans.push(WindowPlan::new(window));
            self.plans.len() - 1
        });
        self.plans[index].power_spectrum(samples, mean)
    }
}

/// What transforms windows of one length, with its buffers.
struct WindowPlan {
    fft: Arc<dyn RealToComplex<f32>>,
    /// Half a period of a sine, whose square is the Hann window.
    sine: Vec<f32>,
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f64>,
}

impl WindowPlan {
    fn new(window: usize) -> Self {
        let fft = transform::real_f32(window);
        let sine = (0..window).map(|index| (std::f32::consts::PI * index as f32 / window as f32).sin()).collect();
        let (frame, spectrum, scratch) = (fft.make_input_vec(), fft.make_output_vec(), fft.make_scratch_vec());
        Self { fft, sine, frame, spectrum, scratch, power: vec![0.0; window / 2 + 1] }
    }

    fn power_spectrum(&mut self, samples: &[f32], mean: f32) -> &[f64] {
        let window = self.sine.len();
        self.power.fill(0.0);
        let room = samples.len() - window;
        let windows = if room == 0 { 1 } else { WINDOWS };
        for number in 0..windows {
            let start = room * number / (windows - 1).max(1);
            for ((value, sample), rise) in self.frame.iter_mut().zip(&samples[start..]).zip(&self.sine) {
                *value = (sample - mean) * rise * rise;
            }
            let (frame, spectrum, scratch) = (&mut self.frame, &mut self.spectrum, &mut self.scratch);
            self.fft.process_with_scratch(frame, spectrum, scratch).expect("the buffers are the plan's own");
            for (sum, value) in self.power.iter_mut().zip(spectrum.iter()) {
                *sum += f64::from(value.norm_sqr());
            }
        }
        &self.power
    }
}

/// Whether there is a frequency, well below `highest` bins, below which there is broad sound and above which, all the
/// way up, there is none.
///
/// Compared are the lower quartile of the octave below the edge, which no lone tone and nothing that leaks from one
/// lifts, and the highest of the medians of all steps above it.
fn ends_at_an_edge(power: &[f64], highest: f64) -> bool {
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
    let bins = |from: f64, to: f64| &power[from as usize..(to as usize).max(from as usize + 1)];
    let mut scratch = Vec::new();
    let highest_edge = HIGHEST_EDGE * highest.min(top as f64);
    let fall = 10.0_f64.powf(EDGE_DB / 10.0);
    let mut loudest_above = 0.0_f64;
    // From the top down: what was heard above an edge is above every lower one too. The step next to the edge is its
    // slope.
    for edge in edges {
        let above = bins(edge * STEP, edge * STEP * STEP);
        if is_quantile_above(above, 0.5, loudest_above) {
            loudest_above = quantile(above, 0.5, &mut scratch);
        }
        if edge <= highest_edge && is_quantile_above(bins(edge / 2.0, edge / STEP), 0.25, fall * loudest_above) {
            return true;
        }
    }
    false
}

/// Index of a quantile among so many sorted values.
fn place_of(share: f64, values: usize) -> usize {
    (share * values as f64) as usize
}

/// Whether a quantile is above a limit: counting takes a fraction of selecting.
fn is_quantile_above(values: &[f64], share: f64, limit: f64) -> bool {
    values.iter().filter(|value| **value <= limit).count() <= place_of(share, values.len())
}

fn quantile(values: &[f64], share: f64, scratch: &mut Vec<f64>) -> f64 {
    scratch.clear();
    scratch.extend_from_slice(values);
    *scratch.select_nth_unstable_by(place_of(share, values.len()), f64::total_cmp).1
}

/// Whether the harmonics of a frequency, given in bins, hold nearly all of the power, and the strongest of them lies
/// where it should.
fn is_hum(power: &[f64], spacing: f64) -> bool {
    if spacing < HUM_SPACING_BINS {
        return false;
    }
    let total: f64 = power[1..].iter().sum();
    let centres = (1..=HUM_HARMONICS).map(|harmonic| (harmonic as f64 * spacing).round() as usize);
    let lobes: Vec<(usize, f64)> = centres
        .take_while(|centre| centre + HUM_BINS + 1 < power.len())
        .map(|centre| (centre, power[centre - HUM_BINS..=centre + HUM_BINS].iter().sum::<f64>()))
        .collect();
    // A tone that happens to be a high multiple of the mains is a machine's.
    let in_lowest: f64 = lobes.iter().take(HUM_LOWEST).map(|(_, sum)| sum).sum();
    let in_all: f64 = lobes.iter().map(|(_, sum)| sum).sum();
    if in_all < HUM_SHARE * total || in_lowest < 0.5 * total {
        return false;
    }
    let strongest = lobes.iter().enumerate().max_by(|(_, (_, a)), (_, (_, b))| a.total_cmp(b));
    strongest.is_some_and(|(index, (centre, _))| {
        let expected = (index + 1) as f64 * spacing;
        (peak_of_a_tone(power, *centre) - expected).abs() <= HUM_TOLERANCE * expected
    })
}

/// The frequency of a tone near a bin, in bins. Under a Hann window a tone at `bin + d`, `d` within 0–1, has the ratio
/// `a = |X[bin + 1]| / |X[bin]| = (1 + d) / (2 - d)`, so `d = (2a - 1) / (a + 1)`.
fn peak_of_a_tone(power: &[f64], near: usize) -> f64 {
    let bins = near - HUM_BINS..=near + HUM_BINS;
    let highest = bins.max_by(|a, b| power[*a].total_cmp(&power[*b])).unwrap_or(near);
    let lower = if power[highest + 1] >= power[highest - 1] { highest } else { highest - 1 };
    let ratio = (power[lower + 1] / power[lower].max(f64::MIN_POSITIVE)).sqrt();
    lower as f64 + (2.0 * ratio - 1.0) / (ratio + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags_of(hz: f64, rate_hz: u32, quantity: Quantity) -> Vec<QualityFlag> {
        let mut state = 1_u32;
        let samples: Vec<f32> = (0..2 * rate_hz)
            .map(|index| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = f64::from(state >> 8) / f64::from(1 << 24) - 0.5;
                (0.3 * (std::f64::consts::TAU * hz * f64::from(index) / f64::from(rate_hz)).sin() + 0.003 * noise)
                    as f32
            })
            .collect();
        SpectrumChecker::new(f64::from(rate_hz) / 2.0, quantity).flags(&samples, rate_hz, 0.0)
    }

    #[test]
    fn mains_are_50_or_60_hz_within_two_in_a_thousand() {
        for rate_hz in [8_000, 16_000, 25_600, 44_100, 48_000] {
            for mains_hz in [50.0, 60.0] {
                for off in [-0.0015, 0.0, 0.0015] {
                    let hz = mains_hz * (1.0 + off);
                    assert_eq!(flags_of(hz, rate_hz, Quantity::Sound), [QualityFlag::MainsHum], "{hz} Hz at {rate_hz}");
                    assert_eq!(flags_of(hz, rate_hz, Quantity::Current), [], "{hz} Hz at {rate_hz}");
                    assert_eq!(flags_of(hz, rate_hz, Quantity::Pressure), [], "{hz} Hz at {rate_hz}");
                }
                for off in [-0.05, -0.01, -0.004, 0.004, 0.01, 0.05] {
                    let hz = mains_hz * (1.0 + off);
                    assert_eq!(flags_of(hz, rate_hz, Quantity::Vibration), [], "{hz} Hz at {rate_hz}");
                }
            }
        }
    }
}
