//! The fixtures themselves: a suite is only as good as the parts it stands on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there and then")]

use std::process::Command;
use std::time::Duration;

use auscult_tests::{KafkaCluster, Process, Prometheus, free_ports, get, until};

#[test]
fn one_broker_keeps_records_as_they_were_sent_up_to_eight_mebibytes() {
    let cluster = KafkaCluster::start(1).unwrap();
    cluster.create_topic("sound", 4).unwrap();
    let kcat = cluster.kcat();
    assert_eq!(kcat.brokers().unwrap(), 1);

    let headers = [("content-type", "audio/wav"), ("ce_id", "first"), ("ce_id", "second")];
    kcat.produce("sound", Some("fan-07"), &headers, b"{\"line\":\n1}").unwrap();
    kcat.produce("sound", Some("fan-07"), &[], b"").unwrap();
    kcat.produce("sound", None, &[], &vec![b'x'; 5_000_000]).unwrap();
    assert!(kcat.produce("nowhere", Some("fan-07"), &[], b"x").is_err(), "topics are not made by accident");

    let records = kcat.consume("sound").unwrap();
    assert_eq!(records.len(), 3);
    let of_machine: Vec<_> = records.iter().filter(|record| record.key.as_deref() == Some("fan-07")).collect();
    assert_eq!(of_machine.len(), 2);
    assert_eq!(of_machine[0].json().unwrap()["line"], 1);
    assert_eq!(of_machine[0].header("ce_id"), Some("second"));
    assert_eq!(of_machine[0].header("content-type"), Some("audio/wav"));
    assert_eq!(of_machine[1].payload.as_deref().unwrap_or_default(), "");
    assert_eq!(of_machine[1].partition, of_machine[0].partition);
    let large = records.iter().find(|record| record.key.is_none()).unwrap();
    assert_eq!(large.payload.as_ref().map(String::len), Some(5_000_000));
    assert!(cluster.dump("sound").unwrap().contains("fan-07"));
}

#[test]
fn a_killed_broker_of_three_loses_nothing_and_comes_back() {
    let mut cluster = KafkaCluster::start(3).unwrap();
    assert_eq!(cluster.kcat().brokers().unwrap(), 3);
    cluster.create_topic("sound", 4).unwrap();
    let kcat = cluster.kcat();
    for index in 0..4 {
        kcat.produce("sound", Some(&format!("fan-{index}")), &[], b"before").unwrap();
    }
    cluster.kill(2).unwrap();
    assert!(cluster.kill(2).is_err(), "it is dead already");
    for index in 0..4 {
        kcat.produce("sound", Some(&format!("fan-{index}")), &[], b"without").unwrap();
    }
    assert_eq!(kcat.consume("sound").unwrap().len(), 8);
    cluster.restart(2).unwrap();
    assert_eq!(cluster.kcat().brokers().unwrap(), 3);
    assert!(cluster.broker(2).unwrap().peak_resident_bytes().unwrap() > 50_000_000);
}

#[test]
fn a_cluster_of_two_is_refused() {
    assert!(KafkaCluster::start(2).unwrap_err().to_string().contains("one broker or three"));
}

#[test]
fn prometheus_scrapes_itself_and_answers() {
    let mut prometheus = Prometheus::start(&[("nobody", ([127, 0, 0, 1], free_ports(1).unwrap()[0]).into())]).unwrap();
    let up = prometheus.wait_for("up{job=\"nobody\"}", Duration::from_secs(20)).unwrap();
    assert_eq!(up[0].value, 0.0, "nobody listens there");
    assert_eq!(up[0].labels["job"], "nobody");
    assert!(prometheus.query("up{").is_err(), "a wrong expression is an error, not an empty answer");
    assert!(prometheus.query("nothing").unwrap().is_empty());

    let (status, body) = get(prometheus.address(), "/metrics").unwrap();
    assert_eq!(status, 200);
    let metrics = auscult_tests::Metrics(body);
    metrics.lint().unwrap();
    assert!(metrics.sum("process_resident_memory_bytes", &[]).unwrap() > 0.0);
    assert!(auscult_tests::Metrics("1x 2\n".to_owned()).lint().is_err());
}

#[test]
fn a_process_can_be_paused_ended_and_asked_for_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'echo tidied; exit 3' TERM; echo started; while :; do sleep 0.05; done";
    let log = folder.path().join("log");
    let mut process = Process::start("script", Command::new("bash").args(["-c", script]), &log).unwrap();
    let wrote = |process: &Process, text: &str| Ok(process.log().contains(text).then_some(()));
    until("the script to start", Duration::from_secs(10), || wrote(&process, "started")).unwrap();
    process.ensure_running().unwrap();

    process.pause().unwrap();
    assert!(process.terminate(Duration::from_millis(300)).is_err(), "what stands still does not end");
    process.resume().unwrap();
    assert_eq!(process.wait(Duration::from_secs(10)).unwrap().code(), Some(3));
    assert!(process.log_tail(1).contains("tidied"));
    let error = process.ensure_running().unwrap_err().to_string();
    assert!(error.contains("script ended") && error.contains("tidied"), "{error}");
}
