//! The machines of one environment, with counts that show without a scan whether enough of them can have changed.

use std::collections::{BTreeMap, HashMap};

use auscult_schemas::{MachineId, MachineState};
use jiff::Timestamp;

use super::Machine;
use super::ordered::{OrderedMultiset, TotalF64};
use super::summary::MachineSummary;

/// The part of a machine's id before the last `/`, or empty.
#[must_use]
pub fn environment_of(machine: &MachineId) -> &str {
    machine.as_str().rsplit_once('/').map_or("", |(environment, _)| environment)
}

/// The machines of one environment of a partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct EnvironmentMachines {
    pub(super) machines: HashMap<MachineId, Machine>,
    /// Lower bound of the time until which each machine counts as recent, seconds since the epoch.
    recent_until: OrderedMultiset<TotalF64>,
    /// Machines that deviate and are not relearning.
    deviating: usize,
    /// Machines that drift and are not relearning.
    drifting: usize,
    /// Number of machines that follow each change of the environment.
    adjusted: BTreeMap<Timestamp, usize>,
}

impl EnvironmentMachines {
    /// Applies the change of one machine.
    pub(super) fn replace(&mut self, before: Option<&MachineSummary>, after: Option<&MachineSummary>) {
        self.recent_until.replace(before.and_then(recent_until), after.and_then(recent_until));
        replace_count(&mut self.deviating, before, after, |machine| {
            machine.deviates_since.is_some() && !machine.is_relearning
        });
        replace_count(&mut self.drifting, before, after, |machine| machine.drift.is_some() && !machine.is_relearning);
        let mark = |machine: Option<&MachineSummary>| machine.and_then(|machine| machine.adjusted_since);
        let (before, after) = (mark(before), mark(after));
        if before == after {
            return;
        }
        if let Some(count) = before.and_then(|mark| self.adjusted.get_mut(&mark)) {
            *count -= 1;
        }
        self.adjusted.retain(|_, count| *count > 0);
        if let Some(mark) = after {
            *self.adjusted.entry(mark).or_default() += 1;
        }
    }

    /// Its machines with at least one chunk, in no order.
    pub(crate) fn heard(&self) -> impl Iterator<Item = (&MachineId, &MachineSummary)> {
        self.machines.iter().filter_map(|(id, machine)| Some((id, machine.summary.as_ref()?)))
    }

    /// Lower bound of the number of recent machines at that time.
    pub(crate) fn recently_heard_at_least(&self, time: Timestamp) -> usize {
        self.recent_until.count_from(TotalF64(epoch_s(time)))
    }

    /// Machines that deviate and are not relearning, recent or not.
    pub(crate) fn deviating(&self) -> usize {
        self.deviating
    }

    /// Machines that drift and are not relearning, recent or not.
    pub(crate) fn drifting(&self) -> usize {
        self.drifting
    }

    /// The changes that machines follow, and the number of machines for each, recent or not.
    pub(crate) fn adjusted(&self) -> impl Iterator<Item = (Timestamp, usize)> {
        self.adjusted.iter().map(|(mark, count)| (*mark, *count))
    }
}

fn replace_count(
    count: &mut usize,
    before: Option<&MachineSummary>,
    after: Option<&MachineSummary>,
    is_counted: impl Fn(&MachineSummary) -> bool,
) {
    *count += usize::from(after.is_some_and(&is_counted));
    *count -= usize::from(before.is_some_and(&is_counted));
}

/// Until when it counts as recent, rounded down; `None` if that depends on more than the time.
fn recent_until(machine: &MachineSummary) -> Option<TotalF64> {
    if machine.state == MachineState::Silent || machine.maintained_until.is_some() {
        return None;
    }
    let recent_s = MachineSummary::RECENT_CADENCES * machine.cadence_s?;
    Some(TotalF64(epoch_s(machine.last_heard) + super::rounded_down(recent_s)))
}

fn epoch_s(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}
