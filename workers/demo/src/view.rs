//! The state of the display, updated from the workers' results.

use std::collections::VecDeque;
use std::time::Duration;

use auscult_schemas::{DeviatingBand, MachineState, Score};

/// Ground truth of a machine; only a demo has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Truth {
    /// No ground truth.
    #[default]
    Unknown,
    /// The machine is healthy.
    Normal,
    /// The machine is faulty.
    Faulty {
        /// The fault, such as `bearing wear`.
        fault: String,
        /// Severity of the fault, 0–1, if known.
        severity: Option<f64>,
    },
}

impl Truth {
    /// Whether the machine is faulty; `None` without ground truth.
    #[must_use]
    pub fn is_faulty(&self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Normal => Some(false),
            Self::Faulty { .. } => Some(true),
        }
    }
}

/// The current step of the demo.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Phase {
    /// Starting up.
    #[default]
    Starting,
    /// Generating or reading the training clips.
    Preparing {
        /// Clips ready.
        done: u64,
        /// Total number of clips.
        total: u64,
    },
    /// Training a model.
    Training {
        /// Machine id of the model.
        model: String,
        /// Steps done.
        done: u64,
        /// Total number of steps.
        total: u64,
    },
    /// Chunks are going through the workers.
    Streaming {
        /// Total number of chunks, over all machines.
        total: u64,
    },
    /// All chunks are scored.
    Done,
}

/// One machine on the screen.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineView {
    /// Its id.
    pub id: String,
    /// Its kind, such as `fan`.
    pub kind: String,
    /// Its state as the scoring worker sees it.
    pub state: MachineState,
    /// The latest chunk's score, dB²; `None` before the first.
    pub score: Option<f64>,
    /// Scores above it are anomalous, dB².
    pub threshold: f64,
    /// The latest chunk's p-value.
    pub p_value: f64,
    /// The latest chunk's health index, 0–100; NaN without a working sensor.
    pub health: f64,
    /// The latest scores divided by the threshold, oldest first; at most [`MachineView::RECENT`].
    pub recent: VecDeque<f64>,
    /// The bands that deviate in the latest anomalous chunk; empty while the latest chunk is normal.
    pub bands: Vec<DeviatingBand>,
    /// Its ground truth in the latest chunk.
    pub truth: Truth,
    /// Number of scored chunks.
    pub chunks: u64,
}

impl MachineView {
    /// Number of recent scores kept: the width of a wide terminal.
    pub const RECENT: usize = 120;

    /// A machine without chunks.
    #[must_use]
    pub fn new(id: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind: kind.into(),
            state: MachineState::Learning,
            score: None,
            threshold: f64::NAN,
            p_value: f64::NAN,
            health: f64::NAN,
            recent: VecDeque::new(),
            bands: Vec::new(),
            truth: Truth::Unknown,
            chunks: 0,
        }
    }

    fn update(&mut self, score: &Score, truth: Truth) {
        self.state = score.state;
        self.score = Some(score.score);
        self.threshold = score.threshold;
        self.p_value = score.p_value;
        self.health = score.health_index.unwrap_or(f64::NAN);
        self.bands = if score.anomalous { score.bands.clone() } else { Vec::new() };
        self.truth = truth;
        self.chunks += 1;
        if self.recent.len() == Self::RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(score.score / score.threshold);
    }
}

/// A change of a machine's state, for the event log.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertLine {
    /// Time since the demo started.
    pub elapsed: Duration,
    /// The machine.
    pub machine: String,
    /// The machine's chunk that caused the change, counted from 1.
    pub chunk: u64,
    /// The new state.
    pub state: MachineState,
    /// The state before.
    pub previous_state: MachineState,
    /// Score of that chunk divided by the threshold.
    pub ratio: f64,
    /// The bands that deviate.
    pub bands: Vec<DeviatingBand>,
    /// The machine's ground truth.
    pub truth: Truth,
}

/// All displayed data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DemoView {
    /// The data source, such as `six simulated machines`.
    pub subject: String,
    /// The current step of the demo.
    pub phase: Phase,
    /// The machines in display order.
    pub machines: Vec<MachineView>,
    /// Number of scored chunks, over all machines.
    pub chunks: u64,
    /// Current throughput, chunks per second.
    pub chunks_per_second: f64,
    /// Time since the demo started.
    pub elapsed: Duration,
    /// Changes of state, oldest first; at most [`DemoView::LOG`].
    pub log: VecDeque<AlertLine>,
}

impl DemoView {
    /// Maximum number of changes of state kept.
    pub const LOG: usize = 200;

    /// Applies one scored chunk; an unknown machine is added. Returns a change of state if it is relevant to users:
    /// into alarm or out of it, not from `unknown` to `healthy` at the first chunk.
    pub fn update(&mut self, score: &Score, kind: &str, truth: Truth) -> Option<AlertLine> {
        let id = score.machine.as_str();
        let index = self.machines.iter().position(|machine| machine.id == id).unwrap_or_else(|| {
            self.machines.push(MachineView::new(id, kind));
            self.machines.len() - 1
        });
        let machine = &mut self.machines[index];
        machine.update(score, truth.clone());
        self.chunks += 1;

        // A sensor fault does not change the machine's state, which continues when the sensor works again.
        let changed = score.state != score.previous_state && !score.state.is_of_chunk();
        let concerns_alarm = [score.state, score.previous_state].contains(&MachineState::Alarm);
        if !(changed && concerns_alarm) {
            return None;
        }
        let line = AlertLine {
            elapsed: self.elapsed,
            machine: id.to_owned(),
            chunk: machine.chunks,
            state: score.state,
            previous_state: score.previous_state,
            ratio: score.score / score.threshold,
            bands: score.bands.clone(),
            truth,
        };
        if self.log.len() == Self::LOG {
            self.log.pop_front();
        }
        self.log.push_back(line.clone());
        Some(line)
    }
}

#[cfg(test)]
pub(super) mod samples {
    use auscult_schemas::{ChunkId, FeatureSpec, MachineId, ModelId, ModelRef, RecordCoordinates, StageTimings};

    use super::*;

    /// A score with threshold 2, for tests.
    pub(crate) fn score(machine: &str, score: f64, state: MachineState, previous: MachineState) -> Score {
        Score {
            id: "id".to_owned(),
            machine: MachineId::new(machine).unwrap(),
            chunk_id: ChunkId("c".to_owned()),
            chunk: RecordCoordinates { topic: "audio.chunks".to_owned(), partition: 0, offset: 0 },
            time: jiff::Timestamp::UNIX_EPOCH,
            score,
            channel_scores: vec![score],
            p_value: 0.25,
            health_index: Some(100.0 - 25.0 * score),
            threshold: 2.0,
            threshold_by: None,
            anomalous: score > 2.0,
            state,
            previous_state: previous,
            bands: vec![DeviatingBand {
                hz_low: 2860.0,
                hz_high: 3463.0,
                share: 0.28,
                level_change_db: Some(9.0),
                since: None,
            }],
            time_course: None,
            explanation: None,
            quality: Vec::new(),
            sensor_faults: Vec::new(),
            sensor_faults_since: None,
            notes: Vec::new(),
            quantity: None,
            levels: None,
            model: ModelRef { id: ModelId("m".to_owned()), version: "0123456789abcdef".to_owned() },
            feature_spec: FeatureSpec::default().hash(),
            timings: StageTimings::default(),
        }
    }

    pub(crate) fn faulty(fault: &str) -> Truth {
        Truth::Faulty { fault: fault.to_owned(), severity: Some(0.4) }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{faulty, score};
    use super::*;
    use MachineState::{Alarm, Healthy, Learning};

    #[test]
    fn a_score_becomes_the_machine_s_latest_and_recent_scores_are_bounded() {
        let mut view = DemoView::default();
        for step in 0..MachineView::RECENT + 5 {
            assert_eq!(
                view.update(&score("fan-1", 1.0 + step as f64 * 1e-3, Healthy, Healthy), "fan", Truth::Normal),
                None
            );
        }
        let [fan] = view.machines.as_slice() else { panic!("one machine") };
        assert_eq!((fan.recent.len(), fan.chunks, view.chunks), (MachineView::RECENT, 125, 125));
        assert_eq!(fan.recent.back(), Some(&(1.124 / 2.0)));
        assert!(fan.bands.is_empty(), "a normal chunk explains nothing");
    }

    #[test]
    fn only_changes_into_and_out_of_alarm_are_logged() {
        let mut view = DemoView::default();
        assert!(view.update(&score("fan-1", 1.0, Healthy, Learning), "fan", Truth::Normal).is_none());
        let raised = view.update(&score("fan-1", 5.0, Alarm, Healthy), "fan", faulty("bearing wear")).unwrap();
        assert_eq!((raised.chunk, raised.ratio, raised.state), (2, 2.5, Alarm));
        assert!(view.update(&score("fan-1", 5.0, Alarm, Alarm), "fan", faulty("bearing wear")).is_none());
        assert!(view.update(&score("fan-1", 1.0, Healthy, Alarm), "fan", Truth::Normal).is_some());
        assert_eq!(view.log.len(), 2);
    }
}
