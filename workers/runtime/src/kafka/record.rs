//! Conversion of records from and to librdkafka's format.

use std::borrow::Cow;

use auscult_schemas::{Headers, RecordCoordinates};
use bytes::Bytes;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};
use rdkafka::producer::BaseRecord;

use crate::record::{OutputRecord, Record};

/// Copies a message out of librdkafka's memory.
pub(super) fn received(message: &BorrowedMessage<'_>) -> Record {
    let headers = message.headers().map(|headers| {
        let pairs = headers.iter().map(|header| (header.key.to_owned(), header.value.map(Bytes::copy_from_slice)));
        pairs.collect()
    });
    Record {
        coordinates: RecordCoordinates {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
        },
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers: Headers(headers.unwrap_or_default()),
        timestamp_ms: message.timestamp().to_millis(),
    }
}

/// Headers in librdkafka's form.
pub(super) fn native_headers(headers: &Headers) -> OwnedHeaders {
    let mut native = OwnedHeaders::new_with_capacity(headers.0.len());
    for (name, value) in &headers.0 {
        // C knows no zero byte within a name; whoever sent one to us meant the rest.
        let name: Cow<'_, str> = if name.contains('\0') { name.replace('\0', "").into() } else { name.into() };
        native = native.insert(Header { key: &name, value: value.as_deref() });
    }
    native
}

/// A record to be sent, under this number among those that are sent together.
pub(super) fn sent(output: &OutputRecord, number: usize) -> BaseRecord<'_, [u8], [u8], usize> {
    BaseRecord {
        topic: &output.topic,
        partition: Some(output.partition),
        payload: output.value.as_deref(),
        key: output.key.as_deref(),
        timestamp: output.timestamp_ms,
        headers: Some(native_headers(&output.headers)),
        delivery_opaque: number,
    }
}
