//! Every mechanism from the gateway to the features, and what is told meanwhile.

use anyhow::{Context, Result, ensure};
use auscult_schemas::topics::{CHUNKS, FEATURES, SCORES};
use auscult_tests::load::train_model;
use auscult_tests::{SecuredCluster, Worker, get, until};

use crate::scene::{
    LIMIT, PLAIN_PASSWORD, SCRAM_PASSWORD, Settings, auscult, oauthbearer, plain, recording, secured, settings, start,
};

const KEY_PASSWORD: &str = "quartz-owl-5";

/// A way to prove who one is.
struct Mechanism {
    name: &'static str,
    brokers: String,
    own: Settings,
}

fn mechanisms(secured: &SecuredCluster, password_file: &str, token_file: &str) -> Result<Vec<Mechanism>> {
    let ca = secured.certificate("ca.pem");
    let scram = |mechanism: &str| {
        settings(&[
            ("PROTOCOL", "sasl_tls"),
            ("TLS__CA_FILE", &ca),
            ("SASL__MECHANISM", mechanism),
            ("SASL__USERNAME", "scram"),
            ("SASL__PASSWORD_FILE", password_file),
        ])
    };
    let mutual = settings(&[
        ("PROTOCOL", "tls"),
        ("TLS__CA_FILE", &ca),
        ("TLS__CERT_FILE", &secured.certificate("client.pem")),
        ("TLS__KEY_FILE", &secured.encrypted_key(KEY_PASSWORD)?),
        ("TLS__KEY_PASSWORD", KEY_PASSWORD),
    ]);
    let by_sasl = |name, own| Mechanism { name, brokers: secured.sasl(), own };
    Ok(vec![
        by_sasl("plain", plain(secured, "plain", PLAIN_PASSWORD)),
        by_sasl("scram-256", scram("scram_sha_256")),
        by_sasl("scram-512", scram("scram_sha_512")),
        by_sasl("oauthbearer", oauthbearer(secured, token_file)),
        Mechanism { name: "mutual", brokers: secured.mutual(), own: mutual },
    ])
}

#[test]
fn every_mechanism_brings_chunks_in_and_features_out_and_tells_no_secret() -> Result<()> {
    let secured = secured()?;
    let folder = tempfile::tempdir()?;
    let password_file = folder.path().join("password");
    std::fs::write(&password_file, format!("{SCRAM_PASSWORD}\n"))?;
    let token_file = secured.token_file("token", 3_600)?;
    let wav = folder.path().join("recording.wav");
    recording(&wav)?;
    let model = folder.path().join("model.safetensors");
    train_model(&model, 0)?;

    let mechanisms = mechanisms(&secured, &password_file.display().to_string(), &token_file)?;
    let mut told = String::new();
    let mut workers = Vec::new();
    for Mechanism { name, brokers, own } in &mechanisms {
        let (is_sound, words) = auscult(brokers, &["topics", "check"], own)?;
        ensure!(is_sound, "{name}: {words}");
        told += &words;
        let (is_sent, words) =
            auscult(brokers, &["send", &wav.display().to_string(), "--machine", &sender(name)], own)?;
        ensure!(is_sent, "{name}: {words}");
        told += &words;
        let (_, words) = auscult(brokers, &["config", "show", "--worker", "feature"], own)?;
        told += &words;
        // What librdkafka says of its clients and connections when it is asked to say all.
        let mut own = own.clone();
        own.push(("AUSCULT__KAFKA__PROPERTIES__DEBUG".to_owned(), "conf,security,broker".to_owned()));
        own.push(("AUSCULT__LOG__LEVEL".to_owned(), "debug".to_owned()));
        workers.push((*name, start(&["feature-worker"], name, brokers, &own, folder.path())?));
    }
    let scoring = ["scoring-worker", "--default-model", &model.display().to_string(), "--device", "cpu"];
    let scram = mechanisms.iter().find(|mechanism| mechanism.name == "scram-512").context("scram-512")?;
    workers.push(("scoring", start(&scoring, "scoring", &scram.brokers, &scram.own, folder.path())?));

    // What one mechanism sent, each of them has to make features of.
    let chunks = secured.cluster().kcat().consume(CHUNKS)?;
    for Mechanism { name, .. } in &mechanisms {
        let is_there = chunks.iter().any(|chunk| chunk.key.as_deref() == Some(&sender(name)));
        ensure!(is_there, "{name} sent nothing");
    }
    for (name, worker) in &mut workers {
        let output = if *name == "scoring" { SCORES } else { FEATURES };
        await_output(name, worker, output, mechanisms.len())?;
    }

    for (_, worker) in &mut workers {
        for path in ["/metrics", "/readyz", "/livez"] {
            told += &get(worker.address(), path)?.1;
        }
        told += &worker.process().log();
    }
    ensure!(told.contains("sasl.password = [redacted]"), "librdkafka was not asked to say all");
    ensure!(told.contains("***"), "no secret was hidden");
    let token = std::fs::read_to_string(&token_file)?;
    let claims = token.split('.').nth(1).context("a token has claims")?;
    for secret in [PLAIN_PASSWORD, SCRAM_PASSWORD, KEY_PASSWORD, claims] {
        let line = told.lines().find(|line| line.contains(secret));
        ensure!(line.is_none(), "{secret} was told: {line:?}");
    }
    Ok(())
}

fn sender(mechanism: &str) -> String {
    format!("sent-by-{mechanism}")
}

fn await_output(name: &str, worker: &mut Worker, topic: &str, at_least: usize) -> Result<()> {
    until(&format!("{name} to commit its results"), LIMIT, || {
        worker.process().ensure_running()?;
        let Ok(metrics) = worker.metrics() else { return Ok(None) };
        let outputs = metrics.sum("auscult_output_records_total", &[("topic", topic)]).unwrap_or(0.0);
        Ok((outputs >= at_least as f64).then_some(()))
    })
    .with_context(|| worker.process().log_tail(15))
}

#[test]
fn a_password_and_a_token_that_come_late_are_read_when_the_worker_tries_again() -> Result<()> {
    let secured = secured()?;
    let folder = tempfile::tempdir()?;
    let password_file = folder.path().join("password");
    std::fs::write(&password_file, "not-yet-lion-3")?;
    let by_password = settings(&[
        ("PROTOCOL", "sasl_tls"),
        ("TLS__CA_FILE", &secured.certificate("ca.pem")),
        ("SASL__MECHANISM", "plain"),
        ("SASL__USERNAME", "plain"),
        ("SASL__PASSWORD_FILE", &password_file.display().to_string()),
    ]);
    let token_file = folder.path().join("token.jwt");
    std::fs::copy(secured.token_file("token", -5)?, &token_file)?;
    let by_token = oauthbearer(&secured, &token_file.display().to_string());

    let mut late_password = start(&["feature-worker"], "late-password", &secured.sasl(), &by_password, folder.path())?;
    let mut late_token = start(&["feature-worker"], "late-token", &secured.sasl(), &by_token, folder.path())?;
    for (worker, words) in [(&mut late_password, "Authentication failed"), (&mut late_token, "it has expired")] {
        until(&format!("/readyz to say {words:?}"), LIMIT, || {
            worker.process().ensure_running()?;
            let Ok((status, reasons)) = get(worker.address(), "/readyz") else { return Ok(None) };
            Ok((status == 503 && reasons.contains(words)).then_some(()))
        })
        .with_context(|| worker.process().log_tail(15))?;
    }
    std::fs::write(&password_file, PLAIN_PASSWORD)?;
    std::fs::copy(secured.token_file("token", 3_600)?, &token_file)?;
    late_password.wait_until_ready(LIMIT)?;
    late_token.wait_until_ready(LIMIT)?;
    ensure!(!late_password.process().log().contains("not-yet-lion-3"), "the wrong password was told");
    Ok(())
}
