//! Detects silent machines from the chunk times of all machines of a partition. It uses no wall clock: the same chunks
//! in the same order give the same silent machines, whenever and in whatever batches they are processed.
//!
//! ```text
//!  times of the latest chunks    fan-1 ────────────●            ◄ a gateway whose clock is ahead has no effect
//!                                fan-2 ──────●          ◄ the partition's clock: the upper quartile
//!                                fan-3 ─────●
//!                                fan-4 ●                ◄ no chunk in `silent_after` cadences of that clock: silent
//! ```
//!
//! The criterion is how far the clock has advanced since a machine's latest chunk was processed, not how far it is
//! ahead of the machine's own time. So a gateway whose clock is behind does not make its machines silent. The clock
//! advances only by observed chunks: after a night without chunks from any machine, the first chunks of the morning
//! make no machine silent.

mod cadence;
mod clock;

pub use cadence::follow_cadence;
pub use clock::{MIN_MACHINES, listened_s, partition_clock};

use auscult_schemas::MachineId;

use crate::PartitionMachines;

/// The machines that have become silent, in the order of their ids. Machines in maintenance are excluded, because they
/// may be switched off, and so are machines with fewer than five scored chunks, which have no known cadence. Always
/// empty if the machines' `silent_after` is 0.
#[must_use]
pub fn fallen_silent(machines: &mut PartitionMachines) -> Vec<MachineId> {
    let Some(clock) = partition_clock(machines, None) else { return Vec::new() };
    let (listened_s, silent_after) = (machines.listened_s(), machines.silent_after());
    machines.past_deadline(|machine| {
        let missed_s = listened_s - machine.listened_s;
        let is_watched = silent_after > 0 && machine.can_fall_silent && !machine.is_maintained(clock);
        is_watched && machine.cadence_s.is_some_and(|cadence| missed_s > f64::from(silent_after) * cadence)
    })
}
