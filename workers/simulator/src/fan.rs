//! An axial fan: blade-pass tones, turbulence, motor hum.

use rand::Rng;
use rand::rngs::SmallRng;

use super::acoustics::{Filter, Mode, add_at_spl, around, gain, gaussian, peak_of_spl, rms_of_spl, strike, white};
use super::rotor::{Rotation, mains_hum};
use super::{Condition, Fault};

const MAINS_HZ: f64 = 50.0;
/// A four-pole motor's synchronous speed is half the mains frequency; slip reduces it by 1.5 %, plus or minus 1 % with
/// load.
const SLIP: f64 = 0.015;
const SLIP_WITH_LOAD: f64 = 0.01;
/// Sound grows with the fifth power of speed: 50 dB per decade (the fan laws), and flow noise follows the load
/// directly.
const FAN_LAW_DB_PER_DECADE: f64 = 50.0;
const LOAD_DB: f64 = 1.0;
const BLADES: usize = 7;
/// Outer-race ball-pass frequency of a 6205 bearing, per turn of the shaft.
const BPFO_PER_TURN: f64 = 3.585;

#[derive(Debug, Clone)]
pub(super) struct Fan {
    shaft_hz: f64,
    /// Blade-pass tone and its harmonics, dB SPL.
    blade_pass_spl_db: [f64; 4],
    /// Turbulence: level, and the frequency band with the highest level, Hz.
    turbulence_spl_db: f64,
    turbulence_hz: f64,
    hum_spl_db: f64,
    /// Residual imbalance of every rotor, dB SPL at one per turn.
    residual_spl_db: f64,
    /// Modes excited by a bearing's impacts: the bearing housing.
    housing: [Mode; 2],
}

impl Fan {
    pub(super) fn new(rng: &mut SmallRng) -> Self {
        let tone = around(rng, 72.0, 1.5);
        Self {
            shaft_hz: MAINS_HZ / 2.0 * (1.0 - SLIP) * around(rng, 1.0, 0.004),
            blade_pass_spl_db: [tone, tone - 5.0, tone - 11.0, tone - 16.0].map(|level| level + around(rng, 0.0, 1.5)),
            turbulence_spl_db: around(rng, 76.0, 1.0),
            turbulence_hz: around(rng, 600.0, 80.0),
            hum_spl_db: around(rng, 62.0, 2.0),
            residual_spl_db: around(rng, 58.0, 1.5),
            housing: [
                Mode { hz: around(rng, 3200.0, 250.0), decay_s: 1.4e-3, gain: 1.0 },
                Mode { hz: around(rng, 5100.0, 300.0), decay_s: 0.8e-3, gain: 0.5 },
            ],
        }
    }

    pub(super) fn add(&self, pressure: &mut [f64], load: f64, condition: Condition, rng: &mut SmallRng) {
        let samples = pressure.len();
        let speed = 1.0 - SLIP_WITH_LOAD * load;
        let law_db = FAN_LAW_DB_PER_DECADE * speed.log10() + LOAD_DB * load + around(rng, 0.0, 0.4);
        let rotation = Rotation::new(samples, self.shaft_hz * speed, rng);

        let imbalance = condition.severity_of(Fault::Imbalance);
        let damage = condition.severity_of(Fault::BladeDamage);

        // Shaft orders: the blade-pass tones are orders 7, 14, 21 and 28.
        let mut orders: Vec<(f64, f64)> = (0..BLADES * 4).map(|_| (rms_of_spl(40.0), rng.random())).collect();
        orders[0].0 = rms_of_spl(self.residual_spl_db) * (1.0 + gain(22.0) * imbalance);
        // A shaken mount is not linear: the second and third orders occur with the first.
        orders[1].0 += rms_of_spl(self.residual_spl_db) * gain(12.0) * imbalance;
        orders[2].0 += rms_of_spl(self.residual_spl_db) * gain(6.0) * imbalance;
        for (harmonic, spl_db) in self.blade_pass_spl_db.iter().enumerate() {
            orders[BLADES * (harmonic + 1) - 1].0 = rms_of_spl(spl_db + law_db) * (1.0 - 0.3 * damage);
        }
        // Six equal wakes and a different one: a pulse once per turn, so all orders around the blade pass rise.
        for (index, order) in orders.iter_mut().enumerate() {
            let away = index.abs_diff(BLADES - 1) as f64 / BLADES as f64;
            order.0 += damage * rms_of_spl(self.blade_pass_spl_db[0] + law_db - 4.0 - 5.0 * away);
        }
        for (sum, sample) in pressure.iter_mut().zip(rotation.orders(&orders)) {
            *sum += sample;
        }

        // Turbulence, modulated by the blades; an unbalanced rotor wobbles in its duct and modulates the flow once per
        // turn.
        let mut turbulence = white(samples, rng);
        Filter::band_pass(self.turbulence_hz, 0.4).run(&mut turbulence);
        let by_blades = rotation.modulation(BLADES as f64, 0.15);
        let by_wobble = rotation.modulation(1.0, 0.6 * imbalance);
        for ((sample, blades), wobble) in turbulence.iter_mut().zip(by_blades).zip(by_wobble) {
            *sample *= blades * wobble;
        }
        add_at_spl(pressure, &turbulence, self.turbulence_spl_db + law_db);

        add_at_spl(pressure, &mains_hum(samples, MAINS_HZ, rng), self.hum_spl_db + LOAD_DB * load);

        if damage > 0.0 {
            // The torn edge sheds small vortices, once per turn.
            let mut torn = white(samples, rng);
            Filter::band_pass(2600.0, 1.2).run(&mut torn);
            for (sample, near) in torn.iter_mut().zip(rotation.modulation(1.0, 0.8)) {
                *sample *= near;
            }
            add_at_spl(pressure, &torn, 56.0 + 12.0 * damage);
        }

        let wear = condition.severity_of(Fault::BearingWear);
        if wear > 0.0 {
            let peak = peak_of_spl(62.0 + 22.0 * wear);
            for at_s in rotation.passings(BPFO_PER_TURN) {
                // Balls slip a little: 1 % of the interval, and impacts vary.
                let slip_s = 0.01 * gaussian(rng) / (BPFO_PER_TURN * self.shaft_hz);
                strike(pressure, at_s + slip_s, peak * (1.0 + 0.35 * gaussian(rng)).max(0.1), &self.housing);
            }
        }
    }
}
