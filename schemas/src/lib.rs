//! What crosses a topic: the message types, their headers, the Arrow layout of a spectrogram, and the feature spec.
//!
//! ```text
//!  audio.chunks ──► audio.features ──► audio.scores, audio.alerts, audio.drift     results
//!   Envelope +       Envelope +        Envelope + Score / Alert / Drift (JSON)
//!   WAV FLAC L16     Features (Arrow)
//!   or Control       or Control         audio.audit          Audit (JSON)
//!                                      audio.scorer-state   ScorerState (JSON, compacted)
//!       any of them ──────────────►    audio.dead-letters   the record as it came + DeadLetter (headers)
//!  people ──► audio.labels  Label      audio.models         ModelAssignment (JSON, compacted)
//! ```
//!
//! The language-neutral contract lies beside the code: `asyncapi.yaml`, `json/*.schema.json`, `arrow/features.json` and
//! one golden message of each kind under `golden/`. The crate's tests hold the three together.
//!
//! No IO and no Kafka here: a record is a key, a value and headers, whoever carries it.

mod alert;
mod arrow_stream;
mod audit;
mod control;
mod dead_letter;
mod drift;
mod envelope;
mod error;
mod feature_spec;
mod features;
mod finite;
mod full_scale;
mod ids;
mod json;
mod label;
mod machine_state;
mod model;
mod note;
mod printable;
mod quality_flag;
mod quantity;
mod score;
mod state;
mod structured;
pub mod topics;
mod trace_context;

pub use alert::{Alert, AlertKind, EnvironmentChange};
pub use audit::{Audit, AuditAction, Judging};
pub use control::{Control, ControlAction};
pub use dead_letter::{DeadLetter, DeadLetterCode, OmittedParts};
pub use drift::{ChartReading, Drift, DriftChange, DriftChart, QualityRate};
pub use envelope::{Envelope, Headers, RecordCoordinates};
pub use error::SchemaError;
pub use feature_spec::{FeatureSpec, FeatureSpecHash, MelNorm, MelScale, Reference, Window};
pub use features::{Features, FeaturesMetadata};
pub use full_scale::{FullScale, MeasuredLevels, Unit, three_digits};
pub use ids::{ChunkId, MachineId, ModelId};
pub use json::JsonMessage;
pub use label::{Label, Verdict};
pub use machine_state::{Classification, MachineState};
pub use model::{ModelAssignment, ModelRef};
pub use note::{Note, NoteKind, SetupNote};
pub use printable::{printable, printable_json, printable_lines};
pub use quality_flag::QualityFlag;
pub use quantity::Quantity;
pub use score::{DeviatingBand, Score, SensorFault, StageTimings, TimeCourse};
pub use state::{
    AlertMemory, BandMemory, ChartMemory, DeviationMemory, DriftEpisode, DriftMemory, LevelMemory, Relearning,
    ScorerState, SensorMemory, SetupMemory, Standing, ThresholdAdjustment, ThresholdEdit,
};
pub use structured::open_structured;
pub use trace_context::TraceContext;
