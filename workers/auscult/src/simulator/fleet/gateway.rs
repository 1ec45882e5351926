//! A chunk as its gateway sends it.

use auscult_runtime::kafka::GatewayRecord;
use auscult_schemas::topics::CHUNKS;
use auscult_schemas::{ChunkId, Envelope, MachineId, SchemaError};
use bytes::Bytes;

use super::{Fleet, FleetChunk};

/// The record of a chunk for `audio.chunks`. Its event time is the scenario's; the record's own is that of sending,
/// since brokers delete by it.
///
/// # Errors
/// When the scenario's site makes ids that no machine can have.
pub fn gateway_record(fleet: &Fleet, chunk: FleetChunk) -> Result<GatewayRecord, SchemaError> {
    let id = fleet.machines()[chunk.planned.machine].machine.id();
    let machine = MachineId::new(id)?;
    let envelope = Envelope {
        id: ChunkId(format!("{id}/{}", chunk.planned.number)),
        source: "/auscult/simulate".to_owned(),
        event_type: Envelope::CHUNK.to_owned(),
        time: chunk.planned.time,
        machine,
        content_type: "audio/wav".to_owned(),
        traceparent: None,
    };
    Ok(GatewayRecord {
        topic: CHUNKS.to_owned(),
        partition: None,
        key: Some(Bytes::from(id.to_owned())),
        value: Some(Bytes::from(chunk.wav)),
        headers: envelope.headers(),
        timestamp_ms: None,
    })
}
