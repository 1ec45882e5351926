//! A centrifugal pump: vane-pass tones, flow noise, motor hum.

use rand::Rng;
use rand::rngs::SmallRng;

use super::acoustics::{
    Filter, Mode, add_at_spl, around, gaussian, peak_of_spl, poisson_times, rms_of_spl, seconds, strike, time_of, white,
};
use super::rotor::{Rotation, mains_hum};
use super::{Condition, Fault};

const MAINS_HZ: f64 = 50.0;
/// A two-pole motor's synchronous speed is the mains frequency; slip reduces it by 3 %, plus or minus 0.8 % with load.
const SLIP: f64 = 0.03;
const SLIP_WITH_LOAD: f64 = 0.008;
const LOAD_DB: f64 = 1.5;
const VANES: usize = 6;
/// Bubble collapses per second at full cavitation.
const COLLAPSES_HZ: f64 = 900.0;

#[derive(Debug, Clone)]
pub(super) struct Pump {
    shaft_hz: f64,
    /// Vane-pass tone and its harmonics, dB SPL.
    vane_pass_spl_db: [f64; 3],
    /// Flow through the volute: level, and the frequency band with the highest level, Hz.
    flow_spl_db: f64,
    flow_hz: f64,
    hum_spl_db: f64,
    /// Modes excited by a collapsing bubble: the casing.
    casing: [Mode; 3],
}

impl Pump {
    pub(super) fn new(rng: &mut SmallRng) -> Self {
        let tone = around(rng, 74.0, 1.5);
        Self {
            shaft_hz: MAINS_HZ * (1.0 - SLIP) * around(rng, 1.0, 0.003),
            vane_pass_spl_db: [tone, tone - 7.0, tone - 13.0].map(|level| level + around(rng, 0.0, 1.5)),
            flow_spl_db: around(rng, 74.0, 1.0),
            flow_hz: around(rng, 900.0, 120.0),
            hum_spl_db: around(rng, 66.0, 2.0),
            casing: [
                Mode { hz: around(rng, 2400.0, 200.0), decay_s: 0.9e-3, gain: 0.6 },
                Mode { hz: around(rng, 4200.0, 300.0), decay_s: 0.6e-3, gain: 1.0 },
                Mode { hz: around(rng, 6400.0, 300.0), decay_s: 0.35e-3, gain: 0.8 },
            ],
        }
    }

    pub(super) fn add(&self, pressure: &mut [f64], load: f64, condition: Condition, rng: &mut SmallRng) {
        let samples = pressure.len();
        let load_db = LOAD_DB * load + around(rng, 0.0, 0.4);
        let rotation = Rotation::new(samples, self.shaft_hz * (1.0 - SLIP_WITH_LOAD * load), rng);
        let wear = condition.severity_of(Fault::WornImpeller);

        // Shaft orders: the vane-pass tones are orders 6, 12 and 18.
        let mut orders: Vec<(f64, f64)> = (0..VANES * 3).map(|_| (rms_of_spl(44.0), rng.random())).collect();
        orders[0].0 = rms_of_spl(58.0);
        for (harmonic, spl_db) in self.vane_pass_spl_db.iter().enumerate() {
            orders[VANES * (harmonic + 1) - 1].0 = rms_of_spl(spl_db + load_db) * (1.0 - 0.4 * wear);
        }
        // Unequal vanes: the level lost at the vane pass moves to the other orders of the shaft.
        for order in orders.iter_mut().take(VANES + 3) {
            order.0 += 0.45 * wear * rms_of_spl(self.vane_pass_spl_db[0] + load_db - 3.0);
        }
        for (sum, sample) in pressure.iter_mut().zip(rotation.orders(&orders)) {
            *sum += sample;
        }

        // Flow noise; fluid flows back through worn gaps, which adds low-frequency, surging turbulence.
        let mut flow = white(samples, rng);
        Filter::band_pass(self.flow_hz, 0.5).run(&mut flow);
        for (sample, vanes) in flow.iter_mut().zip(rotation.modulation(VANES as f64, 0.2)) {
            *sample *= vanes;
        }
        add_at_spl(pressure, &flow, self.flow_spl_db + load_db);
        if wear > 0.0 {
            let mut back_flow = white(samples, rng);
            Filter::band_pass(420.0, 0.7).run(&mut back_flow);
            let surge_hz = around(rng, 6.0, 1.5);
            for (index, sample) in back_flow.iter_mut().enumerate() {
                *sample *= 1.0 + 0.7 * (std::f64::consts::TAU * surge_hz * time_of(index)).sin();
            }
            add_at_spl(pressure, &back_flow, 64.0 + 12.0 * wear);
        }

        add_at_spl(pressure, &mains_hum(samples, MAINS_HZ, rng), self.hum_spl_db + LOAD_DB * load);

        let cavitation = condition.severity_of(Fault::Cavitation);
        if cavitation > 0.0 {
            self.add_cavitation(pressure, cavitation, rng);
        }
    }

    /// Bubbles form in clouds: collapses occur in bursts of some 50 ms, each one an impact of random strength on the
    /// casing.
    fn add_cavitation(&self, pressure: &mut [f64], severity: f64, rng: &mut SmallRng) {
        const CLOUD_S: f64 = 0.05;
        let length_s = seconds(pressure);
        let clouds = poisson_times(4.0 + 10.0 * severity, length_s, rng);
        let peak = peak_of_spl(64.0 + 14.0 * severity);
        for cloud_s in clouds {
            for at_s in poisson_times(COLLAPSES_HZ * severity.sqrt(), CLOUD_S, rng) {
                // Strengths vary widely: log-normal with a standard deviation of 5 dB.
                let strength = 10_f64.powf(5.0 * gaussian(rng) / 20.0);
                let sign = if rng.random() { 1.0 } else { -1.0 };
                strike(pressure, cloud_s + at_s, sign * peak * strength, &self.casing);
            }
        }
    }
}
