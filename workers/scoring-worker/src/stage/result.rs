//! Results as records.

use auscult_runtime::processor::{Output, Rejection};
use auscult_schemas::{DeadLetterCode, Envelope};
use bytes::Bytes;
use serde::Serialize;

/// A result about a chunk, with its own id.
pub(crate) fn result(envelope: &Envelope, id: &str, topic: &'static str, event_type: &str, value: Bytes) -> Output {
    let sent = Envelope {
        id: auscult_schemas::ChunkId(id.to_owned()),
        source: "/auscult/scoring-worker".to_owned(),
        event_type: event_type.to_owned(),
        content_type: Envelope::JSON.to_owned(),
        ..envelope.clone()
    };
    let key = Bytes::from(envelope.machine.as_str().to_owned());
    Output { topic, key, value, headers: sent.headers() }
}

pub(crate) fn json(message: &impl Serialize) -> Result<Bytes, Rejection> {
    serde_json::to_vec(message).map(Bytes::from).map_err(|error| Rejection {
        code: DeadLetterCode::Internal,
        detail: format!("a result cannot be written as JSON: {error}"),
    })
}
