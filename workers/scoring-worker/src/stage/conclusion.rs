//! The results of a chunk: its score, alerts, drift report, and its machine's new state.

use std::time::Instant;

use auscult_detection::{Judgement, ObservationOutcome, ObservedChunk, Recorded, watch_chunk, words};
use auscult_runtime::processor::{Output, Rejection};
use auscult_schemas::{Alert, DriftChange, Envelope, MachineId, Score, topics};
use bytes::Bytes;
use jiff::Timestamp;

use super::judging::Candidate;
use super::result::{json, result};
use super::{RecordContext, ScoringStage};
use crate::event::ScoringEvent;

impl ScoringStage {
    /// The results of a chunk. If a chunk shows nothing about the machine's health (no working sensor, another sample
    /// rate or length than in training, the machine at rest), its score says so, and the machine's state changes only
    /// in its sensors and recording setup, without effect on alarm or drift.
    pub(super) fn conclude(
        &self,
        candidate: &Candidate,
        judgement: Option<&Judgement>,
        forward_s: f64,
        context: RecordContext<'_, '_>,
    ) -> Result<Vec<Output>, Rejection> {
        let started = Instant::now();
        let Candidate { envelope, metadata, model, .. } = candidate;
        let id = Score::deterministic_id(&envelope.machine, &metadata.chunk, &model.model);
        let key = Bytes::from(envelope.machine.as_str().to_owned());
        let RecordContext { partition, memory, machines } = context;
        let before = memory.get(partition, &key);
        if before.is_none() {
            self.look_at_places();
        }
        let chunk = ObservedChunk {
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
        let watched = watch_chunk(machines.partition(partition), state_of, before, &chunk, &self.policy);
        let ObservationOutcome { observation, environment, silent, others } = watched;
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
            let decide = started.elapsed();
            self.metrics.observe_stage("decide", decide);
            score.timings.forward_s = Some(forward_s);
            score.timings.decide_s = Some(decide.as_secs_f64());
        } else {
            self.scoring_metrics.unheard_chunks.inc();
        }
        let output = |id: &str, topic, event_type, value| result(envelope, id, topic, event_type, value);
        let mut outputs = vec![output(&score.id, topics::SCORES, Envelope::SCORE, json(&score)?)];
        if let Some(alert) = &observation.setup_alert {
            ScoringEvent::SetupChanged(alert).report(&self.scoring_metrics);
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
            ScoringEvent::EnvironmentChanged(change).report(&self.scoring_metrics);
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
        // A late chunk without a working sensor changes nothing.
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
