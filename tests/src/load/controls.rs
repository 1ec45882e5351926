//! Control messages between the chunks, most of them sound, some that must be refused.

use anyhow::Result;
use auscult_runtime::kafka::GatewayRecord;
use auscult_schemas::topics::CHUNKS;
use auscult_schemas::{ChunkId, Control, ControlAction, Envelope, JsonMessage, MachineId};
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use rand::rngs::SmallRng;

use super::record;

/// Something that a person might ask for.
pub(super) fn any(machine: &MachineId, number: usize, rng: &mut SmallRng) -> Result<GatewayRecord> {
    let now = Timestamp::now();
    let soon = now + SignedDuration::from_secs(2);
    let action = match rng.random_range(0..13) {
        0 => ControlAction::Acknowledge,
        1 => ControlAction::Unacknowledge,
        2 => ControlAction::Mute { until: Some(soon) },
        3 => ControlAction::Mute { until: None },
        4 => ControlAction::Unmute,
        5 => ControlAction::Maintenance { until: Some(soon) },
        6 => ControlAction::EndMaintenance,
        7 => ControlAction::SetThreshold { threshold: None, factor: Some(1.25) },
        8 => ControlAction::SetThreshold { threshold: None, factor: None },
        9 => ControlAction::Relearn,
        10 => ControlAction::Idle { until: Some(soon) },
        11 => ControlAction::Running,
        _ => ControlAction::Retire,
    };
    // Now and then about another machine than the one whose key it has.
    let about = if rng.random_bool(0.1) { MachineId::new("another")? } else { machine.clone() };
    let control = Control { machine: about, id: None, by: "the load".to_owned(), at: None, action };
    let envelope = Envelope {
        id: ChunkId(format!("{machine}/control/{number}")),
        source: "/auscult/load".to_owned(),
        event_type: Envelope::CONTROL.to_owned(),
        time: now,
        machine: machine.clone(),
        content_type: Envelope::CONTROL_JSON.to_owned(),
        traceparent: None,
    };
    Ok(record(CHUNKS, machine, envelope.headers(), control.encode()?.to_vec()))
}
