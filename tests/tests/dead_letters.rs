//! `auscult dead-letters` on real Kafka: a record that could not be processed is sent round again as it came, once.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auscult_schemas::topics::{CHUNKS, DEAD_LETTERS, FEATURES, SCORES};
use auscult_tests::load::{Load, LoadSpec, train_model};
use auscult_tests::{KafkaCluster, Worker, run_auscult, until};

const LIMIT: Duration = Duration::from_secs(90);

#[test]
fn letters_are_sent_round_again_once_and_judged_when_the_reason_is_mended() -> Result<()> {
    let cluster = KafkaCluster::start(1)?;
    let brokers = cluster.bootstrap();
    run_auscult(&brokers, &["topics", "create", "--partitions", "2", "--replication", "1"])?;
    let folder = tempfile::tempdir()?;
    let models = folder.path().join("models");
    std::fs::create_dir(&models)?;
    // One machine has a model; the other's chunks are letters until it has one, too.
    train_model(&models.join("known.safetensors"), 0)?;
    let models_text = models.display().to_string();
    let scoring = ["scoring-worker", "--models", &models_text, "--device", "cpu", "--set", "models.reload_secs=1"];
    let _features = Worker::start("features", &["feature-worker"], &brokers, &[], folder.path())?;
    let mut worker = Worker::start("scoring", &scoring, &brokers, &[], folder.path())?;
    let spec = LoadSpec {
        seed: 8,
        machines: 1,
        chunks: 6,
        rate_per_s: 1_000.0,
        prefix: "stranger".to_owned(),
        poison_share: 0.0,
        control_share: 0.0,
    };
    Load::plan(&spec).send(&brokers, &Default::default())?;
    let kcat = cluster.kcat();
    // And one that is no sound, and stays so.
    kcat.produce(CHUNKS, Some("known"), &[("content-type", "audio/wav")], b"Dear Sir or Madam")?;
    let letters = until("seven letters", LIMIT, || {
        let letters = kcat.consume(DEAD_LETTERS)?;
        Ok((letters.len() == 7).then_some(letters))
    })?;
    let machine = letters.iter().find_map(|letter| letter.key.clone().filter(|key| key != "known"));
    let machine = machine.context("letters of the stranger")?;

    let listed = run_auscult(&brokers, &["dead-letters", "list"])?;
    ensure!(
        listed.contains("7 letters") && listed.contains("not_audio") && listed.contains("unknown_machine"),
        "{listed}"
    );
    let refused = run_auscult(&brokers, &["dead-letters", "replay"]).unwrap_err().to_string();
    ensure!(refused.contains("say which letters"), "{refused}");
    let chosen = ["dead-letters", "replay", "--code", "unknown_machine", "--machine", &machine];
    let dry = run_auscult(&brokers, &[&chosen[..], &["--dry-run"]].concat())?;
    ensure!(dry.contains("6 letters would be sent"), "{dry}");
    ensure!(kcat.consume(FEATURES)?.len() == 6, "a dry run sends nothing");

    train_model(&models.join(format!("{machine}.safetensors")), 0)?;
    // Until the worker has the model, the letters would only come back. One that starts has it.
    worker.process().terminate(LIMIT)?;
    let mut worker = Worker::start("scoring", &scoring, &brokers, &[], folder.path())?;
    worker.wait_until_ready(LIMIT)?;
    let sent = run_auscult(&brokers, &chosen)?;
    ensure!(sent.contains("6 letters sent"), "{sent}");
    until("the six to be judged", LIMIT, || Ok((kcat.consume(SCORES)?.len() == 6).then_some(())))?;

    let features = kcat.consume(FEATURES)?;
    let (first, again): (Vec<_>, Vec<_>) =
        features.iter().partition(|record| record.header("auscult_replay_of").is_none());
    ensure!(first.len() == 6 && again.len() == 6, "each went round twice: {} and {}", first.len(), again.len());
    for record in &again {
        let before = first.iter().find(|before| before.header("ce_id") == record.header("ce_id"));
        let before = before.context("the record keeps its id")?;
        ensure!(before.partition == record.partition && before.key == record.key && before.payload == record.payload);
        ensure!(before.header("ce_time") == record.header("ce_time"));
        ensure!(record.header("auscult_dead_letter_code").is_none());
        let place = record.header("auscult_replay_of").context("what it is")?;
        ensure!(place.starts_with(&format!("{DEAD_LETTERS}/{}/", record.partition)), "{place}");
    }

    // Twice only when told so.
    let twice = run_auscult(&brokers, &chosen)?;
    ensure!(twice.contains("0 letters sent") && twice.contains("left: 6 that were sent round before"), "{twice}");
    ensure!(kcat.consume(FEATURES)?.len() == 12, "nothing was sent");
    let told = run_auscult(&brokers, &[&chosen[..], &["--again", "--dry-run"]].concat())?;
    ensure!(told.contains("6 letters would be sent"), "{told}");

    // What fails again is another letter, and is not sent round for ever.
    let hopeless = run_auscult(&brokers, &["dead-letters", "replay", "--code", "not_audio"])?;
    ensure!(hopeless.contains("1 letters sent"), "{hopeless}");
    until("it to come back", LIMIT, || {
        let letters = kcat.consume(DEAD_LETTERS)?;
        let back = letters.iter().filter(|letter| letter.header("auscult_dead_letter_code") == Some("not_audio"));
        Ok((back.count() == 2).then_some(()))
    })?;
    let listed = run_auscult(&brokers, &["dead-letters", "list", "--code", "not_audio"])?;
    ensure!(listed.contains("2 letters") && listed.matches("(sent round again)").count() == 1, "{listed}");
    // Marks are no letters to whoever watches.
    let watched = run_auscult(&brokers, &["watch", "--only", "dead-letters", "--from-beginning", "--until-end"])?;
    ensure!(!watched.contains("unreadable"), "{watched}");
    Ok(())
}
