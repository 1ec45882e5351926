//! A record on its way in, and one on its way out.

use auscult_schemas::{Headers, RecordCoordinates};
use bytes::Bytes;

/// A record as a consumer delivered it.
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
    /// The key in words, for logs and spans; empty where there is none.
    #[must_use]
    pub fn key_text(&self) -> String {
        self.key.as_deref().map(|key| String::from_utf8_lossy(key).into_owned()).unwrap_or_default()
    }

    /// What the record costs in memory, bytes: key, value, headers and a fixed sum for the struct itself.
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

/// Header of a changelog record: the input offset to go on from once its transaction is committed. It outlives the
/// group's own offsets, which Kafka forgets when a group has been away for long (`offsets.retention.minutes`).
pub const NEXT_OFFSET_HEADER: &str = "auscult_next_offset";

/// A record to be sent, to the same partition number as the record that it answers.
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
    /// What the record costs in memory, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        cost(self.key.as_ref(), self.value.as_ref(), &self.headers)
    }
}
