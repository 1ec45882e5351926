//! `audio.scorer-state`: what a scoring worker knows of a machine, so that another can take over, be it of an earlier
//! build or of a later one.
//!
//! A field that is added is absent in what earlier builds have written, so each such has a default. An earlier build
//! that takes over from a later one, in the middle of an upgrade or after a rollback, passes over what it does not
//! know, and does not write it again. What cannot be understood in that way is another [`ScorerState::VERSION`], which
//! earlier builds refuse.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Classification, DriftChart, MachineId, ModelRef, NoteKind, QualityFlag};

/// A machine's state as its listeners judge it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// Too little heard to decide, of a new machine or under a new model. Earlier versions called it `unknown`, which
    /// is still read.
    #[default]
    #[serde(alias = "unknown")]
    Learning,
    /// Sounds as in training.
    Healthy,
    /// Some of the latest chunks deviate.
    Warning,
    /// So many of the latest chunks deviate that it is no passing noise.
    Alarm,
    /// An alarm that a person has taken note of; it lasts until the machine sounds normal again, and is not raised a
    /// second time.
    Acknowledged,
    /// A person works on the machine: nothing is raised, whatever it sounds like.
    Maintenance,
    /// Every sensor is at fault, so that nothing can be said of the machine. Only a score or a sensor's alert has this
    /// state; what is remembered of the machine stays as it was, and is what the next good chunk goes on from.
    SensorFault,
    /// The sound arrives otherwise than the model has learned it (another sample rate, chunks of another length), so
    /// that scores cannot be held against the threshold. Only a score or a setup alert has this state, as with
    /// `sensor_fault`.
    SetupFault,
    /// The machine is at rest, as a person has said or its sound shows. Only a score or a setup alert has this state;
    /// what is remembered of the machine stays as it was, and is what the next running chunk goes on from.
    Idle,
    /// Nothing has come from the machine for many times its cadence.
    Silent,
}

impl MachineState {
    /// Every state, for metrics that should exist at zero.
    pub const ALL: [Self; 10] = [
        Self::Learning,
        Self::Healthy,
        Self::Warning,
        Self::Alarm,
        Self::Acknowledged,
        Self::Maintenance,
        Self::SensorFault,
        Self::SetupFault,
        Self::Idle,
        Self::Silent,
    ];

    /// The state as it stands in messages and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Learning => "learning",
            Self::Healthy => "healthy",
            Self::Warning => "warning",
            Self::Alarm => "alarm",
            Self::Acknowledged => "acknowledged",
            Self::Maintenance => "maintenance",
            Self::SensorFault => "sensor_fault",
            Self::SetupFault => "setup_fault",
            Self::Idle => "idle",
            Self::Silent => "silent",
        }
    }

    /// Whether it is a state of a chunk only: one that says nothing about the machine's health, and leaves the
    /// machine's own state as it was.
    #[must_use]
    pub fn is_of_chunk(self) -> bool {
        matches!(self, Self::SensorFault | Self::SetupFault | Self::Idle)
    }
}

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

/// What a person has asked for, and for how long it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// Who asked for it.
    pub by: String,
    /// Since when it stands.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// When it ends by itself; absent where it stands until it is taken back.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A threshold set by a person while the worker runs: one of `threshold` and `factor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdEdit {
    /// The threshold itself, in the unit of the model's scores; it goes with that model.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub threshold: Option<f64>,
    /// Times the model's threshold, whichever model serves.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "crate::finite::only")]
    pub factor: Option<f64>,
    /// Who set it.
    pub by: String,
    /// Since when it holds.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
}

/// How a machine's normal scores have moved with its environment. With `m` the calibration's median score, a score `s`
/// is held against the threshold as `m + (s − m − offset) / factor`: the threshold itself moves to
/// `m + offset + factor × (threshold − m)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdAdjustment {
    /// How far the median of normal scores has moved, in the unit of the scores.
    #[serde(serialize_with = "crate::finite::only")]
    pub offset: f64,
    /// How many times as wide their spread is.
    #[serde(serialize_with = "crate::finite::only")]
    pub factor: f64,
    /// Who or what adjusted it: `environment`.
    pub by: String,
    /// Since when it holds.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
}

/// A level being learnt anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Relearning {
    /// Since when.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// The scores heard since then, oldest first.
    #[serde(serialize_with = "crate::finite::only")]
    pub scores: Vec<f64>,
    /// How many are needed.
    pub needed: u32,
}

/// What drift is judged by: the window in progress, the charts that go on from window to window, and what has been
/// learnt of normal sound beside the model's own reference. Its size is bounded by the window, the mel bands and the
/// calibration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Sum over the window's chunks of the squared distance from the mean learnt so far, dB²: of each mel band, and
    /// last of the mean level.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "crate::finite::only")]
    pub square_sum_db2: Vec<f64>,
    /// Sequential ranks of the window's scores, in ten thousandths: where each stood among all that were known before
    /// it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<u32>,
    /// Chunks of the window with each quality flag, in the flags' order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flagged: Vec<u32>,
    /// How many scores in service fell between each two neighbouring cut points of the calibration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learnt_scores: Vec<u32>,
    /// What has been learnt of levels, those of the training clips among them; absent before the first chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt_levels: Option<LevelMemory>,
    /// Chunks of earlier windows with each quality flag, in the flags' order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learnt_flags: Vec<u32>,
    /// How many chunks those were counted over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub learnt_flags_of: u32,
    /// Page–Hinkley's sum for higher scores.
    #[serde(default, skip_serializing_if = "ChartMemory::is_at_rest")]
    pub higher: ChartMemory,
    /// Page–Hinkley's sum for lower scores, as a positive number.
    #[serde(default, skip_serializing_if = "ChartMemory::is_at_rest")]
    pub lower: ChartMemory,
    /// The exponentially weighted moving average.
    #[serde(default, skip_serializing_if = "ChartMemory::is_at_rest")]
    pub average: ChartMemory,
    /// The drift that has been reported and is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<DriftEpisode>,
}

/// A chart that goes on from chunk to chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChartMemory {
    /// Where it stands, in standard deviations of normal scores.
    #[serde(serialize_with = "crate::finite::only")]
    pub value: f64,
    /// Since when it has stood on that side of zero: when a change that it finds began.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl ChartMemory {
    fn is_at_rest(&self) -> bool {
        *self == Self::default()
    }
}

/// Means and spreads of levels, one chunk one observation: of each mel band, and last of the mean level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LevelMemory {
    /// Chunks, training clips among them; 0 where the levels are being learnt anew.
    pub chunks: u32,
    /// Means, dB.
    #[serde(serialize_with = "crate::finite::only")]
    pub mean_db: Vec<f64>,
    /// Sums of squared distances from those means, dB².
    #[serde(serialize_with = "crate::finite::only")]
    pub square_sum_db2: Vec<f64>,
    /// Sums of squared distances from each window's own means, of the windows that were learnt, dB²: less than the
    /// above where levels wander from window to window.
    #[serde(default, skip_serializing_if = "Vec::is_empty", serialize_with = "crate::finite::only")]
    pub within_sum_db2: Vec<f64>,
    /// Degrees of freedom of those: the windows' chunks less one a window.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub within_freedom: u32,
}

/// A drift that has been reported.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriftEpisode {
    /// The chart that found it.
    pub chart: DriftChart,
    /// Estimate of when the change began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// When it was found.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub found: Timestamp,
    /// Consecutive windows, up to the latest, in which nothing was to be seen of it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quiet_windows: u32,
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
