//! Record headers: CloudEvents 1.0 in Kafka's binary mode, and the plain producer that sets none of them.

use bytes::Bytes;
use jiff::Timestamp;

use crate::{ChunkId, MachineId, SchemaError};

/// A record's headers in the order they came. Names may repeat; the last one with a value counts. A header without a
/// value (null, which Java's clients and librdkafka can send) is read as though it were not there, and is carried on as
/// it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, Option<Bytes>)>);

impl Headers {
    /// The last value under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().rev().filter(|(key, _)| key == name).find_map(|(_, value)| value.as_ref())
    }

    /// The last value under this name as text.
    ///
    /// # Errors
    /// [`SchemaError::InvalidHeader`] when it is not UTF-8.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, SchemaError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match std::str::from_utf8(value) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(SchemaError::InvalidHeader {
                name,
                value: String::from_utf8_lossy(value).into_owned(),
                reason: "it is not UTF-8".to_owned(),
            }),
        }
    }

    /// Puts a header in the place of all of its name.
    pub fn set(&mut self, name: &str, value: impl Into<Bytes>) {
        self.0.retain(|(key, _)| key != name);
        self.push(name, value);
    }

    /// Appends a header.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<Bytes>) {
        self.0.push((name.into(), Some(value.into())));
    }

    /// A CloudEvents attribute as text: under its name in Kafka's binary mode, `ce_time`, or in HTTP's, `ce-time`,
    /// which some gateways carry over.
    fn attribute(&self, [kafka, http]: [&'static str; 2]) -> Result<Option<&str>, SchemaError> {
        match self.text(kafka)? {
            Some(text) => Ok(Some(text)),
            None => self.text(http),
        }
    }

    /// The value's media type: `content-type`, in any case, or what other stacks call it.
    pub(crate) fn content_type(&self) -> Result<&str, SchemaError> {
        const NAME: &str = "content-type";
        if let Some(text) = self.text(NAME)? {
            return Ok(text);
        }
        let is_named = |name: &str| CONTENT_TYPE_NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
        let other = self.0.iter().rev().filter(|(name, _)| is_named(name)).find_map(|(_, value)| value.as_ref());
        let Some(value) = other else { return Ok("") };
        // Spring writes it as JSON, in quotation marks.
        std::str::from_utf8(value).map(|text| text.trim_matches('"')).map_err(|_| SchemaError::InvalidHeader {
            name: NAME,
            value: String::from_utf8_lossy(value).into_owned(),
            reason: "it is not UTF-8".to_owned(),
        })
    }
}

/// Names under which other stacks send the media type: HTTP's spelling, Spring Cloud Stream's, and the CloudEvents
/// attribute as early SDKs wrote it.
const CONTENT_TYPE_NAMES: [&str; 5] =
    ["content-type", "contentType", "content_type", "ce_datacontenttype", "ce-datacontenttype"];

/// Where a record lies: topic, partition, offset.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct RecordCoordinates {
    /// Topic.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
}

impl std::fmt::Display for RecordCoordinates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// What the headers say of a record.
/// <https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/kafka-protocol-binding.md>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// `ce_id`; of a plain record `topic/partition/offset`.
    pub id: ChunkId,
    /// `ce_source`: who made the event, a URI reference.
    pub source: String,
    /// `ce_type`, one of [`Envelope::CHUNK`] and its siblings.
    pub event_type: String,
    /// `ce_time`: when the sound was recorded; of a plain record the record's own timestamp.
    pub time: Timestamp,
    /// The record key, which `ce_subject` repeats: the machine.
    pub machine: MachineId,
    /// `content-type`.
    pub content_type: String,
    /// `ce_traceparent`/`traceparent`: W3C trace context, carried on untouched.
    pub traceparent: Option<String>,
}

impl Envelope {
    /// Type of a chunk of sound.
    pub const CHUNK: &str = "auscult.audio.chunk.v1";
    /// Type of a features message.
    pub const FEATURES: &str = "auscult.audio.features.v1";
    /// Type of a score.
    pub const SCORE: &str = "auscult.audio.score.v1";
    /// Type of an alert.
    pub const ALERT: &str = "auscult.audio.alert.v1";
    /// Type of a drift report.
    pub const DRIFT: &str = "auscult.audio.drift.v1";
    /// Type of a label.
    pub const LABEL: &str = "auscult.audio.label.v1";
    /// Type of a scorer state.
    pub const SCORER_STATE: &str = "auscult.audio.scorer-state.v1";
    /// Type of a model assignment.
    pub const MODEL: &str = "auscult.audio.model.v1";
    /// Type of a control message.
    pub const CONTROL: &str = "auscult.audio.control.v1";
    /// Type of an audit record.
    pub const AUDIT: &str = "auscult.audio.audit.v1";
    /// Content type of an Arrow IPC stream.
    pub const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";
    /// Content type of a control message, by which it is told from sound and from features.
    pub const CONTROL_JSON: &str = "application/vnd.auscult.control+json";
    /// Content type of JSON.
    pub const JSON: &str = "application/json";

    /// Reads a record's envelope. `default_type` and the record's own coordinates stand in for what a plain producer
    /// leaves out.
    ///
    /// The key is what names the machine: Kafka spreads records without one over the partitions, and there is no order
    /// between those.
    ///
    /// # Errors
    /// [`SchemaError::MissingMachine`] / [`SchemaError::InvalidMachine`] when the key is no machine id,
    /// [`SchemaError::MissingKey`] when only `ce_subject` names the machine, [`SchemaError::InvalidHeader`] when a
    /// header that is there cannot be read, or when `ce_subject` and the key differ.
    pub fn read(
        headers: &Headers,
        key: Option<&[u8]>,
        coordinates: &RecordCoordinates,
        timestamp_ms: Option<i64>,
        default_type: &str,
    ) -> Result<Self, SchemaError> {
        let subject = headers.attribute(["ce_subject", "ce-subject"])?;
        let key_text = match key.map(std::str::from_utf8) {
            Some(Ok(text)) => Some(text),
            Some(Err(_)) => {
                let id = String::from_utf8_lossy(key.unwrap_or_default()).into_owned();
                return Err(SchemaError::InvalidMachine { id, reason: "the record key is not UTF-8" });
            }
            None => None,
        };
        let key_text = key_text.filter(|text| !text.trim().is_empty());
        if let (None, Some(subject)) = (key_text, subject)
            && let Ok(machine) = MachineId::new(subject)
        {
            return Err(SchemaError::MissingKey { machine: machine.to_string() });
        }
        let machine = MachineId::new(key_text.unwrap_or_default())?;
        if let Some(subject) = subject
            && subject != machine.as_str()
        {
            return Err(SchemaError::InvalidHeader {
                name: "ce_subject",
                value: subject.to_owned(),
                reason: format!("it differs from the record key {machine}, which decides the partition"),
            });
        }
        let record_time =
            timestamp_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
        let time = match headers.attribute(["ce_time", "ce-time"])? {
            None => record_time,
            Some(text) => text.parse().map_err(|error: jiff::Error| SchemaError::InvalidHeader {
                name: "ce_time",
                value: text.to_owned(),
                reason: format!("an RFC 3339 time was expected: {error}"),
            })?,
        };
        let id = match headers.attribute(["ce_id", "ce-id"])? {
            Some(id) if !id.is_empty() => ChunkId(id.to_owned()),
            _ => ChunkId(coordinates.to_string()),
        };
        let owned = |names, default: &str| -> Result<String, SchemaError> {
            Ok(headers.attribute(names)?.unwrap_or(default).to_owned())
        };
        Ok(Self {
            id,
            source: owned(["ce_source", "ce-source"], "unknown")?,
            event_type: owned(["ce_type", "ce-type"], default_type)?,
            time,
            machine,
            content_type: headers.content_type()?.to_owned(),
            traceparent: match headers.text("traceparent")? {
                Some(context) => Some(context.to_owned()),
                None => headers.attribute(["ce_traceparent", "ce-traceparent"])?.map(str::to_owned),
            },
        })
    }

    /// Whether the record is a control message rather than sound or features: its content type says so, whatever
    /// parameters follow.
    #[must_use]
    pub fn is_control(&self) -> bool {
        let media_type = self.content_type.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case(Self::CONTROL_JSON)
    }

    /// The headers of this envelope, in a fixed order.
    #[must_use]
    pub fn headers(&self) -> Headers {
        let mut headers = Headers::default();
        headers.push("ce_specversion", "1.0");
        headers.push("ce_id", self.id.0.clone());
        headers.push("ce_source", self.source.clone());
        headers.push("ce_type", self.event_type.clone());
        headers.push("ce_time", self.time.to_string());
        headers.push("ce_subject", self.machine.as_str().to_owned());
        headers.push("content-type", self.content_type.clone());
        if let Some(context) = &self.traceparent {
            headers.push("traceparent", context.clone());
        }
        headers
    }
}
