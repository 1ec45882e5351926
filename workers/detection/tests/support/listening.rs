//! A machine that is listened to: chunks of any score and control messages in, what is remembered and published out.

use std::sync::LazyLock;

use auscult_detection::{
    AlertPolicy, ControlRequest, Judgement, Manifest, ObservedChunk, WatchPolicy, apply_control, observe_chunk,
};
use auscult_schemas::{Alert, Audit, ChunkId, Control, ControlAction, MachineId, ModelId, ModelRef, ScorerState};
use jiff::{SignedDuration, Timestamp};

use super::{options, trained};

pub static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| trained(&options()).manifest().clone());

/// What reaches a machine's judge.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A chunk whose score is so many times the threshold.
    Chunk(f64),
    /// A control message.
    Control(ControlAction),
}

/// One step's consequences.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    pub state: ScorerState,
    pub alert: Option<Alert>,
    pub audit: Option<Audit>,
    /// The chunk was held against this; `None` of a control message.
    pub threshold: Option<f64>,
    pub is_anomalous: bool,
}

pub fn machine() -> MachineId {
    MachineId::new("fan-07").unwrap()
}

pub fn model() -> ModelRef {
    ModelRef { id: ModelId("fan-07".to_owned()), version: "v1".to_owned() }
}

pub fn at(seconds: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

pub fn watch(alert: AlertPolicy) -> WatchPolicy {
    WatchPolicy { alert, ..WatchPolicy::default() }
}

pub fn judgement(ratio: f64) -> Judgement {
    let calibration = &MANIFEST.calibration;
    let score = ratio * calibration.threshold;
    Judgement {
        score,
        channel_scores: vec![score],
        p_value: calibration.p_value(score),
        health_index: calibration.health_index(score),
        threshold: calibration.threshold,
        anomalous: score > calibration.threshold,
        bands: Vec::new(),
        time_course: None,
        band_levels_db: MANIFEST.drift_reference.mean_band_levels_db.iter().map(|level| *level as f32).collect(),
    }
}

/// Takes one step at a time; `None` where a control message is refused.
pub fn step(before: Option<&ScorerState>, step: &Step, time: Timestamp, policy: &WatchPolicy) -> Option<Played> {
    let id = format!("fan-07/{}", time.as_second());
    let (machine, model, chunk_id) = (machine(), model(), ChunkId(id.clone()));
    match step {
        Step::Chunk(ratio) => {
            let heard = ObservedChunk {
                id: &id,
                machine: &machine,
                chunk_id: &chunk_id,
                time,
                judgement: Some(&judgement(*ratio)),
                channels: 1,
                sensor_faults: &[],
                quality: &[],
                recorded: None,
                model: &model,
                manifest: &MANIFEST,
            };
            let observation = observe_chunk(before, &heard, policy);
            Some(Played {
                state: observation.state,
                alert: observation.alert,
                audit: observation.audit,
                threshold: Some(observation.held.threshold),
                is_anomalous: observation.anomalous,
            })
        }
        Step::Control(action) => {
            let control =
                Control { machine: machine.clone(), id: None, by: "anna".to_owned(), at: None, action: action.clone() };
            let asked = ControlRequest {
                id: &id,
                control: &control,
                record_id: &chunk_id,
                record_time: time,
                model: &model,
                manifest: &MANIFEST,
            };
            let applied = apply_control(before, &asked, &policy.alert).ok()?;
            Some(Played {
                state: applied.state,
                alert: applied.alert,
                audit: Some(applied.audit),
                threshold: None,
                is_anomalous: false,
            })
        }
    }
}

/// Takes all steps, so many seconds apart. A control message that is refused changes nothing and is left out.
pub fn play(steps: &[Step], cadence_s: i64, policy: &WatchPolicy) -> Vec<(usize, Played)> {
    let mut played: Vec<(usize, Played)> = Vec::new();
    for (index, taken) in steps.iter().enumerate() {
        let before = played.last().map(|(_, played)| &played.state);
        if let Some(next) = step(before, taken, at(index as i64 * cadence_s), policy) {
            played.push((index, next));
        }
    }
    played
}
