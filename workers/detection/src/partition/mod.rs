//! The machines of one partition, for decisions about many machines: which are silent, and whether their environment
//! has changed. Everything is derived from the machines' states, so a copy rebuilt from restored states decides the
//! same.
//!
//! A chunk changes one machine. Times and cadences are kept sorted and counts are updated with each change, so no
//! decision about a chunk scans all machines:
//!
//! | question | answered by |
//! |---|---|
//! | the partition's clock, an upper quartile | `last_heard`, sorted |
//! | the median cadence | `cadences`, sorted |
//! | which machines are silent | `silence_deadlines`: only machines whose deadline has passed are examined |
//! | whether an environment can have changed | counts in [`EnvironmentMachines`]; only then are its machines examined |
//! | machines by state | `counts` |

mod environment;
mod ordered;
mod summary;

use std::collections::{BTreeSet, HashMap};

use auscult_schemas::{MachineId, MachineState, ScorerState};
use jiff::Timestamp;

pub(crate) use environment::EnvironmentMachines;
pub use environment::environment_of;
use ordered::{OrderedMultiset, TotalF64};
pub(crate) use summary::can_fall_silent;
pub use summary::{MachineSummary, counted_state};

/// The data kept of a machine.
#[derive(Debug, Clone, Copy, Default)]
struct Machine {
    /// `None` if it has no chunks.
    summary: Option<MachineSummary>,
    /// `None` if it was retired.
    counted: Option<Counted>,
    /// Its entry among the deadlines.
    deadline: Option<TotalF64>,
}

/// How a machine is counted.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Counted {
    state: MachineState,
    is_drifting: bool,
}

/// The machines of one partition.
#[derive(Debug, Clone)]
pub struct PartitionMachines {
    /// Number of cadences without a chunk after which a machine is silent; see [`crate::AlertPolicy::silent_after`].
    silent_after: u32,
    /// By name.
    environments: HashMap<String, EnvironmentMachines>,
    /// The time of the latest chunk of each machine that is not silent.
    last_heard: OrderedMultiset<Timestamp>,
    /// The known cadences, s.
    cadences: OrderedMultiset<TotalF64>,
    /// For each machine that can become silent, a time on the clock of [`PartitionMachines::listened_s`] before which
    /// it cannot: the one computed last from its state.
    silence_deadlines: BTreeSet<(TotalF64, MachineId)>,
    listened_s: f64,
    /// Machines that are not retired, by the state under which they are counted.
    counts: [(MachineState, usize); MachineState::ALL.len()],
    drifting: usize,
    /// Machines with chunks that are silent.
    silent: usize,
}

impl PartitionMachines {
    /// Without machines. `silent_after` is that of the alert policy.
    #[must_use]
    pub fn new(silent_after: u32) -> Self {
        Self {
            silent_after,
            environments: HashMap::new(),
            last_heard: OrderedMultiset::default(),
            cadences: OrderedMultiset::default(),
            silence_deadlines: BTreeSet::new(),
            listened_s: 0.0,
            counts: MachineState::ALL.map(|state| (state, 0)),
            drifting: 0,
            silent: 0,
        }
    }

    /// Adds or updates a machine from its current state.
    pub fn put(&mut self, state: &ScorerState) {
        let summary = MachineSummary::of(state);
        let counted = state
            .retired
            .is_none()
            .then(|| Counted { state: counted_state(state), is_drifting: state.drift.episode.is_some() });
        let name = environment_of(&state.machine);
        if !self.environments.contains_key(name) {
            self.environments.insert(name.to_owned(), EnvironmentMachines::default());
        }
        let Some(environment) = self.environments.get_mut(name) else { return };
        let before = environment.machines.get(&state.machine).copied().unwrap_or_default();
        environment.replace(before.summary.as_ref(), summary.as_ref());

        let deadline = summary.and_then(|summary| deadline(&summary, self.silent_after));
        // A deadline that moved into the future is recomputed when the old one passes.
        let keeps_deadline = before.deadline.zip(deadline).is_some_and(|(before, after)| before <= after);
        let deadline = if keeps_deadline { before.deadline } else { deadline };
        if before.deadline != deadline {
            if let Some(before) = before.deadline {
                self.silence_deadlines.remove(&(before, state.machine.clone()));
            }
            self.silence_deadlines.extend(deadline.map(|deadline| (deadline, state.machine.clone())));
        }

        if summary.is_none() && counted.is_none() {
            environment.machines.remove(&state.machine);
            if environment.machines.is_empty() {
                self.environments.remove(name);
            }
        } else if let Some(machine) = environment.machines.get_mut(&state.machine) {
            *machine = Machine { summary, counted, deadline };
        } else {
            environment.machines.insert(state.machine.clone(), Machine { summary, counted, deadline });
        }
        self.replace(&before, summary.as_ref(), counted);
    }

    fn replace(&mut self, before: &Machine, summary: Option<&MachineSummary>, counted: Option<Counted>) {
        let is_silent = |machine: &MachineSummary| machine.state == MachineState::Silent;
        let heard = |machine: &MachineSummary| (!is_silent(machine)).then_some(machine.last_heard);
        let cadence = |machine: &MachineSummary| machine.cadence_s.map(TotalF64);
        let summary_before = before.summary.as_ref();
        self.last_heard.replace(summary_before.and_then(heard), summary.and_then(heard));
        self.cadences.replace(summary_before.and_then(cadence), summary.and_then(cadence));
        self.silent += usize::from(summary.is_some_and(is_silent));
        self.silent -= usize::from(summary_before.is_some_and(is_silent));

        if before.counted != counted {
            self.count(before.counted, |count| *count -= 1);
            self.count(counted, |count| *count += 1);
        }

        let listened_s = |machine: Option<&MachineSummary>| machine.map_or(0.0, |machine| machine.listened_s);
        if listened_s(summary) >= self.listened_s {
            self.listened_s = listened_s(summary);
        } else if listened_s(summary_before) >= self.listened_s {
            // The machine with the latest chunk was removed: retired.
            self.listened_s = self.iter().map(|(_, machine)| machine.listened_s).fold(0.0, f64::max);
        }
    }

    fn count(&mut self, counted: Option<Counted>, change: impl Fn(&mut usize)) {
        let Some(Counted { state, is_drifting }) = counted else { return };
        if let Some((_, count)) = self.counts.iter_mut().find(|(other, _)| *other == state) {
            change(count);
        }
        if is_drifting {
            change(&mut self.drifting);
        }
    }

    /// Number of cadences without a chunk after which a machine is silent.
    #[must_use]
    pub fn silent_after(&self) -> u32 {
        self.silent_after
    }

    /// A machine with at least one chunk.
    #[must_use]
    pub fn get(&self, machine: &MachineId) -> Option<&MachineSummary> {
        self.environment(environment_of(machine))?.machines.get(machine)?.summary.as_ref()
    }

    /// The machines with at least one chunk, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&MachineId, &MachineSummary)> {
        self.environments.values().flat_map(EnvironmentMachines::heard)
    }

    /// How long the partition has been observed, s: the value of the machine with the latest chunk.
    #[must_use]
    pub fn listened_s(&self) -> f64 {
        self.listened_s
    }

    /// Number of silent machines.
    #[must_use]
    pub fn silent(&self) -> usize {
        self.silent
    }

    /// Number of machines by state, in the order of [`MachineState::ALL`]; includes machines without chunks, and
    /// excludes retired ones.
    pub fn counts(&self) -> impl Iterator<Item = (MachineState, usize)> {
        self.counts.iter().copied()
    }

    /// How many of those drift.
    #[must_use]
    pub fn drifting(&self) -> usize {
        self.drifting
    }

    pub(crate) fn environment(&self, name: &str) -> Option<&EnvironmentMachines> {
        self.environments.get(name)
    }

    /// Number of machines that are not silent.
    pub(crate) fn not_silent(&self) -> usize {
        self.last_heard.len()
    }

    /// The time of this rank, in ascending order, among the latest chunks of machines that are not silent.
    pub(crate) fn last_heard(&self, rank: usize) -> Option<Timestamp> {
        self.last_heard.nth(rank)
    }

    /// The same if `removed` were removed and `added` inserted.
    pub(crate) fn last_heard_with(
        &self,
        rank: usize,
        removed: Option<Timestamp>,
        added: Timestamp,
    ) -> Option<Timestamp> {
        self.last_heard.nth_with(rank, removed, added)
    }

    /// The median of the machines' known cadences, s.
    pub(crate) fn median_cadence_s(&self) -> Option<f64> {
        self.cadences.nth(self.cadences.len() / 2).map(|cadence| cadence.0)
    }

    /// An upper bound of the median cadence of any subset of this many machines or more, s.
    pub(crate) fn median_cadence_of_some_at_most_s(&self, machines: usize) -> Option<f64> {
        let rank = self.cadences.len().checked_sub(machines.div_ceil(2).max(1))?;
        self.cadences.nth(rank).map(|cadence| cadence.0)
    }

    /// The machines whose silence deadline has passed and for which `is_silent` is true, in the order of their ids.
    pub(crate) fn past_deadline(&mut self, is_silent: impl Fn(&MachineSummary) -> bool) -> Vec<MachineId> {
        let (mut fallen_silent, mut looked_at) = (Vec::new(), Vec::new());
        while self.silence_deadlines.first().is_some_and(|(deadline, _)| deadline.0 <= self.listened_s) {
            let Some((_, id)) = self.silence_deadlines.pop_first() else { break };
            let environment = self.environments.get_mut(environment_of(&id));
            let Some(machine) = environment.and_then(|environment| environment.machines.get_mut(&id)) else { continue };
            let Some(summary) = &machine.summary else { continue };
            if is_silent(summary) {
                fallen_silent.push(id.clone());
            }
            machine.deadline = deadline(summary, self.silent_after);
            looked_at.extend(machine.deadline.map(|deadline| (deadline, id)));
        }
        self.silence_deadlines.extend(looked_at);
        fallen_silent.sort_unstable();
        fallen_silent
    }
}

/// How long the partition must have been observed until a machine without chunks can be silent, s: rounded down.
fn deadline(machine: &MachineSummary, silent_after: u32) -> Option<TotalF64> {
    if silent_after == 0 || !machine.can_fall_silent {
        return None;
    }
    Some(TotalF64(machine.listened_s + rounded_down(f64::from(silent_after) * machine.cadence_s?)))
}

/// The duration reduced by more than the rounding error of sums of times.
fn rounded_down(duration_s: f64) -> f64 {
    duration_s * (1.0 - 1e-9) - 1e-3
}
