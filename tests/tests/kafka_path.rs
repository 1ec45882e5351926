//! The whole way of a chunk in five processes: a broker, two feature workers, two scoring workers, and kcat and
//! Prometheus, which know nothing of Auscult, looking at what comes out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use auscult_schemas::topics::{ALERTS, AUDIT, CHUNKS, SCORER_STATE, SCORES};
use auscult_simulator::{Fault, MachineKind};
use auscult_tests::{Journey, Plant, Prometheus, quantile, simulate};

const PARTITIONS: u32 = 4;

fn train(plant: &Plant, data: &Path, machine: &str) -> Result<()> {
    let model = plant.model_file(machine);
    plant.auscult(&["train", &data.display().to_string(), "--out", &model.display().to_string()])?;
    Ok(())
}

fn send(plant: &Plant, machine: &str, path: &Path, rate: Option<&str>) -> Result<String> {
    let path = path.display().to_string();
    let mut arguments = vec!["send", path.as_str(), "--machine", machine];
    arguments.extend(rate.iter().flat_map(|rate| ["--rate", rate]));
    plant.auscult(&arguments)
}

fn report(title: &str, journey: &Journey, plant: &Plant) -> Result<()> {
    let latencies = journey.latencies_s();
    println!(
        "{title}: {} chunks, {:.1} a second; send to score p50 {:.0} ms, p99 {:.0} ms",
        journey.len(),
        journey.chunks_per_second(),
        quantile(&latencies, 0.5) * 1e3,
        quantile(&latencies, 0.99) * 1e3
    );
    for (worker, name) in plant.workers.iter().zip(["features-0", "features-1", "scoring-0", "scoring-1"]) {
        println!("  {name}: peak RSS {:.0} MB", worker.peak_resident_bytes()? as f64 / 1e6);
    }
    Ok(())
}

#[test]
fn simulated_machines_are_judged_once_a_chunk_and_in_order_on_kafka() -> Result<()> {
    let mut plant = Plant::with_topics(PARTITIONS)?;
    let machines = [
        ("fan-1", MachineKind::Fan, Fault::BearingWear),
        ("pump-1", MachineKind::Pump, Fault::Cavitation),
        ("valve-1", MachineKind::Valve, Fault::Leak),
    ];
    let mut streams = BTreeMap::new();
    for (id, kind, fault) in machines {
        let data = simulate(plant.folder(), kind, id, fault, 40)?;
        train(&plant, &data, id)?;
        streams.insert(id, data.join("stream"));
    }
    // A broken package beside the good ones is that machine's trouble alone.
    std::fs::write(plant.model_file("broken-1"), b"no package")?;
    plant.start_workers(&[])?;
    let addresses = plant.workers.iter().map(auscult_tests::Worker::address);
    let jobs = ["features", "features", "scoring", "scoring"];
    let targets: Vec<_> = jobs.into_iter().zip(addresses).collect();
    let mut prometheus = Prometheus::start(&targets)?;

    for (id, stream) in &streams {
        let printed = send(&plant, id, stream, None)?;
        assert!(printed.contains("sent 40 chunks"), "{printed}");
    }
    let kcat = plant.cluster.kcat();
    let good = std::fs::read(streams["fan-1"].join("01000.wav"))?;
    // A plain producer: kcat sets a key and nothing else.
    kcat.produce(CHUNKS, Some("fan-1"), &[], &good)?;
    // And what must not stop a partition.
    let wav = [("content-type", "audio/wav")];
    kcat.produce(CHUNKS, Some("fan-1"), &wav, &good[..good.len() / 2])?;
    kcat.produce(CHUNKS, Some("fan-1"), &wav, b"Dear Sir or Madam")?;
    kcat.produce(CHUNKS, Some("fan-1"), &[("content-type", "audio/mpeg")], &good)?;
    kcat.produce(CHUNKS, Some("fan-1"), &wav, b"")?;
    kcat.produce(CHUNKS, None, &wav, &good)?;
    kcat.produce(CHUNKS, Some("stranger"), &wav, &good)?;
    kcat.produce(CHUNKS, Some("broken-1"), &wav, &good)?;
    kcat.produce(CHUNKS, Some("fan-1"), &[], &good)?;

    let (journey, dead_letters) = plant.await_results(Duration::from_secs(120))?;
    let chunks = BTreeMap::from([("fan-1", 42), ("pump-1", 40), ("valve-1", 40)].map(|(id, n)| (id.to_owned(), n)));
    journey.ensure_once_and_in_order(&chunks)?;
    assert_eq!(journey.len(), 122, "nothing else has a score");
    report("simulated, as fast as they go", &journey, &plant)?;

    let mut codes: Vec<&str> =
        dead_letters.iter().filter_map(|letter| letter.header("auscult_dead_letter_code")).collect();
    codes.sort_unstable();
    let expected = [
        "empty",
        "invalid_envelope",
        "model_unavailable",
        "not_audio",
        "truncated",
        "unknown_machine",
        "unsupported_content_type",
    ];
    assert_eq!(codes, expected);

    let alarmed: Vec<String> = kcat
        .consume(ALERTS)?
        .iter()
        .map(|record| record.json())
        .filter_map(Result::ok)
        .filter(|alert| alert["state"] == "alarm")
        .filter_map(|alert| alert["machine"].as_str().map(str::to_owned))
        .collect();
    for (id, _, _) in machines {
        assert!(alarmed.iter().any(|machine| machine == id), "{id} is faulty for 20 chunks; alarms: {alarmed:?}");
    }
    check_prometheus(&mut prometheus)?;
    for worker in &plant.workers {
        worker.metrics()?.lint()?;
    }
    check_watch(&plant)?;

    for worker in &mut plant.workers {
        let status = worker.process().terminate(Duration::from_secs(20))?;
        assert!(status.success(), "SIGTERM ends a worker well: {status}");
    }
    Ok(())
}

fn check_prometheus(prometheus: &mut Prometheus) -> Result<()> {
    let mut sum = |expression: &str| -> Result<f64> {
        Ok(prometheus.wait_for(expression, Duration::from_secs(20))?.iter().map(|sample| sample.value).sum())
    };
    // The last scrape may be a second old: these wait until the totals are there.
    sum("sum(auscult_output_records_total{topic=\"audio.scores\"}) == 122")?;
    sum("sum(auscult_output_records_total{topic=\"audio.features\"}) == 124")?;
    sum("sum(auscult_consumer_lag_records) == 0")?;
    assert!(sum("sum(auscult_anomalous_chunks_total)")? >= 60.0 * 0.9, "half of 120 chunks are faulty");
    for reason in ["truncated", "not_audio", "unknown_machine", "model_unavailable", "empty"] {
        let count = sum(&format!("sum(auscult_dead_letters_total{{reason=\"{reason}\"}})"))?;
        assert!((count - 1.0).abs() < 1e-9, "{reason}: {count}");
    }
    for stage in ["fetch", "decode", "log_mel", "process", "forward", "decide", "commit", "end_to_end"] {
        let p99 =
            format!("histogram_quantile(0.99, sum by (le) (auscult_stage_seconds_bucket{{stage=\"{stage}\"}})) > 0");
        sum(&p99)?;
    }
    sum("sum(auscult_batch_records_count) > 0")?;
    sum("sum(auscult_batch_bytes_count) > 0")?;
    Ok(())
}

fn check_watch(plant: &Plant) -> Result<()> {
    let lines = plant.auscult(&["watch", "--only", "scores", "--from-beginning", "--until-end", "--json"])?;
    let scores: Vec<serde_json::Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(scores.len(), 122);
    assert!(scores.iter().all(|line| line["topic"] == SCORES && line["message"]["score"].is_f64()));
    let table = plant.auscult(&["watch", "--from-beginning", "--until-end", "--machine", "fan-1"])?;
    assert!(table.contains("ALARM") && table.contains("Hz"), "{table}");
    Ok(())
}

#[test]
fn what_people_ask_for_is_done_in_its_place_recorded_and_remembered() -> Result<()> {
    let mut plant = Plant::with_topics(PARTITIONS)?;
    let data = simulate(plant.folder(), MachineKind::Fan, "fan-1", Fault::BearingWear, 24)?;
    train(&plant, &data, "fan-1")?;
    plant.start_workers(&[])?;
    let control = |arguments: &[&str]| plant.auscult(&[&["control", "fan-1", "--by", "anna"], arguments].concat());
    let unknown = control(&["acknowledge"]).unwrap_err().to_string();
    assert!(unknown.contains("fan-1 was never heard"), "{unknown}");
    // Twelve normal chunks, twelve faulty ones.
    send(&plant, "fan-1", &data.join("stream"), None)?;
    let done = control(&["acknowledge", "--wait", "90s"])?;
    assert!(done.contains("acknowledge by anna: alarm to acknowledged"), "{done}");
    control(&["mute", "--for", "8h"])?;
    control(&["set-threshold", "--factor", "1.5"])?;
    // A plain producer of no control message.
    let json = [("content-type", "application/vnd.auscult.control+json")];
    plant.cluster.kcat().produce(CHUNKS, Some("fan-1"), &json, b"{\"machine\":\"fan-1\"}")?;
    send(&plant, "fan-1", &data.join("stream/01000.wav"), None)?;

    let (journey, dead_letters) = plant.await_results(Duration::from_secs(120))?;
    assert_eq!(journey.len(), 25);
    let codes: Vec<&str> = dead_letters.iter().filter_map(|letter| letter.header("auscult_dead_letter_code")).collect();
    assert_eq!(codes, ["invalid_control"]);
    let kcat = plant.cluster.kcat();
    let values = |topic: &str| -> Result<Vec<serde_json::Value>> {
        kcat.consume(topic)?.iter().map(auscult_tests::KcatRecord::json).collect()
    };
    let audits = values(AUDIT)?;
    let actions: Vec<String> = audits.iter().map(|audit| audit["action"]["control"].to_string()).collect();
    assert_eq!(actions.len(), 3, "{actions:?}");
    assert!(actions[0].contains("acknowledge") && actions[1].contains("mute") && actions[2].contains("1.5"));
    assert_eq!(
        (&audits[0]["before"]["state"], &audits[0]["after"]["state"]),
        (&"alarm".into(), &"acknowledged".into())
    );
    assert!(audits.iter().all(|audit| audit["by"] == "anna"));
    let alerts = values(ALERTS)?;
    let acknowledged = alerts.iter().find(|alert| alert["state"] == "acknowledged").expect("it is a change");
    assert_eq!((&acknowledged["by"], &acknowledged["previous_state"]), (&"anna".into(), &"alarm".into()));

    let scores = &journey.scores["fan-1"];
    let (first, last) = (&scores[0].0, &scores[24].0);
    assert_eq!((first.threshold_by.as_deref(), last.threshold_by.as_deref()), (None, Some("anna")));
    assert!((last.threshold / first.threshold - 1.5).abs() < 1e-9);
    let state = values(SCORER_STATE)?.into_iter().next_back().expect("25 chunks leave one");
    assert_eq!((&state["alert"]["state"], &state["threshold"]["by"]), (&"acknowledged".into(), &"anna".into()));
    assert!(state["mute"]["until"].is_string() && state["acknowledged"]["by"] == "anna", "{state}");

    let watched = plant.auscult(&["watch", "--only", "audit", "--from-beginning", "--until-end"])?;
    assert!(watched.contains("acknowledge by anna: alarm to acknowledged"), "{watched}");
    let metrics: Vec<_> = plant.workers[2..].iter().map(auscult_tests::Worker::metrics).collect::<Result<_>>()?;
    let sum = |name: &str, labels: &[(&str, &str)]| metrics.iter().filter_map(|one| one.sum(name, labels)).sum::<f64>();
    assert!((sum("auscult_control_messages_total", &[]) - 3.0).abs() < 1e-9);
    assert!((sum("auscult_alerts_total", &[("state", "acknowledged")]) - 1.0).abs() < 1e-9);
    assert!((sum("auscult_machines", &[("state", "acknowledged")]) - 1.0).abs() < 1e-9);
    Ok(())
}

#[test]
fn a_fused_worker_judges_without_the_features_topic() -> Result<()> {
    let mut plant = Plant::with_topics(2)?;
    let data = simulate(plant.folder(), MachineKind::Fan, "fan-1", Fault::BladeDamage, 20)?;
    train(&plant, &data, "fan-1")?;
    let models = plant.models().display().to_string();
    let arguments = ["run", "--fused", "--models", &models];
    let brokers = plant.cluster.bootstrap();
    let mut worker = auscult_tests::Worker::start("fused-0", &arguments, &brokers, &[], plant.folder())?;
    worker.wait_until_ready(Duration::from_secs(60))?;
    plant.workers.push(worker);
    send(&plant, "fan-1", &data.join("stream"), None)?;
    let (journey, dead_letters) = plant.await_results(Duration::from_secs(60))?;
    journey.ensure_once_and_in_order(&BTreeMap::from([("fan-1".to_owned(), 20)]))?;
    assert!(dead_letters.is_empty());
    assert!(plant.cluster.kcat().consume(auscult_schemas::topics::FEATURES)?.is_empty());
    Ok(())
}

/// Real recordings, where a folder of them is at hand: `AUSCULT_TEST_DATA` names a folder that holds `air-compressor`
/// and `mimii-fan-id00-0db` (see README, "Recordings").
#[test]
fn real_recordings_are_judged_once_a_chunk_and_in_order_on_kafka() -> Result<()> {
    let Some(data) = std::env::var_os("AUSCULT_TEST_DATA").map(PathBuf::from) else {
        println!("skipped: AUSCULT_TEST_DATA names no folder of recordings");
        return Ok(());
    };
    let machines = [("compressor-1", data.join("air-compressor")), ("mimii-fan-00", data.join("mimii-fan-id00-0db"))];
    if let Some((_, missing)) = machines.iter().find(|(_, folder)| !folder.is_dir()) {
        println!("skipped: {} is not there", missing.display());
        return Ok(());
    }
    let mut plant = Plant::with_topics(PARTITIONS)?;
    for (id, folder) in &machines {
        train(&plant, folder, id)?;
    }
    plant.start_workers(&[])?;
    for (id, folder) in &machines {
        send(&plant, id, &folder.join("test"), None)?;
    }
    let (journey, dead_letters) = plant.await_results(Duration::from_secs(300))?;
    assert!(dead_letters.is_empty(), "{dead_letters:?}");
    let chunks = BTreeMap::from([("compressor-1".to_owned(), 170), ("mimii-fan-00".to_owned(), 14)]);
    journey.ensure_once_and_in_order(&chunks)?;
    assert!(journey.scores["mimii-fan-00"].iter().all(|(score, _)| score.channel_scores.len() == 8));
    report("real recordings, as fast as they go", &journey, &plant)?;

    // Once more, at the pace of twelve machines with a chunk a second, for the latency.
    let before = journey.len();
    send(&plant, "compressor-1", &data.join("air-compressor/test"), Some("12"))?;
    let (mut journey, _) = plant.await_results(Duration::from_secs(300))?;
    journey.ensure_once_and_in_order(&BTreeMap::from([("compressor-1".to_owned(), 340)]))?;
    journey.scores.remove("mimii-fan-00");
    journey.scores.get_mut("compressor-1").expect("checked just above").drain(..before - 14);
    report("real recordings, 12 a second", &journey, &plant)
}

#[test]
fn killed_workers_lose_and_double_no_chunk() -> Result<()> {
    const CHUNKS: u64 = 60;
    let settings = [("AUSCULT__KAFKA__SESSION_TIMEOUT_MS", "6000"), ("AUSCULT__LIMITS__DRAIN_DEADLINE_MS", "3000")];
    let mut plant = Plant::with_topics(PARTITIONS)?;
    let machines = ["fan-1", "fan-2", "fan-3", "fan-4"];
    let data = simulate(plant.folder(), MachineKind::Fan, "fan-1", Fault::Imbalance, CHUNKS)?;
    for id in machines {
        train(&plant, &data, id)?;
    }
    plant.start_workers(&settings)?;
    let stream = data.join("stream");
    let models = plant.models().display().to_string();
    let brokers = plant.cluster.bootstrap();
    let folder = plant.folder().to_owned();
    let mut workers = std::mem::take(&mut plant.workers);
    std::thread::scope(|scope| -> Result<()> {
        let senders = machines.map(|id| scope.spawn(|| send(&plant, id, &stream, Some("12"))));
        for round in 0..3 {
            std::thread::sleep(Duration::from_millis(900 + 300 * round));
            // SIGKILL: whatever transaction was open stays open until its successor fences it.
            workers[1].process().kill()?;
            workers[3].process().kill()?;
            let scoring = ["scoring-worker", "--models", &models, "--device", "cpu"];
            workers[1] = auscult_tests::Worker::start("features-1", &["feature-worker"], &brokers, &settings, &folder)?;
            workers[3] = auscult_tests::Worker::start("scoring-1", &scoring, &brokers, &settings, &folder)?;
        }
        for sender in senders {
            sender.join().expect("sending does not panic")?;
        }
        Ok(())
    })?;
    plant.workers = workers;
    let (journey, dead_letters) = plant.await_results(Duration::from_secs(120))?;
    assert!(dead_letters.is_empty(), "{dead_letters:?}");
    let chunks: BTreeMap<String, usize> =
        machines.map(|id| (id.to_owned(), usize::try_from(CHUNKS).expect("60 fits"))).into();
    journey.ensure_once_and_in_order(&chunks)?;
    // State is restored, too: whoever took over knew how many chunks had been heard before.
    let mut latest = BTreeMap::new();
    for record in plant.cluster.kcat().consume(auscult_schemas::topics::SCORER_STATE)? {
        latest.insert(record.key.clone().unwrap_or_default(), record.json()?["chunks"].as_u64().unwrap_or(0));
    }
    assert_eq!(latest, machines.map(|id| (id.to_owned(), CHUNKS)).into());
    Ok(())
}
