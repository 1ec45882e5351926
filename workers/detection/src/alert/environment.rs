//! Builds the alert about a change of environment.

use auscult_schemas::{Alert, AlertKind, EnvironmentChange, MachineId, ScorerState};

use super::message::{self, Cause};
use crate::observed_chunk::ObservedChunk;

/// Name of the environment of machines whose ids have none.
const UNNAMED: &str = "*";

/// The alert about an environment change, triggered by this chunk of one of its machines with this state.
pub(crate) fn environment_alert(
    change: EnvironmentChange,
    chunk: &ObservedChunk<'_>,
    state: &ScorerState,
    threshold: f64,
) -> Alert {
    let id = format!("{}/environment", chunk.id);
    let quantity = chunk.manifest.quantity();
    let cause = Cause { id: &id, chunk_id: chunk.chunk_id, time: chunk.time, threshold, quantity };
    let named = MachineId::new(change.environment.as_str());
    let machine = named.unwrap_or_else(|_| MachineId::new(UNNAMED).expect("a visible character is an id"));
    message::explained(Alert {
        machine,
        since: change.since,
        muted: false,
        environment: Some(change),
        ..message::plain(AlertKind::Environment, state, cause)
    })
}
