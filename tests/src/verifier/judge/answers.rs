//! What answers each chunk.

use std::collections::{BTreeMap, HashMap, VecDeque};

use auscult_schemas::RecordCoordinates;
use bytes::Bytes;

use super::{TopicRecord, Verdict, named};

/// The messages of one topic by the chunk that they answer, those of a chunk in the order in which they lie there.
pub(super) struct Answers<'a, T> {
    of: BTreeMap<RecordCoordinates, VecDeque<(&'a TopicRecord, T)>>,
    /// The last chunk of a partition and key that has been answered.
    latest: HashMap<(i32, Option<Bytes>), i64>,
}

impl<'a, T> Answers<'a, T> {
    pub fn new() -> Self {
        Self { of: BTreeMap::new(), latest: HashMap::new() }
    }

    /// Takes in the next message of the topic; names it where an answer to a later chunk of its machine stands before
    /// it.
    pub fn add(&mut self, record: &'a TopicRecord, chunk: RecordCoordinates, message: T, verdict: &mut Verdict) {
        let answers = self.of.entry(chunk.clone()).or_default();
        answers.push_back((record, message));
        // Whatever order a copy is in, it is named as a copy.
        if answers.len() > 1 {
            return;
        }
        let latest = self.latest.entry((record.coordinates.partition, record.key.clone())).or_insert(chunk.offset);
        if chunk.offset < *latest {
            let what = format!("{} answers {chunk}, after offset {latest} has been answered", named(record));
            verdict.add_reordered(what);
        }
        *latest = chunk.offset.max(*latest);
    }

    /// The next answer to a chunk, which is taken out.
    pub fn next(&mut self, chunk: &RecordCoordinates) -> Option<(&'a TopicRecord, T)> {
        self.of.get_mut(chunk)?.pop_front()
    }

    /// All that nobody has asked for, with the chunks that they answer.
    pub fn left(self) -> impl Iterator<Item = (RecordCoordinates, &'a TopicRecord)> {
        self.of
            .into_iter()
            .flat_map(|(chunk, records)| records.into_iter().map(move |(record, _)| (chunk.clone(), record)))
    }
}
