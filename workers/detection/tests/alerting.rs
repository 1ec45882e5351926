//! What is promised of the alert state machine, whatever it hears and whatever it is asked for.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use auscult_detection::{AlertPolicy, WatchPolicy, fall_silent};
use auscult_schemas::{ChunkId, ControlAction, MachineState, ScorerState};
use jiff::Timestamp;
use proptest::prelude::*;
use support::listening::{Played, Step, at, play, step, watch};

use MachineState::{Acknowledged, Alarm, Healthy, Learning, Maintenance, Silent, Warning};

fn any_action() -> impl Strategy<Value = ControlAction> {
    let until = prop::option::of((0_i64..2_000).prop_map(|tens| at(10 * tens)));
    prop_oneof![
        Just(ControlAction::Acknowledge),
        Just(ControlAction::Unacknowledge),
        until.clone().prop_map(|until| ControlAction::Mute { until }),
        Just(ControlAction::Unmute),
        until.prop_map(|until| ControlAction::Maintenance { until }),
        Just(ControlAction::EndMaintenance),
        (0.5_f64..2.0).prop_map(|factor| ControlAction::SetThreshold { threshold: None, factor: Some(factor) }),
        Just(ControlAction::SetThreshold { threshold: None, factor: None }),
        Just(ControlAction::Relearn),
        Just(ControlAction::Retire),
    ]
}

/// Stretches of normal, of wavering and of deviating sound, with a control message now and then.
fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let stretch =
        prop_oneof![(Just(0.2), Just(0.7)), (Just(0.9), Just(1.1)), (Just(1.1), Just(3.0)), (Just(0.2), Just(3.0)),];
    let chunks = (stretch, 1_usize..30)
        .prop_flat_map(|((low, high), count)| prop::collection::vec((low..high).prop_map(Step::Chunk), count));
    let part = prop_oneof![4 => chunks, 1 => any_action().prop_map(|action| vec![Step::Control(action)])];
    prop::collection::vec(part, 1..20).prop_map(|parts| parts.concat())
}

fn any_policy() -> impl Strategy<Value = WatchPolicy> {
    let windows = (1_u32..9, 1_u32..9).prop_flat_map(|(warn, raise)| (1..=warn, Just(warn), 1..=raise, Just(raise)));
    (windows, 1_u32..8, 0.3_f64..=1.0, 0_u32..400).prop_map(
        |((warn_of, warn_window, raise_of, raise_window), clear_after, clear_ratio, min_alarm_secs)| {
            watch(AlertPolicy {
                warn_of,
                warn_window,
                raise_of,
                raise_window,
                clear_after,
                clear_ratio,
                min_alarm_secs,
                ..AlertPolicy::default()
            })
        },
    )
}

/// Where a chunk, and where a control message, may lead.
const BY_CHUNK: [(MachineState, &[MachineState]); 7] = [
    (Learning, &[Healthy, Warning, Alarm]),
    (Healthy, &[Warning, Alarm]),
    (Warning, &[Healthy, Alarm]),
    (Alarm, &[Healthy]),
    (Acknowledged, &[Healthy]),
    // By its `until`; the chunk itself already counts.
    (Maintenance, &[Learning, Healthy, Warning, Alarm]),
    (Silent, &[Learning, Healthy, Warning, Alarm, Acknowledged]),
];
const BY_CONTROL: [(MachineState, &[MachineState]); 6] = [
    (Learning, &[Maintenance]),
    (Healthy, &[Maintenance, Learning]),
    (Warning, &[Maintenance, Learning]),
    (Alarm, &[Maintenance, Learning, Acknowledged]),
    (Acknowledged, &[Maintenance, Learning, Alarm]),
    (Maintenance, &[Learning]),
];

fn may_lead(table: &[(MachineState, &[MachineState])], from: MachineState, to: MachineState) -> bool {
    table.iter().any(|(state, targets)| *state == from && targets.contains(&to))
}

/// When alarms were raised, other than by taking an acknowledgement back.
fn raised(played: &[(usize, Played)]) -> Vec<Timestamp> {
    let alerts = played.iter().filter_map(|(_, played)| played.alert.as_ref());
    alerts.filter(|alert| alert.state == Alarm && alert.by.is_none()).map(|alert| alert.time).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn only_legal_changes_are_made_and_each_is_told_once(steps in any_steps(), policy in any_policy()) {
        let mut before = Learning;
        for (index, played) in play(&steps, 10, &policy) {
            let after = played.state.alert.state;
            match &played.alert {
                None => prop_assert_eq!(before, after),
                Some(alert) => {
                    prop_assert_eq!((alert.previous_state, alert.state), (before, after));
                    prop_assert_ne!(before, after);
                    let is_control = matches!(steps[index], Step::Control(_));
                    let table: &[_] = if is_control { &BY_CONTROL } else { &BY_CHUNK };
                    // A control message may come when `until` has, so that it finds the machine learning.
                    let is_expiry = is_control && before == Maintenance;
                    prop_assert!(may_lead(table, before, after) || is_expiry, "{before:?} -> {after:?}");
                    prop_assert_eq!(alert.by.is_some(), is_control);
                    if !is_control {
                        prop_assert_eq!(alert.classification.is_some(), matches!(after, Warning | Alarm));
                    }
                    prop_assert!(alert.explanation.is_some());
                }
            }
            prop_assert!(played.state.alert.anomalous_at.len() <= AlertPolicy::MAX_WINDOW as usize);
            before = after;
        }
    }

    #[test]
    fn no_alarm_without_so_many_anomalous_of_the_latest_chunks(steps in any_steps(), policy in any_policy()) {
        let mut anomalous = Vec::new();
        for (index, played) in play(&steps, 10, &policy) {
            if matches!(steps[index], Step::Chunk(_)) {
                anomalous.push(played.is_anomalous);
            }
            let Some(alert) = played.alert.filter(|alert| alert.by.is_none()) else { continue };
            let latest = |window: u32| anomalous.iter().rev().take(window as usize).filter(|is| **is).count();
            match alert.state {
                Alarm => prop_assert!(latest(policy.alert.raise_window) >= policy.alert.raise_of as usize),
                Warning => prop_assert!(latest(policy.alert.warn_window) >= policy.alert.warn_of as usize),
                // After maintenance that ends by its `until` a machine begins anew, as from learning.
                Healthy if !matches!(alert.previous_state, Learning | Maintenance) => {
                    prop_assert_eq!(latest(policy.alert.clear_after), 0);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn alarms_are_an_hour_apart_whatever_the_scores(
        scores in prop::collection::vec(prop_oneof![0.5_f64..0.9, 0.95..1.05, 1.0..2.0], 2_000),
        cadence_s in prop_oneof![Just(10_i64), Just(60), Just(300)],
    ) {
        let steps: Vec<Step> = scores.into_iter().map(Step::Chunk).collect();
        let raised = raised(&play(&steps, cadence_s, &WatchPolicy::default()));
        prop_assert!(raised.windows(2).all(|pair| pair[1].duration_since(pair[0]).as_secs() >= 3600), "{raised:?}");
    }

    /// What another worker restores from the changelog between any two records goes on exactly as the one before would
    /// have.
    #[test]
    fn a_state_that_was_written_and_read_between_any_two_steps_changes_nothing(
        steps in any_steps(),
        policy in any_policy(),
    ) {
        let mut state: Option<ScorerState> = None;
        let played = play(&steps, 10, &policy);
        let mut expected = played.iter();
        for (index, taken) in steps.iter().enumerate() {
            let restored: Option<ScorerState> =
                state.as_ref().map(|state| serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap());
            prop_assert_eq!(&restored, &state);
            if let Some(next) = step(restored.as_ref(), taken, at(10 * index as i64), &policy) {
                prop_assert_eq!(&(index, next.clone()), expected.next().unwrap());
                state = Some(next.state);
            }
        }
        prop_assert!(expected.next().is_none());
    }

    #[test]
    fn an_acknowledged_alarm_ends_in_health_or_by_a_person_and_is_not_raised_again(
        steps in any_steps(),
        policy in any_policy(),
    ) {
        let mut before = Learning;
        for (index, played) in play(&steps, 10, &policy) {
            let after = played.state.alert.state;
            if before == Acknowledged && after != Acknowledged {
                let by_person = matches!(steps[index], Step::Control(_));
                prop_assert!(after == Healthy || by_person, "{after:?}");
                prop_assert!(played.state.acknowledged.is_none());
            }
            prop_assert_eq!(played.state.acknowledged.is_some(), after == Acknowledged);
            before = after;
        }
    }

    #[test]
    fn nothing_is_raised_in_maintenance_and_it_ends_at_its_time(
        scores in prop::collection::vec(0.2_f64..3.0, 60),
        end in 5_usize..55,
    ) {
        let until = Some(at(10 * end as i64));
        let mut steps: Vec<Step> = scores.into_iter().map(Step::Chunk).collect();
        steps[3] = Step::Control(ControlAction::Maintenance { until });
        for (index, played) in play(&steps, 10, &WatchPolicy::default()) {
            if (3..end).contains(&index) {
                prop_assert_eq!(played.state.alert.state, Maintenance);
            } else if index == end {
                let alert = played.alert.unwrap();
                prop_assert_eq!((alert.previous_state, alert.state), (Maintenance, Learning));
                prop_assert!(played.state.maintenance.is_none());
            } else if index > end {
                prop_assert_ne!(played.state.alert.state, Maintenance);
            }
        }
    }

    #[test]
    fn a_muted_machine_changes_its_states_all_the_same(
        scores in prop::collection::vec(0.2_f64..3.0, 100),
        end in 5_usize..95,
    ) {
        let chunks: Vec<Step> = scores.into_iter().map(Step::Chunk).collect();
        let until = Some(at(10 * end as i64));
        let policy = watch(AlertPolicy { min_alarm_secs: 60, ..AlertPolicy::default() });
        let plain = play(&chunks, 10, &policy);
        let mut state: Option<ScorerState> = None;
        for (index, chunk) in chunks.iter().enumerate() {
            if index == 2 {
                let mute = Step::Control(ControlAction::Mute { until });
                state = Some(step(state.as_ref(), &mute, at(15), &policy).unwrap().state);
            }
            let played = step(state.as_ref(), chunk, at(10 * index as i64), &policy).unwrap();
            prop_assert_eq!(&played.state.alert, &plain[index].1.state.alert);
            if let Some(alert) = &played.alert {
                prop_assert_eq!(alert.muted, (2..end).contains(&index));
            }
            state = Some(played.state);
        }
    }
}

/// A day at a chunk in 10 s, whose score goes around the threshold in many ways. The figures are printed:
/// `cargo test … -- --nocapture`.
#[test]
fn a_score_that_oscillates_around_the_threshold_for_a_day_alarms_once_an_hour_at_most() {
    let chunks = 8_640_usize;
    let noise =
        |index: usize| (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23) as f64 / u64::MAX as f64;
    let mut shapes: Vec<(String, Vec<f64>)> = Vec::new();
    for period in [2, 3, 7, 12, 30, 90, 360, 361, 720, 1_000] {
        let sine = |amplitude: f64| {
            (0..chunks)
                .map(|index| 1.0 + amplitude * (std::f64::consts::TAU * index as f64 / f64::from(period)).sin())
                .collect::<Vec<f64>>()
        };
        shapes.push((format!("sine of {period} chunks, ±5 %"), sine(0.05)));
        shapes.push((format!("sine of {period} chunks, ±60 %"), sine(0.6)));
        let square = (0..chunks).map(|index| if index as i32 % period < period / 2 { 1.5 } else { 0.4 }).collect();
        shapes.push((format!("square of {period} chunks"), square));
    }
    for spread in [0.1, 0.5, 1.0] {
        let wavering = (0..chunks).map(|index| 1.0 + spread * (noise(index) - 0.5)).collect();
        shapes.push((format!("noise of ±{:.0} %", 50.0 * spread), wavering));
    }
    let mut most = 0;
    for (name, scores) in shapes {
        let steps: Vec<Step> = scores.into_iter().map(Step::Chunk).collect();
        let played = play(&steps, 10, &WatchPolicy::default());
        let raised = raised(&played);
        let changes = played.iter().filter(|(_, played)| played.alert.is_some()).count();
        println!("{name:<30} {:>3} alarms a day, {changes:>3} changes of state", raised.len());
        let apart = raised.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).min();
        assert!(apart.is_none_or(|apart| apart >= 3_600), "{name}: {apart:?} s apart");
        assert!(raised.len() <= 24, "{name}: {}", raised.len());
        most = most.max(raised.len());
    }
    assert!(most > 0, "or nothing was shown");
}

#[test]
fn silence_interrupts_an_alarm_and_does_not_end_it() {
    let policy = WatchPolicy::default();
    let played = play(&vec![Step::Chunk(2.0); 6], 10, &policy);
    let state = &played.last().unwrap().1.state;
    assert_eq!(state.alert.state, Alarm);
    let (silent, alert) = fall_silent(state, at(200), "id", &ChunkId("other".to_owned())).unwrap();
    assert_eq!((alert.previous_state, alert.state, alert.since), (Alarm, Silent, at(50)));
    assert!(fall_silent(&silent, at(210), "id", &ChunkId("other".to_owned())).is_none());
    let heard = step(Some(&silent), &Step::Chunk(0.3), at(220), &policy).unwrap();
    let alert = heard.alert.unwrap();
    assert_eq!((alert.previous_state, alert.state), (Silent, Alarm));

    let acknowledged = step(Some(&silent), &Step::Control(ControlAction::Acknowledge), at(215), &policy).unwrap();
    assert_eq!((acknowledged.state.alert.state, &acknowledged.alert), (Silent, &None));
    let heard = step(Some(&acknowledged.state), &Step::Chunk(0.3), at(220), &policy).unwrap();
    assert_eq!(heard.state.alert.state, Acknowledged);
}

#[test]
fn a_clock_that_was_wrong_when_the_alarm_was_raised_does_not_keep_it_for_ever() {
    let policy = WatchPolicy::default();
    let mut state = play(&vec![Step::Chunk(2.0); 6], 10, &policy).pop().unwrap().1.state;
    // The clock is put back by a day.
    for index in 0..10 {
        state = step(Some(&state), &Step::Chunk(0.3), at(-86_400 + 10 * index), &policy).unwrap().state;
    }
    assert_eq!(state.alert.state, Healthy);
}
