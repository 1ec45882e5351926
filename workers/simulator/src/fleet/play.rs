//! The order of chunks, and their sound.

use std::ops::ControlFlow;

use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;

use super::{Fleet, later};
use crate::{Circumstances, Condition, SAMPLE_RATE_HZ, mix, wav_bytes};

/// A chunk to be sent by a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedChunk {
    /// Index of the machine in the fleet.
    pub machine: usize,
    /// Its number in the machine's stream, from 0.
    pub number: u64,
    /// When it is recorded.
    pub time: Timestamp,
    /// When the gateway delivers it.
    pub delivered: Timestamp,
}

/// A chunk with its sound.
#[derive(Debug, Clone)]
pub struct FleetChunk {
    /// What was planned.
    pub planned: PlannedChunk,
    /// A WAV file.
    pub wav: Vec<u8>,
}

/// A machine's stream is numbered from here, after all training chunks.
const STREAM_STARTS_AT: u64 = 1 << 20;
/// Training clips are from the days before the start, so that they cover all hours of the day.
const TRAINING_DAYS: f64 = 7.0;
/// Machines are spread over this share of the cadence, and each chunk is early or late by up to that share.
const TURNS: f64 = 0.8;
const JITTER: f64 = 0.02;
/// Maximum delivery time of a gateway, s, and as a share of the cadence: a round ends before the next one starts.
const DELIVERY_S: f64 = 3.0;
const DELIVERY: f64 = 0.1;

impl Fleet {
    /// The chunks of a round, one per machine, in the order of delivery, without those lost in an outage.
    #[must_use]
    pub fn round(&self, number: u64) -> Vec<PlannedChunk> {
        let mut rng = SmallRng::seed_from_u64(mix(self.spec.seed ^ mix(number ^ 0x00de_11fe)));
        let cadence_s = self.spec.cadence_s;
        let mut chunks = Vec::with_capacity(self.machines.len());
        for (machine, fleet_machine) in self.machines.iter().enumerate() {
            let turn = TURNS * fleet_machine.machine.own_number(4) + rng.random_range(0.0..JITTER);
            let time = later(self.spec.start, (number as f64 + turn) * cadence_s);
            let delivered =
                later(time, self.spec.chunk_s + rng.random_range(0.0..DELIVERY_S.min(DELIVERY * cadence_s)));
            if !self.is_lost(fleet_machine.hall, time) {
                chunks.push(PlannedChunk { machine, number, time, delivered });
            }
        }
        chunks.sort_by_key(|chunk| (chunk.delivered, chunk.machine));
        chunks
    }

    fn is_lost(&self, hall: usize, time: Timestamp) -> bool {
        self.spec.outages.iter().any(|outage| {
            outage.hall.is_none_or(|lost| lost == hall + 1)
                && (self.time(outage.from_h)..self.time(outage.until_h)).contains(&time)
        })
    }

    /// A planned chunk's sound, as a WAV file.
    #[must_use]
    pub fn wav(&self, planned: &PlannedChunk) -> Vec<u8> {
        let fleet_machine = &self.machines[planned.machine];
        let circumstances = self.circumstances(fleet_machine, planned.time);
        let index = STREAM_STARTS_AT + planned.number;
        let sound = fleet_machine.machine.chunk_in(index, fleet_machine.condition(planned.time), circumstances);
        let seed = mix(self.spec.seed ^ mix(index) ^ planned.machine as u64);
        wav_bytes(&fleet_machine.microphone(planned.time).hears(sound, seed), SAMPLE_RATE_HZ)
    }

    /// Clip `number` of `clips` of a machine's normal sound in the week before the start, as a WAV file.
    #[must_use]
    pub fn training_wav(&self, machine: usize, number: u64, clips: u64) -> Vec<u8> {
        debug_assert!(number < clips && clips < STREAM_STARTS_AT, "training would run into the stream");
        let fleet_machine = &self.machines[machine];
        let before_h = TRAINING_DAYS * 24.0 * (number as f64 + 0.5) / clips as f64;
        let circumstances = self.usual_circumstances(machine, self.time(-before_h));
        let sound = fleet_machine.machine.chunk_in(number, Condition::NORMAL, circumstances);
        wav_bytes(&sound, SAMPLE_RATE_HZ)
    }

    fn usual_circumstances(&self, machine: usize, time: Timestamp) -> Circumstances {
        let circumstances = self.circumstances(&self.machines[machine], time);
        debug_assert!(circumstances.newcomer_spl_db.is_none(), "nothing is new before the start");
        circumstances
    }

    /// Generates every chunk's sound, on all cores, and passes it to `take` in the order of delivery until `take`
    /// stops.
    ///
    /// The sound of the next rounds is generated while `take` runs; a few rounds are in memory at once.
    ///
    /// # Errors
    /// The error of `take`.
    pub fn play<E>(&self, mut take: impl FnMut(FleetChunk) -> Result<ControlFlow<()>, E>) -> Result<(), E> {
        const ROUNDS_AHEAD: usize = 2;
        let (made, ready) = crossbeam_channel::bounded::<Vec<FleetChunk>>(ROUNDS_AHEAD);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..self.rounds() {
                    let planned = self.round(number);
                    let make = |planned: PlannedChunk| FleetChunk { planned, wav: self.wav(&planned) };
                    let chunks = planned.into_par_iter().map(make).collect();
                    // The receiver is gone: `take` has stopped.
                    if made.send(chunks).is_err() {
                        break;
                    }
                }
            });
            // Moved in, so that it is dropped at the end: the generator notices and ends, too.
            let ready = ready;
            for chunk in ready.iter().flatten() {
                if take(chunk)?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}
