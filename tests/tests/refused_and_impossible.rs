//! What no broker takes and what no clock says, on real Kafka: records with impossible times, results and letters that
//! are refused, markers that expire. None of them stops a partition, and a worker that really stands still says so and
//! ends.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::{GatewayProducer, GatewayRecord, GroupPositions};
use auscult_schemas::topics::{CHUNKS, DEAD_LETTERS, FEATURES, SCORES};
use auscult_schemas::{DeadLetter, Headers};
use auscult_tests::load::{train_model, write_training_sound};
use auscult_tests::{KafkaCluster, KcatRecord, Worker, run_auscult, until};
use bytes::Bytes;
use jiff::Timestamp;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(90);

struct Scene {
    features: Worker,
    scoring: Worker,
    sound: Vec<u8>,
    brokers: String,
    cluster: KafkaCluster,
    _folder: TempDir,
}

impl Scene {
    fn start(settings: &[(&str, &str)]) -> Result<Self> {
        let cluster = KafkaCluster::start(1)?;
        let brokers = cluster.bootstrap();
        run_auscult(&brokers, &["topics", "create", "--partitions", "2", "--replication", "1"])?;
        // As topics are that were made by others: the times of gateways count, and any is taken.
        alter(&cluster, CHUNKS, "message.timestamp.type=CreateTime")?;
        alter(&cluster, CHUNKS, "message.timestamp.after.max.ms=9223372036854775807")?;
        let folder = tempfile::tempdir()?;
        let model = folder.path().join("model.safetensors");
        train_model(&model, 0)?;
        write_training_sound(folder.path(), 1)?;
        let sound = std::fs::read(folder.path().join("train/normal/000.wav"))?;
        let (features, scoring) = workers(&brokers, &model, settings, folder.path())?;
        Ok(Self { features, scoring, sound, brokers, cluster, _folder: folder })
    }

    fn send(&self, key: &str, value: &[u8], headers: &[(&str, &str)], timestamp_ms: Option<i64>) -> Result<()> {
        let config = KafkaConfig { brokers: self.brokers.clone(), ..KafkaConfig::default() };
        let gateway = GatewayProducer::new(&config, "test")?;
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), Some(Bytes::from((*value).to_owned()))));
        gateway.send(&GatewayRecord {
            topic: CHUNKS.to_owned(),
            partition: Some(0),
            key: Some(Bytes::from(key.to_owned())),
            value: Some(Bytes::copy_from_slice(value)),
            headers: Headers(headers.collect()),
            timestamp_ms,
        })?;
        gateway.flush(LIMIT)?;
        Ok(())
    }

    fn wait_for(&self, topic: &str, count: usize) -> Result<Vec<KcatRecord>> {
        let mut found = 0;
        until(&format!("{count} records of {topic}"), LIMIT, || {
            let records = self.cluster.kcat().consume(topic)?;
            found = records.len();
            ensure!(found <= count, "{found} records of {topic}");
            Ok((found == count).then_some(records))
        })
        .with_context(|| format!("there are {found}"))
    }
}

fn workers(brokers: &str, model: &Path, settings: &[(&str, &str)], folder: &Path) -> Result<(Worker, Worker)> {
    let model = model.display().to_string();
    let mut features = Worker::start("features", &["feature-worker"], brokers, settings, folder)?;
    let scoring = ["scoring-worker", "--default-model", &model, "--device", "cpu"];
    let mut scoring = Worker::start("scoring", &scoring, brokers, settings, folder)?;
    features.wait_until_ready(LIMIT)?;
    scoring.wait_until_ready(LIMIT)?;
    Ok((features, scoring))
}

/// A worker may be ready before it has any partition: the group may have more workers than partitions.
fn wait_until_restored(worker: &Worker) -> Result<()> {
    until("both partitions to be restored", LIMIT, || {
        let restored = worker.metrics().ok().and_then(|metrics| metrics.sum("auscult_restore_seconds_count", &[]));
        Ok((restored >= Some(2.0)).then_some(()))
    })
}

fn alter(cluster: &KafkaCluster, topic: &str, setting: &str) -> Result<()> {
    let arguments = ["--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", setting];
    cluster.tool("kafka.admin.ConfigCommand", &arguments)?;
    Ok(())
}

fn letter(record: &KcatRecord) -> Result<DeadLetter> {
    const OWN: [&str; 13] = [
        "code",
        "detail",
        "topic",
        "partition",
        "offset",
        "worker",
        "time",
        "value_omitted",
        "trace_id",
        "timestamp_ms",
        "value_bytes",
        "value_sha256",
        "omitted",
    ];
    let mut headers = Headers::default();
    for name in OWN.map(|name| format!("auscult_dead_letter_{name}")) {
        if let Some(value) = record.header(&name) {
            headers.push(name, value.to_owned());
        }
    }
    Ok(DeadLetter::read(&headers)?)
}

#[test]
fn records_with_impossible_times_are_judged_under_the_time_of_arrival_and_their_letters_can_be_written() -> Result<()> {
    let mut scene = Scene::start(&[])?;
    let begun = Timestamp::now();
    let now_ms = begun.as_millisecond();
    let sound = scene.sound.clone();
    // 1970, seconds for milliseconds, two hours ahead, microseconds.
    let told = [1, now_ms / 1000, now_ms + 7_200_000, now_ms * 1000];
    for (number, timestamp_ms) in told.into_iter().enumerate() {
        scene.send(&format!("fan-{number}"), &sound, &[], Some(timestamp_ms))?;
    }
    for (number, ce_time) in ["yesterday", "1970-01-01T00:00:00Z", "9999-01-01T00:00:00Z"].into_iter().enumerate() {
        scene.send(&format!("pump-{number}"), &sound, &[("ce_time", ce_time)], None)?;
    }
    scene.send("late", b"no sound", &[("content-type", "audio/wav")], Some(now_ms + 7_200_000))?;
    scene.send("sound", &sound, &[], None)?;

    for score in scene.wait_for(SCORES, 8)? {
        let time: Timestamp = score.json()?["time"].as_str().context("a time")?.parse()?;
        let away = time.duration_since(begun).as_secs();
        ensure!((-60..=120).contains(&away), "{:?} was judged under {time}", score.key);
    }
    let letters = scene.wait_for(DEAD_LETTERS, 1)?;
    ensure!((letters[0].timestamp_ms - now_ms).abs() < 120_000, "the letter's own time is {}", letters[0].timestamp_ms);
    ensure!(letter(&letters[0])?.timestamp_ms == Some(now_ms + 7_200_000));
    let metrics = scene.features.metrics()?;
    let counted = |doubt: &str| metrics.sum("auscult_doubtful_times_total", &[("doubt", doubt)]);
    let counts = [counted("past"), counted("future"), counted("unreadable")];
    ensure!(counts == [Some(3.0), Some(4.0), Some(1.0)], "{counts:?}");
    ensure!(scene.features.is_ready() && metrics.sum("auscult_aborts_total", &[]) == Some(0.0));
    let log = scene.features.process().log();
    ensure!(log.matches("a record's time cannot be").count() == 8, "once of each machine");
    Ok(())
}

#[test]
fn what_a_topic_refuses_becomes_a_letter_and_a_letter_that_is_refused_a_smaller_one() -> Result<()> {
    let mut scene = Scene::start(&[])?;
    let sound = scene.sound.clone();
    scene.send("fan-1", &sound, &[], None)?;
    scene.wait_for(SCORES, 1)?;
    // Narrowed while the workers run: one that starts refuses such topics.
    alter(&scene.cluster, FEATURES, "max.message.bytes=2000")?;
    alter(&scene.cluster, DEAD_LETTERS, "max.message.bytes=4000")?;
    std::thread::sleep(Duration::from_secs(2));
    let noise: String = (0..20_000_u32)
        .map(|n| char::from(b'!' + u8::try_from(n.wrapping_mul(2_654_435_761) >> 26).unwrap()))
        .collect();
    scene.send("fan-1", &sound, &[("mark", "unwritable")], None)?;
    scene.send("fan-1", b"no sound", &[("content-type", "audio/wav"), ("mark", &noise)], None)?;
    scene.send("fan-1", b"no sound", &[("content-type", "audio/wav"), ("mark", "small")], None)?;
    let letters: Vec<DeadLetter> = scene.wait_for(DEAD_LETTERS, 3)?.iter().map(letter).collect::<Result<_>>()?;
    let by_offset: BTreeMap<i64, &DeadLetter> = letters.iter().map(|letter| (letter.source.offset, letter)).collect();
    let found: Vec<&&DeadLetter> = by_offset.values().collect();
    ensure!(found[0].code.as_str() == "output_refused" && found[0].detail.contains(FEATURES), "{:?}", found[0]);
    ensure!(found[0].value_bytes == Some(sound.len() as u64), "{:?}", found[0]);
    ensure!(found[0].value_sha256.as_deref() == Some(DeadLetter::sha256_of(&sound).as_str()));
    ensure!(found[1].code.as_str() == "not_audio" && found[1].omitted.is_some(), "{:?}", found[1]);
    ensure!(found[2].code.as_str() == "not_audio" && !found[2].value_omitted, "{:?}", found[2]);

    // Wide again, and everything goes on.
    alter(&scene.cluster, FEATURES, "max.message.bytes=8388608")?;
    std::thread::sleep(Duration::from_secs(1));
    scene.send("fan-1", &sound, &[], None)?;
    scene.wait_for(SCORES, 2)?;
    ensure!(scene.features.is_ready());
    Ok(())
}

#[test]
fn a_worker_whose_transactions_are_all_aborted_says_so_and_ends_with_the_reason() -> Result<()> {
    let settings = [("AUSCULT__LIMITS__STALL_UNREADY_MS", "3000"), ("AUSCULT__LIMITS__STALL_EXIT_MS", "9000")];
    let mut scene = Scene::start(&settings)?;
    // No letter is small enough for this, though the marker of a transaction is.
    alter(&scene.cluster, DEAD_LETTERS, "max.message.bytes=200")?;
    std::thread::sleep(Duration::from_secs(2));
    scene.send("fan-1", b"no sound", &[("content-type", "audio/wav")], None)?;
    until("the worker to say that it is not ready", LIMIT, || Ok((!scene.features.is_ready()).then_some(())))?;
    until("the worker to end", LIMIT, || Ok(scene.features.process().ensure_running().is_err().then_some(())))?;
    let log = scene.features.process().log();
    ensure!(log.contains("aborts in a row and no commit in between"), "{log}");
    ensure!(log.contains("audio.dead-letters") && log.contains("the worker stands still and ends"), "{log}");
    // The wait between two tries doubles: some fifteen in nine seconds, where a hot loop makes hundreds.
    let aborts = log.matches("commit failed; the batch is done again").count();
    ensure!((4..40).contains(&aborts), "{aborts} aborts");
    ensure!(scene.scoring.is_ready());
    Ok(())
}

#[test]
fn markers_are_passed_so_that_lag_rests_and_none_that_expires_is_a_loss() -> Result<()> {
    let mut scene = Scene::start(&[])?;
    let sound = scene.sound.clone();
    scene.send("fan-1", &sound, &[], None)?;
    scene.wait_for(SCORES, 1)?;
    let config = KafkaConfig { brokers: scene.brokers.clone(), ..KafkaConfig::default() };
    let positions = GroupPositions::new(&config, "auscult-scoring-worker")?;
    let place = (FEATURES.to_owned(), 0);
    until("the marker to be passed", LIMIT, || {
        let end = scene.cluster.kcat().ends(std::slice::from_ref(&place))?[&place];
        Ok((end == 2 && positions.committed(&[FEATURES])?.get(&place) == Some(&end)).then_some(()))
    })?;
    ensure!(scene.scoring.metrics()?.sum("auscult_commits_total", &[]) >= Some(1.0));
    // As retention does, with the worker away.
    scene.scoring.process().terminate(LIMIT)?;
    let offsets = scene.cluster.folder().join("delete.json");
    std::fs::write(
        &offsets,
        format!(r#"{{"partitions":[{{"topic":"{FEATURES}","partition":0,"offset":2}}],"version":1}}"#),
    )?;
    let arguments = ["--offset-json-file", &offsets.display().to_string()];
    scene.cluster.tool("org.apache.kafka.tools.DeleteRecordsCommand", &arguments)?;
    let folder = tempfile::tempdir()?;
    let model = folder.path().join("model.safetensors");
    train_model(&model, 0)?;
    let arguments = ["scoring-worker", "--default-model", &model.display().to_string(), "--device", "cpu"];
    let mut again = Worker::start("scoring-1", &arguments, &scene.brokers, &[], folder.path())?;
    wait_until_restored(&again)?;
    ensure!(again.metrics()?.sum("auscult_expired_offsets_total", &[]) == Some(0.0));

    // A real loss is counted once: the position behind it is committed, though nothing has come since.
    again.process().terminate(LIMIT)?;
    let gateway = GatewayProducer::new(&config, "test")?;
    for _ in 0..5 {
        gateway.send(&GatewayRecord {
            topic: FEATURES.to_owned(),
            partition: Some(0),
            key: Some(Bytes::from_static(b"fan-1")),
            value: Some(Bytes::from_static(b"unread")),
            headers: Headers::default(),
            timestamp_ms: None,
        })?;
    }
    gateway.flush(LIMIT)?;
    std::fs::write(
        &offsets,
        format!(r#"{{"partitions":[{{"topic":"{FEATURES}","partition":0,"offset":7}}],"version":1}}"#),
    )?;
    let delete = ["--offset-json-file", &offsets.display().to_string()];
    scene.cluster.tool("org.apache.kafka.tools.DeleteRecordsCommand", &delete)?;
    for lost in [5.0, 0.0] {
        let mut next = Worker::start("scoring-1", &arguments, &scene.brokers, &[], folder.path())?;
        wait_until_restored(&next)?;
        ensure!(next.metrics()?.sum("auscult_expired_offsets_total", &[]) == Some(lost), "{lost} were lost");
        until("the position to be committed", LIMIT, || {
            Ok((positions.committed(&[FEATURES])?.get(&place) == Some(&7)).then_some(()))
        })?;
        next.process().terminate(LIMIT)?;
    }
    Ok(())
}
