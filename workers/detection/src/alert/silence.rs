//! Applies silence to a machine. The decision is made elsewhere, from the times of all machines of a partition; this
//! module only changes the state.

use auscult_schemas::{Alert, ChunkId, MachineState, ScorerState};
use jiff::Timestamp;

use super::message::{self, Before, Cause};
use crate::alert_state;
use crate::partition::can_fall_silent;

/// Makes a machine silent at `time`, because of a record that advanced the partition's clock: `id` and `chunk_id` are
/// the alert's. `None` if it cannot become silent: it is already silent, in maintenance, or set idle by an operator.
///
/// An active alarm continues when the machine sends chunks again.
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
