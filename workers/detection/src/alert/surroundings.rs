//! The alert that tells of a change of environment.

use auscult_schemas::{Alert, AlertKind, EnvironmentChange, MachineId, ScorerState};

use super::message::{self, Cause};
use super::observe::Heard;

/// Stands for the environment of machines that name none.
const UNNAMED: &str = "*";

/// That an environment has changed, decided by this chunk of one of its machines, whose state this is.
pub(crate) fn environment_alert(
    change: EnvironmentChange,
    heard: &Heard<'_>,
    state: &ScorerState,
    threshold: f64,
) -> Alert {
    let id = format!("{}/environment", heard.id);
    let quantity = heard.manifest.quantity();
    let cause = Cause { id: &id, chunk_id: heard.chunk_id, time: heard.time, threshold, quantity };
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
