//! `audio.dead-letters`: a record that could not be processed, as it came, with headers that say why.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Headers, RecordCoordinates, SchemaError};

/// Why a record could not be processed: the bounded set behind the `reason` label of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterCode {
    /// The value has no bytes.
    Empty,
    /// The sound ends before its header says it should.
    Truncated,
    /// The value is not the kind of sound it is said to be.
    NotAudio,
    /// The content type is none that is understood.
    UnsupportedContentType,
    /// Sound, but with a sample rate, channel count or sample format outside the contract.
    UnsupportedFormat,
    /// Sound with a header but without a single sample.
    NoSamples,
    /// Samples that are NaN or infinite.
    NonFinite,
    /// The value exceeds the configured bound.
    TooLarge,
    /// The record has no key that names a machine, or a header or a structured event cannot be read.
    InvalidEnvelope,
    /// No model serves the machine.
    UnknownMachine,
    /// The features were computed with another spec than the model's.
    FeatureSpecMismatch,
    /// The features message cannot be read.
    InvalidFeatures,
    /// The model's file is missing or corrupt.
    ModelUnavailable,
    /// The control message cannot be read, or asks for what cannot be.
    InvalidControl,
    /// The log refuses what the record came to: it is larger than its topic takes, or not valid to the broker.
    OutputRefused,
    /// The worker's own code failed on this record.
    Internal,
}

impl DeadLetterCode {
    /// Every code, for metrics that should exist at zero.
    pub const ALL: [Self; 16] = [
        Self::Empty,
        Self::Truncated,
        Self::NotAudio,
        Self::UnsupportedContentType,
        Self::UnsupportedFormat,
        Self::NoSamples,
        Self::NonFinite,
        Self::TooLarge,
        Self::InvalidEnvelope,
        Self::UnknownMachine,
        Self::FeatureSpecMismatch,
        Self::InvalidFeatures,
        Self::ModelUnavailable,
        Self::InvalidControl,
        Self::OutputRefused,
        Self::Internal,
    ];

    /// The code as it stands in headers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::NotAudio => "not_audio",
            Self::UnsupportedContentType => "unsupported_content_type",
            Self::UnsupportedFormat => "unsupported_format",
            Self::NoSamples => "no_samples",
            Self::NonFinite => "non_finite",
            Self::TooLarge => "too_large",
            Self::InvalidEnvelope => "invalid_envelope",
            Self::UnknownMachine => "unknown_machine",
            Self::FeatureSpecMismatch => "feature_spec_mismatch",
            Self::InvalidFeatures => "invalid_features",
            Self::ModelUnavailable => "model_unavailable",
            Self::InvalidControl => "invalid_control",
            Self::OutputRefused => "output_refused",
            Self::Internal => "internal",
        }
    }
}

/// What is added to a record's headers when it becomes a dead letter. Also the JSON that `auscult watch` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// Why, as a code.
    pub code: DeadLetterCode,
    /// Why, in words, with the remedy.
    pub detail: String,
    /// Where the record came from.
    pub source: RecordCoordinates,
    /// Which worker gave up on it.
    pub worker: String,
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// The value was too large to be copied; it is still at `source` for as long as the topic keeps it.
    pub value_omitted: bool,
    /// The record's own timestamp, ms since the epoch, as it came. The letter's timestamp is the time at which it was
    /// written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<i64>,
    /// How many bytes the omitted value has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_bytes: Option<u64>,
    /// The omitted value's SHA-256, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_sha256: Option<String>,
    /// The record's own headers, or its key and headers, were too large, too, and are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<OmittedParts>,
    /// The trace that the record belongs to, 32 hexadecimal digits, as the worker's log names it; `None` in dead
    /// letters of earlier builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// What else than the value is left out of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OmittedParts {
    /// The record's own headers.
    Headers,
    /// The record's own headers and its key.
    HeadersAndKey,
}

impl OmittedParts {
    const ALL: [Self; 2] = [Self::Headers, Self::HeadersAndKey];

    fn as_str(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::HeadersAndKey => "headers_and_key",
        }
    }
}

const CODE: &str = "auscult_dead_letter_code";
const DETAIL: &str = "auscult_dead_letter_detail";
const TOPIC: &str = "auscult_dead_letter_topic";
const PARTITION: &str = "auscult_dead_letter_partition";
const OFFSET: &str = "auscult_dead_letter_offset";
const WORKER: &str = "auscult_dead_letter_worker";
const TIME: &str = "auscult_dead_letter_time";
const OMITTED: &str = "auscult_dead_letter_value_omitted";
const TRACE: &str = "auscult_dead_letter_trace_id";
const TIMESTAMP: &str = "auscult_dead_letter_timestamp_ms";
const VALUE_BYTES: &str = "auscult_dead_letter_value_bytes";
const VALUE_SHA256: &str = "auscult_dead_letter_value_sha256";
const OMITTED_PARTS: &str = "auscult_dead_letter_omitted";

impl DeadLetter {
    /// A value's SHA-256 as [`DeadLetter::value_sha256`] has it.
    #[must_use]
    pub fn sha256_of(value: &[u8]) -> String {
        use sha2::{Digest, Sha256};
        use std::fmt::Write;
        Sha256::digest(value).iter().fold(String::new(), |mut hex, byte| {
            // Writing into a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// Adds this dead letter's headers to the record's own.
    pub fn append_to(&self, headers: &mut Headers) {
        headers.push(CODE, self.code.as_str());
        headers.push(DETAIL, self.detail.clone());
        headers.push(TOPIC, self.source.topic.clone());
        headers.push(PARTITION, self.source.partition.to_string());
        headers.push(OFFSET, self.source.offset.to_string());
        headers.push(WORKER, self.worker.clone());
        headers.push(TIME, self.time.to_string());
        headers.push(OMITTED, self.value_omitted.to_string());
        if let Some(trace_id) = &self.trace_id {
            headers.push(TRACE, trace_id.clone());
        }
        // A record that dies again has those of its first death, which must not be taken for these.
        for name in [TIMESTAMP, VALUE_BYTES, VALUE_SHA256, OMITTED_PARTS] {
            headers.0.retain(|(known, _)| known != name);
        }
        if let Some(timestamp_ms) = self.timestamp_ms {
            headers.push(TIMESTAMP, timestamp_ms.to_string());
        }
        if let Some(bytes) = self.value_bytes {
            headers.push(VALUE_BYTES, bytes.to_string());
        }
        if let Some(sha256) = &self.value_sha256 {
            headers.push(VALUE_SHA256, sha256.clone());
        }
        if let Some(omitted) = self.omitted {
            headers.push(OMITTED_PARTS, omitted.as_str());
        }
    }

    /// Reads a dead letter's headers back.
    ///
    /// # Errors
    /// [`SchemaError::InvalidHeader`] when one is missing or cannot be read.
    pub fn read(headers: &Headers) -> Result<Self, SchemaError> {
        let code = text(headers, CODE)?;
        let code = DeadLetterCode::ALL.into_iter().find(|known| known.as_str() == code).ok_or_else(|| {
            SchemaError::InvalidHeader { name: CODE, value: code.to_owned(), reason: "no such code".to_owned() }
        })?;
        Ok(Self {
            code,
            detail: text(headers, DETAIL)?.to_owned(),
            source: RecordCoordinates {
                topic: text(headers, TOPIC)?.to_owned(),
                partition: parsed(headers, PARTITION)?,
                offset: parsed(headers, OFFSET)?,
            },
            worker: text(headers, WORKER)?.to_owned(),
            time: parsed(headers, TIME)?,
            value_omitted: parsed(headers, OMITTED)?,
            trace_id: headers.text(TRACE)?.map(str::to_owned),
            timestamp_ms: optional(headers, TIMESTAMP)?,
            value_bytes: optional(headers, VALUE_BYTES)?,
            value_sha256: headers.text(VALUE_SHA256)?.map(str::to_owned),
            omitted: match headers.text(OMITTED_PARTS)? {
                Some(text) => OmittedParts::ALL.into_iter().find(|known| known.as_str() == text),
                None => None,
            },
        })
    }
}

fn text<'a>(headers: &'a Headers, name: &'static str) -> Result<&'a str, SchemaError> {
    headers.text(name)?.ok_or_else(|| SchemaError::InvalidHeader {
        name,
        value: String::new(),
        reason: "it is missing".to_owned(),
    })
}

fn optional<T>(headers: &Headers, name: &'static str) -> Result<Option<T>, SchemaError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    if headers.text(name)?.is_some() { parsed(headers, name).map(Some) } else { Ok(None) }
}

fn parsed<T>(headers: &Headers, name: &'static str) -> Result<T, SchemaError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let value = text(headers, name)?;
    value.parse().map_err(|error: T::Err| SchemaError::InvalidHeader {
        name,
        value: value.to_owned(),
        reason: error.to_string(),
    })
}
