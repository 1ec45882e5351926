//! Clients that prove who they are, to a Kafka that asks: every mechanism at work, what is refused and how it is said, and secrets
//! that appear nowhere.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auscult_schemas::topics::{CHUNKS, DEAD_LETTERS, FEATURES, SCORER_STATE, SCORES};
use auscult_tests::load::{Load, LoadSpec, train_model};
use auscult_tests::{SecuredCluster, Worker, auscult_binary, get, until};

const PASSWORD: &str = "tiger-lily-9";
const LIMIT: Duration = Duration::from_secs(60);

type Settings = Vec<(String, String)>;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| (format!("AUSCULT__KAFKA__SECURITY__{name}"), (*value).to_owned())).collect()
}

fn plain(secured: &SecuredCluster, user: &str, password: &str) -> Settings {
    settings(&[
        ("PROTOCOL", "sasl_tls"),
        ("TLS__CA_FILE", &secured.certificate("ca.pem")),
        ("SASL__MECHANISM", "plain"),
        ("SASL__USERNAME", user),
        ("SASL__PASSWORD", password),
    ])
}

fn start(kind: &[&str], name: &str, brokers: &str, own: &Settings, folder: &Path) -> Result<Worker> {
    let group = format!("group-{name}");
    let mut all: Vec<(&str, &str)> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.push(("AUSCULT__KAFKA__GROUP_ID", &group));
    Worker::start(name, kind, brokers, &all, folder)
}

/// A topic with twenty good chunks and some poison, and the topics all made, by a super user.
fn prepare(secured: &SecuredCluster) -> Result<()> {
    let brokers = secured.cluster().bootstrap();
    auscult_tests::run_auscult(&brokers, &["topics", "create", "--partitions", "2", "--replication", "1"])?;
    let spec = LoadSpec {
        seed: 3,
        machines: 4,
        chunks: 30,
        rate_per_s: 1_000.0,
        prefix: "secured".to_owned(),
        poison_share: 0.3,
    };
    Load::plan(&spec).send(&brokers, &std::sync::atomic::AtomicBool::new(false))
}

#[test]
fn every_mechanism_gets_a_worker_to_work_and_no_secret_is_told() -> Result<()> {
    let secured = SecuredCluster::start(&[("plain", PASSWORD)])?;
    prepare(&secured)?;
    secured.add_scram_user("scram", PASSWORD)?;
    let principals = ["plain", "scram", "token", "edge"].map(|name| format!("User:{name}"));
    let allow: Vec<&str> = principals.iter().flat_map(|principal| ["--allow-principal", principal]).collect();
    let everything = ["--operation", "All", "--topic", "*", "--group", "*", "--transactional-id", "*"];
    secured.add_acl(&[allow.as_slice(), &everything].concat())?;

    let folder = tempfile::tempdir()?;
    let password_file = folder.path().join("password");
    std::fs::write(&password_file, format!("{PASSWORD}\n"))?;
    let password_file = password_file.display().to_string();
    let ca = secured.certificate("ca.pem");
    let scram = |mechanism: &str| {
        settings(&[
            ("PROTOCOL", "sasl_tls"),
            ("TLS__CA_FILE", &ca),
            ("SASL__MECHANISM", mechanism),
            ("SASL__USERNAME", "scram"),
            ("SASL__PASSWORD_FILE", &password_file),
        ])
    };
    let token = settings(&[
        ("PROTOCOL", "sasl_tls"),
        ("TLS__CA_FILE", &ca),
        ("SASL__MECHANISM", "oauthbearer"),
        ("SASL__TOKEN_FILE", &secured.token_file("token", 3_600)?),
    ]);
    let mutual = settings(&[
        ("PROTOCOL", "tls"),
        ("TLS__CA_FILE", &ca),
        ("TLS__CERT_FILE", &secured.certificate("client.pem")),
        ("TLS__KEY_FILE", &secured.certificate("client-key.pem")),
    ]);
    let (sasl, tls) = (secured.sasl(), secured.mutual());
    let mut workers = Vec::new();
    for (name, brokers, own) in [
        ("plain", &sasl, plain(&secured, "plain", PASSWORD)),
        ("scram-256", &sasl, scram("scram_sha_256")),
        ("scram-512", &sasl, scram("scram_sha_512")),
        ("oauthbearer", &sasl, token),
        ("mutual", &tls, mutual),
    ] {
        workers.push((name, start(&["feature-worker"], name, brokers, &own, folder.path())?));
    }
    for (name, worker) in &mut workers {
        until(&format!("{name} to commit its results"), LIMIT, || {
            worker.process().ensure_running()?;
            let Ok(metrics) = worker.metrics() else { return Ok(None) };
            let outputs = metrics.sum("auscult_output_records_total", &[("topic", FEATURES)]).unwrap_or(0.0);
            Ok((outputs > 0.0).then_some(()))
        })
        .with_context(|| worker.process().log_tail(15))?;
    }

    let mut told = String::new();
    for (name, worker) in &mut workers {
        let (_, metrics) = get(worker.address(), "/metrics")?;
        told += &metrics;
        told += &worker.process().log();
        let shown = show_config(&plain(&secured, name, PASSWORD))?;
        ensure!(shown.contains("***"), "{shown}");
        told += &shown;
    }
    ensure!(!told.contains(PASSWORD), "the password was told");
    Ok(())
}

fn show_config(own: &Settings) -> Result<String> {
    let mut command = std::process::Command::new(auscult_binary()?);
    command.args(["config", "show", "--worker", "feature"]).envs(own.iter().map(|(name, value)| (name, value)));
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What each principal may not do, and which worker finds out.
const DENIED: [(&str, &str, &[&str], &str); 9] = [
    ("d1", "features", &["--operation", "Read", "--topic", CHUNKS], "Read topic audio.chunks"),
    ("d2", "features", &["--operation", "Write", "--topic", FEATURES], "Write topic audio.features"),
    ("d3", "features", &["--operation", "Write", "--topic", DEAD_LETTERS], "Write topic audio.dead-letters"),
    ("d4", "features", &["--operation", "Read", "--group", "group-d4"], "Read group group-d4"),
    ("d5", "features", &["--operation", "Write", "--transactional-id", "*"], "Write transactional id group-d5-d5"),
    ("d6", "features", &["--operation", "Describe", "--topic", FEATURES], "Describe topic audio.features"),
    ("d7", "scoring", &["--operation", "Read", "--topic", SCORER_STATE], "Read topic audio.scorer-state"),
    ("d8", "scoring", &["--operation", "Write", "--topic", SCORER_STATE], "Write topic audio.scorer-state"),
    ("d9", "scoring", &["--operation", "Write", "--topic", SCORES], "Write topic audio.scores"),
];

#[test]
fn a_right_that_is_missing_is_named_with_its_topic_group_or_transactional_id() -> Result<()> {
    let users: Vec<(&str, &str)> = DENIED.iter().map(|(user, ..)| (*user, PASSWORD)).collect();
    let secured = SecuredCluster::start(&users)?;
    prepare(&secured)?;
    // Features for the scoring workers, made by a super user.
    let folder = tempfile::tempdir()?;
    let brokers = secured.cluster().bootstrap();
    let mut maker = start(&["feature-worker"], "maker", &brokers, &Settings::new(), folder.path())?;
    let kcat = secured.cluster().kcat();
    until("features to be there", LIMIT, || Ok((kcat.consume(FEATURES)?.len() >= 15).then_some(())))?;
    maker.process().terminate(LIMIT)?;

    let principals: Vec<String> = DENIED.iter().map(|(user, ..)| format!("User:{user}")).collect();
    let allow: Vec<&str> = principals.iter().flat_map(|principal| ["--allow-principal", principal]).collect();
    let everything = ["--operation", "All", "--topic", "*", "--group", "*", "--transactional-id", "*"];
    secured.add_acl(&[allow.as_slice(), &everything].concat())?;
    let model = folder.path().join("model.safetensors");
    train_model(&model, 0)?;
    let model = model.display().to_string();
    for ((user, role, denied, words), principal) in DENIED.iter().zip(&principals) {
        secured.add_acl(&[&["--deny-principal", principal.as_str()], *denied].concat())?;
        let kind: &[&str] = match *role {
            "features" => &["feature-worker"],
            _ => &["scoring-worker", "--default-model", &model, "--device", "cpu"],
        };
        let own = plain(&secured, user, PASSWORD);
        let mut worker = start(kind, user, &secured.sasl(), &own, folder.path())?;
        let expected = format!("lacks the right to {words}:");
        until(&format!("{user} to say {expected:?}"), LIMIT, || {
            let log = worker.process().log();
            Ok((log.contains(&expected) && log.contains("kafka-acls.sh")).then_some(()))
        })
        .with_context(|| worker.process().log_tail(25))?;
    }
    Ok(())
}

#[test]
fn wrong_passwords_tokens_authorities_and_names_are_told_apart() -> Result<()> {
    let secured = SecuredCluster::start(&[("plain", PASSWORD)])?;
    let ca = secured.certificate("ca.pem");
    let expired = settings(&[
        ("PROTOCOL", "sasl_tls"),
        ("TLS__CA_FILE", &ca),
        ("SASL__MECHANISM", "oauthbearer"),
        ("SASL__TOKEN_FILE", &secured.token_file("token", -60)?),
    ]);
    let unknown_authority = settings(&[
        ("PROTOCOL", "sasl_tls"),
        ("TLS__CA_FILE", &secured.certificate("other-ca.pem")),
        ("SASL__MECHANISM", "plain"),
        ("SASL__USERNAME", "plain"),
        ("SASL__PASSWORD", PASSWORD),
    ]);
    let by_name = secured.sasl().replace("127.0.0.1", "localhost");
    let cases = [
        ("wrong password", secured.sasl(), plain(&secured, "plain", "lion"), "Authentication failed"),
        ("expired token", secured.sasl(), expired, "has expired"),
        ("unknown authority", secured.sasl(), unknown_authority, "certificate verify failed"),
        ("another name", by_name, plain(&secured, "plain", PASSWORD), "certificate verify failed"),
    ];
    std::thread::scope(|scope| {
        let asked: Vec<_> = cases
            .iter()
            .map(|(what, brokers, own, words)| scope.spawn(move || refused(what, brokers, own, words)))
            .collect();
        for answer in asked {
            answer.join().expect("asking does not panic")?;
        }
        Ok(())
    })
}

fn refused(what: &str, brokers: &str, own: &Settings, words: &str) -> Result<()> {
    let mut command = std::process::Command::new(auscult_binary()?);
    command.args(["topics", "check", "--brokers", brokers]).envs(own.iter().map(|(name, value)| (name, value)));
    let output = command.output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && errors.contains(words), "{what}: {words:?} was expected in {errors}");
    Ok(())
}

#[test]
fn what_is_missing_in_the_configuration_is_found_before_anything_is_contacted() -> Result<()> {
    let own = settings(&[
        ("PROTOCOL", "sasl_tls"),
        ("TLS__CA_FILE", "/no/such/ca.pem"),
        ("SASL__USERNAME", "plain"),
        ("SASL__PASSWORD_FILE", "/no/such/password"),
    ]);
    let mut command = std::process::Command::new(auscult_binary()?);
    command.args(["config", "check", "--worker", "feature"]).envs(own.iter().map(|(name, value)| (name, value)));
    let output = command.output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    for words in ["2 mistakes", "kafka.security.tls.ca_file", "kafka.security.sasl.password"] {
        ensure!(errors.contains(words), "{words:?} was expected in {errors}");
    }
    Ok(())
}
