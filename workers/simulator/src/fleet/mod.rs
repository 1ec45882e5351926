//! Many machines over time: the chunks of a plant's microphones over days, with the ground truth.
//!
//! ```text
//!  FleetSpec (TOML, flags, built in) ──► Fleet ──► rounds of planned chunks ──► sound, on all cores ──► consumer
//!                                          ├─────► training sound of the week before
//!                                          └─────► Truth: failures of machines and microphones, changes of halls
//! ```
//!
//! Conditions vary: load varies over an hour, over three hours and over the day, the hall is louder by day, and
//! gateways deliver with small delays and in varying order. Everything is determined by the seed.

mod envelope;
mod files;
mod machine;
mod play;
mod spec;
mod truth;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use super::{Fault, Machine, MachineKind, mix};
pub use files::{WriteError, Writing, write_file};
pub use machine::{DeadMicrophone, Failure, FleetMachine};
pub use play::{FleetChunk, PlannedChunk};
pub use spec::{DeadMicrophoneSpec, EnvironmentSpec, FailureSpec, FleetSpec, OutageSpec};
pub use truth::{EnvironmentTruth, FailureTruth, MachineTruth, MicrophoneTruth, OutageTruth, Truth};

/// Why a scenario is invalid.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum FleetError {
    /// A value is out of range.
    #[error("{what} is {value}: {needed}")]
    Figure {
        /// Its name.
        what: &'static str,
        /// As given.
        value: f64,
        /// The requirement.
        needed: &'static str,
    },
    /// An unknown machine is named.
    #[error("there is no machine {asked} in the fleet: its machines are {first} to {last}")]
    NoSuchMachine {
        /// As given.
        asked: String,
        /// The first one's id.
        first: String,
        /// The last one's id.
        last: String,
    },
    /// A machine has a fault of another kind of machine.
    #[error("{machine} cannot have the fault {fault}: that is one of a {}", fault.kind())]
    ForeignFault {
        /// The machine.
        machine: String,
        /// The fault.
        fault: Fault,
    },
    /// No machine is left for a fault or a microphone failure.
    #[error("no machine is left for {what}: each can have one fault or one dead microphone; make the fleet larger")]
    NobodyLeft {
        /// The fault or failure.
        what: String,
    },
    /// An unknown hall is named.
    #[error("there is no hall {asked}: there are {halls}, numbered from 1")]
    NoSuchHall {
        /// As given.
        asked: usize,
        /// Number of halls.
        halls: usize,
    },
}

/// A scenario with all values determined.
#[derive(Debug, Clone)]
pub struct Fleet {
    spec: FleetSpec,
    machines: Vec<FleetMachine>,
}

impl Fleet {
    /// Determines everything that the scenario leaves to the seed.
    ///
    /// # Errors
    /// [`FleetError`] if the scenario contradicts itself.
    pub fn new(spec: FleetSpec) -> Result<Self, FleetError> {
        check(&spec)?;
        let mut fleet = Self { machines: build(&spec), spec };
        let mut rng = SmallRng::seed_from_u64(mix(fleet.spec.seed ^ 0x000f_1ee7));
        let mut taken = fleet.named()?;
        for failure in fleet.spec.failing.clone() {
            let (index, fault) = fleet.failing_machine(&failure, &mut taken, &mut rng)?;
            let (onset, failure) = (fleet.time(failure.onset_h), fleet.time(failure.failure_h));
            fleet.machines[index].failure = Some(Failure { fault, onset, failure });
        }
        for dead in fleet.spec.dead_microphones.clone() {
            let index = match &dead.machine {
                Some(id) => fleet.index_of(id)?,
                None => fleet.draw(None, "a dead microphone", &mut taken, &mut rng)?,
            };
            fleet.machines[index].dead_microphone =
                Some(DeadMicrophone { fault: dead.fault, at: fleet.time(dead.at_h) });
        }
        Ok(fleet)
    }

    /// The scenario.
    #[must_use]
    pub fn spec(&self) -> &FleetSpec {
        &self.spec
    }

    /// Its machines.
    #[must_use]
    pub fn machines(&self) -> &[FleetMachine] {
        &self.machines
    }

    /// Number of chunks of each machine.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        (self.spec.days * 86_400.0 / self.spec.cadence_s).round() as u64
    }

    /// End of the scenario.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.time(self.spec.days * 24.0)
    }

    /// The time this many hours after the start.
    #[must_use]
    pub fn time(&self, hours: f64) -> Timestamp {
        later(self.spec.start, hours * 3600.0)
    }

    /// Machines named by the scenario: they are not selected for anything else.
    fn named(&self) -> Result<BTreeSet<usize>, FleetError> {
        let failing = self.spec.failing.iter().filter_map(|failure| failure.machine.as_ref());
        let dead = self.spec.dead_microphones.iter().filter_map(|dead| dead.machine.as_ref());
        let mut named = BTreeSet::new();
        for id in failing.chain(dead) {
            if !named.insert(self.index_of(id)?) {
                return Err(FleetError::NobodyLeft { what: format!("{id}, which is named twice") });
            }
        }
        Ok(named)
    }

    fn index_of(&self, id: &str) -> Result<usize, FleetError> {
        let found = self.machines.iter().position(|machine| machine.machine.id() == id);
        found.ok_or_else(|| FleetError::NoSuchMachine {
            asked: id.to_owned(),
            first: self.machines[0].machine.id().to_owned(),
            last: self.machines[self.machines.len() - 1].machine.id().to_owned(),
        })
    }

    fn failing_machine(
        &self,
        failure: &FailureSpec,
        taken: &mut BTreeSet<usize>,
        rng: &mut SmallRng,
    ) -> Result<(usize, Fault), FleetError> {
        let kind = failure.fault.map(Fault::kind);
        let index = match &failure.machine {
            Some(id) => self.index_of(id)?,
            None => self.draw(kind, "a failing machine", taken, rng)?,
        };
        let machine = &self.machines[index].machine;
        let fault = match failure.fault {
            Some(fault) => fault,
            None => *machine.kind().faults().choose(rng).expect("every kind of machine has its faults"),
        };
        if fault.kind() != machine.kind() {
            return Err(FleetError::ForeignFault { machine: machine.id().to_owned(), fault });
        }
        Ok((index, fault))
    }

    /// Selects a machine of the kind without any other event.
    fn draw(
        &self,
        kind: Option<MachineKind>,
        what: &str,
        taken: &mut BTreeSet<usize>,
        rng: &mut SmallRng,
    ) -> Result<usize, FleetError> {
        let is_free = |index: &usize| {
            let is_of_kind = kind.is_none_or(|kind| self.machines[*index].machine.kind() == kind);
            is_of_kind && !taken.contains(index)
        };
        let free: Vec<usize> = (0..self.machines.len()).filter(is_free).collect();
        let drawn = *free.choose(rng).ok_or_else(|| FleetError::NobodyLeft { what: what.to_owned() })?;
        taken.insert(drawn);
        Ok(drawn)
    }
}

/// The time this many seconds later, to the millisecond.
fn later(time: Timestamp, seconds: f64) -> Timestamp {
    let since = SignedDuration::from_millis((seconds * 1e3).round() as i64);
    time.checked_add(since).unwrap_or(Timestamp::MAX)
}

fn build(spec: &FleetSpec) -> Vec<FleetMachine> {
    let counts = [(MachineKind::Fan, spec.fans), (MachineKind::Pump, spec.pumps), (MachineKind::Valve, spec.valves)];
    let mut machines = Vec::new();
    for (kind, count) in counts {
        for number in 1..=count {
            let hall = machines.len() % spec.halls;
            let name = format!("{kind}-{number:02}");
            let id = if spec.site.is_empty() { name } else { format!("{}/hall-{}/{name}", spec.site, hall + 1) };
            let machine = Machine::new(kind, id, spec.seed).with_chunk_seconds(spec.chunk_s);
            machines.push(FleetMachine { machine, hall, failure: None, dead_microphone: None });
        }
    }
    machines
}

fn check(spec: &FleetSpec) -> Result<(), FleetError> {
    let figure = |what, value: f64, is_good: bool, needed| {
        if is_good && value.is_finite() { Ok(()) } else { Err(FleetError::Figure { what, value, needed }) }
    };
    let end_h = spec.days * 24.0;
    figure("machines", spec.machines() as f64, spec.machines() > 0, "a fleet has at least one")?;
    figure("halls", spec.halls as f64, (1..=1000).contains(&spec.halls), "give 1 to 1000")?;
    figure("days", spec.days, spec.days > 0.0 && spec.days <= 3660.0, "give more than 0, and ten years at most")?;
    figure("cadence_s", spec.cadence_s, (1.0..=86_400.0).contains(&spec.cadence_s), "give 1 s to a day")?;
    figure("chunk_s", spec.chunk_s, (0.1..=60.0).contains(&spec.chunk_s), "give 0.1 to 60 s")?;
    figure("chunk_s", spec.chunk_s, spec.chunk_s < spec.cadence_s, "a chunk is shorter than the cadence")?;
    let within = "give hours from the scenario's start, within its days";
    for failure in &spec.failing {
        figure("failing.onset_h", failure.onset_h, (0.0..end_h).contains(&failure.onset_h), within)?;
        let is_later = failure.failure_h > failure.onset_h;
        figure("failing.failure_h", failure.failure_h, is_later, "a machine fails later than its fault sets in")?;
    }
    for dead in &spec.dead_microphones {
        figure("dead_microphones.at_h", dead.at_h, (0.0..end_h).contains(&dead.at_h), within)?;
    }
    for change in &spec.environment {
        figure("environment.from_h", change.from_h, (0.0..end_h).contains(&change.from_h), within)?;
        let until_h = change.until_h.unwrap_or(f64::MAX);
        figure("environment.until_h", until_h, until_h > change.from_h, "it ends after it has begun")?;
        figure("environment.spl_db", change.spl_db, (0.0..=110.0).contains(&change.spl_db), "give 0 to 110 dB SPL")?;
    }
    for outage in &spec.outages {
        figure("outages.until_h", outage.until_h, outage.until_h > outage.from_h, "it ends after it has begun")?;
    }
    let changed = spec.environment.iter().filter_map(|change| change.hall);
    for asked in changed.chain(spec.outages.iter().filter_map(|outage| outage.hall)) {
        if asked == 0 || asked > spec.halls {
            return Err(FleetError::NoSuchHall { asked, halls: spec.halls });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
