//! What a running installation tells of itself: traces from the gateway to the alert, the trace of a dead letter, the
//! log level, series that go with their partitions.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auscult_schemas::TraceContext;
use auscult_schemas::topics::{ALERTS, CHUNKS, DEAD_LETTERS, FEATURES};
use auscult_simulator::{Fault, MachineKind};
use auscult_tests::{Collector, Plant, Span, Worker, get, simulate, until};

const SOON: Duration = Duration::from_secs(60);
const CHUNKS_SENT: usize = 20;

/// A plant with a model for one pump, whose recordings turn bad from half on.
fn plant(machine: &str) -> Result<(Plant, String)> {
    let plant = Plant::with_topics(2)?;
    let data = simulate(plant.folder(), MachineKind::Pump, machine, Fault::Cavitation, CHUNKS_SENT as u64)?;
    let model = plant.model_file(machine).display().to_string();
    plant.auscult(&["train", &data.display().to_string(), "--out", &model])?;
    Ok((plant, data.join("stream").display().to_string()))
}

#[test]
fn a_chunk_s_trace_leads_from_its_gateway_to_its_alert_and_a_dead_letter_names_its_own() -> Result<()> {
    let mut collector = Collector::start()?;
    let (mut plant, stream) = plant("pump-1")?;
    let endpoint = collector.endpoint();
    plant.start_workers(&[
        ("AUSCULT__TRACES__OTLP_ENDPOINT", &endpoint),
        // Nothing is begun by the workers: what they record was begun by the gateway, or by whoever sent the poison.
        ("AUSCULT__TRACES__SAMPLE_RATIO", "0"),
    ])?;
    let to_collector = [format!("traces.otlp_endpoint={endpoint}"), "traces.sample_ratio=1".to_owned()];
    let settings = ["--set", &to_collector[0], "--set", &to_collector[1]];
    plant.auscult(&[&["send", &stream, "--machine", "pump-1"][..], &settings].concat())?;
    let poison = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("content-type", "audio/wav"), ("traceparent", poison), ("tracestate", "vendor=1")];
    plant.cluster.kcat().produce(CHUNKS, Some("pump-1"), &headers, b"Dear Sir or Madam")?;
    let (_, dead_letters) = plant.await_results(SOON)?;

    // One a stage of the way, with what it consists of; one process span of the poison.
    let expected = CHUNKS_SENT * (1 + 3 + 3) + 3;
    let spans =
        until("the spans to come", SOON, || Ok(Some(collector.spans()?).filter(|spans| spans.len() >= expected)))?;
    assert_eq!(spans.len(), expected, "each once");
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    assert_eq!(ids.len(), spans.len(), "each under an id of its own");
    let mut traces: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in &spans {
        traces.entry(&span.trace_id).or_default().push(span);
    }
    assert_eq!(traces.len(), CHUNKS_SENT + 1);
    let poisoned = traces.remove("4bf92f3577b34da6a3ce929d0e0e4736").context("no trace of the poison")?;
    for trace in traces.values() {
        ensure_whole(trace)?;
    }

    let whole = poisoned.iter().find(|span| span.name == "process audio.chunks").context("the poison's span")?;
    assert_eq!((whole.parent_id.as_str(), whole.status.as_str()), ("00f067aa0ba902b7", "Error"));
    assert_eq!(whole.attributes["error.type"], "not_audio");
    let [letter] = dead_letters.as_slice() else { anyhow::bail!("{} dead letters", dead_letters.len()) };
    assert_eq!(letter.header("auscult_dead_letter_trace_id"), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    assert_eq!(letter.header("traceparent"), Some(poison));
    let logs: String = (0..2).map(|number| log_of(&plant, &format!("features-{number}"))).collect::<Result<_>>()?;
    let line = logs.lines().find(|line| line.contains("a record is a dead letter")).context("no line about it")?;
    ensure!(line.contains("4bf92f3577b34da6a3ce929d0e0e4736") && line.contains("not_audio"), "{line}");

    // An alert carries the context of the span that raised it.
    let kcat = plant.cluster.kcat();
    let alerts = kcat.consume(ALERTS)?;
    ensure!(!alerts.is_empty(), "cavitation raised no alert");
    for alert in &alerts {
        let context = TraceContext::parse(alert.header("traceparent").context("an alert without context")?).unwrap();
        let trace = &traces[context.trace_id_hex().as_str()];
        let raised = trace.iter().find(|span| context.to_string().contains(&span.id)).context("no such span")?;
        assert_eq!(
            (raised.name.as_str(), raised.service.as_str()),
            ("process audio.features", "auscult-scoring-worker")
        );
    }
    assert!(kcat.consume(DEAD_LETTERS)?[0].header("tracestate").is_some());
    let exports = plant.workers[0].metrics()?;
    assert_eq!(exports.sum("auscult_trace_exports_total", &[("outcome", "failed")]), Some(0.0));
    Ok(())
}

/// Sent, features, scores: each the next one's parent.
fn ensure_whole(trace: &[&Span]) -> Result<()> {
    let the =
        |name: &str| trace.iter().find(|span| span.name == name).with_context(|| format!("no {name:?} in {trace:#?}"));
    let (sent, features, scores) =
        (the("send audio.chunks")?, the("process audio.chunks")?, the("process audio.features")?);
    ensure!(sent.parent_id.is_empty() && sent.kind == "Producer" && sent.service == "auscult-send", "{sent:#?}");
    ensure!(features.parent_id == sent.id && features.kind == "Consumer", "{features:#?}");
    ensure!(features.service == "auscult-feature-worker" && scores.parent_id == features.id, "{scores:#?}");
    for span in [sent, features, scores] {
        ensure!(span.attributes["auscult.machine"] == "pump-1" && span.status == "Unset", "{span:#?}");
    }
    for (whole, part) in [(features, "compute"), (features, "commit"), (scores, "compute"), (scores, "commit")] {
        let is_it = |span: &&&Span| span.name == part && span.parent_id == whole.id;
        ensure!(trace.iter().filter(is_it).count() == 1, "not one {part} of {whole:#?}");
    }
    Ok(())
}

fn log_of(plant: &Plant, worker: &str) -> Result<String> {
    Ok(std::fs::read_to_string(plant.folder().join(format!("{worker}.log")))?)
}

#[test]
fn a_collector_that_is_away_costs_spans_and_no_result() -> Result<()> {
    let (mut plant, stream) = plant("pump-1")?;
    // Nobody listens there.
    let nowhere = format!("http://127.0.0.1:{}", auscult_tests::free_ports(1)?[0]);
    plant.start_workers(&[("AUSCULT__TRACES__OTLP_ENDPOINT", &nowhere), ("AUSCULT__TRACES__SAMPLE_RATIO", "1")])?;
    plant.auscult(&["send", &stream, "--machine", "pump-1"])?;
    let (journey, dead_letters) = plant.await_results(SOON)?;
    assert_eq!((journey.len(), dead_letters.len()), (CHUNKS_SENT, 0));
    // A chunk that came without context has one from the first stage on.
    assert!(plant.cluster.kcat().consume(FEATURES)?.iter().all(|record| record.header("traceparent").is_some()));
    until("the failures to be counted", SOON, || {
        let mut failed = 0.0;
        for worker in &plant.workers {
            failed += worker.metrics()?.sum("auscult_trace_exports_total", &[("outcome", "failed")]).unwrap_or(0.0);
        }
        Ok((failed >= 2.0).then_some(()))
    })?;
    for worker in &mut plant.workers {
        assert!(worker.process().terminate(SOON)?.success(), "the last spans hold up nobody");
    }
    Ok(())
}

#[test]
fn the_log_level_is_changed_while_a_worker_runs_and_series_go_with_their_partitions() -> Result<()> {
    let (mut plant, stream) = plant("pump-1")?;
    plant.start_workers(&[])?;
    let address = plant.workers[2].address().to_string();
    let log_level =
        |arguments: &[&str]| plant.auscult_output(&[&["log-level", "--worker", &address][..], arguments].concat());
    let told = |arguments: &[&str]| -> Result<String> {
        let output = log_level(arguments)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    assert_eq!(told(&[])?, "info");
    let refused = log_level(&["dbug"])?;
    let reason = String::from_utf8(refused.stderr)?;
    assert!(!refused.status.success() && reason.contains("dbug") && reason.contains("is no level"), "{reason}");
    assert_eq!(told(&[])?, "info");
    let words = "warn,auscult_runtime=debug,auscult_scoring_worker=debug";
    assert_eq!(told(&[words])?, words);
    let other = plant.workers[3].address().to_string();
    plant.auscult(&["log-level", "debug", "--worker", &other])?;
    for number in 0..2 {
        assert!(!log_of(&plant, &format!("scoring-{number}"))?.contains("batch committed"));
    }
    plant.auscult(&["send", &stream, "--machine", "pump-1"])?;
    plant.await_results(SOON)?;

    // The machine is shown by the worker that has its partition, and by no other.
    let shown = |worker: &Worker| -> Result<f64> {
        Ok(worker.metrics()?.sum("auscult_machine_state", &[("machine", "pump-1")]).unwrap_or(0.0))
    };
    let [first, second] = [shown(&plant.workers[2])?, shown(&plant.workers[3])?];
    assert_eq!(first + second, 1.0);
    let (owner, heir) = if first > 0.0 { (2, 3) } else { (3, 2) };
    let logs = log_of(&plant, "scoring-0")? + &log_of(&plant, "scoring-1")?;
    assert!(logs.contains("batch committed"), "debug was asked for, and batches were done");

    // No chunk comes any more. The owner goes, and the heir shows the machine from what it has restored.
    assert!(plant.workers[owner].process().terminate(SOON)?.success());
    until("the heir to show the machine", SOON, || Ok((shown(&plant.workers[heir])? == 1.0).then_some(())))?;
    let name = if owner == 2 { "scoring-0" } else { "scoring-1" };
    let models = plant.models().display().to_string();
    let arguments = ["scoring-worker", "--models", &models, "--device", "cpu"];
    let brokers = plant.cluster.bootstrap();
    plant.workers[owner] = Worker::start(name, &arguments, &brokers, &[], plant.folder())?;
    plant.workers[owner].wait_until_ready(SOON)?;
    // The group may give either partition back to the one that has come; the machine is shown once in any case.
    until("the machine to be shown once", SOON, || {
        let each = [shown(&plant.workers[2])?, shown(&plant.workers[3])?];
        let owned = |number: usize| -> Result<f64> {
            Ok(plant.workers[number].metrics()?.sum("auscult_assigned_partitions", &[]).unwrap_or(0.0))
        };
        Ok((each.iter().sum::<f64>() == 1.0 && owned(2)? == 1.0 && owned(3)? == 1.0).then_some(()))
    })?;

    // Every metric there is on a page is in the inventory.
    let inventory = std::fs::read_to_string(auscult_tests::repository().join("docs/metrics.md"))?;
    for worker in &plant.workers {
        let (_, page) = get(worker.address(), "/metrics")?;
        for name in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
            assert!(inventory.contains(&format!("| `{name}` |")), "{name} is not in docs/metrics.md");
        }
    }
    Ok(())
}
