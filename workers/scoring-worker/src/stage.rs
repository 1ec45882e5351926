//! Features to scores, a batch at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auscult_detection::{
    Heard, Judgement, OpenedDevice, Recorded, WatchPolicy, Watched, check_chosen, is_chosen, watch_chunk, words,
};
use auscult_runtime::processor::{Memory, Output, Rejection};
use auscult_runtime::record::Record;
use auscult_runtime::telemetry::Metrics;
use auscult_schemas::{
    Alert, Control, DeadLetterCode, DriftChange, Envelope, Features, FeaturesMetadata, MachineId, Score, ScorerState,
    topics,
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::census::Census;
use crate::device_thread::{DeviceThread, Shelf, StartError};
use crate::event::ScoringEvent;
use crate::healthy_channels::{HeardChannels, healthy_channels};
use crate::library::{Entry, Owner, ShelvedModel};
use crate::place_watch::{PlaceWatch, ReadPlaces};
use crate::reload::{Change, Looker, Reload};
use crate::rosters::Rosters;
use crate::{ModelLibrary, ModelsConfig, ScoringMetrics};

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

struct Candidate {
    envelope: Envelope,
    /// The message's own.
    metadata: FeaturesMetadata,
    /// Its channels, those that are not judged among them.
    channels: usize,
    /// What is judged of it; `None` where every sensor is at fault.
    healthy: Option<Arc<HeardChannels>>,
    model: Arc<ShelvedModel>,
}

/// Where a record lies, and what is remembered there.
pub(crate) struct Place<'a, 'm> {
    pub(crate) partition: i32,
    pub(crate) memory: &'a mut Memory<'m, ScorerState>,
    pub(crate) rosters: &'a mut Rosters,
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
    rosters: Option<Rosters>,
    census: Census,
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
        ScoringEvent::DeviceOpened(&device).tell(&scoring_metrics);
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
            rosters: None,
            census: Census::default(),
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
            self.reload = Some(Reload::start(self.looker(config), Duration::from_secs(config.reload_secs))?);
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

    pub(crate) fn looker(&self, config: &ModelsConfig) -> Looker {
        Looker::new(config, &self.library, self.device.clone(), self.scoring_metrics.clone())
    }

    fn count_models(&self) {
        let usable = self.library.entries().values().filter(|entry| entry.model.is_ok()).count();
        self.scoring_metrics.models.set(i64::try_from(usable).unwrap_or(i64::MAX));
    }

    /// Changes are taken over here and nowhere else, so that no batch is judged by two versions of one model. After a
    /// panic the runner offers the records of a batch one by one: they are still that batch.
    fn begin_batch(&mut self, records: &[Record]) {
        let place = |record: &Record| (record.coordinates.partition, record.coordinates.offset);
        let goes_on =
            !self.unfinished.is_empty() && records.iter().all(|record| self.unfinished.contains(&place(record)));
        if goes_on {
            return;
        }
        self.unfinished.clear();
        self.unfinished.extend(records.iter().map(place));
        let changes: Vec<Change> = self.reload.iter().flat_map(|reload| reload.changes.try_iter()).collect();
        if !changes.is_empty() {
            changes.into_iter().for_each(|change| self.take_over(change));
            self.count_models();
        }
    }

    fn take_over(&mut self, change: Change) {
        let replaced = match change {
            Change::Sound { owner, name, model } => {
                ScoringEvent::ModelServes { file: &name, model: &model.model, owner: &owner }
                    .tell(&self.scoring_metrics);
                self.library.put(owner, Entry { name, model: Ok(model) })
            }
            Change::Broken { owner, name, reason } => self.put_broken(owner, Entry { name, model: Err(reason) }),
            Change::Gone(owner) => {
                ScoringEvent::ModelGone(&owner).tell(&self.scoring_metrics);
                self.library.remove(&owner)
            }
        };
        if let Some(replaced) = replaced {
            self.device.discard(replaced.shelf);
        }
    }

    /// A machine that the default model serves keeps it until its own file is sound; it may be half written.
    fn put_broken(&mut self, owner: Owner, entry: Entry) -> Option<Arc<ShelvedModel>> {
        let default = self.library.entries().get(&Owner::Everyone);
        let is_served =
            !self.library.entries().contains_key(&owner) && default.is_some_and(|entry| entry.model.is_ok());
        if is_served { None } else { self.library.put(owner, entry) }
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
        let kept = self.rosters.take().filter(|rosters| rosters.hold(memory));
        let mut rosters = kept.unwrap_or_else(|| Rosters::of(memory));
        let results = self.score_chunks(records, read(records), memory, &mut rosters);
        self.scoring_metrics.silent_machines.set(rosters.silent());
        self.rosters = Some(rosters);
        let is_whole = self.unfinished.len() == records.len();
        if is_whole {
            self.unfinished.clear();
        }
        self.census.take(memory, is_whole, &self.scoring_metrics, &self.policy.drift);
        results
    }

    /// Partitions have come or gone between two batches: what is shown of their machines does, too.
    pub fn states_changed(&mut self, memory: &Memory<'_, ScorerState>) {
        let rosters = Rosters::of(memory);
        self.scoring_metrics.silent_machines.set(rosters.silent());
        self.rosters = Some(rosters);
        self.census.take(memory, true, &self.scoring_metrics, &self.policy.drift);
        self.look_at_places();
    }

    fn score_chunks(
        &self,
        records: &[Record],
        chunks: Vec<ScoredChunk>,
        memory: &mut Memory<'_, ScorerState>,
        rosters: &mut Rosters,
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
                    let place = Place { partition, memory, rosters };
                    let concluded = judgement.and_then(|judgement| {
                        self.conclude(&candidates[position], judgement.as_ref(), forward_s, place)
                    });
                    if concluded.is_err() {
                        // They may list what was not remembered in the end.
                        *rosters = Rosters::of(memory);
                    }
                    concluded
                }
                Ok(Step::Control(told)) => {
                    let (envelope, control) = *told;
                    self.control(&envelope, &control, Place { partition, memory, rosters })
                }
                Err(rejection) => Err(rejection),
            });
        }
        results
    }

    fn admit(&self, envelope: Envelope, mut features: Features) -> Result<Candidate, Rejection> {
        let model = self.library.find(&envelope.machine).map_err(|(code, detail)| Rejection { code, detail })?;
        let expected = model.manifest.feature_spec_hash;
        let found = features.metadata.feature_spec;
        if found != expected {
            let detail = format!(
                "the features follow spec {found}, model {} was trained on {expected}; give the feature worker the model's spec",
                model.model.id
            );
            return Err(Rejection { code: DeadLetterCode::FeatureSpecMismatch, detail });
        }
        let chosen = model.manifest.channels.as_deref();
        if let Err(lacking) = check_chosen(features.channels, chosen) {
            let detail = format!("the clip does not suit model {}: {lacking}", model.model.id);
            return Err(Rejection { code: DeadLetterCode::InvalidFeatures, detail });
        }
        // What is at fault with a channel that the model does not listen to is no news of this machine.
        features.metadata.sensor_faults.retain(|fault| is_chosen(fault.channel, chosen));
        let metadata = features.metadata.clone();
        let channels = features.channels;
        let healthy = healthy_channels(Arc::new(features), chosen).map(Arc::new);
        Ok(Candidate { envelope, metadata, channels, healthy, model: Arc::clone(model) })
    }

    /// One forward pass a model; a candidate without a healthy channel has no judgement. Should one fail, its clips are
    /// tried singly, so that only the one at fault is refused.
    fn judge(&self, candidates: &[Candidate]) -> (Vec<Result<Option<Judgement>, Rejection>>, f64) {
        let begun = Instant::now();
        let mut by_shelf: BTreeMap<Shelf, Vec<(usize, Arc<HeardChannels>)>> = BTreeMap::new();
        for (position, candidate) in candidates.iter().enumerate() {
            if let Some(features) = &candidate.healthy {
                by_shelf.entry(candidate.model.shelf).or_default().push((position, Arc::clone(features)));
            }
        }
        let mut judged: Vec<Result<Option<Judgement>, Rejection>> = candidates.iter().map(|_| Ok(None)).collect();
        for (shelf, clips) in by_shelf {
            self.scoring_metrics.forward_chunks.observe(clips.len() as f64);
            match self.device.judge(shelf, clips.iter().map(|(_, features)| Arc::clone(features)).collect()) {
                Ok(judgements) => {
                    for ((position, _), judgement) in clips.into_iter().zip(judgements) {
                        judged[position] = Ok(Some(judgement));
                    }
                }
                Err(_) => {
                    for (position, features) in clips {
                        judged[position] = self.judge_one(shelf, features).map(Some);
                    }
                }
            }
        }
        let forward = begun.elapsed();
        if !candidates.is_empty() {
            self.metrics.observe_stage("forward", forward);
        }
        (judged, forward.as_secs_f64())
    }

    fn judge_one(&self, shelf: Shelf, features: Arc<HeardChannels>) -> Result<Judgement, Rejection> {
        let judged = self.device.judge(shelf, vec![features]);
        let mut judgements =
            judged.map_err(|error| Rejection { code: DeadLetterCode::InvalidFeatures, detail: error.to_string() })?;
        Ok(judgements.pop().expect("one clip has one judgement"))
    }

    /// What follows from a chunk. One that says nothing about the machine's health (no sensor heard it, it arrives
    /// otherwise than learned, the machine is at rest) has a score that says so, and leaves all that is remembered of
    /// the machine as it was but for its sensors and its recording setup, so that neither alarm nor drift takes notice.
    fn conclude(
        &self,
        candidate: &Candidate,
        judgement: Option<&Judgement>,
        forward_s: f64,
        place: Place<'_, '_>,
    ) -> Result<Vec<Output>, Rejection> {
        let begun = Instant::now();
        let Candidate { envelope, metadata, model, .. } = candidate;
        let id = Score::deterministic_id(&envelope.machine, &metadata.chunk, &model.model);
        let key = Bytes::from(envelope.machine.as_str().to_owned());
        let Place { partition, memory, rosters } = place;
        let before = memory.get(partition, &key);
        if before.is_none() {
            self.look_at_places();
        }
        let heard = Heard {
            id: &id,
            machine: &envelope.machine,
            chunk_id: &envelope.id,
            time: envelope.time,
            judgement,
            channels: candidate.channels,
            sensor_faults: &metadata.sensor_faults,
            quality: &metadata.quality,
            recorded: Some(Recorded { source_rate_hz: metadata.source_rate_hz, duration_s: metadata.duration_s }),
            model: &model.model,
            manifest: &model.manifest,
        };
        let state_of = |machine: &MachineId| memory.get(partition, &Bytes::from(machine.as_str().to_owned())).cloned();
        let watched = watch_chunk(rosters.partition(partition), state_of, before, &heard, &self.policy);
        let Watched { observation, environment, silent, others } = watched;
        let is_remembered = before == Some(&observation.state);
        let mut score = Score {
            id,
            machine: envelope.machine.clone(),
            chunk_id: envelope.id.clone(),
            chunk: metadata.chunk.clone(),
            time: envelope.time,
            score: judgement.map_or(0.0, |judgement| judgement.score),
            channel_scores: judgement.map(|judgement| judgement.channel_scores.clone()).unwrap_or_default(),
            p_value: observation.p_value,
            health_index: observation.health_index,
            threshold: observation.held.threshold,
            threshold_by: observation.held.by,
            anomalous: observation.anomalous,
            state: observation.scored_state,
            previous_state: observation.previous_state,
            bands: observation.bands,
            time_course: judgement
                .filter(|_| observation.anomalous)
                .and_then(|judgement| judgement.time_course.clone()),
            explanation: None,
            quality: metadata.quality.clone(),
            sensor_faults: metadata.sensor_faults.clone(),
            sensor_faults_since: observation.sensor_faults_since,
            notes: observation.notes,
            quantity: model.manifest.quantity(),
            levels: metadata.levels.clone().map(|levels| levels.choosing(model.manifest.channels.as_deref())),
            model: model.model.clone(),
            feature_spec: metadata.feature_spec,
            timings: metadata.timings,
        };
        score.explanation = words::score(&score);
        if judgement.is_some() {
            let decide = begun.elapsed();
            self.metrics.observe_stage("decide", decide);
            score.timings.forward_s = Some(forward_s);
            score.timings.decide_s = Some(decide.as_secs_f64());
        } else {
            self.scoring_metrics.unheard_chunks.inc();
        }
        let output = |id: &str, topic, event_type, value| result(envelope, id, topic, event_type, value);
        let mut outputs = vec![output(&score.id, topics::SCORES, Envelope::SCORE, json(&score)?)];
        if let Some(alert) = &observation.setup_alert {
            ScoringEvent::SetupChanged(alert).tell(&self.scoring_metrics);
        }
        for alert in observation.alert.iter().chain(&observation.sensor_alert).chain(&observation.setup_alert) {
            outputs.push(output(&alert.id, topics::ALERTS, Envelope::ALERT, json(alert)?));
            self.count_alert(alert);
        }
        for alert in environment.iter().chain(&silent) {
            let about = Envelope { machine: alert.machine.clone(), time: alert.time, ..envelope.clone() };
            outputs.push(result(&about, &alert.id, topics::ALERTS, Envelope::ALERT, json(alert)?));
            self.count_alert(alert);
        }
        if let Some(Alert { environment: Some(change), .. }) = &environment {
            ScoringEvent::EnvironmentChanged(change).tell(&self.scoring_metrics);
        }
        if let Some(audit) = &observation.audit {
            outputs.push(output(&audit.id, topics::AUDIT, Envelope::AUDIT, json(audit)?));
        }
        if let Some(drift) = &observation.drift {
            outputs.push(output(&drift.id, topics::DRIFT, Envelope::DRIFT, json(drift)?));
            self.scoring_metrics.machine_series.charted(drift.machine.as_str(), &drift.charts);
            if let (Some(DriftChange::Began), Some(chart)) = (drift.change, drift.found_by) {
                self.scoring_metrics.drifts_found.with_label_values(&[chart.as_str()]).inc();
            }
        }
        self.count(&score, envelope.time);
        // A chunk that came late, from no sensor that hears, changes nothing.
        if !is_remembered {
            memory.put(partition, key, observation.state);
        }
        for state in others {
            memory.put(partition, Bytes::from(state.machine.as_str().to_owned()), state);
        }
        Ok(outputs)
    }

    fn count(&self, score: &Score, recorded: Timestamp) {
        self.scoring_metrics.machine_series.scored(score);
        self.scoring_metrics.site_counters.scored(score);
        for flag in score.sensor_faults.iter().flat_map(|fault| &fault.flags) {
            self.scoring_metrics.sensor_faults.with_label_values(&[flag.as_str()]).inc();
        }
        if score.anomalous {
            self.scoring_metrics.anomalous_chunks.inc();
        }
        for note in &score.notes {
            self.scoring_metrics.notes.with_label_values(&[note.kind.as_str()]).inc();
        }
        if score.state != score.previous_state && !score.state.is_of_chunk() {
            self.scoring_metrics.state_changes.with_label_values(&[score.state.as_str()]).inc();
        }
        let age = Timestamp::now().duration_since(recorded).as_secs_f64();
        if age >= 0.0 {
            self.scoring_metrics.chunk_age_seconds.observe(age);
        }
    }
}

/// A result about a chunk, under an id of its own.
pub(crate) fn result(envelope: &Envelope, id: &str, topic: &'static str, event_type: &str, value: Bytes) -> Output {
    let sent = Envelope {
        id: auscult_schemas::ChunkId(id.to_owned()),
        source: "/auscult/scoring-worker".to_owned(),
        event_type: event_type.to_owned(),
        content_type: Envelope::JSON.to_owned(),
        ..envelope.clone()
    };
    let key = Bytes::from(envelope.machine.as_str().to_owned());
    Output { topic, key, value, headers: sent.headers() }
}

pub(crate) fn json(message: &impl Serialize) -> Result<Bytes, Rejection> {
    serde_json::to_vec(message).map(Bytes::from).map_err(|error| Rejection {
        code: DeadLetterCode::Internal,
        detail: format!("a result cannot be written as JSON: {error}"),
    })
}
