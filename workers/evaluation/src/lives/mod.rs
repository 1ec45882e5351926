//! Run-to-failure evaluation: a model trained on the beginning of each life scores the rest, chunk by chunk, like a
//! worker.
//!
//! ```text
//!  recording, or folder ─► snapshots ─► log-mel ─┬─ first share ─► train ─► model ─┐
//!                                         └─ the rest ────────────► judge ──┴─► observe_chunk ─► states, first alarm ─► lead time
//! ```
//!
//! Features, detectors and state machine are the same as in the workers; only Kafka is not used. Nothing from the rest
//! is used to set any parameter.

mod snapshots;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::bail;
use auscult_detection::{
    DeviceChoice, Judgement, MIN_CLIPS, Model, ObservedChunk, TrainingClip, TrainingOptions, WatchPolicy,
    observe_chunk, open_device, train,
};
use auscult_features::{ChunkExtractor, Extraction};
use auscult_recordings::clips;
use auscult_schemas::{ChunkId, MachineId, MachineState, ModelId, ScorerState};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

pub use snapshots::recordings;
use snapshots::{Snapshots, machine_of};

/// How a life is split and scored.
#[derive(Debug, Clone)]
pub struct LifeOptions {
    /// Length of one snapshot, samples; each snapshot is a chunk.
    pub snapshot_samples: usize,
    /// Interval between snapshots.
    pub every: SignedDuration,
    /// Share of the life, from its start, used for training, 0–1.
    pub train_share: f64,
    /// Training options and feature spec.
    pub training: TrainingOptions,
    /// Rules for states.
    pub watch: WatchPolicy,
}

impl LifeOptions {
    /// Number of mel bands suitable for a few dozen short snapshots: with 64, the shortest of six lives, whose model
    /// was trained on its first 26 snapshots, was in alarm right after its start.
    pub const FEW_BANDS: usize = 8;
}

/// A period of an active alarm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AlarmSpan {
    /// Since the start of the life, s.
    pub from_s: f64,
    /// `None`: it is active at the end.
    pub to_s: Option<f64>,
}

/// One scored chunk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Since the start of the life, s.
    pub at_s: f64,
    /// Its score.
    pub score: f64,
    /// 100 as in training, 50 at the threshold.
    pub health_index: f64,
    /// The machine's state after it.
    pub state: MachineState,
}

/// A machine's life.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Life {
    /// The recording's name without its extension.
    pub machine: String,
    /// Its length, s.
    pub length_s: f64,
    /// Number of snapshots.
    pub snapshots: usize,
    /// Number of snapshots used for training.
    pub trained_on: usize,
    /// Number of unusable snapshots, each reported to [`Playback::on_note`]; they keep their place on the time axis.
    #[serde(skip_serializing_if = "is_zero")]
    pub bad_snapshots: usize,
    /// Scores above it are anomalous.
    pub threshold: f64,
    /// Time of the first warning, s.
    pub first_warning_s: Option<f64>,
    /// Every alarm.
    pub alarms: Vec<AlarmSpan>,
    /// Every chunk after the training part.
    #[serde(skip)]
    pub points: Vec<Point>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Life {
    /// Time from the first alarm to the end, s.
    #[must_use]
    pub fn lead_s(&self) -> Option<f64> {
        self.alarms.first().map(|alarm| self.length_s - alarm.from_s)
    }

    /// Number of alarms that started in the first half. They count as false, because no fault is known yet.
    #[must_use]
    pub fn alarms_in_first_half(&self) -> usize {
        self.alarms.iter().filter(|alarm| alarm.from_s < self.length_s / 2.0).count()
    }
}

/// Callbacks while a life is replayed.
#[derive(Clone, Copy)]
pub struct Playback<'a> {
    /// If set, the replay stops with an error.
    pub interrupted: &'a AtomicBool,
    /// Called after each snapshot, with the total number.
    pub on_snapshot: &'a dyn Fn(usize),
    /// Called with a line for each unusable snapshot.
    pub on_note: &'a dyn Fn(&str),
}

/// Replays one life.
///
/// # Errors
/// If the recording cannot be read, is too short, or its beginning cannot be used for training.
pub fn play(path: &Path, options: &LifeOptions, playback: &Playback<'_>) -> anyhow::Result<Life> {
    let machine = machine_of(path);
    let mut extractor = ChunkExtractor::new(options.training.spec.clone())?;
    let mut taken = Snapshots::of(path, options, &mut extractor, playback)?;
    let features = std::mem::take(&mut taken.features);
    let snapshots = features.len();
    let trained_on = (snapshots as f64 * options.train_share).round() as usize;
    if trained_on < MIN_CLIPS || trained_on >= snapshots {
        bail!(
            "{}: {trained_on} of its {snapshots} snapshots are to be learned; at least {} must be, and not all: see --train and --snapshot",
            path.display(),
            MIN_CLIPS
        );
    }
    let learned: Vec<TrainingClip> = features[..trained_on]
        .iter()
        .map(|(index, features)| {
            let path = PathBuf::from(format!("{machine}/{index}"));
            clips::Clip { path, features: features.clone(), quantity: None, trace: None, chosen: None }.to_training()
        })
        .collect::<anyhow::Result<_>>()?;
    let training = TrainingOptions { model_id: ModelId(machine.clone()), ..options.training.clone() };
    let package = train(&learned, &training, &mut |_| ControlFlow::Continue(()))?;
    let device = open_device(DeviceChoice::Cpu)?.device;
    let life_model = LifeModel { model: Model::load(&package, &device)?, machine: MachineId::new(machine.clone())? };

    let mut life = Life {
        machine,
        length_s: taken.all as f64 * options.every.as_secs_f64(),
        snapshots,
        trained_on,
        bad_snapshots: taken.bad,
        threshold: package.manifest().calibration.threshold,
        first_warning_s: None,
        alarms: Vec::new(),
        points: Vec::new(),
    };
    let mut state = None;
    for (index, features) in &features[trained_on..] {
        let (index, at_s) = (*index, (index + 1) as f64 * options.every.as_secs_f64());
        let (next, point) = life_model.observe(state.as_ref(), index, at_s, features, &options.watch)?;
        life.take(at_s, next.alert.state);
        life.points.extend(point);
        state = Some(next);
    }
    Ok(life)
}

impl Life {
    fn take(&mut self, at_s: f64, state: MachineState) {
        let is_alarm = state == MachineState::Alarm;
        match self.alarms.last_mut() {
            Some(alarm) if alarm.to_s.is_none() => alarm.to_s = (!is_alarm).then_some(at_s),
            _ if is_alarm => self.alarms.push(AlarmSpan { from_s: at_s, to_s: None }),
            _ => {}
        }
        if state == MachineState::Warning && self.first_warning_s.is_none() {
            self.first_warning_s = Some(at_s);
        }
    }
}

/// A life's model, which scores the rest of it.
struct LifeModel {
    model: Model,
    machine: MachineId,
}

impl LifeModel {
    fn observe(
        &self,
        before: Option<&ScorerState>,
        index: usize,
        at_s: f64,
        features: &Extraction,
        watch: &WatchPolicy,
    ) -> anyhow::Result<(ScorerState, Option<Point>)> {
        let clip =
            clips::Clip { path: PathBuf::new(), features: features.clone(), quantity: None, trace: None, chosen: None };
        let judgement: Option<Judgement> = match clip.healthy() {
            Some(healthy) => self.model.judge_heard(&[healthy])?.pop(),
            None => None,
        };
        let id = format!("{}/{index}", self.machine);
        let heard = ObservedChunk {
            id: &id,
            machine: &self.machine,
            chunk_id: &ChunkId(id.clone()),
            time: Timestamp::UNIX_EPOCH + SignedDuration::try_from_secs_f64(at_s)?,
            judgement: judgement.as_ref(),
            channels: features.channels,
            sensor_faults: &features.sensor_faults,
            quality: &features.quality,
            recorded: None,
            model: self.model.model_ref(),
            manifest: self.model.manifest(),
        };
        let observation = observe_chunk(before, &heard, watch);
        let state = observation.state.alert.state;
        let point = judgement.map(|judgement| Point {
            at_s,
            score: judgement.score,
            health_index: observation.health_index.unwrap_or(judgement.health_index),
            state,
        });
        Ok((observation.state, point))
    }
}
