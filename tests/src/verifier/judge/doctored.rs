//! A run without a fault, doctored: what is done to it must be named, and nothing else.

use auscult_schemas::topics::{ALERTS, AUDIT, CHUNKS, DEAD_LETTERS, DRIFT, FEATURES, SCORER_STATE, SCORES};
use auscult_schemas::{DeadLetterCode, Features, RecordCoordinates, Score};
use bytes::Bytes;
use serde_json::Value;

use super::features::is_of_a_worker;
use super::ideal::{headers_of, ideal, push, push_dead_letter, replay};
use super::{TopicRecord, Topics, Verdict, is_control, json, judge};
use crate::verifier::Finding;

/// Doctors the ideal run and judges it.
fn verdict_of(doctor: impl FnOnce(&mut Topics)) -> Verdict {
    let mut topics = ideal();
    doctor(&mut topics);
    judge(&topics, &mut replay())
}

/// `[lost, doubled, reordered, wrong, state mismatches]`
fn counts(verdict: &Verdict) -> [usize; 5] {
    [&verdict.lost, &verdict.doubled, &verdict.reordered, &verdict.wrong, &verdict.state_mismatches].map(Vec::len)
}

fn records<'a>(topics: &'a mut Topics, topic: &str) -> &'a mut Vec<TopicRecord> {
    topics.0.get_mut(topic).unwrap()
}

/// Where two consecutive records of one machine are; from the middle of the topic on, or before it where there are
/// none.
fn two_of_a_machine(records: &[TopicRecord]) -> (usize, usize) {
    let whose = |record: &TopicRecord| (record.key.clone(), record.coordinates.partition);
    let pair = |first: usize| {
        let is_same = |&index: &usize| whose(&records[index]) == whose(&records[first]);
        (first + 1..records.len()).find(is_same).map(|second| (first, second))
    };
    let middle = records.len() / 2;
    (middle..records.len()).chain(0..middle).find_map(pair).unwrap()
}

/// A score of a chunk that was judged: one of a machine that rests has neither health index nor bands.
fn judged(scores: &mut [TopicRecord]) -> &mut TopicRecord {
    let has_bands = |score: &TopicRecord| {
        let value: Value = serde_json::from_slice(score.value.as_deref().unwrap()).unwrap();
        value.get("health_index").is_some() && value.pointer("/bands/0").is_some()
    };
    scores.iter_mut().skip(60).find(|score| has_bands(score)).unwrap()
}

/// Exchanges what two records say, and leaves them at their offsets.
fn swap(records: &mut [TopicRecord], (a, b): (usize, usize)) {
    records.swap(a, b);
    let [first, second] = records.get_disjoint_mut([a, b]).unwrap();
    std::mem::swap(&mut first.coordinates, &mut second.coordinates);
}

/// Puts a copy of a record at the end of its partition.
fn copy(records: &mut Vec<TopicRecord>, index: usize) -> RecordCoordinates {
    let mut copy = records[index].clone();
    copy.coordinates.offset = 1_000_000;
    records.push(copy.clone());
    copy.coordinates
}

/// Changes one number or text of a record's JSON.
fn alter(record: &mut TopicRecord, pointer: &str, change: impl FnOnce(&Value) -> Value) {
    let mut value: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
    let field = value.pointer_mut(pointer).unwrap();
    *field = change(field);
    record.value = Some(value.to_string().into());
}

fn names(findings: &[Finding], place: &RecordCoordinates, machine: &str) -> bool {
    findings.iter().any(|finding| finding.0.contains(&place.to_string()) && finding.0.contains(machine))
}

#[test]
fn a_run_in_which_everything_went_well_is_clean() {
    let topics = ideal();
    // Or the tests below could not fail.
    for topic in [CHUNKS, FEATURES, SCORES, ALERTS, DRIFT, AUDIT, SCORER_STATE, DEAD_LETTERS] {
        assert!(topics.of(topic).len() >= 3, "{topic}: {}", topics.of(topic).len());
    }
    let verdict = judge(&topics, &mut replay());
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!((verdict.chunks, verdict.results), (400, 400));
    assert_eq!(verdict.result_times_ms.len(), 400);
}

#[test]
fn a_score_that_is_not_there_is_lost() {
    let mut gone = None;
    let verdict = verdict_of(|topics| gone = Some(records(topics, SCORES).remove(50)));
    assert_eq!(counts(&verdict), [1, 0, 0, 0, 0], "{verdict}");
    let score: Score = serde_json::from_slice(gone.unwrap().value.as_deref().unwrap()).unwrap();
    assert!(verdict.lost[0].0.contains(score.machine.as_str()), "{verdict}");
}

#[test]
fn a_score_that_is_there_twice_is_doubled() {
    let mut place = None;
    let verdict = verdict_of(|topics| place = Some(copy(records(topics, SCORES), 50)));
    assert_eq!(counts(&verdict), [0, 1, 0, 0, 0], "{verdict}");
    assert!(names(&verdict.doubled, &place.unwrap(), "run-m"), "{verdict}");
}

#[test]
fn scores_of_a_machine_that_changed_places_are_out_of_order() {
    let verdict = verdict_of(|topics| {
        let scores = records(topics, SCORES);
        let places = two_of_a_machine(scores);
        swap(scores, places);
    });
    assert_eq!(counts(&verdict), [0, 0, 1, 0, 0], "{verdict}");
}

#[test]
fn machines_may_overtake_each_other() {
    let verdict = verdict_of(|topics| {
        let scores = records(topics, SCORES);
        // Neighbours on their partition: with a score of one of the two in between, it would be overtaken by itself.
        let places = (100..scores.len()).find_map(|first| {
            let partition = scores[first].coordinates.partition;
            let next = (first + 1..scores.len()).find(|&next| scores[next].coordinates.partition == partition)?;
            (scores[next].key != scores[first].key).then_some((first, next))
        });
        swap(scores, places.unwrap());
    });
    assert!(verdict.is_clean(), "{verdict}");
}

#[test]
fn any_field_of_a_score_that_was_altered_is_wrong() {
    for (pointer, change) in [
        ("/score", (|value| (value.as_f64().unwrap() * 1.001).into()) as fn(&Value) -> Value),
        ("/p_value", |value| (value.as_f64().unwrap() * 0.9).into()),
        ("/threshold", |value| (value.as_f64().unwrap() * 1.001).into()),
        ("/anomalous", |value| (!value.as_bool().unwrap()).into()),
        ("/state", |_| "unknown".into()),
        ("/chunk_id", |_| "another".into()),
        ("/model/id", |_| "another".into()),
        ("/bands/0/share", |value| (value.as_f64().unwrap() * 1.01).into()),
    ] {
        let mut place = None;
        let verdict = verdict_of(|topics| {
            let score = judged(records(topics, SCORES));
            alter(score, pointer, change);
            place = Some(score.coordinates.clone());
        });
        let [lost, doubled, reordered, wrong, states] = counts(&verdict);
        assert_eq!([lost, doubled, reordered, states], [0; 4], "{pointer}: {verdict}");
        assert!(wrong >= 1 && names(&verdict.wrong, &place.unwrap(), "run-m"), "{pointer}: {verdict}");
    }
}

#[test]
fn a_result_on_another_partition_is_wrong() {
    let verdict = verdict_of(|topics| {
        let score = &mut records(topics, SCORES)[60];
        score.coordinates.partition = 1 - score.coordinates.partition;
    });
    assert_eq!(counts(&verdict), [0, 0, 0, 1, 0], "{verdict}");
}

#[test]
fn a_result_of_a_chunk_that_nobody_has_sent_is_wrong() {
    let verdict = verdict_of(|topics| {
        let scores = records(topics, SCORES);
        copy(scores, 60);
        alter(scores.last_mut().unwrap(), "/chunk/offset", |_| 999_999.into());
    });
    assert_eq!(counts(&verdict), [0, 0, 0, 1, 0], "{verdict}");
}

#[test]
fn something_that_is_no_score_is_wrong_and_the_score_lost() {
    let verdict = verdict_of(|topics| records(topics, SCORES)[60].value = Some(Bytes::from_static(b"{}")));
    assert_eq!(counts(&verdict), [1, 0, 0, 1, 0], "{verdict}");
}

#[test]
fn a_state_that_was_altered_is_a_mismatch_and_an_earlier_one_is_not() {
    for (is_last, expected) in [(true, [0, 0, 0, 0, 1]), (false, [0; 5])] {
        let verdict = verdict_of(|topics| {
            let states = records(topics, SCORER_STATE);
            let index = if is_last { states.len() - 1 } else { 10 };
            alter(&mut states[index], "/chunks", |chunks| (chunks.as_u64().unwrap() + 1).into());
        });
        assert_eq!(counts(&verdict), expected, "{verdict}");
    }
}

#[test]
fn a_machine_without_state_and_a_state_without_machine_are_mismatches() {
    let verdict = verdict_of(|topics| {
        records(topics, SCORER_STATE).retain(|state| state.key.as_deref() != Some(b"run-m01"));
    });
    assert_eq!(counts(&verdict), [0, 0, 0, 0, 1], "{verdict}");
    assert!(verdict.state_mismatches[0].0.contains("run-m01"), "{verdict}");
    let verdict = verdict_of(|topics| {
        let states = records(topics, SCORER_STATE);
        copy(states, 10);
        states.last_mut().unwrap().key = Some(Bytes::from_static(b"stranger"));
    });
    assert_eq!(counts(&verdict), [0, 0, 0, 0, 1], "{verdict}");
}

#[test]
fn features_that_are_not_there_are_lost_with_nothing_said_of_other_chunks() {
    let verdict = verdict_of(|topics| {
        let messages = records(topics, FEATURES);
        let index = messages.iter().rposition(is_of_a_worker).unwrap();
        messages.remove(index);
    });
    // Its score has nothing to stand on, and the machine's state counts a chunk that the replay has not heard.
    let [lost, doubled, reordered, wrong, states] = counts(&verdict);
    assert_eq!([lost, doubled, reordered, states], [1, 0, 0, 1], "{verdict}");
    assert!(wrong >= 1, "{verdict}");
}

#[test]
fn features_that_were_written_and_scored_twice_are_doubled_and_nothing_else() {
    // The second score says what the replay of the second message says: the run itself is judged, not the doubling.
    let mut topics = ideal();
    let index = topics.of(FEATURES).iter().rposition(is_of_a_worker).unwrap();
    let mut worker = replay();
    for message in topics.of(FEATURES) {
        if worker.control(message, |_| None).is_some() {
            continue;
        }
        if let Ok((envelope, features)) = worker.read(message) {
            worker.judge(message, &envelope, &features, None).unwrap();
        }
    }
    let message = topics.of(FEATURES)[index].clone();
    copy(records(&mut topics, FEATURES), index);
    let (envelope, features) = worker.read(&message).unwrap();
    let judged = worker.judge(&message, &envelope, &features, None).unwrap();
    let (key, partition) = (message.key.clone(), message.coordinates.partition);
    let headers = headers_of(&envelope, &judged.score.id, "/auscult/scoring-worker");
    let observation = &judged.observation;
    for (topic, value) in [(SCORES, Some(json(&judged.score))), (SCORER_STATE, Some(json(&observation.state)))]
        .into_iter()
        .chain([(ALERTS, observation.alert.as_ref().map(json)), (DRIFT, observation.drift.as_ref().map(json))])
    {
        if let Some(value) = value {
            push(&mut topics, topic, partition, key.clone(), Some(value.to_string().into()), headers.clone());
        }
    }
    let verdict = judge(&topics, &mut replay());
    assert_eq!(counts(&verdict), [0, 1, 0, 0, 0], "{verdict}");
    assert!(verdict.doubled[0].0.contains("features"), "{verdict}");
}

#[test]
fn a_tensor_with_one_other_value_is_wrong() {
    let verdict = verdict_of(|topics| {
        let messages = records(topics, FEATURES);
        let message = messages.iter_mut().rfind(|message| is_of_a_worker(message)).unwrap();
        let mut features = Features::decode(message.value.as_deref().unwrap()).unwrap();
        let mut values = features.values.to_vec();
        // Too little to make another score of it.
        values[7] = f32::from_bits(values[7].to_bits() + 1);
        features.values = values.into();
        message.value = Some(features.encode().unwrap());
    });
    assert_eq!(counts(&verdict), [0, 0, 0, 1, 0], "{verdict}");
    assert!(verdict.wrong[0].0.contains("values"), "{verdict}");
}

#[test]
fn dead_letters_are_lost_doubled_and_wrong_like_scores() {
    let verdict = verdict_of(|topics| drop(records(topics, DEAD_LETTERS).remove(3)));
    assert_eq!(counts(&verdict), [1, 0, 0, 0, 0], "{verdict}");
    let verdict = verdict_of(|topics| drop(copy(records(topics, DEAD_LETTERS), 3)));
    assert_eq!(counts(&verdict), [0, 1, 0, 0, 0], "{verdict}");
    let verdict = verdict_of(|topics| {
        let letter = &mut records(topics, DEAD_LETTERS)[3];
        letter.headers.push("auscult_dead_letter_code", "internal");
    });
    assert_eq!(counts(&verdict), [0, 0, 0, 1, 0], "{verdict}");
    let verdict = verdict_of(|topics| records(topics, DEAD_LETTERS)[3].value = Some(Bytes::from_static(b"else")));
    assert_eq!(counts(&verdict), [0, 0, 0, 1, 0], "{verdict}");
    let verdict = verdict_of(|topics| drop(records(topics, DEAD_LETTERS)[3].headers.0.remove(0)));
    assert_eq!(counts(&verdict), [0, 0, 0, 1, 0], "{verdict}");
}

#[test]
fn a_dead_letter_of_a_good_chunk_is_wrong_beside_its_score() {
    let verdict = verdict_of(|topics| {
        let good = topics.of(FEATURES).iter().rfind(|message| is_of_a_worker(message)).cloned();
        push_dead_letter(topics, &good.unwrap(), DeadLetterCode::Internal);
    });
    assert_eq!(counts(&verdict), [0, 0, 0, 1, 0], "{verdict}");
}

#[test]
fn a_control_message_that_is_not_passed_on_or_passed_on_twice_or_altered_is_named() {
    let position = |topics: &Topics| topics.of(FEATURES).iter().position(is_control).unwrap();
    let verdict = verdict_of(|topics| {
        let position = position(topics);
        drop(records(topics, FEATURES).remove(position));
    });
    assert!(verdict.lost.iter().any(|finding| finding.0.contains("is not passed on")), "{verdict}");
    let verdict = verdict_of(|topics| {
        let position = position(topics);
        copy(records(topics, FEATURES), position);
    });
    assert!(verdict.doubled.iter().any(|finding| finding.0.contains("not sent so often")), "{verdict}");
    let verdict = verdict_of(|topics| {
        let position = position(topics);
        alter(&mut records(topics, FEATURES)[position], "/by", |_| "somebody else".into());
    });
    assert!(verdict.lost.iter().any(|finding| finding.0.contains("is not passed on")), "{verdict}");
}

#[test]
fn a_state_that_forgets_who_muted_the_machine_is_a_mismatch() {
    let verdict = verdict_of(|topics| {
        let states = records(topics, SCORER_STATE);
        let last = states.iter_mut().rev().find(|state| {
            let value: Value = serde_json::from_slice(state.value.as_deref().unwrap()).unwrap();
            value["threshold"].is_object() || value["mute"].is_object() || value["maintenance"].is_object()
        });
        let record = last.expect("the load mutes, maintains and sets thresholds");
        let mut value: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
        for field in ["threshold", "mute", "maintenance"] {
            value.as_object_mut().unwrap().remove(field);
        }
        record.value = Some(value.to_string().into());
        // It is to be the last word on its machine.
        let record = record.clone();
        push(topics, SCORER_STATE, record.coordinates.partition, record.key, record.value, record.headers);
    });
    assert_eq!(verdict.state_mismatches.len(), 1, "{verdict}");
}

#[test]
fn alerts_drift_and_audits_are_lost_doubled_reordered_and_wrong_like_scores() {
    for topic in [ALERTS, DRIFT, AUDIT] {
        let verdict = verdict_of(|topics| drop(records(topics, topic).remove(2)));
        assert_eq!(counts(&verdict), [1, 0, 0, 0, 0], "{verdict}");
        let verdict = verdict_of(|topics| drop(copy(records(topics, topic), 2)));
        assert_eq!(counts(&verdict), [0, 1, 0, 0, 0], "{verdict}");
        let verdict = verdict_of(|topics| alter(&mut records(topics, topic)[2], "/machine", |_| "another".into()));
        assert_eq!(counts(&verdict), [0, 0, 0, 1, 0], "{verdict}");
    }
    let verdict = verdict_of(|topics| {
        let alerts = records(topics, ALERTS);
        let places = two_of_a_machine(alerts);
        swap(alerts, places);
    });
    assert_eq!(counts(&verdict), [0, 0, 1, 0, 0], "{verdict}");
}

#[test]
fn a_model_that_was_not_served_is_wrong() {
    let verdict = verdict_of(|topics| {
        let scores = records(topics, SCORES);
        let score = scores.iter_mut().find(|score| score.key.as_deref() == Some(b"run-m01")).unwrap();
        alter(score, "/model/version", |_| "0000".into());
    });
    assert!(verdict.wrong.iter().any(|finding| finding.0.contains("none of those served")), "{verdict}");
}
