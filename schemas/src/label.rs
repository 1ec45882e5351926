//! `audio.labels`: what people said of a chunk or an alert.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ChunkId, MachineId};

/// What a person who looked at the machine says of a chunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The machine.
    pub machine: MachineId,
    /// The chunk.
    pub chunk_id: ChunkId,
    /// The alert that asked, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert_id: Option<String>,
    /// Right or wrong.
    pub verdict: Verdict,
    /// The fault's name in the plant's own words, such as `bearing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Who says so.
    pub author: String,
    /// When it was said.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub labelled_at: Timestamp,
    /// Anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A person's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The machine had a fault.
    Confirmed,
    /// The machine was well.
    Dismissed,
    /// Nobody can tell.
    Unsure,
}
