//! A small simulated fleet's day through both workers on Kafka. `tests/fleet.sh` plays a hundred machines' week.

use anyhow::Result;
use auscult_simulator::fleet::{DeadMicrophoneSpec, EnvironmentSpec, FailureSpec, FleetSpec};
use auscult_simulator::{Fault, MicrophoneFault};
use auscult_tests::fleet::{RunOptions, judge, run};

/// Twenty machines for a day: one fails, two microphones die, the hall changes.
fn day() -> FleetSpec {
    FleetSpec {
        days: 1.0,
        fans: 7,
        pumps: 7,
        valves: 6,
        failing: vec![FailureSpec { machine: None, fault: Some(Fault::Cavitation), onset_h: 3.0, failure_h: 13.0 }],
        dead_microphones: vec![
            DeadMicrophoneSpec { machine: None, fault: MicrophoneFault::Quiet, at_h: 6.0 },
            DeadMicrophoneSpec { machine: None, fault: MicrophoneFault::Stuck, at_h: 9.0 },
        ],
        environment: vec![EnvironmentSpec {
            hall: None,
            spl_db: EnvironmentSpec::USUAL_SPL_DB,
            from_h: 16.0,
            until_h: None,
        }],
        ..FleetSpec::default()
    }
}

#[test]
fn a_fleet_s_failures_are_alarmed_in_time_and_its_well_machines_left_in_peace() -> Result<()> {
    // Five hours after the hall has changed its machines are learnt anew from the sixty chunks that each has sent
    // since.
    let options = RunOptions { retrain_h: Some(21.0), ..RunOptions::default() };
    let (truth, outcome) = run(&day(), &options)?;
    let verdict = judge(&truth, &outcome);
    let retrained = outcome.retrained.unwrap_or_default();
    println!("{retrained}\n{verdict}");
    // All but the one in alarm and the two that no microphone hears.
    assert_eq!(retrained, "17 of 20 machines are learnt anew");
    assert!(verdict.shortcomings.is_empty(), "{verdict}");
    Ok(())
}
