//! The way of a chunk, serially and by the pure crates alone.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use auscult_detection::{
    AppliedControl, ControlRequest, HealthyClip, Judgement, Model, ModelPackage, Observation, ObservationOutcome,
    ObservedChunk, PartitionMachines, Recorded, WatchPolicy, apply_control, watch_chunk, words,
};
use auscult_features::{ChunkExtractor, Extraction};
use auscult_schemas::{
    Alert, Control, DeadLetterCode, Envelope, FeatureSpecHash, Features, FullScale, JsonMessage, MachineId, ModelRef,
    Score, ScorerState, StageTimings,
};
use bytes::Bytes;

use super::TopicRecord;

/// What a good features message comes to.
pub struct Judged {
    /// The score.
    pub score: Score,
    /// State, alert and drift.
    pub observation: Observation,
    /// What it shows of the environment and of other machines: that one has changed, that others have fallen silent.
    pub neighbours: Vec<Alert>,
    /// The states of those machines.
    pub others: Vec<ScorerState>,
}

/// Extractor, models, and what is remembered of each machine of each partition.
pub struct Replay {
    extractor: ChunkExtractor,
    models: Vec<Model>,
    max_chunk_bytes: usize,
    states: HashMap<(i32, Bytes), ScorerState>,
    /// Whether some of the records may be of builds that named no model in audit records, and judged drift by other
    /// limits.
    pub knows_earlier_builds: bool,
}

impl Replay {
    /// A replay that has heard nothing yet.
    ///
    /// # Errors
    /// When a model cannot be read.
    pub fn of(models: &[PathBuf], max_chunk_bytes: usize) -> Result<Self> {
        let device = auscult_detection::open_device(auscult_detection::DeviceChoice::Cpu)?.device;
        let load = |path: &PathBuf| -> Result<Model> {
            let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
            Ok(Model::load(&ModelPackage::from_bytes(&bytes)?, &device)?)
        };
        let models: Vec<Model> = models.iter().map(load).collect::<Result<_>>()?;
        let spec = models.first().context("at least one model is needed")?.manifest().feature_spec.clone();
        Ok(Self {
            extractor: ChunkExtractor::new(spec)?,
            models,
            max_chunk_bytes,
            states: HashMap::new(),
            knows_earlier_builds: false,
        })
    }

    /// What a chunk comes to: its envelope and features, or the code of its dead letter.
    pub fn extract(&mut self, chunk: &TopicRecord) -> Result<(Envelope, Extraction), DeadLetterCode> {
        let value = chunk.value.as_deref().unwrap_or_default();
        if value.is_empty() {
            return Err(DeadLetterCode::Empty);
        }
        if value.len() > self.max_chunk_bytes {
            return Err(DeadLetterCode::TooLarge);
        }
        let envelope = envelope(chunk, Envelope::CHUNK)?;
        let full_scale = FullScale::of_headers(&chunk.headers).map_err(|_| DeadLetterCode::InvalidEnvelope)?;
        let extraction = self.extractor.extract_with(&envelope.content_type, value, &full_scale);
        let extraction = extraction.map_err(|error| error.code())?;
        Ok((envelope, extraction))
    }

    /// A features message as a scoring worker reads it, or the code of its dead letter.
    pub fn read(&self, record: &TopicRecord) -> Result<(Envelope, Features), DeadLetterCode> {
        let value = record.value.as_deref().unwrap_or_default();
        if value.is_empty() {
            return Err(DeadLetterCode::Empty);
        }
        let envelope = envelope(record, Envelope::FEATURES)?;
        let features = Features::decode(value).map_err(|_| DeadLetterCode::InvalidFeatures)?;
        if features.metadata.feature_spec != self.spec_hash() {
            return Err(DeadLetterCode::FeatureSpecMismatch);
        }
        Ok((envelope, features))
    }

    /// The feature spec that the features must have been computed with.
    #[must_use]
    pub fn spec_hash(&self) -> FeatureSpecHash {
        self.models[0].spec_hash()
    }

    /// Whether a score may name this model.
    #[must_use]
    pub fn knows(&self, model: &ModelRef) -> bool {
        self.models.iter().any(|known| known.model_ref() == model)
    }

    /// Judges one message under a model (the first where it is not known) and remembers what follows.
    ///
    /// # Errors
    /// [`DeadLetterCode::InvalidFeatures`] when the model cannot judge it.
    pub fn judge(
        &mut self,
        record: &TopicRecord,
        envelope: &Envelope,
        features: &Features,
        under: Option<&ModelRef>,
    ) -> Result<Judged, DeadLetterCode> {
        let model = model_of(&self.models, under);
        let metadata = &features.metadata;
        let chosen = model.manifest().channels.as_deref();
        // A model that listens to some channels judges no chunk that lacks one, and is told of no fault of another.
        if chosen.is_some_and(|chosen| chosen.iter().any(|channel| *channel >= features.channels)) {
            return Err(DeadLetterCode::InvalidFeatures);
        }
        let mut metadata = metadata.clone();
        metadata.sensor_faults.retain(|fault| chosen.is_none_or(|chosen| chosen.contains(&fault.channel)));
        let metadata = &metadata;
        let judgement = judge_what_is_heard(model, features)?;

        let id = Score::deterministic_id(&envelope.machine, &metadata.chunk, model.model_ref());
        let heard = ObservedChunk {
            id: &id,
            machine: &envelope.machine,
            chunk_id: &envelope.id,
            time: envelope.time,
            judgement: judgement.as_ref(),
            channels: features.channels,
            sensor_faults: &metadata.sensor_faults,
            quality: &metadata.quality,
            recorded: Some(Recorded { source_rate_hz: metadata.source_rate_hz, duration_s: metadata.duration_s }),
            model: model.model_ref(),
            manifest: model.manifest(),
        };
        let place = (record.coordinates.partition, Bytes::from(envelope.machine.as_str().to_owned()));
        // Made anew for every chunk: a worker that keeps its own wrongly is found out.
        let mut machines = PartitionMachines::new(WatchPolicy::default().alert.silent_after);
        self.states
            .iter()
            .filter(|((partition, _), _)| *partition == place.0)
            .for_each(|(_, state)| machines.put(state));
        let partition = place.0;
        let state_of =
            |other: &MachineId| self.states.get(&(partition, Bytes::from(other.as_str().to_owned()))).cloned();
        let watched = watch_chunk(&mut machines, state_of, self.states.get(&place), &heard, &WatchPolicy::default());
        let ObservationOutcome { observation, environment, silent, others } = watched;
        let neighbours = environment.into_iter().chain(silent).collect();
        for state in others.clone() {
            self.states.insert((place.0, Bytes::from(state.machine.as_str().to_owned())), state);
        }
        self.states.insert(place, observation.state.clone());
        let mut score = Score {
            machine: envelope.machine.clone(),
            chunk_id: envelope.id.clone(),
            chunk: metadata.chunk.clone(),
            time: envelope.time,
            score: 0.0,
            p_value: observation.p_value,
            health_index: observation.health_index,
            threshold: observation.held.threshold,
            threshold_by: observation.held.by.clone(),
            anomalous: observation.anomalous,
            state: observation.scored_state,
            previous_state: observation.previous_state,
            quality: metadata.quality.clone(),
            sensor_faults: metadata.sensor_faults.clone(),
            sensor_faults_since: observation.sensor_faults_since,
            notes: observation.notes.clone(),
            quantity: model.manifest().quantity(),
            levels: metadata.levels.clone().map(|levels| levels.choosing(chosen)),
            model: model.model_ref().clone(),
            feature_spec: metadata.feature_spec,
            timings: StageTimings::default(),
            channel_scores: Vec::new(),
            bands: observation.bands.clone(),
            time_course: None,
            explanation: None,
            id,
        };
        if let Some(judgement) = judgement {
            (score.score, score.channel_scores) = (judgement.score, judgement.channel_scores);
            score.time_course = judgement.time_course.filter(|_| observation.anomalous);
        }
        score.explanation = words::score(&score);
        Ok(Judged { score, observation, neighbours, others })
    }

    /// What a control message comes to, or the code of its dead letter; `None` where the record is none. `under` gives
    /// the model that the audit record of an id names.
    pub fn control<'a>(
        &mut self,
        record: &TopicRecord,
        under: impl Fn(&str) -> Option<&'a ModelRef>,
    ) -> Option<Result<(Envelope, AppliedControl), DeadLetterCode>> {
        if !is_control(record) {
            return None;
        }
        Some(self.applied(record, under))
    }

    fn applied<'a>(
        &mut self,
        record: &TopicRecord,
        under: impl Fn(&str) -> Option<&'a ModelRef>,
    ) -> Result<(Envelope, AppliedControl), DeadLetterCode> {
        let value = record.value.as_deref().unwrap_or_default();
        if value.is_empty() {
            return Err(DeadLetterCode::Empty);
        }
        let envelope = envelope(record, Envelope::CONTROL)?;
        let control = Control::decode(value).map_err(|_| DeadLetterCode::InvalidControl)?;
        if control.machine != envelope.machine {
            return Err(DeadLetterCode::InvalidControl);
        }
        let place = (record.coordinates.partition, Bytes::from(envelope.machine.as_str().to_owned()));
        let before = self.states.get(&place);
        let id = format!("{}/{}/control", envelope.machine, envelope.id);
        let model = model_of(&self.models, under(&id));
        let asked = ControlRequest {
            id: &id,
            control: &control,
            record_id: &envelope.id,
            record_time: envelope.time,
            model: model.model_ref(),
            manifest: model.manifest(),
        };
        let applied =
            apply_control(before, &asked, &WatchPolicy::default().alert).map_err(|_| DeadLetterCode::InvalidControl)?;
        self.states.insert(place, applied.state.clone());
        Ok((envelope, applied))
    }

    /// What is remembered at the end.
    #[must_use]
    pub fn states(&self) -> &HashMap<(i32, Bytes), ScorerState> {
        &self.states
    }
}

/// The model of that name; the first where it is not known, or none is named.
fn model_of<'a>(models: &'a [Model], named: Option<&ModelRef>) -> &'a Model {
    let known = named.and_then(|named| models.iter().find(|model| model.model_ref() == named));
    known.unwrap_or(&models[0])
}

/// The judgement on the channels whose sensor is well; `None` where none is. Written again here, so that a worker that
/// leaves the wrong channels out is found out.
fn judge_what_is_heard(model: &Model, features: &Features) -> Result<Option<Judgement>, DeadLetterCode> {
    let Features { channels, frames, mels, metadata, .. } = features;
    let chosen = model.manifest().channels.as_deref();
    let (mut heard, mut numbers) = (Vec::new(), Vec::new());
    for channel in 0..*channels {
        let is_faulty = metadata.sensor_faults.iter().any(|fault| fault.channel == channel);
        if is_faulty || chosen.is_some_and(|chosen| !chosen.contains(&channel)) {
            continue;
        }
        heard.extend_from_slice(features.channel(channel));
        numbers.push(channel);
    }
    if heard.is_empty() {
        return Ok(None);
    }
    // By their numbers: unlike channels have a normal each.
    let clip = HealthyClip { channels: numbers, frames: *frames, mels: *mels, values: heard.into() };
    let mut judgements = model.judge_heard(&[clip]).map_err(|_| DeadLetterCode::InvalidFeatures)?;
    judgements.pop().map(Some).ok_or(DeadLetterCode::Internal)
}

/// Whether a record is a control message: by its content type, which is all that a plain producer must set.
#[must_use]
pub fn is_control(record: &TopicRecord) -> bool {
    record.headers.text("content-type").ok().flatten() == Some(Envelope::CONTROL_JSON)
}

fn envelope(record: &TopicRecord, default_type: &str) -> Result<Envelope, DeadLetterCode> {
    Envelope::read(&record.headers, record.key.as_deref(), &record.coordinates, Some(record.timestamp_ms), default_type)
        .map_err(|_| DeadLetterCode::InvalidEnvelope)
}
