//! Which machines have fallen silent, by the times of all machines of a partition. No wall clock: the same chunks in
//! the same order silence the same machines, whenever and in whatever batches they are judged.
//!
//! ```text
//!  times of the latest chunks    fan-1 ────────────●            ◄ a gateway whose clock is ahead moves nothing
//!                                fan-2 ──────●          ◄ the partition's clock: the upper quartile
//!                                fan-3 ─────●
//!                                fan-4 ●                ◄ not heard while that clock went on for `silent_after` cadences: silent
//! ```
//!
//! What counts is how far the clock has gone on since a machine was last heard, not how far it is ahead of the
//! machine's own time: a gateway whose clock is behind is heard all the same. And the clock counts only as far as it
//! was seen to go on: where nothing has come from any machine over night, the first chunks of the morning silence
//! nobody.

mod cadence;
mod clock;

pub use cadence::follow_cadence;
pub use clock::{MIN_MACHINES, listened_s, partition_clock};

use auscult_schemas::MachineId;

use crate::PartitionMachines;

/// The machines that have fallen silent, in the order of their ids. A machine that is being worked on may well be
/// switched off, and one of which fewer than five chunks have been judged has no cadence that could be missed. None
/// ever where the machines' `silent_after` is 0.
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
