//! Input and output records.

use auscult_schemas::{Headers, RecordCoordinates};
use bytes::Bytes;

/// A record delivered by a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Topic, partition, offset.
    pub coordinates: RecordCoordinates,
    /// Key: the machine's id.
    pub key: Option<Bytes>,
    /// Value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Headers,
    /// The record's own timestamp, ms since the epoch.
    pub timestamp_ms: Option<i64>,
}

impl Record {
    /// The key as text, for logs and spans; empty without a key.
    #[must_use]
    pub fn key_text(&self) -> String {
        self.key.as_deref().map(|key| String::from_utf8_lossy(key).into_owned()).unwrap_or_default()
    }

    /// Memory use of the record, bytes: key, value, headers and a fixed amount for the struct itself.
    #[must_use]
    pub fn bytes(&self) -> usize {
        cost(self.key.as_ref(), self.value.as_ref(), &self.headers)
    }
}

fn cost(key: Option<&Bytes>, value: Option<&Bytes>, headers: &Headers) -> usize {
    const STRUCT: usize = 256;
    let headers: usize =
        headers.0.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len) + 32).sum();
    STRUCT + key.map_or(0, Bytes::len) + value.map_or(0, Bytes::len) + headers
}

/// Header of a changelog record: the input offset to continue from after its transaction is committed. It is retained
/// longer than the group's own offsets, which Kafka deletes after a long absence of the group
/// (`offsets.retention.minutes`).
pub const NEXT_OFFSET_HEADER: &str = "auscult_next_offset";

/// A record to be sent, to the same partition number as its input record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputRecord {
    /// Topic.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Key: the machine's id.
    pub key: Option<Bytes>,
    /// Value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Headers,
    /// The record's timestamp, ms since the epoch; `None` lets the client set it.
    pub timestamp_ms: Option<i64>,
    /// The offset of the input record that it comes of, in the input's partition of the same number; of a state the
    /// last one that changed it.
    pub source_offset: Option<i64>,
}

impl OutputRecord {
    /// Memory use of the record, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        cost(self.key.as_ref(), self.value.as_ref(), &self.headers)
    }
}
