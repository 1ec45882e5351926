//! What the decisions about many machines need to know of each: when it was heard, how often it is, and whether it
//! deviates. All of it follows from the machines' states, so that a roster made anew of restored states decides as the
//! one that was lost.

use std::collections::BTreeMap;

use auscult_schemas::{MachineId, MachineState, ScorerState};
use jiff::Timestamp;

/// One machine of a partition, as the others' decisions see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Listed {
    /// The latest time at which it was heard.
    pub last_heard: Timestamp,
    /// How far apart its chunks usually are, s; `None` until enough have come to tell.
    pub cadence_s: Option<f64>,
    /// For how long the partition had been listened to when it was heard, s; see [`crate::silence::listened_s`].
    pub listened_s: f64,
    /// Its state.
    pub state: MachineState,
    /// When the maintenance or the rest ends that a person has asked for; the far future where it has no end.
    pub maintained_until: Option<Timestamp>,
    /// The first chunk of what deviates now, while the latest chunk deviates.
    pub deviates_since: Option<Timestamp>,
    /// Anomalous chunks in a row, up to the latest.
    pub run: u32,
    /// The drift that has been found of it and is not over: when it was found, and since when it is.
    pub drift: Option<(Timestamp, Timestamp)>,
    /// The change of environment that its threshold follows, or is about to.
    pub adjusted_since: Option<Timestamp>,
    /// Its level is being learnt anew.
    pub is_relearning: bool,
}

impl Listed {
    /// Chunks after which a machine's cadence is taken for known.
    const CHUNKS_FOR_CADENCE: u64 = 5;

    /// As a machine's state has it; `None` of one that has never been heard.
    #[must_use]
    pub fn of(state: &ScorerState) -> Option<Self> {
        let is_alarm = matches!(state.alert.state, MachineState::Alarm | MachineState::Acknowledged);
        let run_since = state.deviation.as_ref().map(|deviation| deviation.since);
        // A normal chunk in between does not make an old alarm a new one.
        let deviates_since = match (run_since, state.alert.since) {
            (Some(run), Some(alarm)) if is_alarm => Some(run.min(alarm)),
            (run, _) => run,
        };
        let relearning = state.relearning.as_ref().map(|relearning| relearning.since);
        let adjusted = state.adjustment.as_ref().map(|adjustment| adjustment.since);
        Some(Self {
            last_heard: state.last_heard?,
            cadence_s: state.cadence_s.filter(|_| state.chunks >= Self::CHUNKS_FOR_CADENCE),
            listened_s: state.listened_s.unwrap_or(0.0),
            state: state.alert.state,
            maintained_until: state
                .maintenance
                .iter()
                .chain(&state.idle)
                .map(|asked| asked.until.unwrap_or(Timestamp::MAX))
                .max(),
            deviates_since,
            run: state.alert.recent.trailing_ones(),
            drift: state.drift.episode.map(|episode| (episode.found, episode.since)),
            adjusted_since: relearning.or(adjusted),
            is_relearning: relearning.is_some(),
        })
    }

    /// Whether someone works on it at that time, or it is at rest as a person has said.
    #[must_use]
    pub fn is_maintained(&self, time: Timestamp) -> bool {
        self.maintained_until.is_some_and(|until| until > time)
    }
}

/// The machines of one partition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Roster {
    machines: BTreeMap<MachineId, Listed>,
}

impl Roster {
    /// Lists a machine as its state now is.
    pub fn put(&mut self, state: &ScorerState) {
        match Listed::of(state) {
            Some(listed) => self.insert(state.machine.clone(), listed),
            None => drop(self.machines.remove(&state.machine)),
        }
    }

    /// Lists a machine.
    pub fn insert(&mut self, machine: MachineId, listed: Listed) {
        self.machines.insert(machine, listed);
    }

    /// One machine.
    #[must_use]
    pub fn get(&self, machine: &MachineId) -> Option<&Listed> {
        self.machines.get(machine)
    }

    /// All machines, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&MachineId, &Listed)> {
        self.machines.iter()
    }

    /// For how long the partition has been listened to, s: as the machine knows it that was heard last.
    #[must_use]
    pub fn listened_s(&self) -> f64 {
        self.machines.values().map(|listed| listed.listened_s).fold(0.0, f64::max)
    }

    /// How many are silent.
    #[must_use]
    pub fn silent(&self) -> usize {
        self.machines.values().filter(|listed| listed.state == MachineState::Silent).count()
    }
}
