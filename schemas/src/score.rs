//! `audio.scores`: the judgement of one chunk.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ChunkId, FeatureSpecHash, MachineId, MachineState, MeasuredLevels, ModelRef, Note, QualityFlag, Quantity,
    RecordCoordinates,
};

/// How one chunk of sound compares with the machine's normal sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Deterministic id: machine, chunk coordinates and model version. The same chunk under the same model has the same
    /// id, however often it is scored.
    pub id: String,
    /// The machine.
    pub machine: MachineId,
    /// The chunk's id as its gateway gave it.
    pub chunk_id: ChunkId,
    /// Where the chunk lies.
    pub chunk: RecordCoordinates,
    /// When the sound was recorded.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// The clip's anomaly score: the mean of its channels' scores. Its unit is the detector's own (dB² for a
    /// reconstruction error).
    #[serde(serialize_with = "crate::finite::only")]
    pub score: f64,
    /// Each judged channel's score, in the order of channels; those that `sensor_faults` names have none.
    #[serde(serialize_with = "crate::finite::only")]
    pub channel_scores: Vec<f64>,
    /// The probability that normal sound scores this high or higher, from held-out normal clips.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(serialize_with = "crate::finite::only")]
    pub p_value: f64,
    /// 100 is as normal as the training sound; 50 is at the threshold; 0 is far beyond. Absent where the state is
    /// `sensor_fault`, `setup_fault` or `idle`: the chunk says nothing about the machine's health, and `explanation`
    /// says why.
    #[schemars(range(min = 0.0, max = 100.0))]
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub health_index: Option<f64>,
    /// Scores above it are anomalous.
    #[serde(serialize_with = "crate::finite::only")]
    pub threshold: f64,
    /// Who or what set that threshold; absent where it is the model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_by: Option<String>,
    /// `score > threshold`; false where the chunk says nothing about the machine's health.
    pub anomalous: bool,
    /// The machine's state after this chunk. `sensor_fault`, `setup_fault` and `idle` are of this chunk alone: the
    /// machine's own state stays as it was before.
    pub state: MachineState,
    /// The machine's state before it.
    pub previous_state: MachineState,
    /// The frequency bands that deviate most, widest share first.
    pub bands: Vec<DeviatingBand>,
    /// When within the chunk it deviates; only of an anomalous one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_course: Option<TimeCourse>,
    /// What deviates, where and since when, or why nothing was judged, in words; absent where there is nothing to
    /// explain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// What was odd about the sound.
    pub quality: Vec<QualityFlag>,
    /// The channels that were left out of the score because their sensor is at fault; absent where none is. Where it
    /// names all of them the state is `sensor_fault` and nothing was judged: score 0, no channel scores, `anomalous`
    /// false.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensor_faults: Vec<SensorFault>,
    /// Since when the sensors in `sensor_faults` have been at fault, where an alert has already reported all of them:
    /// `explanation` then refers to them briefly.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor_faults_since: Option<Timestamp>,
    /// What a person should know about how this chunk was recorded; absent where there is nothing. Never an alarm of
    /// the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// What the sensors measure; absent: sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// Each channel's level in physical units; absent where the feature spec has no full scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<MeasuredLevels>,
    /// The model that judged.
    pub model: ModelRef,
    /// The feature spec of the model, and of the features it judged.
    pub feature_spec: FeatureSpecHash,
    /// Where the time went.
    pub timings: StageTimings,
}

impl Score {
    /// The deterministic id of a score.
    #[must_use]
    pub fn deterministic_id(machine: &MachineId, chunk: &RecordCoordinates, model: &ModelRef) -> String {
        format!("{machine}/{}/{}/{}", chunk.partition, chunk.offset, model.version)
    }
}

/// How a clip's deviation is spread over its length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeCourse {
    /// Length of one slice, s.
    #[serde(serialize_with = "crate::finite::only")]
    pub slice_s: f64,
    /// Each slice's share of the deviation, in the order of time, 0–1, together 1; at most 20.
    #[schemars(length(max = 20))]
    #[serde(serialize_with = "crate::finite::only")]
    pub shares: Vec<f64>,
}

impl TimeCourse {
    /// The most slices that a clip is cut into.
    pub const MAX_SLICES: usize = 20;
}

/// A frequency band and its part in the deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviatingBand {
    /// Lower edge, Hz.
    #[serde(serialize_with = "crate::finite::only")]
    pub hz_low: f64,
    /// Upper edge, Hz.
    #[serde(serialize_with = "crate::finite::only")]
    pub hz_high: f64,
    /// Share of the clip's whole error that lies in the band, 0–1.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(serialize_with = "crate::finite::only")]
    pub share: f64,
    /// The band's mean level less that of the training sound, dB: louder is positive. Absent in messages of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub level_change_db: Option<f64>,
    /// The first chunk that deviated in this band, of the machine's unbroken run of anomalous chunks. Absent where the
    /// chunk is not anomalous.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// A channel whose sensor does not hear the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SensorFault {
    /// The channel, from 0.
    pub channel: usize,
    /// What is wrong with it, one flag or more.
    pub flags: Vec<QualityFlag>,
}

/// Seconds that a chunk spent in each stage; absent where the stage was left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StageTimings {
    /// Decoding WAV, FLAC or L16, s.
    #[serde(serialize_with = "crate::finite::only", skip_serializing_if = "Option::is_none")]
    pub decode_s: Option<f64>,
    /// Resampling, s.
    #[serde(serialize_with = "crate::finite::only", skip_serializing_if = "Option::is_none")]
    pub resample_s: Option<f64>,
    /// Log-mel spectrogram, s.
    #[serde(serialize_with = "crate::finite::only", skip_serializing_if = "Option::is_none")]
    pub log_mel_s: Option<f64>,
    /// The forward pass that the chunk was part of, s.
    #[serde(serialize_with = "crate::finite::only", skip_serializing_if = "Option::is_none")]
    pub forward_s: Option<f64>,
    /// Decision, explanation and drift, s.
    #[serde(serialize_with = "crate::finite::only", skip_serializing_if = "Option::is_none")]
    pub decide_s: Option<f64>,
}
