//! The JSON messages' way to and from a record's value.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Alert, Audit, Control, DeadLetter, Drift, Envelope, FeaturesMetadata, Label, ModelAssignment, SchemaError, Score,
    ScorerState,
};

/// A message whose value is one JSON object on one line.
pub trait JsonMessage: Serialize + DeserializeOwned {
    /// What the message is called in errors.
    const KIND: &'static str;
    /// Its `ce_type`; `None` for what never is a record's value of its own.
    const EVENT_TYPE: Option<&'static str>;

    /// Writes the value.
    ///
    /// # Errors
    /// [`SchemaError::Json`] when a number is NaN or infinite.
    fn encode(&self) -> Result<Bytes, SchemaError> {
        let json = serde_json::to_vec(self).map_err(|source| SchemaError::Json { kind: Self::KIND, source })?;
        Ok(Bytes::from(json))
    }

    /// Reads a value.
    ///
    /// # Errors
    /// [`SchemaError::Json`] when a field is missing, unknown or of the wrong type.
    fn decode(value: &[u8]) -> Result<Self, SchemaError> {
        serde_json::from_slice(value).map_err(|source| SchemaError::Json { kind: Self::KIND, source })
    }
}

impl JsonMessage for Score {
    const KIND: &'static str = "score";
    const EVENT_TYPE: Option<&'static str> = Some(Envelope::SCORE);
}

impl JsonMessage for Alert {
    const KIND: &'static str = "alert";
    const EVENT_TYPE: Option<&'static str> = Some(Envelope::ALERT);
}

impl JsonMessage for Drift {
    const KIND: &'static str = "drift";
    const EVENT_TYPE: Option<&'static str> = Some(Envelope::DRIFT);
}

impl JsonMessage for Control {
    const KIND: &'static str = "control";
    const EVENT_TYPE: Option<&'static str> = Some(Envelope::CONTROL);
}

impl JsonMessage for Audit {
    const KIND: &'static str = "audit";
    const EVENT_TYPE: Option<&'static str> = Some(Envelope::AUDIT);
}

impl JsonMessage for Label {
    const KIND: &'static str = "label";
    const EVENT_TYPE: Option<&'static str> = Some(Envelope::LABEL);
}

impl JsonMessage for ModelAssignment {
    const KIND: &'static str = "model assignment";
    const EVENT_TYPE: Option<&'static str> = Some(Envelope::MODEL);
}

impl JsonMessage for ScorerState {
    const KIND: &'static str = "scorer state";
    const EVENT_TYPE: Option<&'static str> = Some(Envelope::SCORER_STATE);
}

/// Not a record's value: the value of a dead letter is the record that failed. This is how `auscult watch` prints one.
impl JsonMessage for DeadLetter {
    const KIND: &'static str = "dead letter";
    const EVENT_TYPE: Option<&'static str> = None;
}

/// Not a record's value: it lies in the Arrow schema's metadata.
impl JsonMessage for FeaturesMetadata {
    const KIND: &'static str = "features metadata";
    const EVENT_TYPE: Option<&'static str> = None;
}
