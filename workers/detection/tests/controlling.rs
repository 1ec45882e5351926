//! What is promised of control messages: what is asked for is done, recorded, or refused with the reason.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use auscult_detection::{AlertPolicy, ControlRequest, PartitionMachines, WatchPolicy, apply_control};
use auscult_schemas::{AuditAction, ChunkId, Control, ControlAction, MachineState, ModelRef, ScorerState};
use support::listening::{MANIFEST, Played, Step, at, machine, model, play, step, watch};

use ControlAction::{
    Acknowledge, EndMaintenance, Maintenance, Mute, Relearn, Retire, SetThreshold, Unacknowledge, Unmute,
};

fn after(steps: &[Step]) -> ScorerState {
    play(steps, 10, &WatchPolicy::default()).pop().unwrap().1.state
}

fn asked(state: &ScorerState, action: ControlAction, seconds: i64) -> Played {
    step(Some(state), &Step::Control(action), at(seconds), &WatchPolicy::default()).unwrap()
}

fn refused(state: Option<&ScorerState>, by: &str, action: ControlAction) -> String {
    let control = Control { machine: machine(), id: None, by: by.to_owned(), at: Some(at(100)), action };
    let (record_id, model) = (ChunkId("c".to_owned()), model());
    let asked = ControlRequest {
        id: "id",
        control: &control,
        record_id: &record_id,
        record_time: at(100),
        model: &model,
        manifest: &MANIFEST,
    };
    apply_control(state, &asked, &AlertPolicy::default()).unwrap_err().to_string()
}

fn set(threshold: Option<f64>, factor: Option<f64>) -> ControlAction {
    SetThreshold { threshold, factor }
}

#[test]
fn an_acknowledged_alarm_says_who_and_can_be_taken_back() {
    let alarm = after(&vec![Step::Chunk(2.0); 6]);
    let acknowledged = asked(&alarm, Acknowledge, 100);
    let alert = acknowledged.alert.unwrap();
    assert_eq!((alert.state, alert.by.as_deref()), (MachineState::Acknowledged, Some("anna")));
    assert_eq!(alert.explanation.as_deref(), Some("acknowledged by anna"));
    assert_eq!(alert.previous_seconds, Some(70.0), "raised by the fourth chunk");
    let audit = acknowledged.audit.unwrap();
    assert_eq!((audit.before.state, audit.after.state), (MachineState::Alarm, MachineState::Acknowledged));
    assert_eq!(audit.action, AuditAction::Control(Acknowledge));
    assert_eq!(acknowledged.state.acknowledged.as_ref().unwrap().by, "anna");
    // Once more is no mistake, and no change.
    let again = asked(&acknowledged.state, Acknowledge, 110);
    assert_eq!((again.alert, again.state.acknowledged), (None, acknowledged.state.acknowledged.clone()));

    let open = asked(&acknowledged.state, Unacknowledge, 120);
    assert_eq!(open.state.alert.state, MachineState::Alarm);
    assert!(open.state.acknowledged.is_none());
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let healthy = after(&vec![Step::Chunk(0.3); 6]);
    assert!(refused(Some(&healthy), "anna", Acknowledge).contains("no alarm to acknowledge"));
    assert!(refused(None, "anna", Acknowledge).contains("no alarm"));
    assert!(refused(Some(&healthy), "anna", Unacknowledge).contains("no acknowledged alarm"));
    assert!(refused(Some(&healthy), "anna", EndMaintenance).contains("not in maintenance"));
    assert!(refused(Some(&healthy), " ", Unmute).contains("`by` is empty"));
    assert!(refused(Some(&healthy), "anna", Mute { until: Some(at(100)) }).contains("not after"));
    assert!(refused(Some(&healthy), "anna", Maintenance { until: Some(at(0)) }).contains("not after"));
    for (threshold, factor) in [(Some(1.0), Some(1.0)), (Some(0.0), None), (None, Some(-1.0)), (Some(f64::NAN), None)] {
        assert!(refused(Some(&healthy), "anna", set(threshold, factor)).contains("one of `threshold` and `factor`"));
    }
}

#[test]
fn a_threshold_is_held_from_the_next_chunk_on_recorded_and_taken_back() {
    let calibrated = MANIFEST.calibration.threshold;
    let healthy = after(&vec![Step::Chunk(0.3); 6]);
    let edited = asked(&healthy, set(None, Some(2.0)), 60);
    let audit = edited.audit.unwrap();
    assert_eq!((audit.before.threshold, audit.before.threshold_by), (calibrated, None));
    assert_eq!((audit.after.threshold, audit.after.threshold_by.as_deref()), (2.0 * calibrated, Some("anna")));
    let edit = edited.state.threshold.as_ref().unwrap();
    assert_eq!((edit.factor, edit.by.as_str(), edit.since), (Some(2.0), "anna", at(60)));
    let policy = WatchPolicy::default();
    let heard = step(Some(&edited.state), &Step::Chunk(1.5), at(70), &policy).unwrap();
    assert_eq!((heard.threshold, heard.is_anomalous), (Some(2.0 * calibrated), false));

    let fixed = asked(&healthy, set(Some(0.5 * calibrated), None), 60);
    assert!(step(Some(&fixed.state), &Step::Chunk(0.6), at(70), &policy).unwrap().is_anomalous);
    let back = asked(&fixed.state, set(None, None), 80);
    assert_eq!((back.state.threshold, back.audit.unwrap().after.threshold), (None, calibrated));
}

#[test]
fn a_threshold_set_as_a_number_ends_with_its_model_and_that_is_recorded_and_a_factor_goes_on() {
    let calibrated = MANIFEST.calibration.threshold;
    let healthy = after(&vec![Step::Chunk(0.3); 6]);
    let earlier = |state: ScorerState| ScorerState { model: ModelRef { version: "v0".to_owned(), ..model() }, ..state };
    let fixed = earlier(asked(&healthy, set(Some(7.0), None), 60).state);
    let heard = step(Some(&fixed), &Step::Chunk(0.3), at(70), &WatchPolicy::default()).unwrap();
    let audit = heard.audit.unwrap();
    assert_eq!((audit.action, audit.by.as_str()), (AuditAction::DropThreshold, "model"));
    assert_eq!((audit.before.threshold, audit.after.threshold), (7.0, calibrated));
    assert_eq!((heard.threshold, heard.state.threshold), (Some(calibrated), None));

    let factor = earlier(asked(&healthy, set(None, Some(1.5)), 60).state);
    let heard = step(Some(&factor), &Step::Chunk(0.3), at(70), &WatchPolicy::default()).unwrap();
    assert_eq!((heard.threshold, heard.audit), (Some(1.5 * calibrated), None));
}

#[test]
fn a_machine_is_judged_anew_after_maintenance_and_after_relearning() {
    let alarm = after(&vec![Step::Chunk(2.0); 6]);
    let maintained = asked(&alarm, Maintenance { until: None }, 60);
    let alert = maintained.alert.unwrap();
    assert_eq!((alert.previous_state, alert.state), (MachineState::Alarm, MachineState::Maintenance));
    let mut state = maintained.state;
    for index in 0..10 {
        let played = step(Some(&state), &Step::Chunk(3.0), at(70 + 10 * index), &WatchPolicy::default()).unwrap();
        assert_eq!(played.alert, None);
        state = played.state;
    }
    assert_eq!(state.recent_scores.len(), 16, "scores go on");
    let over = asked(&state, EndMaintenance, 200);
    assert_eq!(over.state.alert.state, MachineState::Learning);
    // Whatever it sounded like meanwhile, it takes four of five chunks again.
    let mut state = over.state;
    for index in 0..4 {
        let played = step(Some(&state), &Step::Chunk(3.0), at(210 + 10 * index), &WatchPolicy::default()).unwrap();
        assert_eq!(played.alert.map(|alert| alert.state), (index == 3).then_some(MachineState::Alarm));
        state = played.state;
    }

    let relearnt = asked(&alarm, Relearn, 60);
    assert_eq!(relearnt.state.alert.state, MachineState::Learning);
    assert!(relearnt.state.recent_scores.is_empty());
}

#[test]
fn a_retired_machine_is_forgotten_and_is_a_new_one_when_it_is_heard_again() {
    let policy = watch(AlertPolicy::default());
    let mut state: Option<ScorerState> = None;
    for index in 0..20 {
        let score = if index < 10 { 1.0 } else { 3.0 };
        state = Some(step(state.as_ref(), &Step::Chunk(score), at(10 * index), &policy).unwrap().state);
    }
    let alarm = state.unwrap();
    assert_eq!(alarm.alert.state, MachineState::Alarm);
    let muted = asked(&alarm, Mute { until: None }, 200);

    let retired = asked(&muted.state, Retire, 210);
    let over = retired.alert.unwrap();
    assert_eq!(
        (over.previous_state, over.state),
        (MachineState::Alarm, MachineState::Learning),
        "the alarm is told to be over"
    );
    assert!(retired.state.retired.is_some() && retired.state.mute.is_none() && retired.state.last_heard.is_none());
    let mut machines = PartitionMachines::new(policy.alert.silent_after);
    machines.put(&muted.state);
    assert_eq!(machines.iter().count(), 1);
    machines.put(&retired.state);
    assert_eq!(machines.iter().count(), 0, "nobody waits for its chunks");

    let again = step(Some(&retired.state), &Step::Chunk(1.0), at(300), &policy).unwrap();
    assert_eq!(again.state.chunks, 1);
    assert!(again.state.retired.is_none() && again.alert.is_none());
    assert_eq!(asked(&retired.state, Mute { until: None }, 300).state.retired, None);
}

#[test]
fn a_machine_that_was_never_heard_can_be_muted_and_maintained() {
    let policy = watch(AlertPolicy::default());
    let muted = step(None, &Step::Control(Mute { until: None }), at(0), &policy).unwrap();
    assert!(muted.audit.unwrap().after.muted);
    let maintained = step(Some(&muted.state), &Step::Control(Maintenance { until: None }), at(10), &policy).unwrap();
    let alert = maintained.alert.unwrap();
    assert_eq!((alert.state, alert.muted, alert.previous_since), (MachineState::Maintenance, true, None));
    let free = asked(&maintained.state, Unmute, 20);
    assert!(free.state.mute.is_none() && free.alert.is_none());
}
