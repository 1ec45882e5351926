//! A machine lives where its gateway's partitioner has put it: whoever speaks to it finds it there, and one that is on
//! two partitions is told of.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::{GatewayProducer, GatewayRecord, ReadFrom, TopicReader};
use auscult_schemas::topics::{AUDIT, CHUNKS, DEAD_LETTERS, FEATURES, SCORES};
use auscult_schemas::{Headers, JsonMessage, Score};
use auscult_tests::load::{train_model, write_training_sound};
use auscult_tests::{KafkaCluster, KcatRecord, Worker, auscult_binary, run_auscult, until};
use bytes::Bytes;

const LIMIT: Duration = Duration::from_secs(120);

struct Scene {
    cluster: KafkaCluster,
    folder: tempfile::TempDir,
    sound: Vec<u8>,
    workers: Vec<Worker>,
}

impl Scene {
    fn start() -> Result<Self> {
        let cluster = KafkaCluster::start(1)?;
        run_auscult(&cluster.bootstrap(), &["topics", "create", "--partitions", "4", "--replication", "1"])?;
        let folder = tempfile::tempdir()?;
        let model = folder.path().join("all.safetensors");
        train_model(&model, 0)?;
        let recordings = folder.path().join("recordings");
        write_training_sound(&recordings, 1)?;
        let sound = std::fs::read(first_wav(&recordings)?)?;
        let brokers = cluster.bootstrap();
        let model = model.display().to_string();
        let mut workers = vec![
            Worker::start("features", &["feature-worker"], &brokers, &[], folder.path())?,
            Worker::start(
                "scoring",
                &["scoring-worker", "--default-model", &model, "--device", "cpu"],
                &brokers,
                &[],
                folder.path(),
            )?,
        ];
        for worker in &mut workers {
            worker.wait_until_ready(LIMIT)?;
        }
        Ok(Self { cluster, folder, sound, workers })
    }

    fn config(&self) -> KafkaConfig {
        KafkaConfig { brokers: self.cluster.bootstrap(), ..KafkaConfig::default() }
    }

    fn send(
        &self,
        key: Option<&str>,
        partition: Option<i32>,
        headers: &[(&str, Option<&str>)],
        value: &[u8],
    ) -> Result<()> {
        let producer = GatewayProducer::new(&self.config(), "test")?;
        let owned = |text: &str| Bytes::from(text.to_owned());
        producer.send(&GatewayRecord {
            topic: CHUNKS.to_owned(),
            partition,
            key: key.map(owned),
            value: Some(Bytes::from(value.to_vec())),
            headers: Headers(headers.iter().map(|(name, value)| ((*name).to_owned(), value.map(owned))).collect()),
            timestamp_ms: None,
        })?;
        Ok(producer.flush(Duration::from_secs(30))?)
    }

    fn auscult(&self, arguments: &[&str]) -> Result<String> {
        run_auscult(&self.cluster.bootstrap(), arguments)
    }

    /// What a command printed and complained of, whatever came of it.
    fn said(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let mut command = std::process::Command::new(auscult_binary()?);
        let output = command.args(arguments).env("AUSCULT__KAFKA__BROKERS", self.cluster.bootstrap()).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Ok((output.status.success(), text))
    }

    fn await_records(&self, topic: &str, count: usize) -> Result<Vec<KcatRecord>> {
        until(&format!("{count} records of {topic}"), LIMIT, || {
            let records = self.cluster.kcat().consume(topic)?;
            Ok((records.len() >= count).then_some(records))
        })
    }
}

fn first_wav(folder: &Path) -> Result<std::path::PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wav") {
                return Ok(path);
            }
        }
    }
    anyhow::bail!("no recording was written")
}

#[test]
fn a_machine_is_spoken_to_where_it_lives_and_told_of_when_it_lives_twice() -> Result<()> {
    let scene = Scene::start()?;
    let kcat = scene.cluster.kcat();
    // Every partition, whatever the ids' hashes are.
    let machines = [("fan-0", 0), ("fan-1", 1), ("fan-2", 2), ("fan-3", 3)];
    for (machine, partition) in machines {
        scene.send(Some(machine), Some(partition), &[], &scene.sound)?;
    }
    scene.await_records(SCORES, 4)?;

    // Found, done, and said where.
    for (machine, partition) in machines {
        let said = scene.auscult(&["control", machine, "mute", "--by", "ada", "--wait", "90s"])?;
        ensure!(said.contains(&format!("done, on partition {partition}: mute of {machine}")), "{said}");
    }
    for audit in kcat.consume(AUDIT)? {
        let machine = audit.key.clone().unwrap_or_default();
        ensure!(machines.contains(&(machine.as_str(), audit.partition)), "{audit:?}");
        ensure!(audit.json()?["after"]["muted"] == true, "{audit:?}");
    }
    // A worker's refusal is the command's.
    let (is_done, said) = scene.said(&["control", "fan-0", "acknowledge", "--by", "ada", "--wait", "90s"])?;
    ensure!(!is_done && said.contains("was refused on partition 0: invalid_control"), "{said}");
    // Nobody answers for a machine that was never heard.
    let (is_done, said) = scene.said(&["control", "fan-o", "mute", "--by", "ada"])?;
    ensure!(!is_done && said.contains("fan-o was never heard") && said.contains("did you mean fan-0"), "{said}");

    // The gateway follows the machine, and chooses as kcat does where it is new.
    let file = scene.folder.path().join("clip.wav");
    std::fs::write(&file, &scene.sound)?;
    let file = file.display().to_string();
    for (machine, _) in machines {
        scene.auscult(&["send", &file, "--machine", machine])?;
    }
    for number in 0..6 {
        let machine = format!("new-{number}");
        scene.auscult(&["send", &file, "--machine", &machine])?;
        kcat.produce(CHUNKS, Some(&machine), &[], &scene.sound)?;
    }
    for chunk in kcat.consume(CHUNKS)? {
        let machine = chunk.key.clone().unwrap_or_default();
        if let Some((_, partition)) = machines.iter().find(|(known, _)| *known == machine) {
            ensure!(chunk.partition == *partition, "{machine} was sent to {}", chunk.partition);
        }
    }
    let scores = scene.await_records(SCORES, 20)?;
    for number in 0..6 {
        let machine = format!("new-{number}");
        let own = scores.iter().filter(|score| score.key.as_deref() == Some(machine.as_str()));
        let partitions: std::collections::BTreeSet<i32> = own.map(|score| score.partition).collect();
        ensure!(partitions.len() == 1, "kcat and `auscult send` put {machine} on {partitions:?}");
    }
    let (_, said) = scene.said(&["doctor"])?;
    ensure!(said.contains("each of 10 machines lives on one partition"), "{said}");

    // A second gateway with another partitioner.
    for turn in 0..3 {
        scene.send(Some("fan-1"), Some([3, 1][turn % 2]), &[], &scene.sound)?;
        scene.await_records(SCORES, 21 + turn)?;
    }
    until("the worker to notice", LIMIT, || {
        let found = scene.workers[1].metrics()?.sum("auscult_machines_on_two_partitions", &[]);
        Ok(found.filter(|count| *count > 0.5))
    })?;
    let (_, said) = scene.said(&["doctor"])?;
    ensure!(said.contains("1 of 10 machines are heard on two partitions or more: fan-1 on"), "{said}");
    let (is_done, said) = scene.said(&["control", "fan-1", "unmute", "--by", "ada", "--wait", "90s"])?;
    ensure!(said.contains("warning: fan-1 lives on partitions") && said.contains("done, on partition 1"), "{said}");
    ensure!(is_done && said.contains("done, on partition 3"), "{said}");
    // Mended: the state that was left behind is retired, there alone.
    let said = scene.auscult(&["control", "fan-1", "retire", "--partition", "3", "--by", "ada", "--wait", "90s"])?;
    ensure!(said.contains("done, on partition 3") && !said.contains("partition 1"), "{said}");
    until("the worker to see it mended", LIMIT, || {
        let found = scene.workers[1].metrics()?.sum("auscult_machines_on_two_partitions", &[]);
        Ok(found.filter(|count| *count < 0.5))
    })?;
    let (_, said) = scene.said(&["doctor"])?;
    ensure!(said.contains("each of 10 machines lives on one partition"), "{said}");
    Ok(())
}

#[test]
fn records_without_a_key_null_headers_and_structured_events_are_what_they_are() -> Result<()> {
    let scene = Scene::start()?;
    let kcat = scene.cluster.kcat();
    scene.send(
        Some("fan-1"),
        Some(2),
        &[("ce_id", Some("keyed")), ("ce_time", None), ("content-type", None)],
        &scene.sound,
    )?;
    let scores = scene.await_records(SCORES, 1)?;
    ensure!(Score::decode(scores[0].payload.clone().unwrap_or_default().as_bytes())?.chunk_id.0 == "keyed");

    // As CloudEvents SDKs send it unless told otherwise.
    let subject = [
        ("ce_subject", Some("fan-1")),
        ("ce_id", Some("keyless")),
        ("site", None),
        ("content-type", Some("audio/wav")),
    ];
    scene.send(None, Some(0), &subject, &scene.sound)?;
    let letters = scene.await_records(DEAD_LETTERS, 1)?;
    ensure!(letters[0].header("auscult_dead_letter_code") == Some("invalid_envelope"), "{letters:?}");
    let detail = letters[0].header("auscult_dead_letter_detail").unwrap_or_default();
    ensure!(detail.contains("set the record key to fan-1"), "{detail}");
    scene.auscult(&["dead-letters", "replay", "--code", "invalid_envelope"])?;
    let scores = scene.await_records(SCORES, 2)?;
    ensure!(scores.iter().all(|score| score.partition == 2), "{scores:?}");
    let chunks = TopicReader::open(&scene.config(), &[CHUNKS], ReadFrom::Beginning)?.read_to_end(LIMIT)?;
    let replayed = chunks.iter().find(|chunk| chunk.headers.get("auscult_replay_of").is_some()).context("a replay")?;
    ensure!(replayed.headers.0.contains(&("site".to_owned(), None)), "{:?}", replayed.headers);
    ensure!(replayed.key.as_deref() == Some(b"fan-1".as_slice()) && replayed.coordinates.partition == 2);

    // The same in structured mode, with the sound in base64.
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode(&scene.sound);
    let event = serde_json::json!({
        "specversion": "1.0", "id": "structured", "source": "/gateway", "type": "com.example.sound", "subject": "fan-1",
        "time": "2026-11-28T10:00:00Z", "datacontenttype": "audio/wav", "data_base64": data,
    });
    let structured = [("content-type", Some("application/cloudevents+json; charset=UTF-8"))];
    scene.send(Some("fan-1"), Some(2), &structured, event.to_string().as_bytes())?;
    let batch = [("content-type", Some("application/cloudevents-batch+json"))];
    scene.send(Some("fan-1"), Some(2), &batch, format!("[{event}]").as_bytes())?;
    let scores = scene.await_records(SCORES, 3)?;
    let ids: Vec<String> =
        scores.iter().filter_map(|score| Some(score.json().ok()?["chunk_id"].as_str()?.to_owned())).collect();
    ensure!(ids == ["keyed", "keyless", "structured"], "{ids:?}");
    let letters = scene.await_records(DEAD_LETTERS, 3)?;
    let says = |part: &str| {
        letters
            .iter()
            .any(|letter| letter.header("auscult_dead_letter_detail").is_some_and(|detail| detail.contains(part)))
    };
    ensure!(says("send each event as a record of its own"), "{letters:?}");
    ensure!(kcat.consume(FEATURES)?.len() == 3);
    Ok(())
}
