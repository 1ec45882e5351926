//! What time it is, by the machines of a partition, and how long it has been listened to.

use auscult_schemas::{MachineId, MachineState};
use jiff::Timestamp;

use crate::roster::{Listed, Roster};

/// With fewer machines that are heard there is no clock: of two that disagree about the time nobody can say which is
/// wrong.
pub const MIN_MACHINES: usize = 3;

/// The partition's clock: the upper quartile of the times at which its machines were last heard, silent ones left out.
/// A quarter of the machines less one may have clocks that are ahead by any time, and it is still the time of a machine
/// whose clock is right; one may be so among as few as three. `None` with fewer than [`MIN_MACHINES`].
///
/// `heard` is a chunk that the roster does not know of yet.
#[must_use]
pub fn partition_clock(roster: &Roster, heard: Option<(&MachineId, Timestamp)>) -> Option<Timestamp> {
    let mut times: Vec<Timestamp> = Vec::new();
    for (machine, listed) in roster.iter() {
        let is_it = heard.is_some_and(|(heard, _)| heard == machine);
        if is_it || listed.state == MachineState::Silent {
            continue;
        }
        times.push(listed.last_heard);
    }
    if let Some((machine, time)) = heard {
        times.push(roster.get(machine).map_or(time, |listed| listed.last_heard.max(time)));
    }
    if times.len() < MIN_MACHINES {
        return None;
    }
    let ahead = (times.len().div_ceil(4) - 1).max(1);
    let (_, clock, _) = times.select_nth_unstable_by(ahead, |a, b| b.cmp(a));
    Some(*clock)
}

/// For how long the partition has been listened to, s, with a chunk that the roster does not know of yet.
///
/// It grows as the clock does, but by one cadence at the most from chunk to chunk (the median of the machines'): where
/// the clock leaps, nothing was there to be missed.
#[must_use]
pub fn listened_s(roster: &Roster, machine: &MachineId, time: Timestamp) -> f64 {
    let so_far = roster.listened_s();
    let (Some(before), Some(after)) = (partition_clock(roster, None), partition_clock(roster, Some((machine, time))))
    else {
        return so_far;
    };
    let longest = median_cadence_s(roster.iter().map(|(_, listed)| listed)).unwrap_or(0.0);
    so_far + after.duration_since(before).as_secs_f64().clamp(0.0, longest)
}

/// The median of what is known of the machines' cadences, s.
pub(crate) fn median_cadence_s<'a>(machines: impl Iterator<Item = &'a Listed>) -> Option<f64> {
    let mut cadences: Vec<f64> = machines.filter_map(|listed| listed.cadence_s).collect();
    if cadences.is_empty() {
        return None;
    }
    let middle = cadences.len() / 2;
    let (_, median, _) = cadences.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*median)
}
