//! `audio.scorer-state`: what a scoring worker knows of a machine, so that another can take over.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MachineId, ModelRef, QualityFlag};

/// A machine's state as its listeners judge it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// Nothing decided yet: no chunk heard.
    #[default]
    Unknown,
    /// Sounds as in training.
    Healthy,
    /// Enough consecutive chunks deviate.
    Alarm,
    /// Every sensor is at fault, so that nothing can be said of the machine. Only a score or a sensor's alert has this state; what is
    /// remembered of the machine stays as it was, and is what the next good chunk goes on from.
    SensorFault,
}

/// Everything that a scoring worker keeps of one machine between chunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScorerState {
    /// Version of this layout.
    pub version: u32,
    /// The machine, also the record's key.
    pub machine: MachineId,
    /// The model that the scores below are of; another model starts them anew.
    pub model: ModelRef,
    /// Chunks scored so far.
    pub chunks: u64,
    /// The latest scores, oldest first; at most 32.
    #[serde(serialize_with = "crate::finite::only")]
    pub recent_scores: Vec<f64>,
    /// Alert state.
    pub alert: AlertMemory,
    /// The drift window in progress.
    pub drift: DriftMemory,
    /// The unbroken run of anomalous chunks in progress; absent while the latest chunk is normal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<DeviationMemory>,
    /// The channels whose sensor is at fault, or was in the latest chunks; the others are well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensors: Vec<SensorMemory>,
}

impl ScorerState {
    /// The layout version that this build writes.
    pub const VERSION: u32 = 1;
    /// How many scores are kept.
    pub const RECENT_SCORES: usize = 32;
}

/// Alert state: which state, since when, and how far towards the next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertMemory {
    /// The state.
    pub state: MachineState,
    /// Since when; absent before the first chunk.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Consecutive chunks that speak for a change of state.
    pub streak: u32,
    /// The first chunk of that streak.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streak_since: Option<Timestamp>,
}

/// The drift window in progress.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftMemory {
    /// Time of the window's first chunk.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_start: Option<Timestamp>,
    /// Scores of the window so far.
    #[serde(serialize_with = "crate::finite::only")]
    pub scores: Vec<f64>,
    /// Sum over the window's chunks of each mel band's mean level, dB.
    #[serde(serialize_with = "crate::finite::only")]
    pub band_sum_db: Vec<f64>,
}

/// An unbroken run of anomalous chunks, and since when which bands have deviated in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviationMemory {
    /// The run's first chunk.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// The bands that deviated in it, as they were when first heard, oldest first; at most 8.
    pub bands: Vec<BandMemory>,
}

impl DeviationMemory {
    /// How many bands are kept.
    pub const BANDS: usize = 8;
}

/// A band that deviated, and the first chunk in which it did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BandMemory {
    /// Lower edge, Hz.
    #[serde(serialize_with = "crate::finite::only")]
    pub hz_low: f64,
    /// Upper edge, Hz.
    #[serde(serialize_with = "crate::finite::only")]
    pub hz_high: f64,
    /// The first chunk of the run that deviated there.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
}

/// One channel's sensor: what has been reported of it, and how far it is towards the next report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SensorMemory {
    /// The channel, from 0.
    pub channel: usize,
    /// Whether it has been reported as at fault.
    pub is_at_fault: bool,
    /// What was wrong with it in the latest chunk in which it was at fault.
    pub flags: Vec<QualityFlag>,
    /// Since when it has been at fault, where that has been reported: the first of the consecutive chunks that led to it.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Consecutive chunks that speak for a change.
    pub streak: u32,
    /// The first chunk of that streak.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streak_since: Option<Timestamp>,
}
