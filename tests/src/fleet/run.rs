//! Plays a scenario through a plant, and gives what came out.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use auscult_operations::gateway::chunk_record;
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::GatewayProducer;
use auscult_schemas::Alert;
use auscult_schemas::topics::{ALERTS, CHUNKS, DEAD_LETTERS, FEATURES};
use auscult_simulator::fleet::{Fleet, FleetSpec, Truth};
use jiff::Timestamp;
use serde::Deserialize;

use super::follow::Followed;
use crate::Plant;

/// What is to be decided beside the scenario.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Partitions of every topic.
    pub partitions: u32,
    /// Normal clips that each machine is learned from.
    pub training_clips: u64,
    /// Settings of the workers.
    pub settings: Vec<(&'static str, &'static str)>,
    /// When the machines are learnt anew from what they have sent since the last change of the environment, hours from
    /// the start.
    pub retrain_h: Option<f64>,
    /// No more chunks a second are sent than this; otherwise as many as are scored.
    pub rate_per_s: Option<f64>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { partitions: 2, training_clips: 100, settings: Vec::new(), retrain_h: None, rate_per_s: None }
    }
}

/// What a score says that matters here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ScoreSeen {
    /// The machine.
    pub machine: String,
    /// The chunk.
    pub chunk_id: String,
    /// When it was recorded.
    pub time: Timestamp,
    /// The score.
    pub score: f64,
    /// What it was held against.
    pub threshold: f64,
    /// Whether it was held to be anomalous.
    pub anomalous: bool,
}

/// What came out of a run.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Every score.
    pub scores: Vec<ScoreSeen>,
    /// Every alert, in the order of each partition.
    pub alerts: Vec<Alert>,
    /// The codes of dead letters.
    pub dead_letters: Vec<String>,
    /// From the first chunk sent to the last one scored.
    pub took: Duration,
    /// Learning all machines.
    pub training_took: Duration,
    /// What `auscult retrain` said in its last line.
    pub retrained: Option<String>,
}

/// No more chunks than this are under way at once: brokers keep little of the sound.
const UNDER_WAY: u64 = 2_000;
/// So long without a new score, and something is wrong.
const STANDSTILL: Duration = Duration::from_secs(90);
/// What brokers keep of sound and of spectrograms, each partition.
const RETENTION: &str = "retention.bytes=268435456,segment.bytes=33554432";
/// So long after models were written workers have loaded them, looking every second; they serve from the next batch on,
/// and none comes meanwhile.
const NOTICED: Duration = Duration::from_secs(10);

/// Learns the fleet's machines, then plays its stream through two feature workers and two scoring workers.
///
/// # Errors
/// When a part is missing or ends, or scores stop coming.
pub fn run(spec: &FleetSpec, options: &RunOptions) -> Result<(Truth, Outcome)> {
    let (truth, outcome, ()) = run_watched(spec, options, |_| Ok(()))?;
    Ok((truth, outcome))
}

/// As [`run`], with something that `watch` starts once the workers are there, and that is there to be asked when all is
/// over.
///
/// # Errors
/// As [`run`].
pub fn run_watched<T>(
    spec: &FleetSpec,
    options: &RunOptions,
    watch: impl FnOnce(&Plant) -> Result<T>,
) -> Result<(Truth, Outcome, T)> {
    let fleet = Fleet::new(spec.clone())?;
    let mut plant = Plant::with_topics(options.partitions)?;
    for topic in [CHUNKS, FEATURES] {
        let alter = ["--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", RETENTION];
        plant.cluster.tool("kafka.admin.ConfigCommand", &alter)?;
    }
    let training_took = learn(&plant, spec, options.training_clips)?;
    plant.start_workers(&options.settings)?;

    let watching = watch(&plant)?;
    let followed = Followed::start(&plant.cluster.kcat())?;
    let begun = Instant::now();
    let mut retraining = Retraining::of(spec, &fleet, options);
    let sent = send(&mut plant, &fleet, &followed, &mut retraining, options.rate_per_s)?;
    let waiting = wait_for(&mut plant, &followed, sent);
    let took = begun.elapsed();
    let kcat = plant.cluster.kcat();
    let letters = kcat.consume(DEAD_LETTERS)?;
    let dead_letters: Vec<String> =
        letters.iter().filter_map(|letter| letter.header("auscult_dead_letter_code")).map(str::to_owned).collect();
    if dead_letters.is_empty() {
        waiting?;
    }
    let alerts = kcat.consume(ALERTS)?;
    let alerts = alerts.iter().map(|record| serde_json::from_value(record.json()?).context("reading an alert"));
    let alerts = alerts.collect::<Result<_>>()?;
    let scores = followed.take()?;
    let retrained = retraining.and_then(|due| due.said);
    let outcome = Outcome { scores, alerts, dead_letters, took, training_took, retrained };
    Ok((fleet.truth(), outcome, watching))
}

/// As an operator would: normal sound into a folder, and a model for each machine of it.
fn learn(plant: &Plant, spec: &FleetSpec, clips: u64) -> Result<Duration> {
    let begun = Instant::now();
    let scenario = plant.folder().join("scenario.toml");
    std::fs::write(&scenario, toml::to_string(spec)?)?;
    let (scenario, clips) = (scenario.display().to_string(), clips.to_string());
    let sound = plant.folder().join("sound").display().to_string();
    plant.auscult(&["simulate", "--scenario", &scenario, "--train", &sound, "--training-clips", &clips])?;
    plant.auscult(&["train", &sound, "--out", &plant.models().display().to_string()])?;
    std::fs::remove_dir_all(&sound)?;
    Ok(begun.elapsed())
}

/// When and from what the machines are learnt anew.
struct Retraining {
    since: Timestamp,
    at: Timestamp,
    /// What the command said, once it has been done.
    said: Option<String>,
}

impl Retraining {
    fn of(spec: &FleetSpec, fleet: &Fleet, options: &RunOptions) -> Option<Self> {
        let at_h = options.retrain_h?;
        let changed_h = spec.environment.iter().map(|change| change.from_h).filter(|from_h| *from_h < at_h);
        let since = fleet.time(changed_h.fold(0.0, f64::max));
        Some(Self { since, at: fleet.time(at_h), said: None })
    }

    /// As an operator would: the command, and the workers take the models over while they run.
    fn retrain(&mut self, plant: &Plant) -> Result<()> {
        let (since, before) = (self.since.to_string(), self.at.to_string());
        let models = plant.models().display().to_string();
        let arguments = ["retrain", "--since", &since, "--until", &before, "--out", &models, "--clips", "100"];
        let said = plant.auscult(&arguments)?;
        std::thread::sleep(NOTICED);
        self.said = said.lines().last().map(str::to_owned);
        Ok(())
    }
}

fn send(
    plant: &mut Plant,
    fleet: &Fleet,
    followed: &Followed,
    retraining: &mut Option<Retraining>,
    rate_per_s: Option<f64>,
) -> Result<u64> {
    let config = KafkaConfig { brokers: plant.cluster.bootstrap(), ..KafkaConfig::default() };
    let producer = GatewayProducer::new(&config, "auscult-simulate")?;
    let (mut sent, begun) = (0, Instant::now());
    fleet.play(|chunk| {
        if sent >= UNDER_WAY {
            wait_for(plant, followed, sent - UNDER_WAY)?;
        }
        if let Some(due) = retraining.as_mut().filter(|due| due.said.is_none() && chunk.planned.time >= due.at) {
            producer.flush(Duration::from_secs(60))?;
            wait_for(plant, followed, sent)?;
            due.retrain(plant)?;
        }
        if let Some(rate_per_s) = rate_per_s {
            let due = begun + Duration::from_secs_f64(sent as f64 / rate_per_s);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        producer.send(&chunk_record(&fleet.envelope(&chunk.planned)?, chunk.wav, None))?;
        sent += 1;
        anyhow::Ok(ControlFlow::Continue(()))
    })?;
    producer.flush(Duration::from_secs(60))?;
    Ok(sent)
}

/// Waits until there are so many scores.
fn wait_for(plant: &mut Plant, followed: &Followed, needed: u64) -> Result<()> {
    let (mut latest, mut since) = (followed.count(), Instant::now());
    while latest < needed {
        std::thread::sleep(Duration::from_millis(2));
        let count = followed.count();
        if count > latest {
            (latest, since) = (count, Instant::now());
            continue;
        }
        for worker in &mut plant.workers {
            worker.process().ensure_running()?;
        }
        ensure!(since.elapsed() < STANDSTILL, "no new score for {STANDSTILL:?}: {latest} of {needed}");
    }
    Ok(())
}
