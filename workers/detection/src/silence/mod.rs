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
pub(crate) use clock::median_cadence_s;
pub use clock::{MIN_MACHINES, listened_s, partition_clock};

use auscult_schemas::{MachineId, MachineState};

use crate::roster::{Listed, Roster};

/// The machines that have fallen silent, in the order of their ids. A machine that is being worked on may well be
/// switched off, and one of which fewer than five chunks have been judged has no cadence that could be missed.
/// `silent_after` 0: none ever.
#[must_use]
pub fn fallen_silent(roster: &Roster, silent_after: u32) -> Vec<MachineId> {
    let Some(clock) = partition_clock(roster, None) else { return Vec::new() };
    let listened_s = roster.listened_s();
    let is_missing = |listed: &Listed| {
        let missed_s = listened_s - listed.listened_s;
        let is_watched = silent_after > 0 && listed.state != MachineState::Silent && !listed.is_maintained(clock);
        is_watched && listed.cadence_s.is_some_and(|cadence| missed_s > f64::from(silent_after) * cadence)
    };
    roster.iter().filter(|(_, listed)| is_missing(listed)).map(|(machine, _)| machine.clone()).collect()
}
