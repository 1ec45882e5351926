//! One machine of a fleet at a point in time: condition, load, and other sound sources.

use std::f64::consts::TAU;

use jiff::Timestamp;

use super::{EnvironmentSpec, Fleet};
use crate::{Circumstances, Condition, Fault, Machine, Microphone, MicrophoneFault};

/// A fault that grows until the machine fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failure {
    /// The fault.
    pub fault: Fault,
    /// Start of the fault, with severity 0.
    pub onset: Timestamp,
    /// When the machine fails; the severity is 1 from then on.
    pub failure: Timestamp,
}

/// A microphone that fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeadMicrophone {
    /// How it fails.
    pub fault: MicrophoneFault,
    /// When it fails.
    pub at: Timestamp,
}

/// A machine with its planned failures.
#[derive(Debug, Clone)]
pub struct FleetMachine {
    /// The machine.
    pub machine: Machine,
    /// Its hall, from 0.
    pub hall: usize,
    /// Its failure, if any.
    pub failure: Option<Failure>,
    /// The failure of its microphone, if any.
    pub dead_microphone: Option<DeadMicrophone>,
}

/// A fault accelerates: its severity grows with this power of the time since its start. Halfway to the failure, the
/// severity is a quarter.
const GROWTH: f64 = 2.0;

/// Load: amplitudes of oscillations over three hours, over the better part of an hour, and over the day. Periods, h.
const SLOW_LOAD: (f64, f64) = (0.4, 3.1);
const FAST_LOAD: (f64, f64) = (0.2, 0.9);
const DAY_LOAD: f64 = 0.4;
/// The hall's noise: louder by day, quieter by night, with an additional oscillation of this period; dB, h.
const DAY_HALL_DB: f64 = 1.5;
const HALL_SWING_DB: f64 = 0.7;
const HALL_SWING_H: f64 = 7.3;
/// The day's loudest hour.
const NOON_H: f64 = 14.0;
/// Variation between microphones of the level of a new sound source, dB.
const NEWCOMER_SPREAD_DB: f64 = 2.0;

impl Failure {
    /// Severity of the fault at a time, 0…1.
    #[must_use]
    pub fn severity(&self, time: Timestamp) -> f64 {
        let life = self.failure.duration_since(self.onset).as_secs_f64();
        let age = time.duration_since(self.onset).as_secs_f64();
        (age / life).clamp(0.0, 1.0).powf(GROWTH)
    }
}

impl FleetMachine {
    /// The machine's true condition at a time.
    #[must_use]
    pub fn condition(&self, time: Timestamp) -> Condition {
        match &self.failure {
            Some(failure) if time > failure.onset => Condition::faulty(failure.fault, failure.severity(time)),
            _ => Condition::NORMAL,
        }
    }

    /// The folder of its recordings: its id, with `/` encoded as in a model's file name, `%2F`.
    #[must_use]
    pub fn folder_name(&self) -> String {
        self.machine.id().replace('/', "%2F")
    }

    /// Its microphone at a time.
    #[must_use]
    pub fn microphone(&self, time: Timestamp) -> Microphone {
        match self.dead_microphone {
            Some(dead) if time >= dead.at => Microphone::Dead(dead.fault),
            _ => Microphone::Well,
        }
    }
}

impl Fleet {
    /// Influences on a machine's sound at a time, except its condition.
    #[must_use]
    pub fn circumstances(&self, machine: &FleetMachine, time: Timestamp) -> Circumstances {
        let hours = time.as_millisecond() as f64 / 3.6e6;
        let day = (TAU * (hours - NOON_H) / 24.0).cos();
        let swing = |period_h: f64, phase: f64| (TAU * (hours / period_h + phase)).sin();
        let phases = [1, 2, 3].map(|purpose| machine.machine.own_number(purpose));
        let load =
            SLOW_LOAD.0 * swing(SLOW_LOAD.1, phases[0]) + FAST_LOAD.0 * swing(FAST_LOAD.1, phases[1]) + DAY_LOAD * day;
        let hall_db = DAY_HALL_DB * day + HALL_SWING_DB * swing(HALL_SWING_H, machine.hall as f64 / 7.0);
        let heard = |change: &&EnvironmentSpec| {
            change.hall.is_none_or(|hall| hall == machine.hall + 1)
                && time >= self.time(change.from_h)
                && change.until_h.is_none_or(|until_h| time < self.time(until_h))
        };
        let newcomer = self.spec.environment.iter().filter(heard).map(|change| change.spl_db).reduce(f64::max);
        let nearness_db = NEWCOMER_SPREAD_DB * (2.0 * phases[2] - 1.0);
        Circumstances { load, hall_db, newcomer_spl_db: newcomer.map(|spl_db| spl_db + nearness_db) }
    }
}
