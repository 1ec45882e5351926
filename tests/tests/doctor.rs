//! `auscult doctor` on real Kafka: what is as it must be is told so, and each thing that is broken is named with what
//! to do.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use auscult_schemas::topics::{ALL, CHUNKS, DEAD_LETTERS, FEATURES, SCORER_STATE, SCORES};
use auscult_tests::load::{Load, LoadSpec, train_model};
use auscult_tests::{KafkaCluster, Worker, auscult_binary, free_ports, run_auscult, until};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(90);

/// What the doctor said, and whether it was content.
#[derive(Debug)]
struct Told {
    is_content: bool,
    checks: Vec<Value>,
}

impl Told {
    /// What was said of all checks of this outcome, with their names.
    fn all(&self, outcome: &str) -> Vec<String> {
        let meant = self.checks.iter().filter(|check| check["outcome"] == outcome);
        meant
            .map(|check| format!("{}/{}: {}", check["group"], check["check"], check["says"]).replace('"', ""))
            .collect()
    }

    fn ensure(&self, outcome: &str, group: &str, words: &str) -> Result<()> {
        let said = self.all(outcome);
        let is_said = said.iter().any(|line| line.starts_with(&format!("{group}/")) && line.contains(words));
        ensure!(is_said, "{outcome} of {group}: {words:?} was expected among {:#?}", self.checks);
        Ok(())
    }
}

fn doctor(brokers: &str, arguments: &[&str]) -> Result<Told> {
    let mut command = Command::new(auscult_binary()?);
    command.args(["doctor", "--json", "--brokers", brokers]).args(arguments);
    let output = command.output().context("running auscult doctor")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_str(&printed).with_context(|| format!("{printed}{errors}"))?;
    let is_content = output.status.success();
    ensure!(report["sound"] == is_content, "the exit status is what the report says: {report:#}");
    let checks = report["checks"].as_array().cloned().context("no checks")?;
    let says_what_to_do = |check: &Value| check["outcome"] == "wrong" && check["todo"] == "";
    ensure!(!checks.iter().any(says_what_to_do), "what is wrong comes with what to do: {checks:#?}");
    Ok(Told { is_content, checks })
}

#[test]
fn a_healthy_installation_is_ok_throughout_and_stays_as_it_was() -> Result<()> {
    let cluster = KafkaCluster::start(3)?;
    let brokers = cluster.bootstrap();
    run_auscult(&brokers, &["topics", "create", "--partitions", "2", "--replication", "3"])?;
    let folder = tempfile::tempdir()?;
    let model = folder.path().join("model.safetensors");
    train_model(&model, 0)?;
    let model = model.display().to_string();
    let scoring = ["scoring-worker", "--default-model", &model, "--device", "cpu"];
    let mut workers = [
        Worker::start("features", &["feature-worker"], &brokers, &[], folder.path())?,
        Worker::start("scoring", &scoring, &brokers, &[], folder.path())?,
    ];
    for worker in &mut workers {
        worker.wait_until_ready(LIMIT)?;
    }
    let spec = LoadSpec {
        seed: 5,
        machines: 4,
        chunks: 40,
        rate_per_s: 1_000.0,
        prefix: "well".to_owned(),
        poison_share: 0.0,
        control_share: 0.0,
    };
    Load::plan(&spec).send(&brokers, &AtomicBool::new(false))?;
    let kcat = cluster.kcat();
    until("every chunk to have a score", LIMIT, || Ok((kcat.consume(SCORES)?.len() == 40).then_some(())))?;

    let places: Vec<(String, i32)> =
        ALL.iter().flat_map(|topic| [0, 1].map(|partition| (topic.name.to_owned(), partition))).collect();
    let before = kcat.ends(&places)?;
    let told = doctor(&brokers, &["--default-model", &model, "--strict", "--try-writing"])?;
    ensure!(told.is_content, "{:#?}", told.checks);
    ensure!(told.all("wrong").is_empty() && told.all("warning").is_empty(), "{:#?}", told.checks);
    ensure!(told.all("unknown").len() == 1, "all but one thing can be told: {:#?}", told.all("unknown"));
    told.ensure("unknown", "rights", "/readyz")?;
    for (group, words) in [
        ("brokers", "3 brokers answer"),
        ("brokers", "Kafka 4.0 or later"),
        ("brokers", "remembered for 7 days"),
        ("topics", "all 10 are there with 2 partitions each"),
        ("topics", "one broker may be lost"),
        ("topics", "dead letters for 14 days"),
        ("rights", "may describe and read audio.chunks, audio.features, audio.scorer-state"),
        ("rights", "may write to audio.alerts"),
        ("groups", "auscult-feature-worker: 1 worker"),
        ("groups", "auscult-scoring-worker: nothing waits in audio.features"),
        ("groups", "no transaction holds up readers"),
        ("clocks", "ahead of this machine's clock"),
        ("machines", "all 4 machines that were seen have a model, 4 of them the default one"),
        ("machines", "what their models were trained on"),
    ] {
        told.ensure("ok", group, words)?;
    }
    ensure!(kcat.ends(&places)? == before, "the doctor has changed something");

    // What a person sees.
    let lines = run_auscult(&brokers, &["doctor", "--default-model", &model])?;
    ensure!(lines.contains("  ok       reachable") && lines.contains(" 0 wrong"), "{lines}");

    // A worker that has gone.
    workers[1].process().terminate(LIMIT)?;
    let told = doctor(&brokers, &["--default-model", &model])?;
    ensure!(!told.is_content);
    told.ensure("wrong", "groups", "auscult-scoring-worker has no member")
}

#[test]
fn brokers_that_do_not_answer_are_told_within_seconds() -> Result<()> {
    let port = free_ports(1)?[0];
    let begun = Instant::now();
    let told = doctor(&format!("127.0.0.1:{port}"), &[])?;
    ensure!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    ensure!(!told.is_content && told.checks.len() == 1, "{:#?}", told.checks);
    told.ensure("wrong", "brokers", "is kafka.brokers right")
}

#[test]
fn each_thing_that_is_broken_is_named() -> Result<()> {
    let cluster = KafkaCluster::start(1)?;
    let brokers = cluster.bootstrap();
    let folder = tempfile::tempdir()?;
    let models = folder.path().display().to_string();

    let told = doctor(&brokers, &[])?;
    ensure!(!told.is_content);
    for topic in ALL {
        told.ensure("wrong", "topics", &format!("{}: it does not exist", topic.name))?;
    }

    run_auscult(&brokers, &["topics", "create", "--partitions", "2", "--replication", "1"])?;
    let told = doctor(&brokers, &["--models", &models])?;
    ensure!(!told.is_content, "there are no workers");
    told.ensure("wrong", "groups", "auscult-feature-worker does not exist")?;
    told.ensure("warning", "topics", "all topics have one copy")?;
    told.ensure("unknown", "machines", "no machine has been heard yet")?;

    let alter = |topic: &str, setting: &str| {
        let arguments = ["--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", setting];
        cluster.tool("kafka.admin.ConfigCommand", &arguments)
    };
    alter(CHUNKS, "retention.ms=60000")?;
    alter(DEAD_LETTERS, "retention.ms=3600000")?;
    alter(SCORES, "max.message.bytes=1048588")?;
    alter(SCORER_STATE, "cleanup.policy=delete")?;
    cluster.tool("org.apache.kafka.tools.TopicCommand", &["--alter", "--topic", FEATURES, "--partitions", "3"])?;

    // Sound that nobody takes.
    let spec = LoadSpec {
        seed: 6,
        machines: 1,
        chunks: 5,
        rate_per_s: 1_000.0,
        prefix: "stranger".to_owned(),
        poison_share: 0.0,
        control_share: 0.0,
    };
    Load::plan(&spec).send(&brokers, &AtomicBool::new(false))?;
    let told = until("the lag to be told", LIMIT, || {
        let told = doctor(&brokers, &["--models", &models, "--lag", "0s"])?;
        let is_seen = told.all("wrong").iter().any(|line| line.starts_with("groups/lag"));
        Ok(is_seen.then_some(told))
    })?;
    for (outcome, group, words) in [
        ("wrong", "topics", "audio.chunks is kept for 60 s"),
        ("warning", "topics", "audio.dead-letters is kept for 60 minutes"),
        ("wrong", "topics", "audio.scores: its largest message is 1048588 bytes"),
        ("wrong", "topics", "audio.scorer-state: its cleanup.policy is"),
        ("wrong", "topics", "audio.chunks: it has 2 partitions where another of the topics has 3"),
        ("wrong", "groups", "up to 5 records wait in audio.chunks"),
    ] {
        told.ensure(outcome, group, words)?;
    }

    // Timeouts that the broker does not allow.
    let long = ["--set", "kafka.transaction_timeout_ms=900000"];
    let told = doctor(&brokers, &long)?;
    told.ensure("ok", "brokers", "transactions may take kafka.transaction_timeout_ms")
}

#[test]
fn a_machine_without_a_model_is_named() -> Result<()> {
    let cluster = KafkaCluster::start(1)?;
    let brokers = cluster.bootstrap();
    run_auscult(&brokers, &["topics", "create", "--partitions", "2", "--replication", "1"])?;
    let folder = tempfile::tempdir()?;
    let models = folder.path().display().to_string();
    let mut worker = Worker::start("features", &["feature-worker"], &brokers, &[], folder.path())?;
    worker.wait_until_ready(LIMIT)?;
    let spec = LoadSpec {
        seed: 7,
        machines: 2,
        chunks: 20,
        rate_per_s: 1_000.0,
        prefix: "stranger".to_owned(),
        poison_share: 0.0,
        control_share: 0.0,
    };
    Load::plan(&spec).send(&brokers, &AtomicBool::new(false))?;
    let kcat = cluster.kcat();
    until("features to be there", LIMIT, || Ok((kcat.consume(FEATURES)?.len() == 20).then_some(())))?;
    let told = doctor(&brokers, &["--models", &models])?;
    told.ensure("wrong", "machines", "2 of 2 machines have no model: stranger-m")?;

    let machine = kcat.consume(FEATURES)?[0].key.clone().context("features have a key")?;
    train_model(&folder.path().join(format!("{machine}.safetensors")), 0)?;
    let told = doctor(&brokers, &["--models", &models])?;
    told.ensure("wrong", "machines", "1 of 2 machines have no model")
}
