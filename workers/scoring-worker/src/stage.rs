//! Features to scores, a batch at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use auscult_detection::{Heard, Judgement, Manifest, ModelPackage, OpenedDevice, WatchPolicy, observe_chunk};
use auscult_runtime::processor::{Memory, Output, Rejection};
use auscult_runtime::record::Record;
use auscult_runtime::telemetry::Metrics;
use auscult_schemas::{
    DeadLetterCode, Envelope, Features, MachineState, ModelRef, Score, ScorerState, StageTimings, topics,
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::device_thread::StartError;
use crate::reload::{Change, Owner};
use crate::{DeviceThread, ModelLibrary, ModelSource, Reload, ScoringMetrics, Shelf};

/// A chunk on its way to its score: its envelope and features, or why it has none.
pub type ScoredChunk = Result<(Envelope, Features), Rejection>;

struct Candidate {
    index: usize,
    envelope: Envelope,
    features: Arc<Features>,
    shelf: Shelf,
}

struct Loaded {
    model: ModelRef,
    manifest: Manifest,
}

impl Loaded {
    fn of(package: &ModelPackage) -> Self {
        Self { model: package.model_ref(), manifest: package.manifest().clone() }
    }
}

/// Judges batches on the device thread, and keeps each machine's alert state and drift window.
pub struct ScoringStage {
    library: ModelLibrary,
    loaded: Vec<Option<Loaded>>,
    device: DeviceThread,
    policy: WatchPolicy,
    metrics: Arc<Metrics>,
    scoring_metrics: ScoringMetrics,
    reload: Option<Reload>,
}

impl ScoringStage {
    /// Loads the library's models onto the device.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        library: ModelLibrary,
        device: OpenedDevice,
        policy: WatchPolicy,
        metrics: Arc<Metrics>,
        scoring_metrics: ScoringMetrics,
    ) -> Result<Self, StartError> {
        scoring_metrics.set_device(&device);
        let packages: Vec<Option<ModelPackage>> =
            library.sources().iter().map(|source| source.package.as_ref().ok().cloned()).collect();
        let loaded: Vec<Option<Loaded>> = packages.iter().map(|package| package.as_ref().map(Loaded::of)).collect();
        let device = DeviceThread::start(device, packages)?;
        let stage = Self { library, loaded, device, policy, metrics, scoring_metrics, reload: None };
        stage.count_models();
        Ok(stage)
    }

    /// Takes over what changes among the model files from now on.
    pub fn follow(&mut self, reload: Option<Reload>) {
        self.reload = reload;
    }

    fn count_models(&self) {
        let usable = self.loaded.iter().flatten().count();
        let unusable = self.library.sources().iter().filter(|source| source.package.is_err()).count();
        self.scoring_metrics.models.set(i64::try_from(usable).unwrap_or(i64::MAX));
        self.scoring_metrics.unusable_models.set(i64::try_from(unusable).unwrap_or(i64::MAX));
    }

    /// Between two batches: no batch is judged by two versions of one model.
    fn take_changes_over(&mut self) {
        let changes: Vec<Change> = self.reload.iter().flat_map(|reload| reload.changes.try_iter()).collect();
        let is_changed = !changes.is_empty();
        for change in changes {
            match change {
                Change::Sound(owner, name, package) => self.swap_in(&owner, name, package),
                Change::Broken(owner, name, reason) => {
                    self.scoring_metrics.model_reload_failures.inc();
                    let serving = self.library.shelf_of(&owner).and_then(|shelf| self.loaded[shelf.0].as_ref());
                    match serving {
                        Some(loaded) => tracing::error!(
                            file = name,
                            reason,
                            serving = loaded.model.version,
                            "the changed model file is unusable; the model before it goes on serving"
                        ),
                        None => {
                            tracing::error!(file = name, reason, "the model file is unusable");
                            let source = ModelSource { name, package: Err(reason) };
                            let shelf = self.library.put(&owner, source);
                            self.loaded.resize_with(self.loaded.len().max(shelf.0 + 1), || None);
                        }
                    }
                }
                Change::Gone(owner) => {
                    tracing::warn!(
                        ?owner,
                        "the model file is gone; its machines are served by the default model, if there is one"
                    );
                    if let Some(shelf) = self.library.remove(&owner) {
                        self.loaded[shelf.0] = None;
                    }
                }
            }
        }
        if is_changed {
            self.count_models();
        }
    }

    fn swap_in(&mut self, owner: &Owner, name: String, package: Arc<ModelPackage>) {
        let present = self.library.shelf_of(owner);
        let shelf = present.unwrap_or(Shelf(self.library.sources().len()));
        let loaded = Loaded::of(&package);
        let is_same =
            present.and_then(|shelf| self.loaded[shelf.0].as_ref()).is_some_and(|old| old.model == loaded.model);
        if is_same {
            return;
        }
        if let Err(error) = self.device.load(shelf, Arc::clone(&package)) {
            self.scoring_metrics.model_reload_failures.inc();
            tracing::error!(file = name, %error, "the changed model does not load onto the device; the model before it goes on serving");
            return;
        }
        tracing::info!(file = name, model = %loaded.model.id.0, version = loaded.model.version, "a new model serves from here on");
        self.scoring_metrics.model_reloads.inc();
        let shelf = self.library.put(owner, ModelSource { name, package: Ok(Arc::unwrap_or_clone(package)) });
        self.loaded.resize_with(self.loaded.len().max(shelf.0 + 1), || None);
        self.loaded[shelf.0] = Some(loaded);
    }

    /// Scores chunks, in their order; `records` are those that they came from.
    #[must_use]
    pub fn score(
        &mut self,
        records: &[Record],
        chunks: Vec<ScoredChunk>,
        memory: &mut Memory<'_, ScorerState>,
    ) -> Vec<Result<Vec<Output>, Rejection>> {
        self.take_changes_over();
        let mut results: Vec<Result<Vec<Output>, Rejection>> = chunks.iter().map(|_| Ok(Vec::new())).collect();
        let mut candidates = Vec::new();
        for (index, chunk) in chunks.into_iter().enumerate() {
            match chunk.and_then(|(envelope, features)| self.admit(index, envelope, features)) {
                Ok(candidate) => candidates.push(candidate),
                Err(rejection) => results[index] = Err(rejection),
            }
        }
        let (judged, forward_s) = self.judge(&candidates);
        for (candidate, judgement) in candidates.iter().zip(judged) {
            results[candidate.index] = judgement.and_then(|judgement| {
                let partition = records[candidate.index].coordinates.partition;
                self.conclude(candidate, &judgement, partition, forward_s, memory)
            });
        }
        results
    }

    fn admit(&self, index: usize, envelope: Envelope, features: Features) -> Result<Candidate, Rejection> {
        let shelf = self.library.find(&envelope.machine).map_err(|(code, detail)| Rejection { code, detail })?;
        let expected = self.loaded(shelf).manifest.feature_spec_hash;
        let found = features.metadata.feature_spec;
        if found != expected {
            let detail = format!(
                "the features follow spec {found}, model {} was trained on {expected}; give the feature worker the model's spec",
                self.loaded(shelf).model.id
            );
            return Err(Rejection { code: DeadLetterCode::FeatureSpecMismatch, detail });
        }
        Ok(Candidate { index, envelope, features: Arc::new(features), shelf })
    }

    fn loaded(&self, shelf: Shelf) -> &Loaded {
        self.loaded[shelf.0].as_ref().expect("the library only finds shelves that hold a package")
    }

    /// One forward pass a model. Should one fail, its clips are tried singly, so that only the one at fault is refused.
    fn judge(&self, candidates: &[Candidate]) -> (Vec<Result<Judgement, Rejection>>, f64) {
        let begun = Instant::now();
        let mut by_shelf: BTreeMap<Shelf, Vec<usize>> = BTreeMap::new();
        for (position, candidate) in candidates.iter().enumerate() {
            by_shelf.entry(candidate.shelf).or_default().push(position);
        }
        let mut judged: Vec<Option<Result<Judgement, Rejection>>> = candidates.iter().map(|_| None).collect();
        for (shelf, positions) in by_shelf {
            self.scoring_metrics.forward_chunks.observe(positions.len() as f64);
            let clips = positions.iter().map(|position| Arc::clone(&candidates[*position].features)).collect();
            match self.device.judge(shelf, clips) {
                Ok(judgements) => {
                    for (position, judgement) in positions.into_iter().zip(judgements) {
                        judged[position] = Some(Ok(judgement));
                    }
                }
                Err(_) => {
                    for position in positions {
                        judged[position] = Some(self.judge_one(shelf, &candidates[position]));
                    }
                }
            }
        }
        let forward = begun.elapsed();
        if !candidates.is_empty() {
            self.metrics.observe_stage("forward", forward);
        }
        let judged = judged.into_iter().map(|judgement| judgement.expect("every candidate stands on one shelf"));
        (judged.collect(), forward.as_secs_f64())
    }

    fn judge_one(&self, shelf: Shelf, candidate: &Candidate) -> Result<Judgement, Rejection> {
        let judged = self.device.judge(shelf, vec![Arc::clone(&candidate.features)]);
        let mut judgements =
            judged.map_err(|error| Rejection { code: DeadLetterCode::InvalidFeatures, detail: error.to_string() })?;
        Ok(judgements.pop().expect("one clip has one judgement"))
    }

    fn conclude(
        &self,
        candidate: &Candidate,
        judgement: &Judgement,
        partition: i32,
        forward_s: f64,
        memory: &mut Memory<'_, ScorerState>,
    ) -> Result<Vec<Output>, Rejection> {
        let begun = Instant::now();
        let Candidate { envelope, features, shelf, .. } = candidate;
        let loaded = self.loaded(*shelf);
        let id = Score::deterministic_id(&envelope.machine, &features.metadata.chunk, &loaded.model);
        let key = Bytes::from(envelope.machine.as_str().to_owned());
        let heard = Heard {
            id: &id,
            machine: &envelope.machine,
            chunk_id: &envelope.id,
            time: envelope.time,
            judgement,
            model: &loaded.model,
            manifest: &loaded.manifest,
        };
        let observation = observe_chunk(memory.get(partition, &key), &heard, &self.policy);
        let decide = begun.elapsed();
        self.metrics.observe_stage("decide", decide);
        let score = Score {
            id: id.clone(),
            machine: envelope.machine.clone(),
            chunk_id: envelope.id.clone(),
            chunk: features.metadata.chunk.clone(),
            time: envelope.time,
            score: judgement.score,
            channel_scores: judgement.channel_scores.clone(),
            p_value: judgement.p_value,
            health_index: judgement.health_index,
            threshold: judgement.threshold,
            anomalous: judgement.anomalous,
            state: observation.state.alert.state,
            previous_state: observation.previous_state,
            bands: judgement.bands.clone(),
            quality: features.metadata.quality.clone(),
            model: loaded.model.clone(),
            feature_spec: features.metadata.feature_spec,
            timings: StageTimings {
                forward_s: Some(forward_s),
                decide_s: Some(decide.as_secs_f64()),
                ..features.metadata.timings
            },
        };
        let output = |topic: &'static str, event_type: &str, value: Bytes| {
            let sent = Envelope {
                id: auscult_schemas::ChunkId(id.clone()),
                source: "/auscult/scoring-worker".to_owned(),
                event_type: event_type.to_owned(),
                content_type: Envelope::JSON.to_owned(),
                ..envelope.clone()
            };
            Output { topic, key: key.clone(), value, headers: sent.headers() }
        };
        let mut outputs = vec![output(topics::SCORES, Envelope::SCORE, json(&score)?)];
        if let Some(alert) = &observation.alert {
            outputs.push(output(topics::ALERTS, Envelope::ALERT, json(alert)?));
        }
        if let Some(drift) = &observation.drift {
            outputs.push(output(topics::DRIFT, Envelope::DRIFT, json(drift)?));
            self.scoring_metrics.last_drift_psi.set(drift.score_psi);
        }
        self.count(&score, envelope.time);
        memory.put(partition, key, observation.state);
        Ok(outputs)
    }

    fn count(&self, score: &Score, recorded: Timestamp) {
        if score.anomalous {
            self.scoring_metrics.anomalous_chunks.inc();
        }
        if score.state != score.previous_state {
            let state = match score.state {
                MachineState::Alarm => "alarm",
                MachineState::Healthy => "healthy",
                MachineState::Unknown => "unknown",
            };
            self.scoring_metrics.state_changes.with_label_values(&[state]).inc();
        }
        let age = Timestamp::now().duration_since(recorded).as_secs_f64();
        if age >= 0.0 {
            self.scoring_metrics.chunk_age_seconds.observe(age);
        }
    }
}

fn json(message: &impl Serialize) -> Result<Bytes, Rejection> {
    serde_json::to_vec(message).map(Bytes::from).map_err(|error| Rejection {
        code: DeadLetterCode::Internal,
        detail: format!("a result cannot be written as JSON: {error}"),
    })
}
