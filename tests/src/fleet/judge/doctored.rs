//! Outcomes that are as they should be but for one thing: the judge names that thing and no other.

use auscult_schemas::{ChunkId, EnvironmentChange, MachineId, ModelId, ModelRef, QualityFlag, SensorFault};
use auscult_simulator::fleet::{EnvironmentTruth, FailureTruth, MicrophoneTruth};
use auscult_simulator::{Fault, MachineKind, MicrophoneFault};

use super::*;

fn at(hours: i64) -> Timestamp {
    "2026-01-05T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
}

/// Six machines for a week and a half: the first fails, the second's microphone dies, the hall changes.
fn truth() -> Truth {
    let machine = |number: usize| MachineTruth {
        id: format!("works/hall-1/pump-{number}"),
        kind: MachineKind::Pump,
        chunks: 3,
        failure: (number == 0).then(|| FailureTruth { fault: Fault::Cavitation, onset: at(10), failure: at(50) }),
        dead_microphone: (number == 1).then(|| MicrophoneTruth { fault: MicrophoneFault::Stuck, at: at(30) }),
    };
    Truth {
        seed: 1,
        start: at(0),
        end: at(250),
        cadence_s: 300.0,
        chunks: 18,
        machines: (0..6).map(machine).collect(),
        environment_changes: vec![EnvironmentTruth {
            environment: "works/hall-1".to_owned(),
            from: at(100),
            until: None,
        }],
        outages: Vec::new(),
    }
}

fn alert(kind: AlertKind, machine: &str, time: Timestamp, state: MachineState) -> Alert {
    Alert {
        id: format!("{machine}/{time}"),
        kind,
        machine: MachineId::new(machine).unwrap(),
        time,
        state,
        previous_state: MachineState::Healthy,
        previous_since: None,
        previous_seconds: None,
        classification: None,
        muted: false,
        by: None,
        environment: None,
        since: time,
        chunk_id: ChunkId("1".to_owned()),
        score: None,
        threshold: 1.0,
        p_value: None,
        bands: Vec::new(),
        sensor_faults: Vec::new(),
        sensors_well_again: Vec::new(),
        notes: Vec::new(),
        quantity: None,
        explanation: None,
        model: ModelRef { id: ModelId("m".to_owned()), version: "1".to_owned() },
    }
}

fn environment(since: Timestamp) -> Alert {
    let name = "works/hall-1";
    let change = EnvironmentChange { environment: name.to_owned(), machines_affected: 3, machines_heard: 3, since };
    let time = since + SignedDuration::from_mins(20);
    Alert { environment: Some(change), ..alert(AlertKind::Environment, name, time, MachineState::Healthy) }
}

fn alarm(number: usize, hours: i64) -> Alert {
    alert(AlertKind::Machine, &format!("works/hall-1/pump-{number}"), at(hours), MachineState::Alarm)
}

fn dead(number: usize, hours: i64) -> Alert {
    let faults = vec![SensorFault { channel: 0, flags: vec![QualityFlag::Stuck] }];
    let machine = format!("works/hall-1/pump-{number}");
    Alert { sensor_faults: faults, ..alert(AlertKind::Sensor, &machine, at(hours), MachineState::SensorFault) }
}

/// As it should be.
fn ideal() -> Outcome {
    let score = |number: usize| ScoreSeen {
        machine: format!("works/hall-1/pump-{}", number / 3),
        chunk_id: format!("{number}"),
        time: at(1),
        score: 1.0,
        threshold: 2.0,
        anomalous: false,
    };
    let mut late = environment(at(100));
    late.environment.as_mut().unwrap().since = at(100) + SignedDuration::from_mins(25);
    Outcome {
        scores: (0..18).map(score).collect(),
        alerts: vec![alarm(0, 20), dead(1, 30), environment(at(100)), late],
        ..Outcome::default()
    }
}

fn promises_broken(doctor: impl FnOnce(&mut Outcome)) -> Vec<Promise> {
    let mut outcome = ideal();
    doctor(&mut outcome);
    judge(&truth(), &outcome).shortcomings.iter().map(|shortcoming| shortcoming.promise).collect()
}

#[test]
fn what_is_as_it_should_be_keeps_every_promise_and_two_partitions_reports_are_one() {
    let verdict = judge(&truth(), &ideal());
    assert_eq!(verdict.shortcomings, []);
    assert_eq!(verdict.failures[0].lead().unwrap().as_secs(), 30 * 3600);
    assert_eq!(verdict.environment.len(), 1);
    assert_eq!((verdict.environment[0].records, verdict.environment[0].machines), (2, 6));
    let table = verdict.to_string();
    assert!(table.contains("30.0 h") && table.contains("25 %") && table.ends_with("every promise is kept"), "{table}");
}

#[test]
fn a_failure_without_an_alarm_or_with_a_late_one_is_named() {
    assert_eq!(promises_broken(|outcome| drop(outcome.alerts.remove(0))), [Promise::AlarmBeforeFailure]);
    assert_eq!(promises_broken(|outcome| outcome.alerts[0] = alarm(0, 50)), [Promise::AlarmBeforeFailure]);
    assert_eq!(promises_broken(|outcome| outcome.alerts[0].muted = true), [Promise::AlarmBeforeFailure]);
    let warned = |outcome: &mut Outcome| outcome.alerts[0].state = MachineState::Warning;
    assert_eq!(promises_broken(warned), [Promise::AlarmBeforeFailure], "a warning is no alarm");
}

#[test]
fn false_alarms_are_counted_of_healthy_machines_of_deaf_ones_and_before_the_onset() {
    // Nine machine-weeks allow none.
    for (number, hours) in [(3, 40), (1, 60), (0, 5), (4, 101)] {
        let broken = promises_broken(|outcome| outcome.alerts.push(alarm(number, hours)));
        assert_eq!(broken, [Promise::FewFalseAlarms], "pump-{number} at {hours} h");
    }
    let again = promises_broken(|outcome| outcome.alerts.push(alarm(0, 60)));
    assert_eq!(again, [], "a broken machine may be alarmed again");
}

#[test]
fn a_dead_microphone_that_is_not_named_or_late_and_a_well_one_that_is_are_told() {
    assert_eq!(promises_broken(|outcome| drop(outcome.alerts.remove(1))), [Promise::DeadMicrophonesNamed]);
    assert_eq!(promises_broken(|outcome| outcome.alerts[1] = dead(1, 32)), [Promise::DeadMicrophonesNamed]);
    assert_eq!(promises_broken(|outcome| outcome.alerts.push(dead(2, 32))), [Promise::DeadMicrophonesNamed]);
}

#[test]
fn a_change_of_environment_that_is_not_reported_or_twice_or_that_was_none_is_told() {
    let none = |outcome: &mut Outcome| outcome.alerts.retain(|alert| alert.kind != AlertKind::Environment);
    assert_eq!(promises_broken(none), [Promise::EnvironmentOnce]);
    // The same change once more, but too long after to be another partition's.
    let twice = |outcome: &mut Outcome| outcome.alerts.push(environment(at(100) + SignedDuration::from_mins(110)));
    assert_eq!(promises_broken(twice), [Promise::EnvironmentOnce]);
    let invented = |outcome: &mut Outcome| outcome.alerts.push(environment(at(60)));
    assert_eq!(promises_broken(invented), [Promise::EnvironmentOnce]);
}

#[test]
fn a_score_that_is_missing_or_double_or_of_a_stranger_and_dead_letters_are_told() {
    assert_eq!(promises_broken(|outcome| drop(outcome.scores.pop())), [Promise::OneScoreAChunk]);
    let double = |outcome: &mut Outcome| outcome.scores.push(outcome.scores[4].clone());
    assert_eq!(promises_broken(double), [Promise::OneScoreAChunk]);
    let swapped = |outcome: &mut Outcome| outcome.scores[5] = outcome.scores[4].clone();
    assert_eq!(promises_broken(swapped), [Promise::OneScoreAChunk], "as many as chunks, but one twice");
    let stranger = |outcome: &mut Outcome| {
        let score = ScoreSeen { machine: "x".to_owned(), ..outcome.scores[0].clone() };
        outcome.scores.push(score);
    };
    assert_eq!(promises_broken(stranger), [Promise::OneScoreAChunk]);
    let letter = |outcome: &mut Outcome| outcome.dead_letters.push("not_audio".to_owned());
    assert_eq!(promises_broken(letter), [Promise::OneScoreAChunk]);
}

#[test]
fn a_machine_that_is_called_silent_while_its_gateway_sends_is_told() {
    let silent = alert(AlertKind::Machine, "works/hall-1/pump-3", at(40), MachineState::Silent);
    assert_eq!(promises_broken(|outcome| outcome.alerts.push(silent)), [Promise::NobodySilencedWrongly]);
}
