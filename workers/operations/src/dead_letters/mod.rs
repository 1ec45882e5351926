//! The contents of `audio.dead-letters`: selecting dead letters, finding which were replayed, and building the records
//! for a replay.
//!
//! ```text
//!   audio.dead-letters ─► letters ── replay ─► the topic and partition they came from, with `auscult_replay_of`
//!           ▲                                         │ acknowledged
//!           └── a marker: `auscult_dead_letter_replayed` ◄┘
//! ```
//!
//! The marker is in the same partition as the dead letter and is retained as long. It is written after the record: if
//! the command stops between the two, the next replay sends the record again.

mod topic;

use std::collections::{BTreeMap, BTreeSet};

use auscult_runtime::kafka::GatewayRecord;
use auscult_runtime::machine_places::key_of;
use auscult_runtime::processor::opened;
use auscult_runtime::record::Record;
use auscult_schemas::topics::DEAD_LETTERS;
use auscult_schemas::{DeadLetter, DeadLetterCode, Envelope, Headers, MachineId, SchemaError};
use jiff::Timestamp;

pub use topic::{Replayer, for_each_record, read_inventory};

/// Header of a replayed record: its dead letter, as `topic/partition/offset`.
pub const REPLAY_OF_HEADER: &str = "auscult_replay_of";
/// The only header of a replay marker, a record in `audio.dead-letters` that is not a dead letter and has no value: the
/// dead letter at this `partition/offset` was replayed.
pub const REPLAYED_HEADER: &str = "auscult_dead_letter_replayed";
/// Prefix of all headers that make a record a dead letter.
const LETTER: &str = "auscult_dead_letter_";

/// The place of a dead letter: partition and offset.
pub type Place = (i32, i64);

/// Selects dead letters; empty fields do not restrict.
#[derive(Debug, Clone, Default)]
pub struct LetterFilter {
    /// With these codes.
    pub codes: Vec<DeadLetterCode>,
    /// Of this machine.
    pub machine: Option<String>,
    /// From this topic.
    pub source: Option<String>,
    /// Failed at this time or later.
    pub since: Option<Timestamp>,
    /// At these places.
    pub places: BTreeSet<Place>,
}

impl LetterFilter {
    /// Whether the filter selects everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        let Self { codes, machine, source, since, places } = self;
        codes.is_empty() && machine.is_none() && source.is_none() && since.is_none() && places.is_empty()
    }

    /// Whether this dead letter is selected.
    #[must_use]
    pub fn takes(&self, record: &Record, letter: &DeadLetter) -> bool {
        let key = record.key.as_deref().map(String::from_utf8_lossy);
        (self.codes.is_empty() || self.codes.contains(&letter.code))
            && self.machine.as_deref().is_none_or(|machine| key.as_deref() == Some(machine))
            && self.source.as_ref().is_none_or(|source| *source == letter.source.topic)
            && self.since.is_none_or(|since| letter.time >= since)
            && (self.places.is_empty() || self.places.contains(&place(record)))
    }
}

/// The place of a record.
#[must_use]
pub fn place(record: &Record) -> Place {
    (record.coordinates.partition, record.coordinates.offset)
}

/// A record of the topic, by type.
#[derive(Debug)]
pub enum Entry {
    /// A dead letter.
    Letter(Box<DeadLetter>),
    /// The marker of a replayed dead letter.
    Mark(Place),
    /// A record not written by Auscult.
    Foreign(String),
}

impl Entry {
    /// Reads a record's headers.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let mark = record.headers.text(REPLAYED_HEADER).ok().flatten();
        if let Some(place) = mark.and_then(|text| read_place(text).ok()) {
            return Self::Mark(place);
        }
        match DeadLetter::read(&record.headers) {
            Ok(letter) => Self::Letter(Box::new(letter)),
            Err(error) => Self::Foreign(error.to_string()),
        }
    }
}

/// Parses `PARTITION/OFFSET`.
///
/// # Errors
/// If the text has another format.
pub fn read_place(text: &str) -> Result<Place, String> {
    let parsed =
        text.split_once('/').and_then(|(partition, offset)| Some((partition.parse().ok()?, offset.parse().ok()?)));
    parsed.ok_or_else(|| {
        format!("{text:?} is no letter: write it as PARTITION/OFFSET, as `auscult dead-letters list` does")
    })
}

/// The contents of the topic: its end at the time of reading, and the dead letters that were replayed.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The last offset of each partition.
    last: BTreeMap<i32, i64>,
    replayed: BTreeSet<Place>,
}

impl Inventory {
    /// Adds a record.
    pub fn note(&mut self, record: &Record) {
        let (partition, offset) = place(record);
        self.last.insert(partition, offset);
        if let Entry::Mark(place) = Entry::of(record) {
            self.replayed.insert(place);
        }
    }

    /// Whether the dead letter existed at that time. A replayed record may fail again and come back while others are
    /// still being sent.
    #[must_use]
    pub fn has(&self, (partition, offset): Place) -> bool {
        self.last.get(&partition).is_some_and(|last| offset <= *last)
    }

    /// Whether the dead letter was replayed.
    #[must_use]
    pub fn is_replayed(&self, place: Place) -> bool {
        self.replayed.contains(&place)
    }
}

/// The original record, including headers without a value, for its original partition, which has the machine's state. A
/// record without a key gets the machine id in its `ce_subject` as its key. The producer then selects the partition by
/// the key, unless `home` returns the machine's partition.
#[must_use]
pub fn replay(record: &Record, letter: &DeadLetter, home: impl FnOnce(&MachineId) -> Option<i32>) -> GatewayRecord {
    // The record's own headers; the dead letter of a replay identifies its own record.
    let is_own = |name: &str| !name.starts_with(LETTER) && name != REPLAY_OF_HEADER;
    let mut headers = Headers(record.headers.0.iter().filter(|(name, _)| is_own(name)).cloned().collect());
    headers.push(REPLAY_OF_HEADER, record.coordinates.to_string());
    let has_time = headers.get("ce_time").is_some();
    // Dead letters of earlier builds have the record's own timestamp.
    let timestamp_ms = letter.timestamp_ms.or(record.timestamp_ms);
    let recorded = timestamp_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    // The time of a plain record is its timestamp. With an old timestamp, the record might be deleted immediately.
    if let Some(recorded) = recorded.filter(|_| !has_time) {
        headers.push("ce_time", recorded.to_string());
    }
    let subject = subject_without_key(record);
    let partition = match &subject {
        Some(machine) => home(machine),
        None => Some(letter.source.partition),
    };
    GatewayRecord {
        topic: letter.source.topic.clone(),
        partition,
        key: subject.as_ref().map(key_of).or_else(|| record.key.clone()),
        value: record.value.clone(),
        headers,
        timestamp_ms: None,
    }
}

/// The machine of a record with a subject but no key, in binary or structured mode.
#[must_use]
pub fn subject_without_key(record: &Record) -> Option<MachineId> {
    let opened = opened(record).ok()?;
    match Envelope::read(&opened.headers, opened.key.as_deref(), &opened.coordinates, None, Envelope::CHUNK) {
        Err(SchemaError::MissingKey { machine }) => MachineId::new(machine).ok(),
        _ => None,
    }
}

/// The marker of a replayed dead letter.
#[must_use]
pub fn mark(record: &Record) -> GatewayRecord {
    let (partition, offset) = place(record);
    let mut headers = Headers::default();
    headers.push(REPLAYED_HEADER, format!("{partition}/{offset}"));
    GatewayRecord {
        topic: DEAD_LETTERS.to_owned(),
        partition: Some(partition),
        key: record.key.clone(),
        value: None,
        headers,
        timestamp_ms: None,
    }
}

#[cfg(test)]
mod tests {
    use auscult_schemas::RecordCoordinates;
    use bytes::Bytes;

    use super::*;

    fn record(offset: i64, code: DeadLetterCode) -> Record {
        let mut headers = Headers::default();
        headers.push("ce_id", "7");
        headers.push(REPLAY_OF_HEADER, "audio.dead-letters/0/1");
        let source = RecordCoordinates { topic: "audio.chunks".to_owned(), partition: 3, offset: 40 };
        let time = "2026-11-28T10:00:00Z".parse().unwrap();
        let letter = DeadLetter {
            code,
            detail: "why".to_owned(),
            source,
            worker: "w".to_owned(),
            time,
            value_omitted: false,
            trace_id: None,
            timestamp_ms: Some(1_000),
            value_bytes: None,
            value_sha256: None,
            omitted: None,
        };
        letter.append_to(&mut headers);
        Record {
            coordinates: RecordCoordinates { topic: DEAD_LETTERS.to_owned(), partition: 3, offset },
            key: Some(Bytes::from_static(b"fan-1")),
            value: Some(Bytes::from_static(b"sound")),
            headers,
            timestamp_ms: Some(5_000),
        }
    }

    fn letter(record: &Record) -> Box<DeadLetter> {
        match Entry::of(record) {
            Entry::Letter(letter) => letter,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_letter_goes_back_to_where_it_came_from_with_its_time() {
        let record = record(9, DeadLetterCode::Truncated);
        let sent = replay(&record, &letter(&record), |_| None);
        assert_eq!((sent.topic.as_str(), sent.partition, sent.timestamp_ms), ("audio.chunks", Some(3), None));
        assert_eq!((sent.key, sent.value), (record.key.clone(), record.value.clone()));
        let names: Vec<&str> = sent.headers.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ce_id", REPLAY_OF_HEADER, "ce_time"]);
        assert_eq!(sent.headers.text(REPLAY_OF_HEADER).unwrap(), Some("audio.dead-letters/3/9"));
        assert_eq!(sent.headers.text("ce_time").unwrap(), Some("1970-01-01T00:00:01Z"));
    }

    #[test]
    fn a_header_without_a_value_goes_back_without_one() {
        let mut record = record(9, DeadLetterCode::Truncated);
        record.headers.0.insert(1, ("site".to_owned(), None));
        let sent = replay(&record, &letter(&record), |_| None);
        assert_eq!(sent.headers.0[1], ("site".to_owned(), None));
        assert_eq!(sent.headers.0[0], ("ce_id".to_owned(), Some(Bytes::from_static(b"7"))));
    }

    #[test]
    fn a_letter_without_a_key_goes_to_where_the_machine_of_its_subject_lives() {
        let mut keyless = Record { key: None, ..record(9, DeadLetterCode::InvalidEnvelope) };
        keyless.headers.push("ce_subject", "fan-1");
        for home in [Some(2), None] {
            let sent = replay(&keyless, &letter(&keyless), |machine| home.filter(|_| machine.as_str() == "fan-1"));
            assert_eq!((sent.partition, sent.key.as_deref()), (home, Some(b"fan-1".as_slice())));
        }
    }

    #[test]
    fn a_mark_is_known_again_and_ends_a_letter_s_turn() {
        let first = record(9, DeadLetterCode::Truncated);
        let sent = mark(&first);
        let marked = Record {
            coordinates: RecordCoordinates { topic: DEAD_LETTERS.to_owned(), partition: 3, offset: 10 },
            key: sent.key,
            value: sent.value,
            headers: sent.headers,
            timestamp_ms: None,
        };
        let mut inventory = Inventory::default();
        inventory.note(&first);
        inventory.note(&marked);
        assert!(inventory.is_replayed((3, 9)) && !inventory.is_replayed((3, 8)));
        assert!(inventory.has((3, 10)) && !inventory.has((3, 11)) && !inventory.has((0, 0)));
    }

    #[test]
    fn only_letters_that_are_meant_are_taken() {
        let record = record(9, DeadLetterCode::Truncated);
        let takes = |wanted: LetterFilter| wanted.takes(&record, &letter(&record));
        assert!(LetterFilter::default().is_everything() && takes(LetterFilter::default()));
        assert!(takes(LetterFilter { codes: vec![DeadLetterCode::Truncated], ..LetterFilter::default() }));
        assert!(!takes(LetterFilter { codes: vec![DeadLetterCode::Empty], ..LetterFilter::default() }));
        assert!(!takes(LetterFilter { machine: Some("fan-2".to_owned()), ..LetterFilter::default() }));
        assert!(!takes(LetterFilter { source: Some("audio.features".to_owned()), ..LetterFilter::default() }));
        assert!(!takes(LetterFilter {
            since: Some("2026-11-28T11:00:00Z".parse().unwrap()),
            ..LetterFilter::default()
        }));
        assert!(takes(LetterFilter {
            places: BTreeSet::from([read_place("3/9").unwrap()]),
            ..LetterFilter::default()
        }));
        assert!(read_place("3").is_err() && read_place("a/9").is_err());
    }
}
