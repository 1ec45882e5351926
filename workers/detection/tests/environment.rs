//! What is promised of environments: one report for what happens to many machines, none for what happens to a few, and
//! a fault is found all the same.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use auscult_schemas::{AuditAction, MachineState};
use jiff::ToSpan;
use proptest::prelude::*;
use support::hall::{CADENCE_S, Hall, start};

/// Chunks of a day.
const DAY: i64 = 288;

#[test]
fn chance_never_looks_like_a_change_in_a_hundred_thousand_chunks() {
    for (rate, machines, seed) in [(0.01, 4, 1), (0.02, 13, 2), (0.05, 4, 3), (0.05, 8, 4), (0.05, 18, 5)] {
        let mut hall = Hall::new(seed, rate);
        for round in 0..100_000 / machines as i64 {
            hall.round(machines, round, |_| (0.0, 1.0));
        }
        assert!(hall.reports().is_empty(), "{machines} machines at {rate}: {:?}", hall.reports());
    }
}

#[test]
fn three_machines_that_fail_at_once_are_three_alarms() {
    for failing in 1..=3 {
        let mut hall = Hall::new(10 + failing, 0.01);
        for round in 0..DAY {
            hall.round(
                13,
                round,
                |machine| if machine < failing as usize && round >= 100 { (4.0, 1.0) } else { (0.0, 1.0) },
            );
        }
        assert!(hall.reports().is_empty());
        for machine in 0..failing as usize {
            assert_eq!(hall.state_of(machine), MachineState::Alarm);
        }
    }
}

/// A shift of one standard deviation: too small for an alarm, and drift of every machine.
#[test]
fn drift_of_every_machine_at_once_is_one_change_of_environment_and_drift_of_one_machine_is_none() {
    let shift = 0.43;
    for (machines, drifting, reported) in [(13, 13, 1), (40, 40, 1), (13, 1, 0), (13, 3, 0)] {
        let mut hall = Hall::new(30 + machines as u64 + drifting as u64, 0.01);
        let mut found = 0;
        for round in 0..6 * DAY {
            let lift = |machine| if round >= 2 * DAY && machine < drifting { (shift, 1.0) } else { (0.0, 1.0) };
            found += hall.round(machines, round, lift);
        }
        let reports = hall.reports();
        assert_eq!(reports.len(), reported, "{drifting} of {machines}: {reports:?}");
        for report in reports {
            let since = report.environment.as_ref().unwrap().since;
            let off_h = since.duration_since(start() + (2 * DAY * CADENCE_S).seconds()).as_secs_f64() / 3600.0;
            assert!((-6.0..=6.0).contains(&off_h), "{off_h} h from the shift to `since`");
        }
        // Each machine's own charts may find it before four in five of them have, and no second time.
        let most = if reported == 1 { machines } else { drifting + 4 };
        assert!(found <= most, "{drifting} of {machines}: {found} drifts found");
        assert!(found >= drifting.min(machines / 3), "{drifting} of {machines}: {found} drifts found");
        assert!(hall.entered(MachineState::Alarm).is_empty());
    }
}

#[test]
fn a_step_of_all_machines_is_one_report_and_no_alarm_then_or_in_the_week_after() {
    for (machines, lift, wider) in [(4, 3.0, 1.0), (8, 1.5, 1.5), (13, 3.0, 2.0), (13, 30.0, 8.0), (40, 3.0, 2.0)] {
        let mut hall = Hall::new(20 + machines as u64, 0.01);
        for round in 0..8 * DAY {
            hall.round(machines, round, |_| if round >= DAY { (lift, wider) } else { (0.0, 1.0) });
        }
        let reports = hall.reports();
        assert_eq!(reports.len(), 1, "{machines} machines, lift {lift}: {reports:?}");
        let change = reports[0].environment.as_ref().unwrap();
        assert_eq!(change.environment, "plant/hall-2");
        assert_eq!(reports[0].machine.as_str(), "plant/hall-2");
        let off_s = change.since.duration_since(start() + (DAY * CADENCE_S).seconds()).as_secs_f64();
        assert!((-600.0..=900.0).contains(&off_s), "{off_s} s from the step to `since`");
        let alarms = hall.entered(MachineState::Alarm);
        assert!(alarms.is_empty(), "{machines} machines, lift {lift}: {} alarms, {:?}", alarms.len(), alarms.first());
        let adjusted: std::collections::BTreeSet<_> = hall.audits.iter().map(|audit| &audit.machine).collect();
        assert_eq!(adjusted.len(), machines, "each machine has learnt, and that is recorded");
        assert!(hall.audits.iter().all(|audit| audit.by == "environment"));
    }
}

#[test]
fn a_change_that_comes_over_three_hours_is_one_report() {
    let mut hall = Hall::new(30, 0.01);
    for round in 0..3 * DAY {
        let lift = ((round - DAY) as f64 / 36.0).clamp(0.0, 1.0) * 4.0;
        hall.round(13, round, |machine| (lift * (0.7 + 0.05 * machine as f64), 1.0));
    }
    assert_eq!(hall.reports().len(), 1, "{:?}", hall.reports());
    let alarms = hall.entered(MachineState::Alarm).len();
    assert!(alarms <= 2, "{alarms} alarms");
}

#[test]
fn a_fault_that_begins_while_or_after_the_level_is_learnt_is_found() {
    // It grows over a day, from nothing to three times the room that normal sound has.
    for begins in [DAY + 6, DAY + 2 * DAY] {
        let mut hall = Hall::new(40, 0.01);
        for round in 0..5 * DAY {
            hall.round(13, round, |machine| {
                let step = if round >= DAY { 3.0 } else { 0.0 };
                let grown = ((round - begins) as f64 / DAY as f64).clamp(0.0, 1.0);
                if machine == 5 { (step + 5.0 * grown, 1.0) } else { (step, 1.0) }
            });
        }
        assert_eq!(hall.reports().len(), 1);
        let alarms = hall.entered(MachineState::Alarm);
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert!(alarms[0].machine.as_str().ends_with("fan-05"));
        let after_h = alarms[0].time.duration_since(start() + (begins * CADENCE_S).seconds()).as_secs_f64() / 3600.0;
        assert!((0.0..24.0).contains(&after_h), "{after_h} h after it began");
    }
}

#[test]
fn a_machine_in_alarm_before_the_change_stays_in_alarm() {
    let mut hall = Hall::new(50, 0.01);
    for round in 0..3 * DAY {
        hall.round(13, round, |machine| {
            let step = if round >= DAY { 3.0 } else { 0.0 };
            if machine == 5 && round >= DAY / 2 { (step + 4.0, 1.0) } else { (step, 1.0) }
        });
    }
    assert_eq!(hall.reports().len(), 1);
    assert_eq!(hall.entered(MachineState::Alarm).len(), 1);
    assert_eq!(hall.state_of(5), MachineState::Alarm);
}

#[test]
fn when_the_environment_is_as_before_so_are_the_thresholds() {
    let mut hall = Hall::new(60, 0.01);
    for round in 0..4 * DAY {
        hall.round(13, round, |_| if (DAY..2 * DAY).contains(&round) { (3.0, 2.0) } else { (0.0, 1.0) });
    }
    // What is switched off changes the hall as well: the scores' charts find that.
    let reports = hall.reports();
    assert!((1..=2).contains(&reports.len()), "{reports:?}");
    if let Some(second) = reports.get(1) {
        let back_h = second.time.duration_since(start() + (2 * DAY * CADENCE_S).seconds()).as_secs_f64() / 3600.0;
        assert!((0.0..=6.0).contains(&back_h), "{second:?}");
    }
    assert!(hall.entered(MachineState::Alarm).is_empty());
    assert!(hall.states.values().all(|state| state.adjustment.is_none() && state.relearning.is_none()));
    let last = hall.audits.last().unwrap();
    assert_eq!(last.action, AuditAction::AdjustThreshold { offset: 0.0, factor: 1.0 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_worker_that_takes_over_at_any_time_decides_the_same(
        machines in 4..16_usize,
        stops in 0..16_usize,
        takeovers in prop::collection::vec(0..120_i64, 0..8),
        seed in any::<u64>(),
    ) {
        let run = |takeovers: &[i64]| {
            let mut hall = Hall::new(seed, 0.03);
            for round in 0..120 {
                if takeovers.contains(&round) {
                    hall.take_over();
                }
                let present = if round >= 60 { machines - stops.min(machines / 3) } else { machines };
                hall.round(present, round, |_| if round >= 40 { (3.0, 2.0) } else { (0.0, 1.0) });
            }
            (hall.alerts, hall.audits, hall.states)
        };
        prop_assert_eq!(run(&[]), run(&takeovers));
    }
}
