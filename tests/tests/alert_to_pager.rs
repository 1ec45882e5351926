//! From the sound of a fault to whoever is on call, and back: Kafka, workers, the bridge, Prometheus with the chart's
//! own rules, Alertmanager. All of them real; the plant is simulated, and an hour of it passes in three seconds.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use auscult_operations::gateway::chunk_record;
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::GatewayProducer;
use auscult_simulator::Fault;
use auscult_simulator::fleet::{FailureSpec, Fleet, FleetSpec};
use auscult_tests::{Alertmanager, Plant, Prometheus, Worker, until};
use jiff::{SignedDuration, Timestamp};

const SICK: &str = "works/hall-1/pump-01";
/// The rules' hours are minutes here.
const HASTE: u32 = 60;
const SOON: Duration = Duration::from_secs(60);
/// An hour of the plant, with twelve chunks of each of three machines, in three seconds.
const CHUNKS_PER_S: f64 = 12.0;

fn plant_from(start: Timestamp, failing: Vec<FailureSpec>) -> FleetSpec {
    FleetSpec { start, days: 30.0, fans: 1, pumps: 1, valves: 1, halls: 1, failing, ..FleetSpec::default() }
}

/// Sends the plant's sound until it is told to stop; gives when the last of it was recorded.
fn play(spec: &FleetSpec, brokers: &str, is_over: &AtomicBool) -> Result<Timestamp> {
    let fleet = Fleet::new(spec.clone())?;
    let producer =
        GatewayProducer::new(&KafkaConfig { brokers: brokers.to_owned(), ..KafkaConfig::default() }, "plant")?;
    let (begun, mut sent, mut last) = (Instant::now(), 0_u32, spec.start);
    fleet.play(|chunk| {
        if is_over.load(Ordering::Relaxed) {
            return anyhow::Ok(ControlFlow::Break(()));
        }
        let due = Duration::from_secs_f64(f64::from(sent) / CHUNKS_PER_S);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        last = last.max(chunk.planned.time);
        producer.send(&chunk_record(&fleet.envelope(&chunk.planned)?, chunk.wav, None))?;
        sent += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    producer.flush(SOON)?;
    Ok(last)
}

/// While the plant plays, `watch` looks; then it stops.
fn while_playing(spec: &FleetSpec, brokers: &str, watch: impl FnOnce() -> Result<()>) -> Result<Timestamp> {
    let (is_over, failed) = (AtomicBool::new(false), Mutex::new(None));
    std::thread::scope(|scope| {
        let playing = scope.spawn(|| play(spec, brokers, &is_over));
        *failed.lock().unwrap() = watch().err();
        is_over.store(true, Ordering::Relaxed);
        let last = playing.join().expect("the plant does not panic")?;
        failed.into_inner().unwrap().map_or(Ok(last), Err)
    })
}

/// The two ways to the pager: the machine's own alarm by `audio.alerts` and the bridge; the line's rate by metrics and
/// a rule.
fn stand(alertmanager: &Alertmanager) -> Result<[bool; 2]> {
    let alerts = alertmanager.alerts()?;
    let alarm = alerts.iter().any(|alert| alert.name() == format!("AuscultMachineAlarm {SICK}"));
    let is_of_line = |name: &str, value: &str| {
        alerts.iter().any(|alert| {
            alert.labels["alertname"] == "AuscultAnomalyRateHigh"
                && alert.labels.get(name).is_some_and(|label| label == value)
        })
    };
    Ok([alarm, is_of_line("site", "works") && is_of_line("line", "hall-1")])
}

#[test]
fn a_fault_s_alerts_reach_alertmanager_by_both_ways_and_its_end_resolves_them() -> Result<()> {
    let mut plant = Plant::with_topics(2)?;
    let start: Timestamp = "2026-03-02T06:00:00Z".parse()?;
    // Normal sound first, for four hours of the plant; then cavitation that is all there an hour later.
    let fault =
        FailureSpec { machine: Some(SICK.to_owned()), fault: Some(Fault::Cavitation), onset_h: 4.0, failure_h: 5.0 };
    let sick = plant_from(start, vec![fault]);
    let scenario = plant.folder().join("scenario.toml");
    std::fs::write(&scenario, toml::to_string(&sick)?)?;
    let (scenario, sound) = (scenario.display().to_string(), plant.folder().join("sound").display().to_string());
    plant.auscult(&["simulate", "--scenario", &scenario, "--train", &sound, "--training-clips", "60"])?;
    plant.auscult(&["train", &sound, "--out", &plant.models().display().to_string()])?;
    plant.start_workers(&[])?;

    let alertmanager = Alertmanager::start()?;
    let brokers = plant.cluster.bootstrap();
    let url = format!("http://{}", alertmanager.address());
    let settings = [("AUSCULT__ALERTMANAGER__URL", url.as_str()), ("AUSCULT__ALERTMANAGER__RESEND_SECS", "1")];
    let mut bridge = Worker::start("bridge-0", &["alertmanager"], &brokers, &settings, plant.folder())?;
    bridge.wait_until_ready(SOON)?;
    let jobs = ["features", "features", "scoring", "scoring"];
    let targets: Vec<_> = jobs.into_iter().zip(plant.workers.iter().map(Worker::address)).collect();
    let prometheus = Prometheus::start_alerting(&targets, alertmanager.address(), HASTE)?;

    let last = while_playing(&sick, &brokers, || {
        // While all is well nothing of the kind stands.
        std::thread::sleep(Duration::from_secs(8));
        assert_eq!(stand(&alertmanager)?, [false, false]);
        until("both alerts to stand", SOON * 4, || Ok((stand(&alertmanager)? == [true, true]).then_some(())))
    })
    .with_context(|| standing(&alertmanager, &prometheus))?;
    alertmanager.wait_until_told(&format!("on-call firing AuscultMachineAlarm {SICK}"), SOON)?;
    let alarm = alertmanager.alerts()?.into_iter().find(|alert| alert.name() == format!("AuscultMachineAlarm {SICK}"));
    let description = alarm.context("it stood just now")?.annotations["description"].clone();
    ensure!(description.contains("dB"), "it says what is heard, and where: {description}");

    // The pump is repaired, and the plant goes on.
    let well = plant_from(last + SignedDuration::from_mins(5), Vec::new());
    while_playing(&well, &brokers, || {
        until("both alerts to be over", SOON * 4, || Ok((stand(&alertmanager)? == [false, false]).then_some(())))
    })
    .with_context(|| standing(&alertmanager, &prometheus))?;
    alertmanager.wait_until_told(&format!("on-call resolved AuscultMachineAlarm {SICK}"), SOON)?;
    alertmanager.wait_until_told("control-room resolved AuscultAnomalyRateHigh", SOON)
}

/// What there is instead, for whoever reads why the test failed.
fn standing(alertmanager: &Alertmanager, prometheus: &Prometheus) -> String {
    let alerts = alertmanager.alerts().unwrap_or_default();
    let names: Vec<String> = alerts.iter().map(auscult_tests::AlertmanagerAlert::name).collect();
    let rates = prometheus.query("namespace_site_line:auscult_site_anomalous_chunks:ratio_rate1h");
    format!("alertmanager has {names:?}; the line's rate is {rates:?}")
}
