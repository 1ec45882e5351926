//! The broker that all these tests share, and clients of it.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result};
use auscult_tests::load::{CONTROL_SHARE, Load, LoadSpec};
use auscult_tests::{SecuredCluster, Worker, auscult_binary, run_auscult};

/// Of the users of PLAIN.
pub const PLAIN_PASSWORD: &str = "tiger-lily-9";
/// Of the user `scram`.
pub const SCRAM_PASSWORD: &str = "ember-fox-7";
/// How long anything may take on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(90);

/// Those who may do everything, and those to whom the tests deny something.
const PLAIN_USERS: [&str; 16] =
    ["plain", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9", "d10", "d11", "d12", "d13", "d14", "d15"];
const OTHER_USERS: [&str; 3] = ["scram", "token", "edge"];

/// Environment variables of a client.
pub type Settings = Vec<(String, String)>;

/// One broker for all tests that run side by side, with topics, and chunks in them, poison among them; gone with the
/// last of the tests.
pub fn secured() -> Result<Arc<SecuredCluster>> {
    static SHARED: Mutex<Weak<SecuredCluster>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(secured) = shared.upgrade() {
        return Ok(secured);
    }
    let secured = Arc::new(SecuredCluster::start(&PLAIN_USERS.map(|user| (user, PLAIN_PASSWORD)))?);
    secured.add_scram_user("scram", SCRAM_PASSWORD)?;
    let principals: Vec<String> = PLAIN_USERS.iter().chain(&OTHER_USERS).map(|user| format!("User:{user}")).collect();
    let allow: Vec<&str> = principals.iter().flat_map(|principal| ["--allow-principal", principal]).collect();
    let everything = ["--operation", "All", "--topic", "*", "--group", "*", "--transactional-id", "*"];
    secured.add_acl(&[allow.as_slice(), &everything].concat())?;

    let brokers = secured.cluster().bootstrap();
    run_auscult(&brokers, &["topics", "create", "--partitions", "2", "--replication", "1"])?;
    let spec = LoadSpec {
        seed: 3,
        machines: 4,
        chunks: 30,
        rate_per_s: 1_000.0,
        prefix: "secured".to_owned(),
        poison_share: 0.3,
        control_share: CONTROL_SHARE,
    };
    Load::plan(&spec).send(&brokers, &AtomicBool::new(false))?;
    *shared = Arc::downgrade(&secured);
    Ok(secured)
}

/// Variables of the section `kafka.security`.
pub fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| (format!("AUSCULT__KAFKA__SECURITY__{name}"), (*value).to_owned())).collect()
}

/// A client by PLAIN over TLS.
pub fn plain(secured: &SecuredCluster, user: &str, password: &str) -> Settings {
    settings(&[
        ("PROTOCOL", "sasl_tls"),
        ("TLS__CA_FILE", &secured.certificate("ca.pem")),
        ("SASL__MECHANISM", "plain"),
        ("SASL__USERNAME", user),
        ("SASL__PASSWORD", password),
    ])
}

/// A client by token over TLS.
pub fn oauthbearer(secured: &SecuredCluster, token_file: &str) -> Settings {
    settings(&[
        ("PROTOCOL", "sasl_tls"),
        ("TLS__CA_FILE", &secured.certificate("ca.pem")),
        ("SASL__MECHANISM", "oauthbearer"),
        ("SASL__TOKEN_FILE", token_file),
    ])
}

/// A worker in a group of its own.
pub fn start(kind: &[&str], name: &str, brokers: &str, own: &Settings, folder: &Path) -> Result<Worker> {
    let group = format!("group-{name}");
    let mut all: Vec<(&str, &str)> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.push(("AUSCULT__KAFKA__GROUP_ID", &group));
    Worker::start(name, kind, brokers, &all, folder)
}

/// A command that ends by itself, and all that it wrote.
pub fn auscult(brokers: &str, arguments: &[&str], own: &Settings) -> Result<(bool, String)> {
    let mut command = Command::new(auscult_binary()?);
    command.args(arguments).env("AUSCULT__KAFKA__BROKERS", brokers).envs(own.iter().cloned());
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("running auscult {}", arguments.join(" ")))?;
    Ok((status.success(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr)))
}

/// Half a second of a sawtooth, as WAV.
pub fn recording(path: &Path) -> Result<()> {
    const RATE_HZ: u32 = 16_000;
    let samples: Vec<u8> = (0..RATE_HZ / 2).flat_map(|index| ((index % 100) as i16 * 50).to_le_bytes()).collect();
    let len = samples.len() as u32;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + len).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend([16, 0, 0, 0, 1, 0, 1, 0]);
    wav.extend(RATE_HZ.to_le_bytes());
    wav.extend((2 * RATE_HZ).to_le_bytes());
    wav.extend([2, 0, 16, 0]);
    wav.extend(b"data");
    wav.extend(len.to_le_bytes());
    wav.extend(samples);
    Ok(std::fs::write(path, wav)?)
}
