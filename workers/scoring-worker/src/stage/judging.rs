//! Checks chunks against the models' requirements, and scores all chunks of a batch with the same model in one forward
//! pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use auscult_detection::{Judgement, check_chosen, is_chosen};
use auscult_runtime::processor::Rejection;
use auscult_schemas::{DeadLetterCode, Envelope, Features, FeaturesMetadata};

use super::ScoringStage;
use crate::device_thread::ModelSlot;
use crate::healthy_channels::{HealthyChannels, healthy_channels};
use crate::library::LoadedModel;

/// A chunk that can be scored.
pub(super) struct Candidate {
    pub envelope: Envelope,
    /// The message's own.
    pub metadata: FeaturesMetadata,
    /// Number of its channels, including those that are not scored.
    pub channels: usize,
    /// The part to score; `None` if every sensor is faulty.
    pub healthy: Option<Arc<HealthyChannels>>,
    pub model: Arc<LoadedModel>,
}

impl ScoringStage {
    pub(super) fn admit(&self, envelope: Envelope, mut features: Features) -> Result<Candidate, Rejection> {
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
        // Faults of channels that the model does not use are not relevant for this machine.
        features.metadata.sensor_faults.retain(|fault| is_chosen(fault.channel, chosen));
        let metadata = features.metadata.clone();
        let channels = features.channels;
        let healthy = healthy_channels(Arc::new(features), chosen).map(Arc::new);
        Ok(Candidate { envelope, metadata, channels, healthy, model: Arc::clone(model) })
    }

    /// One forward pass per model; a candidate without a healthy channel has no judgement. If a pass fails, its clips
    /// are processed one by one, so that only the faulty one is rejected.
    pub(super) fn judge(&self, candidates: &[Candidate]) -> (Vec<Result<Option<Judgement>, Rejection>>, f64) {
        let started = Instant::now();
        let mut by_slot: BTreeMap<ModelSlot, Vec<(usize, Arc<HealthyChannels>)>> = BTreeMap::new();
        for (position, candidate) in candidates.iter().enumerate() {
            if let Some(features) = &candidate.healthy {
                by_slot.entry(candidate.model.slot).or_default().push((position, Arc::clone(features)));
            }
        }
        let mut judged: Vec<Result<Option<Judgement>, Rejection>> = candidates.iter().map(|_| Ok(None)).collect();
        for (slot, clips) in by_slot {
            self.scoring_metrics.forward_chunks.observe(clips.len() as f64);
            match self.device.judge(slot, clips.iter().map(|(_, features)| Arc::clone(features)).collect()) {
                Ok(judgements) => {
                    for ((position, _), judgement) in clips.into_iter().zip(judgements) {
                        judged[position] = Ok(Some(judgement));
                    }
                }
                Err(_) => {
                    for (position, features) in clips {
                        judged[position] = self.judge_one(slot, features).map(Some);
                    }
                }
            }
        }
        let forward = started.elapsed();
        if !candidates.is_empty() {
            self.metrics.observe_stage("forward", forward);
        }
        (judged, forward.as_secs_f64())
    }

    fn judge_one(&self, slot: ModelSlot, features: Arc<HealthyChannels>) -> Result<Judgement, Rejection> {
        let judged = self.device.judge(slot, vec![features]);
        let mut judgements =
            judged.map_err(|error| Rejection { code: DeadLetterCode::InvalidFeatures, detail: error.to_string() })?;
        Ok(judgements.pop().expect("one clip has one judgement"))
    }
}
