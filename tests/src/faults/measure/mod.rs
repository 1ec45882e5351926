//! What is measured rather than counted: the cost of exactly-once, memory under back-pressure, the time of a restore.

mod cost;
mod memory;
mod restore;

use std::path::Path;

use anyhow::Result;
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::{GatewayProducer, GatewayRecord};
use auscult_schemas::topics::CHUNKS;
use auscult_schemas::{ChunkId, Envelope, MachineId};
use auscult_simulator::{Condition, Machine, MachineKind, SAMPLE_RATE_HZ, wav_bytes};
use bytes::Bytes;
use jiff::Timestamp;

pub use cost::cost;
pub use memory::memory;
pub use restore::restore;

use super::Terms;
use crate::{KafkaCluster, run_auscult};

const MACHINES: u64 = 20;

/// A broker with topics, and a model that serves every simulated fan.
struct Bench {
    // Before the folder that its workers write into.
    cluster: KafkaCluster,
    folder: tempfile::TempDir,
}

impl Bench {
    fn set_up(partitions: &str) -> Result<Self> {
        let cluster = KafkaCluster::start(1)?;
        let folder = tempfile::Builder::new().prefix("auscult-measure-").tempdir()?;
        run_auscult(&cluster.bootstrap(), &["topics", "create", "--partitions", partitions, "--replication", "1"])?;
        let data = folder.path().join("fan");
        let machine = Machine::new(MachineKind::Fan, "fan", 11);
        std::fs::create_dir_all(data.join("train/normal"))?;
        for number in 0..24 {
            let wav = wav_bytes(&machine.chunk(number, Condition::NORMAL), SAMPLE_RATE_HZ);
            std::fs::write(data.join("train/normal").join(format!("{number:03}.wav")), wav)?;
        }
        let bench = Self { cluster, folder };
        let (data, model) = (data.display().to_string(), bench.model().display().to_string());
        run_auscult(&bench.cluster.bootstrap(), &["train", &data, "--out", &model])?;
        Ok(bench)
    }

    fn model(&self) -> std::path::PathBuf {
        self.folder().join("model.safetensors")
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn terms(&self, settings: &[(&str, &str)]) -> Terms {
        Terms {
            brokers: self.cluster.bootstrap(),
            settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            model: self.model(),
            folder: self.folder().to_owned(),
        }
    }

    fn kafka(&self) -> KafkaConfig {
        KafkaConfig { brokers: self.cluster.bootstrap(), ..KafkaConfig::default() }
    }

    fn gateway(&self) -> Result<GatewayProducer> {
        Ok(GatewayProducer::new(&self.kafka(), "auscult-measure")?)
    }
}

/// A chunk of a fan's sound.
fn sound(number: u64) -> Bytes {
    let machine = Machine::new(MachineKind::Fan, "fan", 11);
    Bytes::from(wav_bytes(&machine.chunk(10_000 + number, Condition::NORMAL), SAMPLE_RATE_HZ))
}

/// The chunk as a gateway sends it, recorded now.
fn chunk(number: u64, sound: &Bytes) -> Result<GatewayRecord> {
    let machine = MachineId::new(format!("fan-{:02}", number % MACHINES))?;
    let now = Timestamp::now();
    let envelope = Envelope {
        id: ChunkId(format!("{machine}/{}/{number}", now.as_nanosecond())),
        source: "/auscult/measure".to_owned(),
        event_type: Envelope::CHUNK.to_owned(),
        time: now,
        machine: machine.clone(),
        content_type: "audio/wav".to_owned(),
        traceparent: None,
    };
    Ok(GatewayRecord {
        topic: CHUNKS.to_owned(),
        partition: None,
        key: Some(Bytes::from(machine.as_str().to_owned())),
        value: Some(sound.clone()),
        headers: envelope.headers(),
        timestamp_ms: None,
    })
}

fn median(values: &[f64]) -> f64 {
    let mut ascending = values.to_vec();
    ascending.sort_by(f64::total_cmp);
    crate::quantile(&ascending, 0.5)
}
