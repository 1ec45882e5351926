//! A chunk in the format that gateways send.

use auscult_runtime::kafka::GatewayRecord;
use auscult_schemas::Envelope;
use auscult_schemas::topics::CHUNKS;
use bytes::Bytes;

/// The record of a chunk for `audio.chunks`, with its machine as the key. If `partition` is `None`, the partitioner
/// selects it.
///
/// The record's own timestamp is the time of sending, whatever the envelope's time, because brokers delete by it.
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
