//! Detects a change of an environment.

use auscult_schemas::{EnvironmentChange, MachineId};
use jiff::Timestamp;

use super::EnvironmentPolicy;
use crate::partition::{EnvironmentMachines, MachineSummary, PartitionMachines, environment_of};

/// A machine deviates together with the others if its deviation began at most this many cadences ago.
const TOGETHER: f64 = 4.0;
/// In a gradual change, the machines start to deviate one after another: then this many cadences count, if each machine
/// has deviated twice in a row.
const GRADUALLY: f64 = 24.0;
/// A machine that starts to deviate within this many cadences after the change still belongs to it.
const JOINING: f64 = 24.0;
/// A deviation that starts within this many cadences of a change continues it, and is not reported again.
const CONTINUING: f64 = 72.0;
/// Drift found on several machines within this many cadences is one change: charts need between a few chunks and two
/// windows.
const DRIFTING: f64 = 100.0;
/// Minimum share of the machines that must drift: charts also detect the daily variation of a hall, on half of its
/// machines or more.
const DRIFTING_SHARE: f64 = 0.8;
/// Minimum number of anomalous chunks of the affected machines together, counting at most [`RUN_COUNTED`] of each. If
/// chunks are anomalous by chance at 5 %, this many in half of any number of machines occur about once in 10⁷ chunks
/// (the worst case is 18 machines).
const EVIDENCE: u32 = 10;
/// A long run of one machine must not count for the others.
const RUN_COUNTED: u32 = 3;

/// The result of a chunk for its machine's environment.
#[derive(Debug, Clone, PartialEq)]
pub struct AffectedMachines {
    /// The change.
    pub change: EnvironmentChange,
    /// Whether the change is new and must be reported.
    pub is_new: bool,
    /// The machines that must relearn their level, in the order of their ids.
    pub machines: Vec<MachineId>,
}

/// Checks a machine's environment after a chunk of the machine, recorded at `time`, which the machines already include.
/// `None`: nothing has changed, or the change is already handled.
#[must_use]
pub fn detect(
    machines: &PartitionMachines,
    machine: &MachineId,
    time: Timestamp,
    policy: &EnvironmentPolicy,
) -> Option<AffectedMachines> {
    let it = machines.get(machine)?;
    let has_just_drifted = it.drift.is_some_and(|(found, _)| found == time);
    let is_of_interest = it.deviates_since.is_some() || has_just_drifted;
    if policy.min_machines == 0 || !is_of_interest || it.is_relearning || it.is_maintained(time) {
        return None;
    }
    let environment = machines.environment(environment_of(machine))?;
    if !can_have_changed(machines, environment, it, time, policy) {
        return None;
    }
    let environment_now = Environment::of(environment, environment_of(machine), time, policy)?;
    if let Some(affected) =
        environment_now.deviating().or_else(|| has_just_drifted.then(|| environment_now.drifting()).flatten())
    {
        return Some(affected);
    }
    environment_now.joining(machine, it, has_just_drifted)
}

/// Minimum number of machines, of this many, that must change together.
fn needed(machines: usize, policy: &EnvironmentPolicy) -> usize {
    let share = (policy.min_share * machines as f64).ceil() as usize;
    share.max(policy.min_machines as usize)
}

/// False only if the counts alone show that [`Environment`] would find nothing.
fn can_have_changed(
    machines: &PartitionMachines,
    environment: &EnvironmentMachines,
    it: &MachineSummary,
    time: Timestamp,
    policy: &EnvironmentPolicy,
) -> bool {
    let has_just_drifted = it.drift.is_some_and(|(found, _)| found == time);
    let heard_at_least = environment.recently_heard_at_least(time);
    let needed_at_least = needed(heard_at_least, policy);
    if environment.deviating() >= needed_at_least || (has_just_drifted && environment.drifting() >= needed_at_least) {
        return true;
    }
    let cadences = if has_just_drifted { DRIFTING } else { JOINING };
    let cadence_at_most_s = machines.median_cadence_of_some_at_most_s(heard_at_least).unwrap_or(f64::INFINITY);
    let can_join = |mark: Timestamp| {
        it.adjusted_since != Some(mark) && time.duration_since(mark).as_secs_f64() <= cadences * cadence_at_most_s
    };
    environment.adjusted().any(|(mark, count)| count >= needed_at_least && can_join(mark))
}

/// The machines of one environment at a point in time.
struct Environment<'a> {
    environment: &'a str,
    time: Timestamp,
    /// Machines with recent chunks, in no order.
    machines: Vec<(&'a MachineId, &'a MachineSummary)>,
    cadence_s: f64,
    /// Minimum number that must change together.
    needed: usize,
}

impl<'a> Environment<'a> {
    fn of(
        environment: &'a EnvironmentMachines,
        name: &'a str,
        time: Timestamp,
        policy: &EnvironmentPolicy,
    ) -> Option<Self> {
        let machines: Vec<(&MachineId, &MachineSummary)> =
            environment.heard().filter(|(_, machine)| machine.is_recently_heard(time)).collect();
        let mut cadences: Vec<f64> = machines.iter().filter_map(|(_, machine)| machine.cadence_s).collect();
        if cadences.is_empty() {
            return None;
        }
        let middle = cadences.len() / 2;
        let (_, median, _) = cadences.select_nth_unstable_by(middle, f64::total_cmp);
        let (cadence_s, needed) = (*median, needed(machines.len(), policy));
        Some(Self { environment: name, time, machines, cadence_s, needed })
    }

    fn is_within(&self, since: Timestamp, cadences: f64) -> bool {
        self.time.duration_since(since).as_secs_f64() <= cadences * self.cadence_s
    }

    fn marked(&self, mark: Timestamp) -> usize {
        self.machines.iter().filter(|(_, other)| other.adjusted_since == Some(mark)).count()
    }

    /// The latest change that the required number of machines follow.
    fn latest(&self) -> Option<Timestamp> {
        let mut marks: Vec<Timestamp> = self.machines.iter().filter_map(|(_, other)| other.adjusted_since).collect();
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

    /// Enough machines whose chunks have been anomalous since about the same time.
    fn deviating(&self) -> Option<AffectedMachines> {
        let affected: Vec<(&MachineId, &MachineSummary, Timestamp)> = self
            .machines
            .iter()
            .filter(|(_, other)| !other.is_relearning)
            .filter_map(|(machine, other)| Some((*machine, *other, other.deviates_since?)))
            .filter(|(_, other, since)| {
                self.is_within(*since, TOGETHER) || (other.run >= 2 && self.is_within(*since, GRADUALLY))
            })
            .collect();
        let evidence: u32 = affected.iter().map(|(_, other, _)| other.run.min(RUN_COUNTED)).sum();
        if evidence < EVIDENCE {
            return None;
        }
        self.together(affected.iter().map(|(machine, _, since)| (*machine, *since)).collect(), self.needed)
    }

    /// Nearly all machines on which drift was found at about the same time, even if their single chunks are normal.
    fn drifting(&self) -> Option<AffectedMachines> {
        let drifting = self.machines.iter().filter(|(_, other)| !other.is_relearning);
        let drifting = drifting.filter_map(|(machine, other)| Some((*machine, other.drift?)));
        let lately = drifting.filter(|(_, (found, _))| self.is_within(*found, DRIFTING));
        let needed = self.needed.max((DRIFTING_SHARE * self.machines.len() as f64).ceil() as usize);
        self.together(lately.map(|(machine, (_, since))| (machine, since)).collect(), needed)
    }

    fn together(&self, affected: Vec<(&MachineId, Timestamp)>, needed: usize) -> Option<AffectedMachines> {
        if affected.len() < needed {
            return None;
        }
        let mut onsets: Vec<Timestamp> = affected.iter().map(|(_, since)| *since).collect();
        onsets.sort_unstable();
        let started = onsets[onsets.len() / 2];
        let goes_on = |mark: &Timestamp| started.duration_since(*mark).as_secs_f64() <= CONTINUING * self.cadence_s;
        let continued = self.latest().filter(goes_on);
        let since = continued.unwrap_or(started);
        let mut machines: Vec<MachineId> = affected.iter().map(|(machine, _)| (*machine).clone()).collect();
        machines.sort_unstable();
        Some(AffectedMachines { change: self.change(affected.len(), since), is_new: continued.is_none(), machines })
    }

    /// A machine that joins a change of its environment.
    fn joining(&self, machine: &MachineId, it: &MachineSummary, has_just_drifted: bool) -> Option<AffectedMachines> {
        let mark = self.latest().filter(|mark| it.adjusted_since != Some(*mark))?;
        let belongs = |started: Timestamp| started.duration_since(mark).as_secs_f64() >= -TOGETHER * self.cadence_s;
        let deviates = self.is_within(mark, JOINING) && it.run >= 2 && it.deviates_since.is_some_and(belongs);
        // The start of a drift is an estimate, with the precision of its charts.
        let has_drifted = has_just_drifted && self.is_within(mark, DRIFTING);
        (deviates || has_drifted).then(|| AffectedMachines {
            change: self.change(self.marked(mark) + 1, mark),
            is_new: false,
            machines: vec![machine.clone()],
        })
    }
}
