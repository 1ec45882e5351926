//! The clock of a partition, derived from its machines' chunks, and how long the partition has been observed.

use auscult_schemas::{MachineId, MachineState};
use jiff::Timestamp;

use crate::PartitionMachines;

/// Minimum number of machines with chunks for a clock. With two machines that disagree about the time, it is impossible
/// to know which one is wrong.
pub const MIN_MACHINES: usize = 3;

/// The partition's clock: the upper quartile of the times of its machines' latest chunks, without silent machines. Just
/// under a quarter of the machines may have clocks that are ahead by any amount, and the result is still the time of a
/// machine with a correct clock; with only three machines, one may be ahead. `None` with fewer than [`MIN_MACHINES`].
///
/// `heard` is a chunk not yet included in the machines.
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

/// The rank of the clock among the times of this many machines, in ascending order.
fn clock_rank(machines: usize) -> Option<usize> {
    if machines < MIN_MACHINES {
        return None;
    }
    let ahead = (machines.div_ceil(4) - 1).max(1);
    Some(machines - 1 - ahead)
}

/// How long the partition has been observed, s, including a chunk not yet included in the machines.
///
/// It grows with the clock, but by at most one cadence (the median of the machines') per chunk: while the clock jumps,
/// no chunk could have been missed.
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
