//! What time it is, by the machines of a partition, and how long it has been listened to.

use auscult_schemas::{MachineId, MachineState};
use jiff::Timestamp;

use crate::PartitionMachines;

/// With fewer machines that are heard there is no clock: of two that disagree about the time nobody can say which is
/// wrong.
pub const MIN_MACHINES: usize = 3;

/// The partition's clock: the upper quartile of the times at which its machines were last heard, silent ones left out.
/// A quarter of the machines less one may have clocks that are ahead by any time, and it is still the time of a machine
/// whose clock is right; one may be so among as few as three. `None` with fewer than [`MIN_MACHINES`].
///
/// `heard` is a chunk that the machines do not know of yet.
#[must_use]
pub fn partition_clock(machines: &PartitionMachines, heard: Option<(&MachineId, Timestamp)>) -> Option<Timestamp> {
    let Some((machine, time)) = heard else {
        return machines.last_heard(clock_rank(machines.not_silent())?);
    };
    let known = machines.get(machine);
    let before = known.filter(|known| known.state != MachineState::Silent).map(|known| known.last_heard);
    let after = known.map_or(time, |known| known.last_heard.max(time));
    let rank = clock_rank(machines.not_silent() + usize::from(before.is_none()))?;
    machines.last_heard_with(rank, before, after)
}

/// The clock's rank among the times of so many machines, in ascending order.
fn clock_rank(machines: usize) -> Option<usize> {
    if machines < MIN_MACHINES {
        return None;
    }
    let ahead = (machines.div_ceil(4) - 1).max(1);
    Some(machines - 1 - ahead)
}

/// For how long the partition has been listened to, s, with a chunk that the machines do not know of yet.
///
/// It grows as the clock does, but by one cadence at the most from chunk to chunk (the median of the machines'): where
/// the clock leaps, nothing was there to be missed.
#[must_use]
pub fn listened_s(machines: &PartitionMachines, machine: &MachineId, time: Timestamp) -> f64 {
    let so_far = machines.listened_s();
    let (Some(before), Some(after)) =
        (partition_clock(machines, None), partition_clock(machines, Some((machine, time))))
    else {
        return so_far;
    };
    let longest = machines.median_cadence_s().unwrap_or(0.0);
    so_far + after.duration_since(before).as_secs_f64().clamp(0.0, longest)
}
