//! `auscult send`: acts as a gateway. It sends recordings as chunks to `audio.chunks`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use auscult_features::content_type_of;
use auscult_operations::gateway::chunk_record;
use auscult_operations::machine_partition::MachinePartitions;
use auscult_recordings::natural_order::sort_paths;
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::GatewayRecord;
use auscult_schemas::topics::MAX_MESSAGE_BYTES;
use auscult_schemas::{ChunkId, Envelope, MachineId, printable};
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::reading::in_recorded_order;
use super::worker_arguments::{ConfigArgs, KafkaOnly};
use crate::{interrupt, progress};

/// Send recordings to audio.chunks, as a gateway beside a machine would
///
/// A folder stands for all its .wav and .flac files, in the order of the numbers in their names (9 before 10); files
/// that the shell has sorted differently (1, 10, 11, 2) are sorted again. Each file becomes one chunk, unchanged; the
/// chunk's time is the time of sending. A known machine's chunks go to its current partition, whatever partitioner its
/// other gateways use. For a new machine, --partitioner selects the partition.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SendArgs {
    /// Recordings, or folders of recordings
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Machine id
    #[arg(long, value_name = "ID")]
    machine: String,
    /// Chunks per second [default: as fast as the brokers accept]
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Partitioner for a new machine's id; use the one of its other gateways [default: crc32, or
    /// kafka.properties.partitioner]
    #[arg(long, value_enum, value_name = "NAME")]
    partitioner: Option<Partitioner>,
    /// Send to this partition, whatever the machine's current partition is
    #[arg(long, value_name = "N", conflicts_with = "partitioner")]
    partition: Option<i32>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Partitioners of Kafka's clients for records with a key; docs/clients.md has the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Partitioner {
    /// librdkafka's: kcat, confluent-kafka (Python, Go, .NET, JavaScript), rdkafka
    Crc32,
    /// Java's: kafka-clients, franz-go, kafka-python, aiokafka, KafkaJS
    Murmur2,
    /// Sarama's
    Fnv1a,
}

impl Partitioner {
    /// The value of librdkafka's property `partitioner`.
    fn property(self) -> &'static str {
        match self {
            Self::Crc32 => "consistent_random",
            Self::Murmur2 => "murmur2_random",
            Self::Fnv1a => "fnv1a_random",
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  auscult send today/*.wav --machine fan-07 --brokers localhost:9092
  auscult send recordings/test --machine compressor-1 --rate 2
  auscult send today/ --machine fan-08 --partitioner murmur2     a new machine with another gateway in Java
  auscult send today/ --machine fan-07 --set traces.otlp_endpoint=http://localhost:4318 --set traces.sample_ratio=1";

/// Maximum size of the key and headers of a message, bytes.
const ENVELOPE_BYTES: u64 = 4 * 1024;

/// Sends, and waits until everything is delivered.
///
/// # Errors
/// If a file cannot be sent (the other files are still sent), or the brokers reject one.
pub fn run(args: &SendArgs) -> anyhow::Result<()> {
    let machine = MachineId::new(&args.machine)?;
    if args.rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        bail!("--rate must be a positive number of chunks a second");
    }
    let mut config: KafkaOnly = args.config.load(&[])?;
    if let Some(partitioner) = args.partitioner {
        config.kafka.properties.insert("partitioner".to_owned(), partitioner.property().to_owned());
    }
    let files = recordings(&args.paths)?;
    let partition = args.partition.or_else(|| home(&config.kafka, &machine));
    let interrupted = interrupt::listen("stopping: what has been sent stays sent; Ctrl-C again ends at once")?;
    let producer = config.gateway("auscult-send")?;
    let bar = progress::bar(files.len() as u64, "sending");
    let begun = Instant::now();
    let (mut sent, mut bytes, mut refused) = (0_u64, 0_u64, 0_u64);
    for (number, path) in files.iter().enumerate() {
        if interrupted.load(std::sync::atomic::Ordering::Relaxed) {
            break;
        }
        match chunk(path, &machine, partition) {
            Ok(record) => {
                bytes += record.value.as_ref().map_or(0, |value| value.len() as u64);
                producer.send(&record)?;
                sent += 1;
            }
            Err(error) => {
                refused += 1;
                bar.suspend(|| eprintln!("{}", printable(&format!("not sent: {}: {error:#}", path.display()))));
            }
        }
        bar.inc(1);
        if let Some(rate) = args.rate {
            let due = Duration::from_secs_f64((number + 1) as f64 / rate);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
    }
    producer.flush(Duration::from_secs(60))?;
    producer.finish_traces();
    bar.finish_and_clear();
    let took = begun.elapsed().as_secs_f64();
    let machine = printable(machine.as_str());
    println!("sent {sent} chunks of {machine}, {:.1} MB in {took:.1} s, all acknowledged", bytes as f64 / 1e6);
    if refused > 0 {
        bail!("{refused} of {} files were not sent, as told above", files.len());
    }
    Ok(())
}

/// The machine's current partition; `None` if it is unknown or cannot be read.
fn home(kafka: &KafkaConfig, machine: &MachineId) -> Option<i32> {
    match MachinePartitions::find(kafka, machine) {
        Ok(home) => {
            if let Some(warning) = home.warning(machine) {
                eprintln!("{warning}");
            }
            home.partitions().first().copied()
        }
        // A gateway may have write permission only.
        Err(error) => {
            let error = error.to_string();
            let (machine, error) = (printable(machine.as_str()), printable(&error));
            eprintln!(
                "note: where {machine} lives cannot be seen ({error}); its id chooses the partition: --partitioner must be that of its other gateways"
            );
            None
        }
    }
}

fn recordings(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in &in_recorded_order(paths) {
        if path.is_dir() {
            let before = files.len();
            collect(path, &mut files)?;
            if files.len() == before {
                bail!("{} holds no .wav or .flac file", path.display());
            }
            sort_paths(&mut files[before..]);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if content_type_of(&path.to_string_lossy()).is_some() {
            files.push(path);
        }
    }
    Ok(())
}

fn chunk(path: &Path, machine: &MachineId, partition: Option<i32>) -> anyhow::Result<GatewayRecord> {
    let content_type = content_type_of(&path.to_string_lossy())
        .context("its name ends neither in .wav nor in .flac: convert it, for example with sox")?;
    let len = std::fs::metadata(path).context("cannot be opened: check the path and its permissions")?.len();
    if len == 0 {
        bail!("is empty: record it again");
    }
    if len + ENVELOPE_BYTES > MAX_MESSAGE_BYTES as u64 {
        bail!(
            "has {:.1} MiB, more than the {} MiB of a message: cut it into shorter chunks, or convert it to FLAC",
            len as f64 / f64::from(1 << 20),
            MAX_MESSAGE_BYTES >> 20
        );
    }
    let value = std::fs::read(path).context("cannot be read: check its permissions")?;
    let now = Timestamp::now();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let envelope = Envelope {
        id: ChunkId(format!("{machine}/{}/{name}", now.as_nanosecond())),
        source: "/auscult/send".to_owned(),
        event_type: Envelope::CHUNK.to_owned(),
        time: now,
        machine: machine.clone(),
        content_type: content_type.to_owned(),
        traceparent: None,
    };
    Ok(chunk_record(&envelope, value, partition))
}
