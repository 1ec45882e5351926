//! Dead letters: one for each record that cannot be processed, and none for any other.

use std::collections::BTreeMap;

use auscult_schemas::topics::MAX_MESSAGE_BYTES;
use auscult_schemas::{DeadLetter, DeadLetterCode, RecordCoordinates};

use super::{TopicRecord, Verdict, named};

/// A record this close to the largest that may be sent need not be copied: headers come on top.
const MARGIN_BYTES: usize = 128 * 1024;

/// Dead letters by the record that they tell of. Those that were asked for are taken out; what is left answers nothing.
pub(super) struct DeadLetters<'a>(BTreeMap<RecordCoordinates, Vec<(&'a TopicRecord, DeadLetter)>>);

impl<'a> DeadLetters<'a> {
    pub fn of(records: &'a [TopicRecord], verdict: &mut Verdict) -> Self {
        let mut letters: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for record in records {
            match DeadLetter::read(&record.headers) {
                Ok(letter) => {
                    // Its record keeps the timestamp of the one that it tells of.
                    verdict.result_times_ms.push(letter.time.as_millisecond());
                    letters.entry(letter.source.clone()).or_default().push((record, letter));
                }
                Err(error) => verdict.add_wrong(format!("{} is no dead letter: {error}", named(record))),
            }
        }
        Self(letters)
    }

    /// The record must have one dead letter, with this code, and all that the record had.
    pub fn expect(&mut self, record: &TopicRecord, code: DeadLetterCode, verdict: &mut Verdict) {
        let letters = self.0.remove(&record.coordinates).unwrap_or_default();
        let Some(((letter, told), copies)) = letters.split_first() else {
            verdict.add_lost(format!("{} is {} and has no dead letter", named(record), code.as_str()));
            return;
        };
        for (copy, _) in copies {
            verdict.add_doubled(format!("{} has another dead letter at {}", named(record), copy.coordinates));
        }
        let mut wrong = |what: &str| verdict.add_wrong(format!("{} of {}: {what}", letter.coordinates, named(record)));
        if told.code != code {
            wrong(&format!("it says {}, and the record is {}", told.code.as_str(), code.as_str()));
        }
        if letter.coordinates.partition != record.coordinates.partition || letter.key != record.key {
            wrong("partition or key are not those of the record");
        }
        if !letter.headers.0.starts_with(&record.headers.0) {
            wrong("the record's own headers are not kept");
        }
        let bytes = record.value.as_ref().map_or(0, bytes::Bytes::len);
        if told.value_omitted && bytes + MARGIN_BYTES < MAX_MESSAGE_BYTES {
            wrong(&format!("the value of {bytes} bytes is left out, though there was room for it"));
        }
        if !told.value_omitted && letter.value != record.value {
            wrong("the value is not that of the record");
        }
    }

    /// The record is good, and must have no dead letter.
    pub fn expect_none(&mut self, record: &TopicRecord, verdict: &mut Verdict) {
        for (letter, told) in self.0.remove(&record.coordinates).unwrap_or_default() {
            let (place, code) = (&letter.coordinates, told.code.as_str());
            let what = format!("{} is good and has a dead letter at {place}: {code}, {}", named(record), told.detail);
            verdict.add_wrong(what);
        }
    }

    /// Names those that nobody has asked for.
    pub fn judge_surplus(self, verdict: &mut Verdict) {
        for (source, letters) in self.0 {
            for (letter, _) in letters {
                verdict.add_wrong(format!("{} tells of {source}, which nobody has sent", named(letter)));
            }
        }
    }
}
