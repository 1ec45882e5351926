//! Features to scores, a batch at a time.

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

/// What a record holds for the scoring stage.
#[derive(Debug, Clone)]
pub enum ScoringInput {
    /// A chunk: its envelope and features.
    Chunk(Envelope, Box<Features>),
    /// A control message.
    Control(Envelope, Control),
}

/// A record on its way to its results, or why it has none.
pub type ScoredChunk = Result<ScoringInput, Rejection>;

/// What is to be done with a record, in its turn.
enum Step {
    /// A chunk: the position of its candidate.
    Chunk(usize),
    /// A control message.
    Control(Box<(Envelope, Control)>),
}

/// Where a record lies, and what is remembered there.
pub(crate) struct RecordContext<'a, 'm> {
    pub(crate) partition: i32,
    pub(crate) memory: &'a mut Memory<'m, ScorerState>,
    pub(crate) machines: &'a mut WorkerMachines,
}

/// Judges batches on the device thread, and keeps each machine's alert state and drift window.
pub struct ScoringStage {
    pub(crate) library: ModelLibrary,
    device: DeviceThread,
    pub(crate) policy: WatchPolicy,
    metrics: Arc<Metrics>,
    pub(crate) scoring_metrics: ScoringMetrics,
    pub(crate) reload: Option<Reload>,
    /// Partition and offset of the records of a batch that has not come to its end: empty but while one is at work, or
    /// after one has panicked.
    unfinished: Vec<(i32, i64)>,
    /// The machines by partition, as the batch before left them; none after one that panicked.
    machines: Option<WorkerMachines>,
    fleet_counts: FleetCounts,
    /// Looks for machines on two partitions, where it is on Kafka.
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

    /// Takes over what changes among the model files from now on, looking every `models.reload_secs`; never where that
    /// is 0.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn follow(&mut self, config: &ModelsConfig) -> std::io::Result<()> {
        if config.reload_secs > 0 {
            self.reload = Some(Reload::start(self.model_watcher(config), Duration::from_secs(config.reload_secs))?);
        }
        Ok(())
    }

    /// Looks for machines on two partitions from now on, by reading where all of them live.
    ///
    /// # Errors
    /// When no thread can be started.
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

    /// Scores records, in their order; `read` makes chunks of them.
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

    /// Partitions have come or gone between two batches: what is shown of their machines does, too.
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
        // In the records' order: a control message changes how the chunks behind it are judged, and none before it.
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
                        // They may have what was not remembered in the end.
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
