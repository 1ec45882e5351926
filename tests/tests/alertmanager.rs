#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]
//! The bridge between a real Kafka and a real Alertmanager that is configured as `docs/alertmanager.yml` says.

use std::time::Duration;

use anyhow::{Result, ensure};
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::GroupPositions;
use auscult_schemas::topics::{ALERTS, AUDIT};
use auscult_tests::{Alertmanager, KafkaCluster, Kcat, Worker, run_auscult, until};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(45);
/// `htpasswd -nbBC 4 auscult tiger`
const BCRYPT_OF_TIGER: &str = "$2b$04$abcdefghijklmnopqrstuuoXEAgIDjMnun1kq3xCCZC6132Y0COXS";

/// Kafka with our topics, and the bridge to an Alertmanager.
struct Scene {
    // Before what it talks to: fields are dropped in order.
    bridge: Worker,
    alertmanager: Alertmanager,
    kcat: Kcat,
    cluster: KafkaCluster,
    folder: TempDir,
}

impl Scene {
    fn start() -> Result<Self> {
        let cluster = KafkaCluster::start(1)?;
        run_auscult(&cluster.bootstrap(), &["topics", "create", "--partitions", "4", "--replication", "1"])?;
        let folder = tempfile::Builder::new().prefix("auscult-bridge-").tempdir()?;
        let alertmanager = Alertmanager::start()?;
        let mut bridge = start_bridge(&cluster, &format!("http://{}", alertmanager.address()), &[], &folder)?;
        bridge.wait_until_ready(SOON)?;
        Ok(Self { bridge, alertmanager, kcat: cluster.kcat(), cluster, folder })
    }

    fn send(&self, alert: &Value) -> Result<()> {
        self.kcat.produce(ALERTS, alert["machine"].as_str(), &[], alert.to_string().as_bytes())
    }

    /// A machine's new state.
    fn tell(&self, machine: &str, state: &str, previous: &str) -> Result<()> {
        self.send(&alert(machine, state, previous))
    }

    /// A bridge in place of the one that has been killed.
    fn restart_bridge(&mut self) -> Result<()> {
        let url = format!("http://{}", self.alertmanager.address());
        self.bridge = start_bridge(&self.cluster, &url, &[], &self.folder)?;
        Ok(())
    }

    /// How many records of `audio.alerts` the group has dealt with.
    fn committed(&self) -> Result<i64> {
        let config = KafkaConfig { brokers: self.cluster.bootstrap(), ..KafkaConfig::default() };
        let committed = GroupPositions::new(&config, "auscult-alertmanager")?.committed(&[ALERTS])?;
        Ok(committed.values().sum())
    }

    fn wait_until_committed(&self, records: i64) -> Result<()> {
        until("the offsets to be committed", SOON, || Ok((self.committed()? == records).then_some(())))
    }
}

/// As an operator would, but with a quick repetition.
fn start_bridge(cluster: &KafkaCluster, url: &str, more: &[(&str, &str)], folder: &TempDir) -> Result<Worker> {
    let mut settings = vec![("AUSCULT__ALERTMANAGER__URL", url), ("AUSCULT__ALERTMANAGER__RESEND_SECS", "1")];
    settings.extend(more);
    Worker::start("bridge-0", &["alertmanager"], &cluster.bootstrap(), &settings, folder.path())
}

/// A change of state as a scoring worker writes it.
fn alert(machine: &str, state: &str, previous: &str) -> Value {
    let now = Timestamp::now();
    let since = now - SignedDuration::from_mins(10);
    json!({
        "id": format!("{machine}/{state}"), "machine": machine, "time": now.to_string(), "state": state,
        "previous_state": previous, "since": since.to_string(), "chunk_id": "audio.chunks/0/7", "score": 4.5, "threshold": 3.0,
        "p_value": 1e-6, "explanation": "+9 dB around 2.1–2.6 kHz, since 09:00 UTC",
        "bands": [{"hz_low": 2110.0, "hz_high": 2590.0, "share": 0.4, "level_change_db": 9.0}],
        "model": {"id": "fan", "version": "1"}
    })
}

fn told<'a>(notifications: &'a [String], of: &str) -> Vec<&'a str> {
    let ends = format!(" {of}");
    notifications.iter().map(String::as_str).filter(|notification| notification.ends_with(&ends)).collect()
}

#[test]
fn an_alarm_and_its_end_are_told_once_and_poison_stops_nothing() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.kcat.produce(ALERTS, Some("plant/hall-2/fan-7"), &[], b"Dear Sir or Madam")?;
    scene.tell("plant/hall-2/fan-7", "alarm", "healthy")?;
    let standing = scene.alertmanager.wait_for(&["AuscultMachineAlarm plant/hall-2/fan-7"], SOON)?;
    let alarm = &standing[0];
    assert_eq!(alarm.labels["environment"], "plant/hall-2");
    assert_eq!(alarm.labels["severity"], "critical");
    assert_eq!(alarm.annotations["description"], "+9 dB around 2.1–2.6 kHz, since 09:00 UTC");
    assert_eq!(alarm.annotations["bands"], "2.1–2.6 kHz");
    scene.alertmanager.wait_until_told("on-call firing AuscultMachineAlarm plant/hall-2/fan-7", SOON)?;

    scene.tell("plant/hall-2/fan-7", "healthy", "alarm")?;
    scene.alertmanager.wait_for(&[], SOON)?;
    scene.alertmanager.wait_until_told("on-call resolved AuscultMachineAlarm plant/hall-2/fan-7", SOON)?;
    assert_eq!(scene.alertmanager.notifications().len(), 2, "{:?}", scene.alertmanager.notifications());
    scene.wait_until_committed(3)?;
    let metrics = scene.bridge.metrics()?;
    metrics.lint()?;
    assert_eq!(metrics.sum("auscult_unreadable_records_total", &[]), Some(1.0));
    assert_eq!(metrics.sum("auscult_standing_alerts", &[]), Some(0.0));
    assert!(scene.bridge.process().terminate(SOON)?.success());
    Ok(())
}

#[test]
fn a_killed_bridge_loses_nothing_doubles_nothing_and_resolves_nothing() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.tell("fan-1", "alarm", "healthy")?;
    scene.tell("fan-2", "alarm", "healthy")?;
    for machine in ["fan-1", "fan-2"] {
        scene.alertmanager.wait_until_told(&format!("on-call firing AuscultMachineAlarm {machine}"), SOON)?;
    }
    scene.wait_until_committed(2)?;
    scene.bridge.process().kill()?;
    // Meanwhile one is well again and another is not any more.
    scene.tell("fan-1", "healthy", "alarm")?;
    scene.tell("fan-3", "alarm", "healthy")?;
    std::thread::sleep(Duration::from_secs(5));
    let standing = ["AuscultMachineAlarm fan-1", "AuscultMachineAlarm fan-2"];
    scene.alertmanager.wait_for(&standing, Duration::ZERO)?;
    scene.restart_bridge()?;
    scene.alertmanager.wait_until_told("on-call resolved AuscultMachineAlarm fan-1", SOON)?;
    scene.alertmanager.wait_until_told("on-call firing AuscultMachineAlarm fan-3", SOON)?;

    // A crowd, and a bridge that is killed while it comes.
    let burst = 60;
    for number in 0..burst {
        scene.tell(&format!("pump-{number}"), "alarm", "healthy")?;
        if number % 20 == 10 {
            scene.bridge.process().kill()?;
            scene.restart_bridge()?;
        }
    }
    let mut names: Vec<String> = (0..burst).map(|number| format!("AuscultMachineAlarm pump-{number}")).collect();
    names.extend(["AuscultMachineAlarm fan-2".to_owned(), "AuscultMachineAlarm fan-3".to_owned()]);
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    scene.alertmanager.wait_for(&wanted, SOON)?;
    for name in &names {
        scene.alertmanager.wait_until_told(&format!("on-call firing {name}"), SOON)?;
    }
    // Repeated some times more, and told of no second time.
    std::thread::sleep(Duration::from_secs(3));
    let notifications = scene.alertmanager.notifications();
    for name in &names {
        assert_eq!(told(&notifications, name).len(), 1, "{name}: {notifications:?}");
    }
    assert_eq!(told(&notifications, "AuscultMachineAlarm fan-1").len(), 2);
    scene.wait_until_committed(4 + burst)?;
    Ok(())
}

#[test]
fn what_comes_while_alertmanager_is_away_is_delivered_when_it_is_back() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.tell("fan-1", "alarm", "healthy")?;
    scene.tell("fan-2", "warning", "healthy")?;
    scene.alertmanager.wait_until_told("on-call firing AuscultMachineAlarm fan-1", SOON)?;
    scene.alertmanager.wait_until_told("control-room firing AuscultMachineWarning fan-2", SOON)?;
    scene.wait_until_committed(2)?;

    scene.alertmanager.kill()?;
    scene.tell("fan-2", "healthy", "warning")?;
    scene.tell("fan-3", "silent", "healthy")?;
    until("the bridge to say why it is not ready", SOON, || Ok((!scene.bridge.is_ready()).then_some(())))?;
    assert_eq!(scene.committed()?, 2, "what Alertmanager has not taken is not committed");
    std::thread::sleep(Duration::from_secs(3));
    scene.alertmanager.restart()?;
    scene.alertmanager.wait_for(&["AuscultMachineAlarm fan-1", "AuscultMachineSilent fan-3"], SOON)?;
    scene.alertmanager.wait_until_told("control-room firing AuscultMachineSilent fan-3", SOON)?;
    scene.wait_until_committed(4)?;
    scene.bridge.wait_until_ready(SOON)?;
    let failed = scene.bridge.metrics()?.sum("auscult_alertmanager_posts_total", &[("outcome", "failed")]);
    assert!(failed >= Some(1.0), "{failed:?}");
    Ok(())
}

#[test]
fn a_change_of_environment_that_two_partitions_report_is_one_alert() -> Result<()> {
    let scene = Scene::start()?;
    let since = Timestamp::now() - SignedDuration::from_mins(20);
    // The key chooses the partition, and nothing else.
    for (key, minutes, affected) in [("a", 0, 5), ("b", 2, 7), ("c", 1, 4), ("d", 3, 4)] {
        let mut report = alert("plant/hall-2", "healthy", "healthy");
        report["id"] = format!("environment/{key}").into();
        report["kind"] = "environment".into();
        let since = (since + SignedDuration::from_mins(minutes)).to_string();
        report["environment"] = json!({
            "environment": "plant/hall-2", "machines_affected": affected, "machines_heard": affected + 1, "since": since
        });
        scene.kcat.produce(ALERTS, Some(key), &[], report.to_string().as_bytes())?;
    }
    let records = scene.kcat.consume(ALERTS)?;
    let partitions: std::collections::BTreeSet<i32> = records.iter().map(|record| record.partition).collect();
    ensure!(partitions.len() >= 2, "the test wants several partitions: {partitions:?}");
    scene.alertmanager.wait_until_told("control-room firing AuscultEnvironmentChanged", SOON)?;
    scene.wait_until_committed(4)?;
    let standing = scene.alertmanager.wait_for(&["AuscultEnvironmentChanged"], SOON)?;
    assert_eq!(standing[0].labels["environment"], "plant/hall-2");
    let started: Timestamp = standing[0].starts_at.parse()?;
    assert_eq!(started.as_millisecond(), since.as_millisecond());
    assert_eq!(scene.alertmanager.notifications().len(), 1);
    Ok(())
}

/// What a scoring worker writes when a person has muted a machine, or unmuted it.
fn audit(machine: &str, action: &str, muted: bool) -> Value {
    let judging = |muted: bool| json!({"state": "healthy", "threshold": 3.0, "muted": muted});
    let action = if action == "mute" { json!({"mute": {}}) } else { json!(action) };
    json!({
        "id": format!("{machine}/{action}"), "machine": machine, "time": Timestamp::now().to_string(), "by": "eva",
        "action": {"control": action}, "before": judging(!muted), "after": judging(muted),
        "model": {"id": "m", "version": "v"}
    })
}

#[test]
fn muted_and_acknowledged_alarms_page_nobody_when_alertmanager_is_started_anew() -> Result<()> {
    let mut scene = Scene::start()?;
    // More than go into one request, so that a mute may come in another one than its alarm.
    let machines: Vec<String> = (0..50).map(|number| format!("fan-{number}")).collect();
    let mut standing = Vec::new();
    for machine in &machines {
        let muted = audit(machine, "mute", true);
        scene.kcat.produce(AUDIT, Some(machine), &[], muted.to_string().as_bytes())?;
        standing.push(format!("AuscultMachineMuted {machine}"));
    }
    let mutes: Vec<&str> = standing.iter().map(String::as_str).collect();
    scene.alertmanager.wait_for(&mutes, SOON)?;
    for machine in &machines {
        scene.tell(machine, "alarm", "healthy")?;
    }
    let mut acknowledged = alert("pump-1", "acknowledged", "alarm");
    acknowledged["by"] = "eva".into();
    scene.send(&acknowledged)?;
    standing.extend(machines.iter().map(|machine| format!("AuscultMachineAlarm {machine}")));
    standing.extend(["AuscultMachineAlarm pump-1", "AuscultMachineAcknowledged pump-1"].map(str::to_owned));
    let all: Vec<&str> = standing.iter().map(String::as_str).collect();
    scene.alertmanager.wait_for(&all, SOON)?;
    for _ in 0..3 {
        scene.alertmanager.kill()?;
        // A muted machine's state goes on changing meanwhile.
        scene.tell(&machines[7], "alarm", "healthy")?;
        scene.alertmanager.restart()?;
        scene.alertmanager.wait_for(&all, SOON)?;
        std::thread::sleep(Duration::from_secs(3));
    }
    let notifications = scene.alertmanager.notifications();
    assert!(notifications.is_empty(), "{notifications:?}");
    Ok(())
}

#[test]
fn who_has_acknowledged_or_muted_is_told_no_more_until_it_ends() -> Result<()> {
    let scene = Scene::start()?;
    scene.tell("fan-1", "alarm", "healthy")?;
    scene.alertmanager.wait_until_told("on-call firing AuscultMachineAlarm fan-1", SOON)?;
    let mut acknowledged = alert("fan-1", "acknowledged", "alarm");
    acknowledged["by"] = "eva".into();
    scene.send(&acknowledged)?;
    let muted = audit("fan-2", "mute", true);
    scene.kcat.produce(AUDIT, Some("fan-2"), &[], muted.to_string().as_bytes())?;
    let standing = ["AuscultMachineAlarm fan-1", "AuscultMachineAcknowledged fan-1", "AuscultMachineMuted fan-2"];
    scene.alertmanager.wait_for(&standing, SOON)?;

    scene.tell("fan-2", "alarm", "healthy")?;
    let mut with_alarm = standing.to_vec();
    with_alarm.push("AuscultMachineAlarm fan-2");
    scene.alertmanager.wait_for(&with_alarm, SOON)?;
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(scene.alertmanager.notifications(), ["on-call firing AuscultMachineAlarm fan-1"]);

    // Unmuted, the alarm that stands is told; the end of the acknowledged one, too.
    let unmuted = audit("fan-2", "unmute", false);
    scene.kcat.produce(AUDIT, Some("fan-2"), &[], unmuted.to_string().as_bytes())?;
    scene.alertmanager.wait_until_told("on-call firing AuscultMachineAlarm fan-2", SOON)?;
    scene.tell("fan-1", "healthy", "acknowledged")?;
    scene.alertmanager.wait_until_told("on-call resolved AuscultMachineAlarm fan-1", SOON)?;
    Ok(())
}

#[test]
fn alertmanager_behind_tls_and_a_password_is_reached() -> Result<()> {
    let cluster = KafkaCluster::start(1)?;
    run_auscult(&cluster.bootstrap(), &["topics", "create", "--partitions", "1", "--replication", "1"])?;
    let folder = tempfile::Builder::new().prefix("auscult-bridge-").tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-keyout", &key, "-out", &certificate])
        .output()?;
    ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    let web_config = format!(
        "tls_server_config:\n  cert_file: {certificate}\n  key_file: {key}\nbasic_auth_users:\n  auscult: {BCRYPT_OF_TIGER}\n"
    );
    let alertmanager = Alertmanager::start_with(Some(web_config))?;
    let url = format!("https://localhost:{}", alertmanager.address().port());
    let password = path("password");
    std::fs::write(&password, "lion\n")?;
    let settings = [
        ("AUSCULT__ALERTMANAGER__CA_FILE", certificate.as_str()),
        ("AUSCULT__ALERTMANAGER__USERNAME", "auscult"),
        ("AUSCULT__ALERTMANAGER__PASSWORD_FILE", &password),
    ];
    let value = alert("fan-1", "alarm", "healthy").to_string();
    cluster.kcat().produce(ALERTS, Some("fan-1"), &[], value.as_bytes())?;
    let mut bridge = start_bridge(&cluster, &url, &settings, &folder)?;
    until("the bridge to say that it is not let in", SOON, || {
        Ok(bridge.process().log().contains("status 401: not let in").then_some(()))
    })?;
    assert!(!bridge.is_ready());
    // Read for each request: nothing has to be started anew.
    std::fs::write(&password, "tiger\n")?;
    alertmanager.wait_until_told("on-call firing AuscultMachineAlarm fan-1", SOON)?;
    let log = bridge.process().log();
    assert!(!log.contains("tiger") && !log.contains("lion"), "{log}");

    // An authority that is not the one that was given vouches for nobody.
    bridge.process().kill()?;
    let mut distrustful = start_bridge(&cluster, &url, &settings[1..], &folder)?;
    until("the bridge to distrust it", SOON, || {
        Ok(distrustful.process().log().contains("certificate verify failed").then_some(()))
    })?;
    Ok(())
}
