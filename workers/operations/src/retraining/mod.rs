//! Collects recent chunks of machines for retraining: a bounded, uniform sample of each machine's chunks, and the
//! machines that should be excluded.

mod reading;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use auscult_detection::{ClipView, HealthyClip, Recorded, TrainingClip, check_chosen, natural_order};
use auscult_schemas::{
    Alert, AlertKind, Envelope, FeatureSpecHash, Features, MachineId, MachineState, RecordCoordinates, Score,
};
use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

pub use reading::{TopicReading, read_machines_in_alarm, read_not_running, read_samples};

/// Which chunks to sample.
#[derive(Debug, Clone)]
pub struct SampleRequest {
    /// Recorded at this time or later.
    pub since: Timestamp,
    /// Recorded before this time.
    pub until: Timestamp,
    /// Prefix of machine ids.
    pub machines: String,
    /// Features of this spec.
    pub spec: FeatureSpecHash,
    /// Maximum number of chunks per machine.
    pub clips: usize,
    /// Seed of the sampling.
    pub seed: u64,
    /// The channels to train on, counted from 0 and ascending; `None`: all.
    pub channels: Option<Vec<usize>>,
    /// Excluded chunks, which do not represent the running machine: those of [`is_not_running`].
    pub left_out: HashSet<RecordCoordinates>,
}

/// The sample of one machine.
#[derive(Debug)]
pub struct MachineSample {
    /// Chunks in the range with a working sensor.
    pub heard: u64,
    /// Chunks in the range without a working sensor.
    pub unheard: u64,
    /// Chunks in the range that are idle or have a setup fault.
    pub at_rest: u64,
    /// Chunks in the range without a selected channel.
    pub lacking: u64,
    /// A uniform sample of the chunks with a working sensor, in the order of their ids.
    pub clips: Vec<TrainingClip>,
    rng: SmallRng,
}

/// Collects the samples.
#[derive(Debug)]
pub struct ChunkSampler {
    wanted: SampleRequest,
    machines: BTreeMap<MachineId, MachineSample>,
    /// Chunks in the range whose features have another spec.
    pub of_another_spec: u64,
}

impl ChunkSampler {
    /// An empty sampler.
    #[must_use]
    pub fn new(wanted: SampleRequest) -> Self {
        Self { wanted, machines: BTreeMap::new(), of_another_spec: 0 }
    }

    /// Whether a chunk's features are needed.
    #[must_use]
    pub fn wants(&self, envelope: &Envelope) -> bool {
        let SampleRequest { since, until, machines, .. } = &self.wanted;
        (*since..*until).contains(&envelope.time) && envelope.machine.as_str().starts_with(machines)
    }

    /// Adds a needed chunk, without its faulty channels.
    pub fn take(&mut self, envelope: &Envelope, features: &Features) {
        if features.metadata.feature_spec != self.wanted.spec {
            self.of_another_spec += 1;
            return;
        }
        let seed = seed_of(self.wanted.seed, &envelope.machine);
        let new = || MachineSample {
            heard: 0,
            unheard: 0,
            at_rest: 0,
            lacking: 0,
            clips: Vec::new(),
            rng: SmallRng::seed_from_u64(seed),
        };
        let sent = self.machines.entry(envelope.machine.clone()).or_insert_with(new);
        if self.wanted.left_out.contains(&features.metadata.chunk) {
            sent.at_rest += 1;
            return;
        }
        let chosen = self.wanted.channels.as_deref();
        if check_chosen(features.channels, chosen).is_err() {
            sent.lacking += 1;
            return;
        }
        let Some(clip) = training_clip(envelope, features, chosen) else {
            sent.unheard += 1;
            return;
        };
        sent.heard += 1;
        // Vitter's algorithm R (1985).
        if sent.clips.len() < self.wanted.clips {
            sent.clips.push(clip);
        } else {
            let place = sent.rng.random_range(0..sent.heard) as usize;
            if let Some(kept) = sent.clips.get_mut(place) {
                *kept = clip;
            }
        }
    }

    /// Number of chunks.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.machines.values().map(|sent| sent.heard + sent.unheard + sent.at_rest + sent.lacking).sum()
    }

    /// The machines in the order of their ids.
    #[must_use]
    pub fn into_machines(self) -> BTreeMap<MachineId, MachineSample> {
        let mut machines = self.machines;
        machines.values_mut().for_each(|sent| sent.clips.sort_by(|a, b| natural_order(&a.name, &b.name)));
        machines
    }
}

/// The seed of a machine: FNV-1a of its id.
fn seed_of(seed: u64, machine: &MachineId) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    machine.as_str().bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, step)
}

fn training_clip(envelope: &Envelope, features: &Features, chosen: Option<&[usize]>) -> Option<TrainingClip> {
    let Features { channels, frames, mels, ref values, ref metadata } = *features;
    let healthy = HealthyClip::of(&ClipView { channels, frames, mels, values }, chosen, &metadata.sensor_faults)?;
    Some(TrainingClip {
        name: envelope.id.0.clone(),
        channels: healthy.spectrograms(),
        numbers: healthy.channels.clone(),
        domain: None,
        recorded: Some(Recorded { source_rate_hz: metadata.source_rate_hz, duration_s: metadata.duration_s }),
        quality: metadata.quality.clone(),
        ..TrainingClip::default()
    })
}

/// Whether a score marks its chunk as idle or as a setup fault, so that it does not represent the running machine.
/// Another rate or length is not a change of the machine, and no model should learn it automatically.
#[must_use]
pub fn is_not_running(score: &Score) -> bool {
    matches!(score.state, MachineState::Idle | MachineState::SetupFault)
}

/// Machines that were in alarm at any time in the range, acknowledged or not: their sound must not be learned as
/// normal. `alerts` are in topic order.
pub fn machines_in_alarm<'a>(
    alerts: impl Iterator<Item = &'a Alert>,
    since: Timestamp,
    until: Timestamp,
) -> BTreeSet<MachineId> {
    let is_alarm = |state: MachineState| matches!(state, MachineState::Alarm | MachineState::Acknowledged);
    let mut alarmed = BTreeSet::new();
    let mut standing: BTreeMap<&MachineId, bool> = BTreeMap::new();
    for alert in alerts.filter(|alert| alert.kind == AlertKind::Machine && alert.time < until) {
        let stood = standing.get(&alert.machine).copied().unwrap_or(false);
        // Silence interrupts an alarm, but does not end it.
        let stands = is_alarm(alert.state) || (alert.state == MachineState::Silent && stood);
        standing.insert(&alert.machine, stands);
        if alert.time >= since && (stood || stands) {
            alarmed.insert(alert.machine.clone());
        }
    }
    alarmed.extend(standing.into_iter().filter(|(_, stands)| *stands).map(|(machine, _)| machine.clone()));
    alarmed
}

#[cfg(test)]
mod tests;
