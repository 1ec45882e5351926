//! What follows from scores: alerts, drift reports, and each machine's state.

use std::collections::{BTreeSet, HashMap, HashSet};

use auscult_schemas::ScorerState;
use auscult_schemas::topics::SCORER_STATE;
use bytes::Bytes;
use serde_json::Value;

use super::{Events, TopicRecord, Verdict, json, named};
use crate::verifier::alike::difference;

/// Alerts or drift reports: exactly those that the replay gives, in its order.
pub(super) fn judge_events(topic: &str, expected: &Events, records: &[TopicRecord], verdict: &mut Verdict) {
    let found = events(records, verdict);
    let everyone: BTreeSet<&(i32, Bytes)> = expected.keys().chain(found.keys()).collect();
    for whose in everyone {
        let expected = expected.get(whose).map_or(&[][..], Vec::as_slice);
        let found = found.get(whose).map_or(&[][..], Vec::as_slice);
        judge_events_of_one(&named_events(topic, whose), expected, found, verdict);
    }
}

/// Where an earlier build decided by limits of its own: what differs from the replay is let pass, but not that it is
/// there twice. Gives whose differs.
pub(super) fn judge_events_of_other_limits(
    topic: &str,
    expected: &Events,
    records: &[TopicRecord],
    verdict: &mut Verdict,
) -> BTreeSet<(i32, Bytes)> {
    let found = events(records, verdict);
    let mut differing = BTreeSet::new();
    for whose in expected.keys().chain(found.keys()) {
        let name = named_events(topic, whose);
        let expected = expected.get(whose).map_or(&[][..], Vec::as_slice);
        let found = found.get(whose).map_or(&[][..], Vec::as_slice);
        let mut apart = Verdict::default();
        judge_events_of_one(&name, expected, found, &mut apart);
        if !apart.is_clean() && differing.insert(whose.clone()) {
            let mut seen = HashSet::new();
            let copies = found.iter().filter(|(id, _)| !seen.insert(id));
            copies.for_each(|(id, _)| verdict.add_doubled(format!("{name}: {id} is there once more")));
        }
    }
    differing
}

fn named_events(topic: &str, (partition, key): &(i32, Bytes)) -> String {
    format!("{topic}/{partition} of {}", String::from_utf8_lossy(key))
}

/// The records of each machine of each partition, in their order.
fn events(records: &[TopicRecord], verdict: &mut Verdict) -> Events {
    let mut found = Events::new();
    for record in records {
        match serde_json::from_slice::<Value>(record.value.as_deref().unwrap_or_default()) {
            Ok(value) => {
                let id = value["id"].as_str().unwrap_or_default().to_owned();
                let key = record.key.clone().unwrap_or_default();
                found.entry((record.coordinates.partition, key)).or_default().push((id, value));
            }
            Err(error) => verdict.add_wrong(format!("{} is no JSON: {error}", named(record))),
        }
    }
    found
}

fn judge_events_of_one(name: &str, expected: &[(String, Value)], found: &[(String, Value)], verdict: &mut Verdict) {
    let position_of: HashMap<&str, usize> =
        expected.iter().enumerate().map(|(position, (id, _))| (id.as_str(), position)).collect();
    let mut seen = HashSet::new();
    let mut latest = 0;
    for (id, value) in found {
        let Some(&position) = position_of.get(id.as_str()) else {
            verdict.add_wrong(format!("{name}: {id} is not expected"));
            continue;
        };
        if !seen.insert(position) {
            verdict.add_doubled(format!("{name}: {id} is there once more"));
            continue;
        }
        if position < latest {
            verdict.add_reordered(format!("{name}: {id} stands behind one of a later chunk"));
        }
        latest = position.max(latest);
        if let Some(what) = difference(&expected[position].1, value) {
            verdict.add_wrong(format!("{name}: {id}: {what}"));
        }
    }
    for (position, (id, _)) in expected.iter().enumerate() {
        if !seen.contains(&position) {
            verdict.add_lost(format!("{name}: {id} is not there"));
        }
    }
}

/// The changelog's last word on each machine is the replay's; of the machines of which an earlier build has judged
/// drift by limits of its own, without what is remembered of drift.
pub(super) fn judge_states(
    records: &[TopicRecord],
    expected: &HashMap<(i32, Bytes), ScorerState>,
    by_other_limits: &BTreeSet<(i32, Bytes)>,
    verdict: &mut Verdict,
) {
    let mut last_word: HashMap<(i32, Bytes), &TopicRecord> = HashMap::new();
    for record in records {
        last_word.insert((record.coordinates.partition, record.key.clone().unwrap_or_default()), record);
    }
    for (whose, state) in expected {
        let Some(record) = last_word.remove(whose) else {
            let (partition, key) = whose;
            let machine = String::from_utf8_lossy(key);
            verdict.add_state_mismatch(format!("{SCORER_STATE}/{partition} has no state of {machine}"));
            continue;
        };
        let mut found = serde_json::from_slice(record.value.as_deref().unwrap_or_default()).unwrap_or(Value::Null);
        let mut expected = json(state);
        if by_other_limits.contains(whose) {
            (expected["drift"], found["drift"]) = (Value::Null, Value::Null);
        }
        if let Some(what) = difference(&expected, &found) {
            verdict.add_state_mismatch(format!("{}: {what}", named(record)));
        }
    }
    for record in last_word.into_values() {
        verdict.add_state_mismatch(format!("{} is a state of a machine of which nothing was heard", named(record)));
    }
}
