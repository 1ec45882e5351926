//! Whether an environment has changed.

use auscult_schemas::{EnvironmentChange, MachineId, MachineState};
use jiff::Timestamp;

use super::EnvironmentPolicy;
use crate::roster::{Listed, Roster};
use crate::silence::median_cadence_s;

/// A machine that was heard so many cadences ago still counts as lately heard.
const LATELY: f64 = 3.0;
/// A machine deviates with the others when it began at most so many cadences ago.
const TOGETHER: f64 = 4.0;
/// In a change that comes gradually the machines begin one after another: so many cadences count where each has
/// deviated twice in a row.
const GRADUALLY: f64 = 24.0;
/// A machine that begins to deviate so many cadences after the change still belongs to it.
const JOINING: f64 = 24.0;
/// What begins within so many cadences of a change is its continuation and not reported again.
const CONTINUING: f64 = 72.0;
/// Drift that was found of several machines so many cadences ago is one change: charts take from a few chunks to two
/// windows.
const DRIFTING: f64 = 100.0;
/// And of this share of the machines, at the least: charts also find how a hall wanders with the day, of half of its
/// machines and more.
const DRIFTING_SHARE: f64 = 0.8;
/// Anomalous chunks that the affected machines have together, at most [`RUN_COUNTED`] of each, at the least. Where
/// chunks are anomalous by chance at 5 %, this many in half of any number of machines come about once in 10⁷ chunks
/// (the worst is 18 machines).
const EVIDENCE: u32 = 10;
/// A long run of one machine must not stand for the others.
const RUN_COUNTED: u32 = 3;

/// What a chunk has shown of its machine's environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Affected {
    /// The change.
    pub change: EnvironmentChange,
    /// Whether it is new: to be reported.
    pub is_new: bool,
    /// The machines that are to learn their level anew, in the order of their ids.
    pub machines: Vec<MachineId>,
}

/// The part of a machine's id before the last `/`, empty where it has none.
#[must_use]
pub fn environment_of(machine: &MachineId) -> &str {
    machine.as_str().rsplit_once('/').map_or("", |(environment, _)| environment)
}

/// Looks at a machine's environment after a chunk of the machine, recorded at `time`, that is in the roster already.
/// `None`: nothing has changed, or what has is dealt with.
#[must_use]
pub fn detect(roster: &Roster, machine: &MachineId, time: Timestamp, policy: &EnvironmentPolicy) -> Option<Affected> {
    let it = roster.get(machine)?;
    let has_just_drifted = it.drift.is_some_and(|(found, _)| found == time);
    let is_of_interest = it.deviates_since.is_some() || has_just_drifted;
    if policy.min_machines == 0 || !is_of_interest || it.is_relearning || it.is_maintained(time) {
        return None;
    }
    let hall = Hall::of(roster, machine, time, policy)?;
    if let Some(affected) = hall.deviating().or_else(|| has_just_drifted.then(|| hall.drifting()).flatten()) {
        return Some(affected);
    }
    hall.straggler(machine, it, has_just_drifted)
}

/// The machines of one environment at a moment.
struct Hall<'a> {
    environment: &'a str,
    time: Timestamp,
    /// Those that were lately heard.
    machines: Vec<(&'a MachineId, &'a Listed)>,
    cadence_s: f64,
    /// How many must change together.
    needed: usize,
}

impl<'a> Hall<'a> {
    fn of(roster: &'a Roster, machine: &'a MachineId, time: Timestamp, policy: &EnvironmentPolicy) -> Option<Self> {
        let environment = environment_of(machine);
        let machines: Vec<(&MachineId, &Listed)> = roster
            .iter()
            .filter(|(other, _)| environment_of(other) == environment)
            .filter(|(_, listed)| is_lately_heard(listed, time))
            .collect();
        let cadence_s = median_cadence_s(machines.iter().map(|(_, listed)| *listed))?;
        let share = (policy.min_share * machines.len() as f64).ceil() as usize;
        let needed = share.max(policy.min_machines as usize);
        Some(Self { environment, time, machines, cadence_s, needed })
    }

    fn is_within(&self, since: Timestamp, cadences: f64) -> bool {
        self.time.duration_since(since).as_secs_f64() <= cadences * self.cadence_s
    }

    fn marked(&self, mark: Timestamp) -> usize {
        self.machines.iter().filter(|(_, listed)| listed.adjusted_since == Some(mark)).count()
    }

    /// The latest change of which as many machines as are needed bear the mark.
    fn latest(&self) -> Option<Timestamp> {
        let mut marks: Vec<Timestamp> = self.machines.iter().filter_map(|(_, listed)| listed.adjusted_since).collect();
        marks.sort_unstable();
        marks.iter().rev().copied().find(|mark| self.marked(*mark) >= self.needed)
    }

    fn change(&self, machines_affected: usize, since: Timestamp) -> EnvironmentChange {
        EnvironmentChange {
            environment: self.environment.to_owned(),
            machines_affected: machines_affected as u32,
            machines_heard: self.machines.len() as u32,
            since,
        }
    }

    /// Enough machines whose chunks are anomalous since about the same time.
    fn deviating(&self) -> Option<Affected> {
        let affected: Vec<(&MachineId, &Listed, Timestamp)> = self
            .machines
            .iter()
            .filter(|(_, listed)| !listed.is_relearning)
            .filter_map(|(machine, listed)| Some((*machine, *listed, listed.deviates_since?)))
            .filter(|(_, listed, since)| {
                self.is_within(*since, TOGETHER) || (listed.run >= 2 && self.is_within(*since, GRADUALLY))
            })
            .collect();
        let evidence: u32 = affected.iter().map(|(_, listed, _)| listed.run.min(RUN_COUNTED)).sum();
        if evidence < EVIDENCE {
            return None;
        }
        self.together(affected.iter().map(|(machine, _, since)| (*machine, *since)).collect(), self.needed)
    }

    /// Nearly all machines of which drift was found at about the same time, though their chunks may pass one by one.
    fn drifting(&self) -> Option<Affected> {
        let drifting = self.machines.iter().filter(|(_, listed)| !listed.is_relearning);
        let drifting = drifting.filter_map(|(machine, listed)| Some((*machine, listed.drift?)));
        let lately = drifting.filter(|(_, (found, _))| self.is_within(*found, DRIFTING));
        let needed = self.needed.max((DRIFTING_SHARE * self.machines.len() as f64).ceil() as usize);
        self.together(lately.map(|(machine, (_, since))| (machine, since)).collect(), needed)
    }

    fn together(&self, affected: Vec<(&MachineId, Timestamp)>, needed: usize) -> Option<Affected> {
        if affected.len() < needed {
            return None;
        }
        let mut onsets: Vec<Timestamp> = affected.iter().map(|(_, since)| *since).collect();
        onsets.sort_unstable();
        let begun = onsets[onsets.len() / 2];
        let goes_on = |mark: &Timestamp| begun.duration_since(*mark).as_secs_f64() <= CONTINUING * self.cadence_s;
        let continued = self.latest().filter(goes_on);
        let since = continued.unwrap_or(begun);
        let machines = affected.iter().map(|(machine, _)| (*machine).clone()).collect();
        Some(Affected { change: self.change(affected.len(), since), is_new: continued.is_none(), machines })
    }

    /// A machine of an environment that has changed already.
    fn straggler(&self, machine: &MachineId, it: &Listed, has_just_drifted: bool) -> Option<Affected> {
        let mark = self.latest().filter(|mark| it.adjusted_since != Some(*mark))?;
        let belongs = |begun: Timestamp| begun.duration_since(mark).as_secs_f64() >= -TOGETHER * self.cadence_s;
        let deviates = self.is_within(mark, JOINING) && it.run >= 2 && it.deviates_since.is_some_and(belongs);
        // Since when it drifts is an estimate, and no better than its charts.
        let drifts = has_just_drifted && self.is_within(mark, DRIFTING);
        (deviates || drifts).then(|| Affected {
            change: self.change(self.marked(mark) + 1, mark),
            is_new: false,
            machines: vec![machine.clone()],
        })
    }
}

/// Whether a machine counts among those of which half must have changed.
fn is_lately_heard(listed: &Listed, time: Timestamp) -> bool {
    let Some(cadence_s) = listed.cadence_s else { return false };
    let behind_s = time.duration_since(listed.last_heard).as_secs_f64();
    listed.state != MachineState::Silent && !listed.is_maintained(time) && behind_s <= LATELY * cadence_s
}
