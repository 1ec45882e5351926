//! `audio.scorer-state`: what a scoring worker knows of a machine, so that another can take over, be it of an earlier
//! build or of a later one.
//!
//! A field that is added is absent in what earlier builds have written, so each such has a default. An earlier build
//! that takes over from a later one, in the middle of an upgrade or after a rollback, passes over what it does not
//! know, and does not write it again. What cannot be understood in that way is another [`ScorerState::VERSION`], which
//! earlier builds refuse.

mod drift;
mod threshold;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

pub use drift::{ChartMemory, DriftEpisode, DriftMemory, LevelMemory};
pub use threshold::{Relearning, Standing, ThresholdAdjustment, ThresholdEdit};

use crate::{Classification, MachineId, MachineState, ModelRef, NoteKind, QualityFlag};

/// Everything that a scoring worker keeps of one machine between chunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScorerState {
    /// Version of this layout.
    #[serde(deserialize_with = "known_version")]
    #[schemars(range(max = 1))]
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
    /// The notes that stand about the recording setup, or stood in the latest chunks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<SetupMemory>,
    /// Since when the machine has been at rest, as a person has said or its sound shows; absent while it runs.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_since: Option<Timestamp>,
    /// Channels of the latest chunk, those at fault among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u32>,
    /// The latest time at which a chunk of the machine was recorded.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heard: Option<Timestamp>,
    /// How far apart its chunks usually are, s: a robust estimate; absent until there are two.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub cadence_s: Option<f64>,
    /// For how long the machine's partition had been listened to when the machine was last heard, s: what its silence
    /// is measured from.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub listened_s: Option<f64>,
    /// The threshold in force after the latest chunk or control message, whoever set it: what an alert says of a
    /// machine that has fallen silent. Absent before the first of them, and in states of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub held_threshold: Option<f64>,
    /// The threshold that a person has set in place of the model's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<ThresholdEdit>,
    /// How the threshold follows a change of the machine's environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjustment: Option<ThresholdAdjustment>,
    /// The level being learnt anew after a change of environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relearning: Option<Relearning>,
    /// Asked for by a person: changes of state are published as muted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mute: Option<Standing>,
    /// Asked for by a person: the machine is being worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Standing>,
    /// Asked for by a person: the machine is at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Standing>,
    /// Who has acknowledged the alarm that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Standing>,
    /// Asked for by a person: the machine is gone. It is a new one when it is heard again, or asked anything of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Standing>,
}

impl ScorerState {
    /// The layout version that this build writes.
    pub const VERSION: u32 = 1;
    /// How many scores are kept.
    pub const RECENT_SCORES: usize = 32;

    /// What is known of a machine that has never been heard.
    #[must_use]
    pub fn new(machine: MachineId, model: ModelRef) -> Self {
        Self {
            version: Self::VERSION,
            machine,
            model,
            chunks: 0,
            recent_scores: Vec::new(),
            alert: AlertMemory::default(),
            drift: DriftMemory::default(),
            deviation: None,
            sensors: Vec::new(),
            setup: Vec::new(),
            idle_since: None,
            channels: None,
            last_heard: None,
            cadence_s: None,
            listened_s: None,
            held_threshold: None,
            threshold: None,
            adjustment: None,
            relearning: None,
            mute: None,
            maintenance: None,
            idle: None,
            acknowledged: None,
            retired: None,
        }
    }
}

/// Alert state: which state, since when, and how far towards the next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertMemory {
    /// The state.
    pub state: MachineState,
    /// Since when; absent before the first chunk.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Consecutive chunks, up to the latest, that speak for normal sound: at or below the clear threshold.
    pub streak: u32,
    /// The first chunk of that streak.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streak_since: Option<Timestamp>,
    /// Which of the latest chunks were anomalous, one bit each, the latest lowest.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub recent: u32,
    /// When those were recorded, oldest first; one a set bit.
    #[schemars(with = "Vec<String>", extend("items" = { "type": "string", "format": "date-time" }))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalous_at: Vec<Timestamp>,
    /// While learning: the chunks decided so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub decided: u32,
    /// While silent: the state that it goes on from when it is heard again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<MachineState>,
    /// Of a warning, an alarm or an acknowledged one: the evidence that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<Classification>,
    /// When the latest alarm was raised: another one waits until an hour (`alert.min_alarm_secs`) has passed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarmed_at: Option<Timestamp>,
}

/// A later layout may mean something else by the same fields.
fn known_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let version = u32::deserialize(deserializer)?;
    if version > ScorerState::VERSION {
        let newest = ScorerState::VERSION;
        return Err(D::Error::custom(format!("state of version {version}; this build knows versions up to {newest}")));
    }
    Ok(version)
}

/// For fields that are left out of JSON while they are 0.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// An unbroken run of anomalous chunks, and since when which bands have deviated in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
pub struct SensorMemory {
    /// The channel, from 0.
    pub channel: usize,
    /// Whether it has been reported as at fault.
    pub is_at_fault: bool,
    /// What was wrong with it in the latest chunk in which it was at fault.
    pub flags: Vec<QualityFlag>,
    /// Since when it has been at fault, where that has been reported: the first of the consecutive chunks that led to
    /// it.
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

/// One kind of note about the recording setup: whether it has been reported, and how far it is towards the next report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetupMemory {
    /// What the note is about.
    pub kind: NoteKind,
    /// Its words in the latest chunk that had it.
    pub words: String,
    /// What to do about it.
    pub remedy: String,
    /// Whether it has been reported as standing.
    pub is_reported: bool,
    /// Since when it has stood, where that has been reported: the first of the consecutive chunks that led to it.
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
