//! A solenoid valve: click, gas flow, click, periodically; quiet in between.

use std::f64::consts::TAU;

use rand::Rng;
use rand::rngs::SmallRng;

use super::acoustics::{Filter, Mode, add_at_spl, around, peak_of_spl, rms_of_spl, seconds, strike, time_of, white};
use super::{Condition, Fault, SAMPLE_RATE_HZ};

const MAINS_HZ: f64 = 50.0;
const LOAD_DB: f64 = 1.5;
/// Jitter of the controller's timing, s.
const TIMING_JITTER_S: f64 = 0.004;

#[derive(Debug, Clone)]
pub(super) struct Valve {
    /// Interval between openings, and duration of each opening, s.
    period_s: f64,
    open_s: f64,
    /// Peak level of the armature's impact, dB SPL; closing is quieter by 4 dB.
    click_peak_spl_db: f64,
    /// Modes excited by the armature's impact: the valve's body.
    body: [Mode; 3],
    /// Gas flow while open: level, dB SPL, and the frequency band with the highest level, Hz.
    rush_spl_db: f64,
    rush_hz: f64,
    /// Hum of the coil while energised, dB SPL.
    coil_spl_db: f64,
}

impl Valve {
    pub(super) fn new(rng: &mut SmallRng) -> Self {
        Self {
            period_s: around(rng, 0.55, 0.02),
            open_s: around(rng, 0.22, 0.01),
            click_peak_spl_db: around(rng, 96.0, 1.0),
            body: [
                Mode { hz: around(rng, 1300.0, 100.0), decay_s: 6.0e-3, gain: 1.0 },
                Mode { hz: around(rng, 3100.0, 200.0), decay_s: 3.0e-3, gain: 0.7 },
                Mode { hz: around(rng, 5600.0, 300.0), decay_s: 1.2e-3, gain: 0.4 },
            ],
            rush_spl_db: around(rng, 80.0, 1.0),
            rush_hz: around(rng, 1900.0, 150.0),
            coil_spl_db: around(rng, 60.0, 1.5),
        }
    }

    pub(super) fn add(&self, pressure: &mut [f64], load: f64, condition: Condition, rng: &mut SmallRng) {
        let samples = pressure.len();
        let load_db = LOAD_DB * load + around(rng, 0.0, 0.4);
        let sticking = condition.severity_of(Fault::Sticking);
        let click_peak = peak_of_spl(self.click_peak_spl_db);

        let mut opening = vec![0.0; samples];
        let mut energised = vec![0.0; samples];
        // The first actuation started before the chunk, because a chunk starts at any time.
        let mut command_s = -self.period_s * rng.random::<f64>();
        while command_s < seconds(pressure) {
            let release_s = command_s + self.open_s + around(rng, 0.0, TIMING_JITTER_S);
            // A sticking armature moves late, if at all, and then hits harder.
            let late_s = sticking * rng.random_range(0.02..0.09);
            let stays_shut = rng.random::<f64>() < 0.3 * sticking;
            let open_s = command_s + late_s;
            let unseated_until_s = if stays_shut { release_s } else { open_s };
            ramp(&mut energised, command_s, release_s, 0.002, 0.002);
            if sticking > 0.0 {
                self.add_chatter(pressure, command_s, unseated_until_s, sticking, rng);
            }
            if !stays_shut {
                let close_s = release_s + 0.5 * late_s;
                strike(pressure, open_s, click_peak * around(rng, 1.0 + 0.5 * sticking, 0.1), &self.body);
                strike(pressure, close_s, click_peak * 0.63 * around(rng, 1.0, 0.1), &self.body);
                if rng.random::<f64>() < 0.9 * sticking {
                    let bounce_s = rng.random_range(0.012..0.035);
                    strike(pressure, open_s + bounce_s, click_peak * 0.6 * sticking, &self.body);
                    strike(pressure, close_s + bounce_s, click_peak * 0.5 * sticking, &self.body);
                }
                ramp(&mut opening, open_s, close_s, 0.012, 0.03);
            }
            command_s += self.period_s + around(rng, 0.0, TIMING_JITTER_S);
        }

        // Gas flow: noise through the opening, at the level of the open valve.
        let mut rush = white(samples, rng);
        Filter::band_pass(self.rush_hz, 0.8).run(&mut rush);
        let unit = rms_of_spl(self.rush_spl_db + load_db) / rms(&rush);
        for ((sum, sample), open) in pressure.iter_mut().zip(&rush).zip(&opening) {
            *sum += unit * sample * open;
        }

        let phase: f64 = rng.random();
        let coil = rms_of_spl(self.coil_spl_db) * std::f64::consts::SQRT_2;
        for (index, (sum, on)) in pressure.iter_mut().zip(&energised).enumerate() {
            *sum += coil * on * (TAU * (2.0 * MAINS_HZ * time_of(index) + phase)).sin();
        }

        let leak = condition.severity_of(Fault::Leak);
        if leak > 0.0 {
            // A jet through a small gap has its peak at high frequencies: at a Strouhal number of 0.2, several kHz for
            // a millimetre.
            let mut hiss = white(samples, rng);
            Filter::high_pass(3500.0).run(&mut hiss);
            Filter::low_pass(7000.0).run(&mut hiss);
            add_at_spl(pressure, &hiss, 46.0 + 20.0 * leak + load_db);
        }
    }
}

impl Valve {
    /// The coil of an alternating-current valve pulls and releases an unseated armature twice per mains period: it
    /// buzzes.
    fn add_chatter(&self, pressure: &mut [f64], from_s: f64, to_s: f64, sticking: f64, rng: &mut SmallRng) {
        let peak = peak_of_spl(74.0 + 14.0 * sticking);
        let mut at_s = from_s;
        while at_s < to_s {
            if at_s >= 0.0 {
                strike(pressure, at_s, peak * around(rng, 1.0, 0.5), &self.body);
            }
            at_s += 0.5 / MAINS_HZ;
        }
    }
}

/// Raises an envelope to 1 from `from_s` to `to_s`, with rise and fall times, s.
fn ramp(envelope: &mut [f64], from_s: f64, to_s: f64, rise_s: f64, fall_s: f64) {
    let first = (from_s * f64::from(SAMPLE_RATE_HZ)).max(0.0) as usize;
    for (index, value) in envelope.iter_mut().enumerate().skip(first) {
        let at_s = time_of(index);
        if at_s > to_s + fall_s {
            break;
        }
        let rise = ((at_s - from_s) / rise_s).clamp(0.0, 1.0);
        let fall = ((to_s + fall_s - at_s) / fall_s).clamp(0.0, 1.0);
        *value = f64::max(*value, rise.min(fall));
    }
}

fn rms(signal: &[f64]) -> f64 {
    (signal.iter().map(|sample| sample * sample).sum::<f64>() / signal.len() as f64).sqrt()
}
