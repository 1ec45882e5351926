//! Records that must become dead letters and stop nothing.

use anyhow::Result;
use auscult_runtime::kafka::GatewayRecord;
use auscult_schemas::topics::FEATURES;
use auscult_schemas::{
    ChunkId, Envelope, FeatureSpec, Features, FeaturesMetadata, MachineId, RecordCoordinates, StageTimings,
};
use jiff::Timestamp;
use rand::Rng;
use rand::rngs::SmallRng;

use super::{chunk, record, sound};

/// `ce_source` of what is put straight into the features topic.
pub(crate) const SOURCE: &str = "/auscult/poison";

#[derive(Debug, Clone, Copy)]
pub(super) enum Poison {
    Truncated,
    NotAudio,
    Empty,
    Oversize,
    UnsupportedContentType,
    NoKey,
    GarbageFeatures,
    FeaturesOfAnotherSpec,
}

impl Poison {
    const ALL: [Self; 8] = [
        Self::Truncated,
        Self::NotAudio,
        Self::Empty,
        Self::Oversize,
        Self::UnsupportedContentType,
        Self::NoKey,
        Self::GarbageFeatures,
        Self::FeaturesOfAnotherSpec,
    ];

    pub fn any(rng: &mut SmallRng) -> Self {
        Self::ALL[rng.random_range(0..Self::ALL.len())]
    }

    pub fn record(self, machine: &MachineId, number: usize, rng: &mut SmallRng) -> Result<GatewayRecord> {
        /// Over `limits.max_chunk_bytes` of the suite, 128 KiB.
        const OVERSIZE_SAMPLES: usize = 70_000;
        let good = sound::wav(machine, false, rng);
        Ok(match self {
            Self::Truncated => chunk(machine, number, good[..good.len() / 2].to_vec()),
            Self::NotAudio => chunk(machine, number, b"Dear Sir or Madam, your pump".to_vec()),
            Self::Empty => chunk(machine, number, Vec::new()),
            Self::Oversize => chunk(machine, number, sound::wav_of(OVERSIZE_SAMPLES, machine, false, rng)),
            Self::UnsupportedContentType => {
                let mut record = chunk(machine, number, good);
                record.headers.0.retain(|(name, _)| name != "content-type");
                record.headers.push("content-type", "audio/mpeg");
                record
            }
            Self::NoKey => {
                let mut record = chunk(machine, number, good);
                record.key = None;
                record.headers.0.retain(|(name, _)| name != "ce_subject");
                record
            }
            Self::GarbageFeatures => features(machine, number, b"no arrow at all".to_vec()),
            Self::FeaturesOfAnotherSpec => {
                let spec = FeatureSpec::reference_method();
                let frames = 10;
                let metadata = FeaturesMetadata {
                    feature_spec: spec.hash(),
                    chunk: RecordCoordinates { topic: "elsewhere".to_owned(), partition: 0, offset: number as i64 },
                    duration_s: 0.3,
                    source_rate_hz: 16_000,
                    quality: Vec::new(),
                    sensor_faults: Vec::new(),
                    levels: None,
                    timings: StageTimings::default(),
                };
                let values = vec![-40.0_f32; frames * spec.n_mels];
                let message = Features { metadata, channels: 1, frames, mels: spec.n_mels, values: values.into() };
                features(machine, number, message.encode()?.to_vec())
            }
        })
    }
}

fn features(machine: &MachineId, number: usize, value: Vec<u8>) -> GatewayRecord {
    let envelope = Envelope {
        id: ChunkId(format!("{machine}/poison/{number}")),
        source: SOURCE.to_owned(),
        event_type: Envelope::FEATURES.to_owned(),
        time: Timestamp::now(),
        machine: machine.clone(),
        content_type: Envelope::ARROW_STREAM.to_owned(),
        traceparent: None,
    };
    record(FEATURES, machine, envelope.headers(), value)
}
