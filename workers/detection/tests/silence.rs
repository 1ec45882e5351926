//! What is promised of silence: a machine that stops is missed, by the others' clock and by nobody's wrong one.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use auscult_schemas::MachineState;
use jiff::ToSpan;
use proptest::prelude::*;
use support::hall::{CADENCE_S, Hall, name, start};

#[test]
fn a_machine_that_stops_is_silent_after_six_cadences_and_heard_again_goes_on_where_it_was() {
    let mut hall = Hall::new(1, 1e-6);
    let mut missed = None;
    for round in 0..40 {
        for machine in 0..6 {
            if machine == 2 && (20..32).contains(&round) {
                continue;
            }
            let score = hall.score(0.0, 1.0);
            let time = start() + (round * CADENCE_S + machine * 3).seconds();
            let silent = hall.hear(&name(machine as usize), time, score).silent;
            if let Some(alert) = silent.first() {
                assert_eq!((alert.state, alert.previous_state), (MachineState::Silent, MachineState::Healthy));
                assert_eq!(alert.machine.as_str(), name(2));
                assert_eq!(alert.since, start() + (19 * CADENCE_S + 6).seconds(), "since it was last heard");
                assert!(missed.replace(round).is_none(), "it is reported once");
            }
        }
    }
    // Heard last in round 19: six cadences later is round 25, and only then can more have passed.
    assert!(matches!(missed, Some(25 | 26)), "{missed:?}");
    let states: Vec<_> = hall.alerts.iter().filter(|alert| alert.machine.as_str() == name(2)).collect();
    let changes: Vec<_> = states.iter().map(|alert| (alert.previous_state, alert.state)).collect();
    let expected = [
        (MachineState::Learning, MachineState::Healthy),
        (MachineState::Healthy, MachineState::Silent),
        (MachineState::Silent, MachineState::Healthy),
    ];
    assert_eq!(changes, expected);
}

#[test]
fn after_a_night_in_which_nothing_was_heard_the_morning_silences_nobody() {
    let mut hall = Hall::new(2, 1e-6);
    for round in (0..30).chain(200..230) {
        hall.round(13, round, |_| (0.0, 1.0));
    }
    assert!(hall.entered(MachineState::Silent).is_empty());
}

#[test]
fn of_two_machines_neither_is_ever_silent() {
    let mut hall = Hall::new(3, 1e-6);
    for round in 0..10 {
        hall.round(2, round, |_| (0.0, 1.0));
    }
    for round in 10..100 {
        hall.round(1, round, |_| (0.0, 1.0));
    }
    assert!(hall.entered(MachineState::Silent).is_empty());
}

#[test]
fn all_machines_of_a_small_gateway_are_missed_one_alert_each() {
    let mut hall = Hall::new(4, 1e-6);
    for round in 0..20 {
        hall.round(12, round, |_| (0.0, 1.0));
    }
    for round in 20..60 {
        hall.round(4, round, |_| (0.0, 1.0));
    }
    assert_eq!(hall.entered(MachineState::Silent).len(), 8);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_wrong_clocks_of_a_quarter_less_one_silence_nobody(
        machines in 3..24_usize,
        offsets in prop::collection::vec(-1_000_000..1_000_000_i64, 24),
        seed in any::<u64>(),
    ) {
        let wrong = (machines.div_ceil(4) - 1).max(1);
        let mut hall = Hall::new(seed, 1e-6);
        for round in 0..40 {
            for (machine, wrong_by) in offsets.iter().enumerate().take(machines) {
                let offset = if machine < wrong && round >= 10 { *wrong_by } else { 0 };
                let time = start() + (round * CADENCE_S + machine as i64 * 3 + hall.jitter(60) + offset).seconds();
                let score = hall.score(0.0, 1.0);
                hall.hear(&name(machine), time, score);
            }
        }
        prop_assert!(hall.entered(MachineState::Silent).is_empty());
    }

    #[test]
    fn nobody_is_silent_below_six_cadences(
        machines in 3..12_usize,
        gaps in prop::collection::vec((0..12_usize, 10..60_i64), 0..12),
        seed in any::<u64>(),
    ) {
        // Gaps of at most four rounds are at most five cadences.
        let mut hall = Hall::new(seed, 1e-6);
        for round in 0..70 {
            for machine in 0..machines {
                let is_gone = gaps.iter().any(|(gone, from)| *gone == machine && (*from..from + 4).contains(&round));
                let is_after_a_gap = gaps.iter().any(|(gone, from)| *gone == machine && (from + 4..from + 8).contains(&round));
                if is_gone && !is_after_a_gap {
                    let score = hall.score(0.0, 1.0);
                    // Present in every fifth round at the least.
                    if round % 5 != 0 { continue; }
                    hall.hear(&name(machine), start() + (round * CADENCE_S + machine as i64).seconds(), score);
                    continue;
                }
                let score = hall.score(0.0, 1.0);
                hall.hear(&name(machine), start() + (round * CADENCE_S + machine as i64).seconds(), score);
            }
        }
        prop_assert!(hall.entered(MachineState::Silent).is_empty());
    }
}
