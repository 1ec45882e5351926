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
    let everyone: BTreeSet<&(i32, Bytes)> = expected.keys().chain(found.keys()).collect();
    for whose in everyone {
        let (partition, key) = whose;
        let name = format!("{topic}/{partition} of {}", String::from_utf8_lossy(key));
        let expected = expected.get(whose).map_or(&[][..], Vec::as_slice);
        let found = found.get(whose).map_or(&[][..], Vec::as_slice);
        judge_events_of_one(&name, expected, found, verdict);
    }
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

/// The changelog's last word on each machine is the replay's.
pub(super) fn judge_states(
    records: &[TopicRecord],
    expected: &HashMap<(i32, Bytes), ScorerState>,
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
        let found = serde_json::from_slice(record.value.as_deref().unwrap_or_default()).unwrap_or(Value::Null);
        if let Some(what) = difference(&json(state), &found) {
            verdict.add_state_mismatch(format!("{}: {what}", named(record)));
        }
    }
    for record in last_word.into_values() {
        verdict.add_state_mismatch(format!("{} is a state of a machine of which nothing was heard", named(record)));
    }
}
