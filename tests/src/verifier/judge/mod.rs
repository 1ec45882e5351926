//! Expected against found, topic by topic.
//!
//! Nothing here reads a topic: records go in, findings come out, so that the tests can doctor a run and see what is
//! named.

mod answers;
mod controls;
mod dead_letters;
#[cfg(test)]
mod doctored;
mod features;
mod followers;
#[cfg(test)]
mod ideal;
mod scores;
#[cfg(test)]
mod sensors;

use std::collections::{BTreeMap, BTreeSet};

use auscult_schemas::topics::{ALERTS, AUDIT, CHUNKS, DEAD_LETTERS, DRIFT, FEATURES, SCORER_STATE, SCORES};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::replay::is_control;
use super::{Replay, TopicRecord, Topics, Verdict};
use dead_letters::DeadLetters;

/// Judges a run.
pub(super) fn judge(topics: &Topics, replay: &mut Replay) -> Verdict {
    let is_injected = |record: &&TopicRecord| !features::is_of_a_worker(record) && !is_control(record);
    let injected = topics.of(FEATURES).iter().filter(is_injected).count();
    let mut verdict = Verdict {
        chunks: topics.of(CHUNKS).len() + injected,
        results: topics.of(SCORES).len() + topics.of(AUDIT).len() + topics.of(DEAD_LETTERS).len(),
        result_times_ms: [SCORES, AUDIT]
            .into_iter()
            .flat_map(|topic| topics.of(topic))
            .map(|record| record.timestamp_ms)
            .collect(),
        ..Verdict::default()
    };
    let mut dead_letters = DeadLetters::of(topics.of(DEAD_LETTERS), &mut verdict);
    controls::judge(topics, &mut verdict);
    features::judge(topics, replay, &mut dead_letters, &mut verdict);
    let followers = scores::judge(topics, replay, &mut dead_letters, &mut verdict);
    followers::judge_events(ALERTS, &followers.alerts, topics.of(ALERTS), &mut verdict);
    let drift = topics.of(DRIFT);
    let by_other_limits = if replay.knows_earlier_builds {
        followers::judge_events_of_other_limits(DRIFT, &followers.drift, drift, &mut verdict)
    } else {
        followers::judge_events(DRIFT, &followers.drift, drift, &mut verdict);
        BTreeSet::new()
    };
    followers::judge_events(AUDIT, &followers.audits, topics.of(AUDIT), &mut verdict);
    followers::judge_states(topics.of(SCORER_STATE), replay.states(), &by_other_limits, &mut verdict);
    dead_letters.judge_surplus(&mut verdict);
    verdict
}

/// Alerts, drift reports or audit records of each machine of each partition, in order: id and content.
type Events = BTreeMap<(i32, Bytes), Vec<(String, Value)>>;

/// What must have come with the scores.
#[derive(Default)]
struct Followers {
    alerts: Events,
    drift: Events,
    audits: Events,
}

/// How a record is named in a finding: where it lies, and whose it is.
fn named(record: &TopicRecord) -> String {
    let place = &record.coordinates;
    match &record.key {
        Some(key) => format!("{place} of {}", String::from_utf8_lossy(key)),
        None => format!("{place}, which has no key,"),
    }
}

fn json(message: &impl Serialize) -> Value {
    serde_json::to_value(message).expect("messages are made of numbers and texts")
}
