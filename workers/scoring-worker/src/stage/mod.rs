//! Converts features to scores, one batch at a time.

mod conclusion;
mod judging;
mod models;
mod result;

use std::sync::Arc;
use std::time::Duration;

use auscult_detection::{OpenedDevice, WatchPolicy};
use auscult_runtime::processor::{Memory, Output, Rejection};
use auscult_runtime::record::Record;
use auscult_runtime::telemetry::Metrics;
use auscult_schemas::{Control, Envelope, Features, ScorerState};

use crate::device_thread::{DeviceThread, StartError};
use crate::event::ScoringEvent;
use crate::fleet_counts::FleetCounts;
use crate::place_watch::{PlaceWatch, ReadPlaces};
use crate::reload::Reload;
use crate::worker_machines::WorkerMachines;
use crate::{ModelLibrary, ModelsConfig, ScoringMetrics};
pub(crate) use result::{json, result};

/// The content of a record for the scoring stage.
#[derive(Debug, Clone)]
pub enum ScoringInput {
    /// A chunk: its envelope and features.
    Chunk(Envelope, Box<Features>),
    /// A control message.
    Control(Envelope, Control),
}

/// A record to process, or why it has no results.
pub type ScoredChunk = Result<ScoringInput, Rejection>;

/// What to do with a record, in order.
enum Step {
    /// A chunk: the index of its candidate.
    Chunk(usize),
    /// A control message.
    Control(Box<(Envelope, Control)>),
}

/// The place of a record, and the state there.
pub(crate) struct RecordContext<'a, 'm> {
    pub(crate) partition: i32,
    pub(crate) memory: &'a mut Memory<'m, ScorerState>,
    pub(crate) machines: &'a mut WorkerMachines,
}

/// Scores batches on the device thread, and keeps each machine's alert state and drift window.
pub struct ScoringStage {
    pub(crate) library: ModelLibrary,
    device: DeviceThread,
    pub(crate) policy: WatchPolicy,
    metrics: Arc<Metrics>,
    pub(crate) scoring_metrics: ScoringMetrics,
    pub(crate) reload: Option<Reload>,
    /// Partition and offset of the records of an unfinished batch: empty except during a batch, or after a panic.
    unfinished: Vec<(i32, i64)>,
    /// The machines by partition after the previous batch; `None` after a batch that panicked.
    machines: Option<WorkerMachines>,
    fleet_counts: FleetCounts,
    /// Detects machines on two partitions, on Kafka only.
    place_watch: Option<PlaceWatch>,
}

impl ScoringStage {
    /// Loads the library's models onto the device.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        mut library: ModelLibrary,
        device: OpenedDevice,
        policy: WatchPolicy,
        metrics: Arc<Metrics>,
        scoring_metrics: ScoringMetrics,
    ) -> Result<Self, StartError> {
        ScoringEvent::DeviceOpened(&device).report(&scoring_metrics);
        let device = DeviceThread::start(device, library.take_packages())?;
        let unusable = library.entries().values().filter(|entry| entry.model.is_err()).count();
        scoring_metrics.unusable_models.set(i64::try_from(unusable).unwrap_or(i64::MAX));
        let stage = Self {
            library,
            device,
            policy,
            metrics,
            scoring_metrics,
            reload: None,
            unfinished: Vec::new(),
            machines: None,
            fleet_counts: FleetCounts::default(),
            place_watch: None,
        };
        stage.count_models();
        Ok(stage)
    }

    /// Applies changes of the model files from now on, checked every `models.reload_secs`; never if that is 0.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn follow(&mut self, config: &ModelsConfig) -> std::io::Result<()> {
        if config.reload_secs > 0 {
            self.reload = Some(Reload::start(self.model_watcher(config), Duration::from_secs(config.reload_secs))?);
        }
        Ok(())
    }

    /// Starts to detect machines on two partitions, by reading the partitions of all machines.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn watch_places(&mut self, read: ReadPlaces) -> std::io::Result<()> {
        let metric = self.scoring_metrics.machines_on_two_partitions.clone();
        self.place_watch = Some(PlaceWatch::start(read, metric)?);
        Ok(())
    }

    fn look_at_places(&self) {
        if let Some(watch) = &self.place_watch {
            watch.ask();
        }
    }

    /// Scores records in order; `read` converts them to chunks.
    #[must_use]
    pub fn score(
        &mut self,
        records: &[Record],
        read: impl FnOnce(&[Record]) -> Vec<ScoredChunk>,
        memory: &mut Memory<'_, ScorerState>,
    ) -> Vec<Result<Vec<Output>, Rejection>> {
        self.begin_batch(records);
        let kept = self.machines.take().filter(|machines| machines.hold(memory));
        let mut machines = kept.unwrap_or_else(|| self.machines_of(memory));
        let results = self.score_chunks(records, read(records), memory, &mut machines);
        let is_whole = self.unfinished.len() == records.len();
        if is_whole {
            self.unfinished.clear();
        }
        self.fleet_counts.update(memory, &machines, is_whole, &self.scoring_metrics, &self.policy.drift);
        self.machines = Some(machines);
        results
    }

    fn machines_of(&self, memory: &Memory<'_, ScorerState>) -> WorkerMachines {
        WorkerMachines::of(memory, self.policy.alert.silent_after)
    }

    /// Partitions were assigned or revoked between two batches; the exported machines change, too.
    pub fn states_changed(&mut self, memory: &Memory<'_, ScorerState>) {
        let machines = self.machines_of(memory);
        self.fleet_counts.update(memory, &machines, true, &self.scoring_metrics, &self.policy.drift);
        self.machines = Some(machines);
        self.look_at_places();
    }

    fn score_chunks(
        &self,
        records: &[Record],
        chunks: Vec<ScoredChunk>,
        memory: &mut Memory<'_, ScorerState>,
        machines: &mut WorkerMachines,
    ) -> Vec<Result<Vec<Output>, Rejection>> {
        let mut candidates = Vec::new();
        let mut steps = Vec::new();
        for chunk in chunks {
            steps.push(match chunk {
                Ok(ScoringInput::Chunk(envelope, features)) => self.admit(envelope, *features).map(|candidate| {
                    candidates.push(candidate);
                    Step::Chunk(candidates.len() - 1)
                }),
                Ok(ScoringInput::Control(envelope, control)) => Ok(Step::Control(Box::new((envelope, control)))),
                Err(rejection) => Err(rejection),
            });
        }
        let (mut judged, forward_s) = self.judge(&candidates);
        // In record order: a control message affects the chunks after it, and none before it.
        let mut results = Vec::new();
        for (record, step) in records.iter().zip(steps) {
            let partition = record.coordinates.partition;
            results.push(match step {
                Ok(Step::Chunk(position)) => {
                    let judgement = std::mem::replace(&mut judged[position], Ok(None));
                    let context = RecordContext { partition, memory, machines };
                    let concluded = judgement.and_then(|judgement| {
                        self.conclude(&candidates[position], judgement.as_ref(), forward_s, context)
                    });
                    if concluded.is_err() {
                        // They may contain changes that were not kept in the end.
                        *machines = self.machines_of(memory);
                    }
                    concluded
                }
                Ok(Step::Control(message)) => {
                    let (envelope, control) = *message;
                    self.control(&envelope, &control, RecordContext { partition, memory, machines })
                }
                Err(rejection) => Err(rejection),
            });
        }
        results
    }
}
