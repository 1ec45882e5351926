//! Control messages of `audio.chunks` → `audio.features`: each is passed on as it is, once, in its place.

use std::collections::{HashMap, VecDeque};

use auscult_schemas::topics::{CHUNKS, FEATURES};
use bytes::Bytes;

use super::{TopicRecord, Topics, Verdict, is_control, named};

/// Value and key are all that a control message is known by; two of one machine that say the same are the same, in
/// their order.
type Whose = (i32, Option<Bytes>, Option<Bytes>);

fn whose(record: &TopicRecord) -> Whose {
    (record.coordinates.partition, record.key.clone(), record.value.clone())
}

pub(super) fn judge(topics: &Topics, verdict: &mut Verdict) {
    let mut passed_on: HashMap<Whose, VecDeque<&TopicRecord>> = HashMap::new();
    for record in topics.of(FEATURES).iter().filter(|record| is_control(record)) {
        passed_on.entry(whose(record)).or_default().push_back(record);
    }
    let mut latest: HashMap<(i32, Option<Bytes>), i64> = HashMap::new();
    for sent in topics.of(CHUNKS).iter().filter(|record| is_control(record)) {
        if sent.value.as_ref().is_none_or(Bytes::is_empty) || sent.key.is_none() {
            // It has a dead letter, which is asked for elsewhere.
            continue;
        }
        let Some(found) = passed_on.get_mut(&whose(sent)).and_then(VecDeque::pop_front) else {
            verdict.add_lost(format!("control message {} is not passed on", named(sent)));
            continue;
        };
        if !found.headers.0.starts_with(&sent.headers.0) {
            verdict.add_wrong(format!("{}, of {}: its headers are not kept", named(found), named(sent)));
        }
        let latest = latest.entry((sent.coordinates.partition, sent.key.clone())).or_insert(-1);
        if found.coordinates.offset < *latest {
            verdict.add_reordered(format!("{} stands before a control message that was sent earlier", named(found)));
        }
        *latest = found.coordinates.offset.max(*latest);
    }
    for surplus in passed_on.into_values().flatten() {
        verdict.add_doubled(format!("{} is a control message that was not sent so often", named(surplus)));
    }
}
