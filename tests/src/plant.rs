//! A plant under test: Kafka, topics, models, two feature workers and two scoring workers, as an operator would start
//! them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auscult_schemas::topics::{AUDIT, CHUNKS, DEAD_LETTERS, SCORES};
use tempfile::TempDir;

use crate::{Journey, KafkaCluster, KcatRecord, Worker, auscult_binary, until};

/// How long a worker may take to be ready.
const READY: Duration = Duration::from_secs(60);

/// Runs an `auscult` command against these brokers, and gives what it printed.
///
/// # Errors
/// When it fails, with all it wrote.
pub fn run_auscult(brokers: &str, arguments: &[&str]) -> Result<String> {
    let output = auscult_output(brokers, arguments)?;
    let (printed, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "auscult {}: {}\n{printed}{errors}", arguments.join(" "), output.status);
    Ok(printed.into_owned())
}

fn auscult_output(brokers: &str, arguments: &[&str]) -> Result<std::process::Output> {
    let mut command = Command::new(auscult_binary()?);
    command.args(arguments).env("AUSCULT__KAFKA__BROKERS", brokers);
    command.output().with_context(|| format!("running auscult {}", arguments.join(" ")))
}

/// Kafka and the workers on it.
#[derive(Debug)]
pub struct Plant {
    // Before the cluster: fields are dropped in order, and a worker without brokers complains.
    /// Two feature workers, then two scoring workers.
    pub workers: Vec<Worker>,
    /// The brokers.
    pub cluster: KafkaCluster,
    folder: TempDir,
}

impl Plant {
    /// Starts a broker and makes the topics.
    ///
    /// # Errors
    /// When a part is missing or does not start.
    pub fn with_topics(partitions: u32) -> Result<Self> {
        let cluster = KafkaCluster::start(1)?;
        let folder = tempfile::Builder::new().prefix("auscult-plant-").tempdir()?;
        std::fs::create_dir(folder.path().join("models"))?;
        let plant = Self { workers: Vec::new(), cluster, folder };
        let made =
            plant.auscult(&["topics", "create", "--partitions", &partitions.to_string(), "--replication", "1"])?;
        ensure!(made.contains("all 10 topics are as they must be"), "{made}");
        Ok(plant)
    }

    /// Runs an `auscult` command against the brokers, and gives what it printed.
    ///
    /// # Errors
    /// When it fails, with all it wrote.
    pub fn auscult(&self, arguments: &[&str]) -> Result<String> {
        run_auscult(&self.cluster.bootstrap(), arguments)
    }

    /// As [`Plant::auscult`], whatever comes of it.
    ///
    /// # Errors
    /// When the binary does not start.
    pub fn auscult_output(&self, arguments: &[&str]) -> Result<std::process::Output> {
        auscult_output(&self.cluster.bootstrap(), arguments)
    }

    /// Where a machine's model package belongs.
    #[must_use]
    pub fn model_file(&self, machine: &str) -> PathBuf {
        self.models().join(format!("{machine}.safetensors"))
    }

    /// The model folder.
    #[must_use]
    pub fn models(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    /// A folder for whatever the test needs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts two feature workers and two scoring workers and waits until they are ready.
    ///
    /// # Errors
    /// When one is not.
    pub fn start_workers(&mut self, settings: &[(&str, &str)]) -> Result<()> {
        let models = self.models().display().to_string();
        let brokers = self.cluster.bootstrap();
        for number in 0..2 {
            let name = format!("features-{number}");
            self.workers.push(Worker::start(&name, &["feature-worker"], &brokers, settings, self.folder.path())?);
        }
        for number in 0..2 {
            let name = format!("scoring-{number}");
            let reload = ["--set", "models.reload_secs=1"];
            let arguments = [&["scoring-worker", "--models", &models, "--device", "cpu"][..], &reload].concat();
            self.workers.push(Worker::start(&name, &arguments, &brokers, settings, self.folder.path())?);
        }
        for worker in &mut self.workers {
            worker.wait_until_ready(READY)?;
        }
        Ok(())
    }

    /// Waits until scores, audit records and dead letters together are as many as chunks, then reads the scores.
    ///
    /// # Errors
    /// When they are not within `limit`, or a worker has ended.
    pub fn await_results(&mut self, limit: Duration) -> Result<(Journey, Vec<KcatRecord>)> {
        let kcat = self.cluster.kcat();
        let chunks = kcat.consume(CHUNKS)?.len();
        let mut seen = (0, 0);
        let waited = until(&format!("{chunks} chunks to have a result each"), limit, || {
            for worker in &mut self.workers {
                worker.process().ensure_running()?;
            }
            // A control message that was applied has an audit record in the place of a score.
            let scores = kcat.consume(SCORES)?.len() + kcat.consume(AUDIT)?.len();
            seen = (scores, kcat.consume(DEAD_LETTERS)?.len());
            Ok((seen.0 + seen.1 >= chunks).then_some(()))
        });
        waited.with_context(|| format!("{} scores and {} dead letters so far", seen.0, seen.1))?;
        Ok((Journey::of(&kcat.consume(SCORES)?)?, kcat.consume(DEAD_LETTERS)?))
    }
}
