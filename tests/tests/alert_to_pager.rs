//! From the sound of a broken machine to whoever must come, and back: simulator, Kafka, both workers, the bridge, Prometheus with the chart's rules,
//! Alertmanager with the routes of `docs/alertmanager.yml`.
//!
//! ```text
//!  simulator ─► audio.chunks ─► workers ─► audio.alerts ─► bridge ─────────────┐
//!                                  └─ /metrics ─► Prometheus, the chart's rules ─┴─► Alertmanager ─► pager
//! ```

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use auscult::simulator::Fault;
use auscult::simulator::fleet::{FailureSpec, Fleet, FleetChunk, FleetSpec, gateway_record};
use auscult_runtime::config::KafkaConfig;
use auscult_runtime::kafka::GatewayProducer;
use auscult_tests::{Alerting, Alertmanager, Plant, Prometheus, Worker, repository};

/// Two of the six machines of `works/hall-1`: a third of its chunks, where the rule bears a quarter.
const BROKEN: [(&str, Fault); 2] =
    [("works/hall-1/pump-01", Fault::WornImpeller), ("works/hall-1/fan-01", Fault::Imbalance)];
const LINE_ALERT: &str = "AuscultAnomalyRateHigh";
const ALARMS: [&str; 2] = ["AuscultMachineAlarm works/hall-1/fan-01", "AuscultMachineAlarm works/hall-1/pump-01"];

/// Rounds in which all is well, before the fault: each machine has to be heard five times before anything is said of it.
const WELL_ROUNDS: u64 = 15;
/// A fault, or its end, must be known to Alertmanager after so many rounds; two and a half minutes, of which Prometheus takes one at the most to record a
/// rate.
const PATIENCE_ROUNDS: u64 = 300;
/// What two busy cores follow with ease.
const ROUND: Duration = Duration::from_millis(500);

/// The chart's own rules. Nothing is changed but how long a condition must hold: half an hour is five seconds here. What is recorded over an hour stays so,
/// and is recorded once a minute as it is at a plant.
fn quick_rules(folder: &Path) -> Result<Vec<PathBuf>> {
    let rules = repository().join("helm/auscult/files/rules");
    let mut copies = Vec::new();
    for name in ["recording.yaml", "alerts.yaml"] {
        let text = std::fs::read_to_string(rules.join(name))?;
        let quick = |line: &str| match line.split_once("for: ") {
            Some((indent, _)) if indent.trim().is_empty() => format!("{indent}for: 5s\n"),
            _ => format!("{line}\n"),
        };
        let copy = folder.join(name);
        std::fs::write(&copy, text.lines().map(quick).collect::<String>())?;
        copies.push(copy);
    }
    Ok(copies)
}

/// The same six machines, well or with the faults fully grown after an hour of the clock that their chunks tell.
fn fleet(is_broken: bool) -> Result<Fleet> {
    let fail = |(machine, fault): &(&str, Fault)| FailureSpec {
        machine: Some((*machine).to_owned()),
        fault: Some(*fault),
        onset_h: 0.0,
        failure_h: 1.0,
    };
    let failing = if is_broken { BROKEN.iter().map(fail).collect() } else { Vec::new() };
    Ok(Fleet::new(FleetSpec { failing, ..FleetSpec::default() })?)
}

/// Machines that send, a chunk each a round.
struct Gateway {
    producer: GatewayProducer,
    round: u64,
}

impl Gateway {
    fn send_round(&mut self, fleet: &Fleet) -> Result<()> {
        let begun = Instant::now();
        for planned in fleet.round(self.round) {
            let wav = fleet.wav(&planned);
            self.producer.send(&gateway_record(fleet, FleetChunk { planned, wav })?)?;
        }
        self.producer.flush(Duration::from_secs(30))?;
        self.round += 1;
        std::thread::sleep(ROUND.saturating_sub(begun.elapsed()));
        Ok(())
    }

    /// Rounds of these machines until it holds.
    fn send_until(&mut self, fleet: &Fleet, what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<Duration> {
        let begun = Instant::now();
        for _ in 0..PATIENCE_ROUNDS {
            self.send_round(fleet)?;
            if holds()? {
                return Ok(begun.elapsed());
            }
        }
        anyhow::bail!("{what}: not within {PATIENCE_ROUNDS} rounds, {:.0} s", begun.elapsed().as_secs_f64())
    }
}

#[test]
fn a_fault_raises_the_alert_both_ways_and_its_end_resolves_it() -> Result<()> {
    let mut plant = Plant::with_topics(2)?;
    let (sound, models) = (plant.folder().join("sound"), plant.models());
    let (sound, models) = (sound.to_str().context("a path")?, models.to_str().context("a path")?);
    let scenario = plant.folder().join("scenario.toml");
    std::fs::write(&scenario, toml::to_string(fleet(false)?.spec())?)?;
    let scenario = scenario.to_str().context("a path")?;
    plant.auscult(&["simulate", "--scenario", scenario, "--train", sound, "--training-clips", "60"])?;
    plant.auscult(&["train", sound, "--out", models])?;
    plant.start_workers(&[])?;

    let alertmanager = Alertmanager::start()?;
    let url = format!("http://{}", alertmanager.address());
    let settings = [("AUSCULT__ALERTMANAGER__URL", url.as_str())];
    let brokers = plant.cluster.bootstrap();
    let mut bridge = Worker::start("bridge-0", &["alertmanager"], &brokers, &settings, plant.folder())?;
    bridge.wait_until_ready(Duration::from_secs(45))?;
    let alerting = Alerting { rules: quick_rules(plant.folder())?, alertmanager: alertmanager.address() };
    let job = |number: usize| if number < 2 { "auscult-feature-worker" } else { "auscult-scoring-worker" };
    let workers = plant.workers.iter().enumerate().map(|(number, worker)| (job(number), worker.address()));
    let targets: Vec<_> = workers.chain([("auscult-alertmanager", bridge.address())]).collect();
    let _prometheus = Prometheus::start_with(&targets, Some(&alerting))?;

    let (well, broken) = (fleet(false)?, fleet(true)?);
    let config = KafkaConfig { brokers, ..KafkaConfig::default() };
    let mut gateway = Gateway { producer: GatewayProducer::new(&config, "auscult-simulate")?, round: 0 };
    let wanted = [ALARMS[0], ALARMS[1], LINE_ALERT];
    let standing = || -> Result<Vec<String>> {
        let names = alertmanager.alerts()?.into_iter().map(|alert| alert.name());
        Ok(names.filter(|name| wanted.contains(&name.as_str())).collect())
    };

    for _ in 0..WELL_ROUNDS {
        gateway.send_round(&well)?;
    }
    ensure!(standing()?.is_empty(), "before the fault there is {:?}", standing()?);

    let raised =
        gateway.send_until(&broken, "both alarms and the line's alert", || Ok(standing()?.len() == wanted.len()));
    let raised = raised.with_context(|| format!("{:?}", standing()))?;
    let line = alertmanager.alerts()?.into_iter().find(|alert| alert.name() == LINE_ALERT).unwrap();
    assert_eq!((line.labels["site"].as_str(), line.labels["line"].as_str()), ("works", "hall-1"));
    assert_eq!(line.labels["severity"], "warning");
    assert!(line.annotations["summary"].ends_with("of the chunks of works/hall-1 are anomalous"), "{line:?}");
    assert!(line.annotations["runbook_url"].ends_with("docs/runbooks/AuscultAnomalyRateHigh.md"), "{line:?}");
    for told in [
        format!("on-call firing {}", ALARMS[0]),
        format!("on-call firing {}", ALARMS[1]),
        format!("control-room firing {LINE_ALERT}"),
    ] {
        alertmanager.wait_until_told(&told, Duration::from_secs(20))?;
    }

    let resolved = gateway.send_until(&well, "the end of all three", || Ok(standing()?.is_empty()));
    let resolved = resolved.with_context(|| format!("{:?}", standing()))?;
    for told in [
        format!("on-call resolved {}", ALARMS[0]),
        format!("on-call resolved {}", ALARMS[1]),
        format!("control-room resolved {LINE_ALERT}"),
    ] {
        alertmanager.wait_until_told(&told, Duration::from_secs(20))?;
    }
    let round = gateway.round;
    println!(
        "raised after {:.0} s, resolved after {:.0} s, {round} rounds",
        raised.as_secs_f64(),
        resolved.as_secs_f64()
    );
    Ok(())
}
