//! Everything that can be wrong with a message.

/// Why a message, a header or a spec could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The record has no key.
    #[error("the record names no machine: set the record key to the machine's id")]
    MissingMachine,
    /// `ce_subject` names the machine, but the record has no key.
    #[error(
        "the record has no key, only the subject {machine}: records without a key are spread over the partitions, so that the machine's chunks would \
         not stay in order; set the record key to {machine}, too (docs/clients.md says how for each CloudEvents SDK)"
    )]
    MissingKey {
        /// Whom the subject names.
        machine: String,
    },
    /// A CloudEvent in structured mode that cannot be read.
    #[error("CloudEvent in structured mode: {0}")]
    InvalidEvent(String),
    /// The machine id is unusable.
    #[error("machine id {id:?} is not valid: {reason}")]
    InvalidMachine {
        /// The id as it came.
        id: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A header's value cannot be read.
    #[error("header {name} has the value {value:?}: {reason}")]
    InvalidHeader {
        /// Which header.
        name: &'static str,
        /// Its value, lossily decoded.
        value: String,
        /// What was expected.
        reason: String,
    },
    /// A feature spec that no spectrogram can be computed with.
    #[error("feature spec: {0}")]
    InvalidFeatureSpec(String),
    /// A hash that is not 64 lower-case hexadecimal digits.
    #[error("feature spec hash {0:?} is not 64 lower-case hexadecimal digits")]
    InvalidHash(String),
    /// The Arrow stream of a features message is not what `arrow/features.json` says.
    #[error("features message: {0}")]
    InvalidFeatures(String),
    /// Arrow itself failed.
    #[error("features message: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// A JSON message does not fit its type.
    #[error("{kind} message: {source}")]
    Json {
        /// Which message type was being read.
        kind: &'static str,
        /// The parser's own words.
        source: serde_json::Error,
    },
}
