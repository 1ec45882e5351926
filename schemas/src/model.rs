//! Which model judged, and `audio.models`: which model serves which machine.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FeatureSpecHash, MachineId, ModelId};

/// One version of one model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelRef {
    /// The model's name.
    pub id: ModelId,
    /// The first 16 hexadecimal digits of the package's SHA-256: another file is another version.
    pub version: String,
}

/// The model that serves a machine from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelAssignment {
    /// The machine, also the record's key.
    pub machine: MachineId,
    /// The model.
    pub model: ModelRef,
    /// Where a scoring worker finds the package, a URI or a path relative to its model folder.
    pub location: String,
    /// SHA-256 of the package, 64 hexadecimal digits.
    #[schemars(extend("pattern" = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// The feature spec that the model wants.
    pub feature_spec: FeatureSpecHash,
    /// When it was promoted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub promoted_at: Timestamp,
    /// Who promoted it.
    pub promoted_by: String,
}
