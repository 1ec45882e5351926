//! A chunk as a gateway sends it.

use auscult_runtime::kafka::GatewayRecord;
use auscult_schemas::Envelope;
use auscult_schemas::topics::CHUNKS;
use bytes::Bytes;

/// The record of a chunk for `audio.chunks`, keyed by its machine. `partition`: `None` leaves it to the partitioner.
///
/// The record's own timestamp is that of sending, whatever the envelope's time: brokers delete by it.
#[must_use]
pub fn chunk_record(envelope: &Envelope, sound: Vec<u8>, partition: Option<i32>) -> GatewayRecord {
    GatewayRecord {
        topic: CHUNKS.to_owned(),
        partition,
        key: Some(Bytes::from(envelope.machine.as_str().to_owned())),
        value: Some(Bytes::from(sound)),
        headers: envelope.headers(),
        timestamp_ms: None,
    }
}
