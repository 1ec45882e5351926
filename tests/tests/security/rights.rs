//! One right taken away at a time, and what the worker says then.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use auscult_schemas::topics::{CHUNKS, DEAD_LETTERS, FEATURES, SCORER_STATE, SCORES};
use auscult_tests::load::train_model;
use auscult_tests::{Worker, get, until};

use crate::scene::{LIMIT, PLAIN_PASSWORD, Settings, auscult, plain, recording, secured, start};

/// Where the missing right is told, beside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    /// In `/readyz`, while the worker tries again.
    Readyz,
    /// Nowhere: it does not start.
    Ends,
}

/// What each principal may not do, which worker finds out, and its words.
const DENIED: [(&str, &str, &[&str], &str, Where); 9] = [
    ("d1", "features", &["--operation", "Read", "--topic", CHUNKS], "Read topic audio.chunks", Where::Readyz),
    ("d2", "features", &["--operation", "Write", "--topic", FEATURES], "Write topic audio.features", Where::Readyz),
    (
        "d3",
        "features",
        &["--operation", "Write", "--topic", DEAD_LETTERS],
        "Write topic audio.dead-letters",
        Where::Readyz,
    ),
    ("d4", "features", &["--operation", "Read", "--group", "group-d4"], "Read group group-d4", Where::Readyz),
    (
        "d5",
        "features",
        &["--operation", "Write", "--transactional-id", "*"],
        "Write transactional id group-d5-d5",
        Where::Readyz,
    ),
    ("d6", "features", &["--operation", "Describe", "--topic", FEATURES], "Describe topic audio.features", Where::Ends),
    (
        "d7",
        "scoring",
        &["--operation", "Read", "--topic", SCORER_STATE],
        "Read topic audio.scorer-state",
        Where::Readyz,
    ),
    (
        "d8",
        "scoring",
        &["--operation", "Write", "--topic", SCORER_STATE],
        "Write topic audio.scorer-state",
        Where::Readyz,
    ),
    ("d9", "scoring", &["--operation", "Write", "--topic", SCORES], "Write topic audio.scores", Where::Readyz),
];

#[test]
fn a_right_that_is_missing_is_named_with_its_topic_group_or_transactional_id() -> Result<()> {
    let secured = secured()?;
    let folder = tempfile::tempdir()?;
    make_features(&secured.cluster().bootstrap(), folder.path())?;
    let model = folder.path().join("model.safetensors");
    train_model(&model, 0)?;
    let model = model.display().to_string();
    let mut workers = Vec::new();
    for (user, role, denied, words, whence) in DENIED {
        secured.add_acl(&[&["--deny-principal", &format!("User:{user}")], denied].concat())?;
        let kind: &[&str] = match role {
            "features" => &["feature-worker"],
            _ => &["scoring-worker", "--default-model", &model, "--device", "cpu"],
        };
        let own = plain(&secured, user, PLAIN_PASSWORD);
        workers.push((words, whence, start(kind, user, &secured.sasl(), &own, folder.path())?));
    }
    for (words, whence, worker) in &mut workers {
        await_words(worker, words, *whence).with_context(|| worker.process().log_tail(25))?;
    }
    Ok(())
}

fn await_words(worker: &mut Worker, words: &str, whence: Where) -> Result<()> {
    let expected = format!("lacks the right to {words}:");
    until(&format!("the log to say {expected:?}"), LIMIT, || {
        let log = worker.process().log();
        Ok((log.contains(&expected) && log.contains("kafka-acls.sh")).then_some(()))
    })?;
    if whence == Where::Ends {
        ensure!(!worker.process().wait(LIMIT)?.success(), "a worker that cannot start has failed");
        return Ok(());
    }
    until(&format!("/readyz to say {expected:?}"), LIMIT, || {
        worker.process().ensure_running()?;
        let Ok((_, reasons)) = get(worker.address(), "/readyz") else { return Ok(None) };
        Ok(reasons.contains(&expected).then_some(()))
    })
}

/// What the scoring workers read, made by a super user.
fn make_features(brokers: &str, folder: &Path) -> Result<()> {
    let mut maker = start(&["feature-worker"], "maker", brokers, &Settings::new(), folder)?;
    until("features to be there", LIMIT, || {
        let Ok(metrics) = maker.metrics() else { return Ok(None) };
        let outputs = metrics.sum("auscult_output_records_total", &[("topic", FEATURES)]).unwrap_or(0.0);
        Ok((outputs >= 15.0).then_some(()))
    })?;
    maker.process().terminate(LIMIT)?;
    Ok(())
}

#[test]
fn a_worker_that_may_not_see_settings_works_and_says_that_it_did_not_check_them() -> Result<()> {
    let secured = secured()?;
    let folder = tempfile::tempdir()?;
    secured.add_acl(&["--deny-principal", "User:d10", "--operation", "DescribeConfigs", "--topic", "*"])?;
    let own = plain(&secured, "d10", PLAIN_PASSWORD);
    let (is_sound, words) = auscult(&secured.sasl(), &["topics", "check"], &own)?;
    ensure!(is_sound && words.contains("not checked: settings of topic audio.chunks"), "{words}");
    ensure!(words.contains("DescribeConfigs topic audio.chunks"), "{words}");
    let mut worker = start(&["feature-worker"], "d10", &secured.sasl(), &own, folder.path())?;
    worker.wait_until_ready(LIMIT)?;
    let log = worker.process().log();
    ensure!(log.contains("lacks the right to DescribeConfigs topic audio.features:"), "{log}");
    Ok(())
}

#[test]
fn a_gateway_or_an_administrator_without_rights_is_told_which() -> Result<()> {
    let secured = secured()?;
    let folder = tempfile::tempdir()?;
    let wav = folder.path().join("recording.wav");
    recording(&wav)?;
    let wav = wav.display().to_string();
    let send: &[&str] = &["send", &wav, "--machine", "m"];
    let deny: [(&str, &[&str], &[&str], &str); 4] = [
        ("d11", &["Write", "--topic", CHUNKS], send, "Write topic audio.chunks"),
        ("d12", &["Write", "--topic", "*"], send, "IdempotentWrite"),
        ("d13", &["Alter", "--topic", "*"], &["topics", "grow", "--partitions", "3"], "Alter topic"),
        ("d14", &["Read", "--topic", SCORES], &["watch"], "Read topic audio.scores"),
    ];
    for (user, denied, command, words) in deny {
        let principal = format!("User:{user}");
        secured.add_acl(&[&["--deny-principal", principal.as_str(), "--operation"], denied].concat())?;
        let (is_done, told) = auscult(&secured.sasl(), command, &plain(&secured, user, PLAIN_PASSWORD))?;
        let expected = format!("lacks the right to {words}");
        ensure!(!is_done && told.contains(&expected), "{user}: {expected:?} was expected in {told}");
    }
    Ok(())
}

#[test]
fn the_doctor_names_each_right_that_is_missing_and_no_other() -> Result<()> {
    let secured = secured()?;
    for denied in [["Read", "--topic", FEATURES], ["Write", "--topic", SCORES], ["Describe", "--topic", SCORER_STATE]] {
        secured.add_acl(&[&["--deny-principal", "User:d15", "--operation"], denied.as_slice()].concat())?;
    }
    let own = plain(&secured, "d15", PLAIN_PASSWORD);
    let (is_sound, words) =
        auscult(&secured.sasl(), &["doctor", "--try-writing", "--default-model", "none.safetensors"], &own)?;
    ensure!(!is_sound, "{words}");
    for expected in [
        "as User:d15",
        "lacks the right to Read topic audio.features",
        "lacks the right to Write topic audio.scores",
        "lacks the right to Describe topic audio.scorer-state",
        // Of the cluster itself these users may do nothing: what brokers are set to cannot be told.
        "lacks the right to DescribeConfigs cluster",
    ] {
        ensure!(words.contains(expected), "{expected:?} was expected in {words}");
    }
    for other in ["Read topic audio.chunks", "Write topic audio.alerts", "Write topic audio.drift"] {
        ensure!(!words.contains(&format!("lacks the right to {other}")), "{other} is not missing: {words}");
    }
    Ok(())
}
