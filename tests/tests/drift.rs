//! A machine that drifts and machines that do not, on Kafka, as Prometheus sees them.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::Path;

use auscult_simulator::Fault;
use auscult_simulator::fleet::{FailureSpec, FleetSpec};
use auscult_tests::Prometheus;
use auscult_tests::fleet::{RunOptions, run_watched};

const DRIFTING: &str = "works/hall-1/pump-01";
const STATIONARY: &str = "works/hall-1/fan-02";

/// Six machines for a day and a half; the impeller of one wears, so slowly that it would fail after two and a half.
fn spec() -> FleetSpec {
    FleetSpec {
        days: 1.5,
        failing: vec![FailureSpec {
            machine: Some(DRIFTING.to_owned()),
            fault: Some(Fault::WornImpeller),
            onset_h: 10.0,
            failure_h: 60.0,
        }],
        ..FleetSpec::default()
    }
}

/// With `AUSCULT_TEST_DRIFT_GRAPH=FILE` the stream takes two minutes, and Prometheus' own graphs of it are photographed
/// into that file: `docs/drift.png`.
#[test]
fn prometheus_shows_which_machine_drifts_and_whose_charts_stay_below_their_limits() {
    let graph = std::env::var_os("AUSCULT_TEST_DRIFT_GRAPH");
    let rate_per_s = Some(if graph.is_some() { 21.0 } else { 130.0 });
    let options = RunOptions { rate_per_s, ..RunOptions::default() };
    let (_, outcome, prometheus) = run_watched(&spec(), &options, |plant| {
        let targets: Vec<_> = plant.workers[2..].iter().map(|worker| ("scoring", worker.address())).collect();
        Prometheus::start(&targets)
    })
    .unwrap();
    assert_eq!((outcome.scores.len(), outcome.dead_letters.len()), (6 * 432, 0));

    let both = format!("machine=~\"{DRIFTING}|{STATIONARY}\"");
    if let Some(file) = graph {
        let charts = format!("auscult_machine_drift_chart_ratio{{chart=\"ewma\",{both}}}");
        let state = format!("auscult_machine_drifting{{{both}}}");
        prometheus.picture(&[&charts, &state], 3, Path::new(&file)).unwrap();
    }
    // The workers are gone, and their series with them: what they were is asked for.
    let most = |name: &str, machine: &str, labels: &str| -> f64 {
        let expression = format!("max(max_over_time({name}{{machine=\"{machine}\"{labels}}}[10m]))");
        let answer = prometheus.query(&expression).unwrap();
        answer.first().unwrap_or_else(|| panic!("{expression} was never there")).value
    };
    let drifting = |machine: &str| most("auscult_machine_drifting", machine, "");
    let average = |machine: &str| most("auscult_machine_drift_chart_ratio", machine, ",chart=\"ewma\"");
    let charts =
        prometheus.query("max by (machine, chart) (max_over_time(auscult_machine_drift_chart_ratio[10m]))").unwrap();
    for chart in &charts {
        println!("{} {:<14} {:.2}", chart.labels["machine"], chart.labels["chart"], chart.value);
    }
    assert!(drifting(DRIFTING) > 0.5 && average(DRIFTING) > 1.0);
    assert!(drifting(STATIONARY) < 0.5 && average(STATIONARY) < 1.0);
}
