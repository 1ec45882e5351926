//! Records to features, many at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auscult_features::{ChunkExtractor, FeatureError};
use auscult_runtime::processor::{Rejection, envelope_of, opened};
use auscult_runtime::record::Record;
use auscult_runtime::telemetry::Metrics;
use auscult_schemas::{
    DeadLetterCode, Envelope, FeatureSpec, FeatureSpecHash, Features, FeaturesMetadata, FullScale, StageTimings,
};
use rayon::prelude::*;

/// What a record came to.
#[derive(Debug, Clone)]
pub enum Extracted {
    /// A chunk: its envelope and its features.
    Chunk(Envelope, Box<Features>),
    /// A control message, which is the scoring worker's to read.
    Control(Envelope),
}

/// What a record came to, or why it came to nothing.
pub type ExtractedChunk = Result<Extracted, Rejection>;

/// Why a feature stage cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum FeatureStageError {
    /// The spec is none.
    #[error(transparent)]
    Spec(#[from] FeatureError),
    /// Its threads cannot be started.
    #[error("cannot start the threads that compute features: {0}; set `threads` lower")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// Computes features on threads of its own, each with its own extractor.
pub struct FeatureStage {
    pool: rayon::ThreadPool,
    /// One a thread. A lock is never waited for: each thread takes its own.
    extractors: Vec<Mutex<ChunkExtractor>>,
    spec_hash: FeatureSpecHash,
    metrics: Arc<Metrics>,
}

impl FeatureStage {
    /// Plans everything for a spec, on this many threads (0: as many as there are processors).
    ///
    /// # Errors
    /// [`FeatureStageError`].
    pub fn new(spec: &FeatureSpec, threads: usize, metrics: Arc<Metrics>) -> Result<Self, FeatureStageError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("features-{number}"))
            .build()?;
        let extractors = (0..pool.current_num_threads())
            .map(|_| ChunkExtractor::new(spec.clone()).map(Mutex::new))
            .collect::<Result<_, FeatureError>>()?;
        Ok(Self { pool, extractors, spec_hash: spec.hash(), metrics })
    }

    /// The features of each record, in the records' order.
    #[must_use]
    pub fn extract(&self, records: &[Record]) -> Vec<ExtractedChunk> {
        let extracted: Vec<ExtractedChunk> =
            self.pool.install(|| records.par_iter().with_max_len(1).map(|record| self.extract_one(record)).collect());
        for extracted in extracted.iter().flatten() {
            if let Extracted::Chunk(_, features) = extracted {
                self.observe(&features.metadata.timings);
            }
        }
        extracted
    }

    fn extract_one(&self, record: &Record) -> ExtractedChunk {
        let record = &*opened(record)?;
        let mut envelope = envelope_of(record, Envelope::CHUNK)?;
        if envelope.is_control() {
            if record.headers.get("ce_type").is_none() {
                Envelope::CONTROL.clone_into(&mut envelope.event_type);
            }
            return Ok(Extracted::Control(envelope));
        }
        let thread = rayon::current_thread_index().expect("extract runs on the stage's own pool");
        // An extractor that panicked is whole again with its next chunk: every buffer is filled before it is read.
        let mut extractor = self.extractors[thread].lock().unwrap_or_else(PoisonError::into_inner);
        let sound = record.value.as_deref().unwrap_or_default();
        let full_scale = FullScale::of_headers(&record.headers)
            .map_err(|error| Rejection { code: DeadLetterCode::InvalidEnvelope, detail: error.to_string() })?;
        let extraction = extractor
            .extract_with(&envelope.content_type, sound, &full_scale)
            .map_err(|error| Rejection { code: error.code(), detail: error.to_string() })?;
        let metadata = FeaturesMetadata {
            feature_spec: self.spec_hash,
            chunk: record.coordinates.clone(),
            duration_s: extraction.duration_s,
            source_rate_hz: extraction.source_rate_hz,
            quality: extraction.quality,
            sensor_faults: extraction.sensor_faults,
            levels: extraction.levels,
            timings: extraction.timings,
        };
        let features = Features {
            metadata,
            channels: extraction.channels,
            frames: extraction.frames,
            mels: extraction.mels,
            values: extraction.values.into(),
        };
        Ok(Extracted::Chunk(envelope, Box::new(features)))
    }

    fn observe(&self, timings: &StageTimings) {
        let stages = [("decode", timings.decode_s), ("resample", timings.resample_s), ("log_mel", timings.log_mel_s)];
        for (stage, seconds) in stages {
            if let Some(seconds) = seconds {
                self.metrics.observe_stage(stage, Duration::from_secs_f64(seconds));
            }
        }
    }
}
