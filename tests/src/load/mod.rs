//! Load for the fault suite: machines that send short chunks at a steady rate, with poison in between. The seed decides
//! all.

mod controls;
mod poison;
mod sound;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use auscult_detection::{TrainingClip, TrainingOptions, train};
use auscult_features::ChunkExtractor;
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::{GatewayProducer, GatewayRecord};
use auscult_schemas::topics::CHUNKS;
use auscult_schemas::{ChunkId, Envelope, Headers, MachineId, ModelId};
use bytes::Bytes;
use jiff::Timestamp;
use ndarray::Array2;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use poison::Poison;

/// What is to be sent.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// Decides which machine sends what, and in which order.
    pub seed: u64,
    /// Machines.
    pub machines: usize,
    /// Records in all, poison and control messages included.
    pub chunks: usize,
    /// Records a second.
    pub rate_per_s: f64,
    /// Machine ids begin with it, so that one cluster serves many runs.
    pub prefix: String,
    /// Share of poison among the records.
    pub poison_share: f64,
    /// Share of control messages among the others.
    pub control_share: f64,
}

#[derive(Debug, Clone, Copy)]
enum Content {
    Sound { is_faulty: bool },
    Poison(Poison),
    Control,
}

/// The usual share of control messages.
pub const CONTROL_SHARE: f64 = 0.03;

/// Records in the order in which they are sent.
#[derive(Debug)]
pub struct Load {
    spec: LoadSpec,
    planned: Vec<(usize, Content)>,
}

impl Load {
    /// Decides who sends what. Every machine has stretches in which it sounds wrong, so that alarms come and go.
    #[must_use]
    pub fn plan(spec: &LoadSpec) -> Self {
        let mut rng = SmallRng::seed_from_u64(spec.seed);
        let mut faulty_left = vec![0_u32; spec.machines];
        let mut planned = Vec::with_capacity(spec.chunks);
        for _ in 0..spec.chunks {
            let machine = rng.random_range(0..spec.machines);
            if rng.random_bool(spec.poison_share) {
                planned.push((machine, Content::Poison(Poison::any(&mut rng))));
                continue;
            }
            if rng.random_bool(spec.control_share) {
                planned.push((machine, Content::Control));
                continue;
            }
            if faulty_left[machine] == 0 && rng.random_bool(0.03) {
                faulty_left[machine] = rng.random_range(4..10);
            }
            let is_faulty = faulty_left[machine] > 0;
            faulty_left[machine] = faulty_left[machine].saturating_sub(1);
            planned.push((machine, Content::Sound { is_faulty }));
        }
        Self { spec: spec.clone(), planned }
    }

    /// How many records there are. Each has one result at the end: a score, an audit record or a dead letter.
    #[must_use]
    pub fn len(&self) -> usize {
        self.planned.len()
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }

    /// The records, each made when it is asked for. Their times apart, a seed gives the same ones every time.
    pub(crate) fn records(&self) -> impl Iterator<Item = Result<GatewayRecord>> + '_ {
        let mut rng = SmallRng::seed_from_u64(self.spec.seed ^ 0x5eed);
        self.planned.iter().enumerate().map(move |(number, (machine, content))| {
            let machine = MachineId::new(format!("{}-m{machine:02}", self.spec.prefix))?;
            match content {
                Content::Sound { is_faulty } => Ok(chunk(&machine, number, sound::wav(&machine, *is_faulty, &mut rng))),
                Content::Poison(poison) => poison.record(&machine, number, &mut rng),
                Content::Control => controls::any(&machine, number, &mut rng),
            }
        })
    }

    /// Sends all, each record once, at the rate. Brokers may be away for minutes meanwhile: the producer is idempotent
    /// and repeats what was not acknowledged.
    ///
    /// # Errors
    /// When a record is not delivered after all, or `stop` was set before the last one.
    pub fn send(&self, brokers: &str, stop: &AtomicBool) -> Result<()> {
        let mut config = KafkaConfig { brokers: brokers.to_owned(), ..KafkaConfig::default() };
        // Partitions that are added meanwhile get their share soon.
        config.properties.insert("topic.metadata.refresh.interval.ms".to_owned(), "1000".to_owned());
        let producer = GatewayProducer::new(&config, "auscult-load")?;
        let begun = Instant::now();
        for (number, record) in self.records().enumerate() {
            anyhow::ensure!(!stop.load(Ordering::SeqCst), "stopped after {number} records");
            producer.send(&record?)?;
            let due = Duration::from_secs_f64((number + 1) as f64 / self.spec.rate_per_s);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        producer.flush(Duration::from_secs(120)).context("waiting for the last acknowledgements")?;
        Ok(())
    }
}

/// A chunk as a gateway sends it.
fn chunk(machine: &MachineId, number: usize, sound: Vec<u8>) -> GatewayRecord {
    let envelope = Envelope {
        id: ChunkId(format!("{machine}/{number}")),
        source: "/auscult/load".to_owned(),
        event_type: Envelope::CHUNK.to_owned(),
        time: Timestamp::now(),
        machine: machine.clone(),
        content_type: "audio/wav".to_owned(),
        traceparent: None,
    };
    record(CHUNKS, machine, envelope.headers(), sound)
}

fn record(topic: &str, machine: &MachineId, headers: Headers, value: Vec<u8>) -> GatewayRecord {
    GatewayRecord {
        topic: topic.to_owned(),
        partition: None,
        key: Some(Bytes::from(machine.as_str().to_owned())),
        value: Some(Bytes::from(value)),
        headers,
        timestamp_ms: None,
    }
}

/// Writes normal clips of the load's machines into `FOLDER/train/normal`, for `auscult train` to learn from.
///
/// # Errors
/// When they cannot be written.
pub fn write_training_sound(folder: &Path, machines: usize) -> Result<()> {
    let normal = folder.join("train/normal");
    std::fs::create_dir_all(&normal)?;
    let mut rng = SmallRng::seed_from_u64(0);
    for number in 0..3 * machines {
        let machine = MachineId::new(format!("training-m{:02}", number % machines))?;
        let file = normal.join(format!("{number:03}.wav"));
        std::fs::write(&file, sound::wav(&machine, false, &mut rng)).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// Writes a model of how the load's machines sound when nothing is wrong. Another variant is another model, as good as
/// the first.
///
/// # Errors
/// When it cannot be trained or written.
pub fn train_model(path: &Path, variant: u64) -> Result<()> {
    let mut rng = SmallRng::seed_from_u64(variant);
    let options = TrainingOptions {
        model_id: ModelId(format!("load-{variant}")),
        epochs: 12,
        seed: variant,
        ..TrainingOptions::default()
    };
    let mut extractor = ChunkExtractor::new(options.spec.clone())?;
    let mut clips = Vec::new();
    for number in 0..60 {
        let machine = MachineId::new(format!("training-m{:02}", number % 20))?;
        let extraction = extractor.extract("audio/wav", &sound::wav(&machine, false, &mut rng))?;
        let channel = Array2::from_shape_vec((extraction.frames, extraction.mels), extraction.values)?;
        clips.push(TrainingClip { name: format!("{number}"), channels: vec![channel], ..TrainingClip::default() });
    }
    let package = train(&clips, &options, &mut |_| std::ops::ControlFlow::Continue(()))?;
    std::fs::write(path, package.to_bytes()?).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_plans_the_same_load() {
        let spec = LoadSpec {
            seed: 7,
            machines: 20,
            chunks: 500,
            rate_per_s: 1.0,
            prefix: "x".to_owned(),
            poison_share: 0.2,
            control_share: CONTROL_SHARE,
        };
        let plans = [Load::plan(&spec), Load::plan(&spec)].map(|load| format!("{:?}", load.planned));
        assert_eq!(plans[0], plans[1]);
        assert!(plans[0].contains("is_faulty: true") && plans[0].contains("Poison"));
    }
}
