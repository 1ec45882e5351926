//! A machine of which nothing has come for too long. Who is silent is decided elsewhere, by the times of all machines
//! of a partition; here it is only said what that changes.

use auscult_schemas::{Alert, ChunkId, MachineState, ScorerState};
use jiff::Timestamp;

use super::message::{self, Before, Cause};
use crate::alert_state;
use crate::partition::can_fall_silent;

/// Has a machine fall silent at `time`, because of a record that moved the partition's clock: `id` and `chunk_id` are
/// the alert's. `None` where it cannot: it is silent already, being worked on, or at rest as a person has said.
///
/// An alarm that stood goes on when the machine is heard again.
#[must_use]
pub fn fall_silent(
    before: &ScorerState,
    time: Timestamp,
    id: &str,
    chunk_id: &ChunkId,
) -> Option<(ScorerState, Alert)> {
    if !can_fall_silent(before) {
        return None;
    }
    let mut state = before.clone();
    if state.mute.as_ref().and_then(|mute| mute.until).is_some_and(|until| until <= time) {
        state.mute = None;
    }
    state.alert.resumes = Some(before.alert.state);
    state.idle_since = None;
    alert_state::enter(&mut state.alert, MachineState::Silent, time);
    state.alert.decided = before.alert.decided;
    let threshold = state.held_threshold.unwrap_or_default();
    let cause = Cause { id, chunk_id, time, threshold, quantity: None };
    let alert = message::of_change(Before::of(Some(before)), &state, cause)?;
    let since = state.last_heard.unwrap_or(time);
    Some((state, message::explained(Alert { classification: None, since, ..alert })))
}
