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
/// In a change that comes gradually the machines begin one after another: so many cadences count where each has deviated twice in a row.
const GRADUALLY: f64 = 24.0;
/// A machine that begins to deviate so many cadences after the change still belongs to it.
const JOINING: f64 = 24.0;
/// What comes within so many cadences of a change is its continuation and not reported again.
const CONTINUING: f64 = 72.0;
/// Anomalous chunks that the affected machines have together, at most [`RUN_COUNTED`] of each, at the least. Where chunks are anomalous by chance at
/// 5 %, this many in half of any number of machines come about once in 10⁷ chunks (the worst is 18 machines).
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

/// Looks at a machine's environment after a chunk of the machine, recorded at `time`, that is in the roster already. `None`: nothing has changed, or
/// what has is dealt with.
#[must_use]
pub fn detect(roster: &Roster, machine: &MachineId, time: Timestamp, policy: &EnvironmentPolicy) -> Option<Affected> {
    let it = roster.get(machine)?;
    if policy.min_machines == 0 || it.deviates_since.is_none() || it.is_relearning || it.is_maintained(time) {
        return None;
    }
    let environment = environment_of(machine);
    let neighbours: Vec<(&MachineId, &Listed)> = roster
        .iter()
        .filter(|(other, _)| environment_of(other) == environment)
        .filter(|(_, listed)| is_lately_heard(listed, time))
        .collect();
    let cadence_s = median_cadence_s(neighbours.iter().map(|(_, listed)| *listed))?;
    let within = |since: Timestamp, cadences: f64| time.duration_since(since).as_secs_f64() <= cadences * cadence_s;
    let needed = |of: usize| (policy.min_machines as usize).max((policy.min_share * of as f64).ceil() as usize);

    // The latest change of which half of the machines bear the mark.
    let mut marks: Vec<Timestamp> = neighbours.iter().filter_map(|(_, listed)| listed.adjusted_since).collect();
    marks.sort_unstable();
    let counts = |mark: &Timestamp| marks.iter().filter(|other| *other == mark).count() >= needed(neighbours.len());
    let latest = marks.iter().rev().copied().find(counts);

    let affected: Vec<(&MachineId, &Listed, Timestamp)> = neighbours
        .iter()
        .filter(|(_, listed)| !listed.is_relearning)
        .filter_map(|(machine, listed)| Some((*machine, *listed, listed.deviates_since?)))
        .filter(|(_, listed, since)| within(*since, TOGETHER) || (listed.run >= 2 && within(*since, GRADUALLY)))
        .collect();
    let evidence: u32 = affected.iter().map(|(_, listed, _)| listed.run.min(RUN_COUNTED)).sum();
    let counted =
        |change: EnvironmentChange, is_new: bool, machines: Vec<MachineId>| Affected { change, is_new, machines };
    if affected.len() >= needed(neighbours.len()) && evidence >= EVIDENCE {
        let mut onsets: Vec<Timestamp> = affected.iter().map(|(.., since)| *since).collect();
        onsets.sort_unstable();
        let continued = latest.filter(|mark| within(*mark, CONTINUING));
        let change = EnvironmentChange {
            environment: environment.to_owned(),
            machines_affected: affected.len() as u32,
            machines_heard: neighbours.len() as u32,
            since: continued.unwrap_or(onsets[onsets.len() / 2]),
        };
        let machines = affected.iter().map(|(machine, ..)| (*machine).clone()).collect();
        return Some(counted(change, continued.is_none(), machines));
    }

    // A straggler: the others have changed already.
    let mark = latest.filter(|mark| within(*mark, JOINING) && it.adjusted_since != Some(*mark))?;
    let begun = it.deviates_since?;
    let belongs = begun.duration_since(mark).as_secs_f64() >= -TOGETHER * cadence_s;
    (belongs && it.run >= 2).then(|| {
        let change = EnvironmentChange {
            environment: environment.to_owned(),
            machines_affected: marks.iter().filter(|other| **other == mark).count() as u32 + 1,
            machines_heard: neighbours.len() as u32,
            since: mark,
        };
        counted(change, false, vec![machine.clone()])
    })
}

/// Whether a machine counts among those of which half must have changed.
fn is_lately_heard(listed: &Listed, time: Timestamp) -> bool {
    let Some(cadence_s) = listed.cadence_s else { return false };
    let behind_s = time.duration_since(listed.last_heard).as_secs_f64();
    listed.state != MachineState::Silent && !listed.is_maintained(time) && behind_s <= LATELY * cadence_s
}
