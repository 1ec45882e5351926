//! Names of machines, chunks and models.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SchemaError;

/// A machine's id: the key of every record, 1–128 bytes of visible UTF-8 without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(
    with = "String",
    extend(
        "minLength" = 1,
        "maxLength" = 128,
        // No control character, and at least one that is not white space.
        "pattern" = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )
)]
pub struct MachineId(String);

impl MachineId {
    /// The longest id, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Checks and wraps an id.
    ///
    /// # Errors
    /// [`SchemaError::MissingMachine`] when it is empty, [`SchemaError::InvalidMachine`] when it is too long or holds
    /// control characters.
    pub fn new(id: impl Into<String>) -> Result<Self, SchemaError> {
        let id = id.into();
        if id.trim().is_empty() {
            return Err(SchemaError::MissingMachine);
        }
        if id.len() > Self::MAX_BYTES {
            return Err(SchemaError::InvalidMachine { id, reason: "it is longer than 128 bytes" });
        }
        if id.chars().any(char::is_control) {
            return Err(SchemaError::InvalidMachine { id, reason: "it holds control characters" });
        }
        Ok(Self(id))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MachineId {
    type Error = SchemaError;
    fn try_from(id: String) -> Result<Self, Self::Error> {
        Self::new(id)
    }
}

impl std::str::FromStr for MachineId {
    type Err = SchemaError;
    fn from_str(id: &str) -> Result<Self, Self::Err> {
        Self::new(id)
    }
}

impl From<MachineId> for String {
    fn from(id: MachineId) -> Self {
        id.0
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A chunk's id: the CloudEvents id the gateway gave it, or `topic/partition/offset` where it gave none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ChunkId(pub String);

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A model's name, such as `fan-07` or `default`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ModelId(pub String);

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
