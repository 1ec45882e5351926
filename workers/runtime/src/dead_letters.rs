//! Dead letters that the log accepts: each as complete as the log allows.
//!
//! ```text
//!   record rejected by the processor ─────────────┐
//!   output refused ─► DeadLetters::refuse ────────┴─► dead letter: key, value, headers, and the reason
//!                                       ▲                 │ refused by the log, too
//!                                       └─────────────────┘ then without the value (its size and hash stay), then without the
//!                                                           record's own headers, then without its key
//! ```
//!
//! The last form has a few kilobytes and the current time: a log that refuses it accepts nothing at all, and the
//! watchdog reports that.

use std::collections::{BTreeMap, HashMap, VecDeque};

use auscult_schemas::topics::{DEAD_LETTERS, MAX_MESSAGE_BYTES};
use auscult_schemas::{DeadLetter, DeadLetterCode, Headers, OmittedParts, TraceContext};
use bytes::Bytes;
use jiff::Timestamp;

use crate::core::BatchId;
use crate::ports::RefusedOutput;
use crate::processor::Rejection;
use crate::record::{OutputRecord, Record};

/// Room left in a dead letter for the key and the headers that are added, bytes.
const MARGIN: usize = 64 * 1024;
/// The longest text that a letter or the log says of one record, bytes: a detail may quote a key of a megabyte.
const LONGEST_TEXT: usize = 4 * 1024;

/// The parts omitted from a dead letter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Size {
    #[default]
    Whole,
    WithoutValue,
    WithoutHeaders,
    WithoutKey,
}

impl Size {
    fn smaller(self) -> Self {
        match self {
            Self::Whole => Self::WithoutValue,
            Self::WithoutValue => Self::WithoutHeaders,
            Self::WithoutHeaders | Self::WithoutKey => Self::WithoutKey,
        }
    }
}

/// The refused outputs of an input record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unwritable {
    /// Why the record becomes a dead letter; `None` if it is one anyway, and the dead letter was refused.
    pub rejection: Option<Rejection>,
    size: Size,
}

/// Makes dead letters, and remembers what the log refused of uncommitted records.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    worker: String,
    /// By partition and offset of the input.
    unwritable: BTreeMap<(i32, i64), Unwritable>,
    /// States that cannot be written, by partition and key, up to this offset of the input.
    unwritable_states: HashMap<(i32, Bytes), (i64, Unwritable)>,
    /// The ends of batches that contain such records.
    ends: VecDeque<(BatchId, BTreeMap<i32, i64>)>,
}

impl DeadLetters {
    pub fn new(worker: &str) -> Self {
        Self {
            worker: worker.to_owned(),
            unwritable: BTreeMap::new(),
            unwritable_states: HashMap::new(),
            ends: VecDeque::new(),
        }
    }

    /// Notes what the log refused. A state that cannot be written cannot be attributed to a single record: all records
    /// of its machine in the batch become dead letters.
    pub fn refuse(&mut self, output: &RefusedOutput, is_state: bool) {
        let RefusedOutput { topic, partition, key, source_offset, reason } = output;
        // An output without an input record has no dead letter; there are no such outputs.
        let Some(offset) = *source_offset else { return };
        let entry = self.unwritable.entry((*partition, offset)).or_default();
        if output.is_dead_letter() {
            entry.size = entry.size.smaller();
            return;
        }
        let detail =
            format!("the record could be processed, and what it came to cannot be written to {topic}: {reason}");
        let rejection = Rejection { code: DeadLetterCode::OutputRefused, detail };
        entry.rejection.get_or_insert(rejection);
        if is_state && let Some(key) = key {
            self.unwritable_states.insert((*partition, key.clone()), (offset, entry.clone()));
        }
    }

    pub fn unwritable(&self, record: &Record) -> Option<&Unwritable> {
        if self.unwritable.is_empty() {
            return None;
        }
        let (partition, offset) = (record.coordinates.partition, record.coordinates.offset);
        let of_state = || {
            let (up_to, unwritable) = self.unwritable_states.get(&(partition, record.key.clone()?))?;
            (offset <= *up_to).then_some(unwritable)
        };
        self.unwritable.get(&(partition, offset)).or_else(of_state)
    }

    /// The batch will be committed up to these offsets, or dropped.
    pub fn processed(&mut self, batch: BatchId, next_offsets: &BTreeMap<i32, i64>) {
        if !self.unwritable.is_empty() {
            self.ends.push_back((batch, next_offsets.clone()));
        }
    }

    /// Removes what was refused of records before the batch's end.
    pub fn committed(&mut self, batch: BatchId) {
        while let Some((processed, _)) = self.ends.front()
            && *processed <= batch
        {
            let (processed, next_offsets) = self.ends.pop_front().expect("the front was just seen");
            if processed == batch {
                let is_over =
                    |partition: i32, offset: i64| next_offsets.get(&partition).is_some_and(|next| offset < *next);
                self.unwritable.retain(|(partition, offset), _| !is_over(*partition, *offset));
                self.unwritable_states.retain(|(partition, _), (offset, _)| !is_over(*partition, *offset));
            }
        }
    }

    /// The partition belongs to another worker now.
    pub fn forget(&mut self, partition: i32) {
        self.unwritable.retain(|(owner, _), _| *owner != partition);
        self.unwritable_states.retain(|(owner, _), _| *owner != partition);
    }

    /// The dead letter of a record. Its time is now, whatever the record's own time was: a broker might refuse the old
    /// one, or retention might delete the dead letter because of it.
    pub fn dead_letter(
        &self,
        record: &Record,
        rejection: Rejection,
        context: &TraceContext,
        now: Timestamp,
    ) -> OutputRecord {
        let refused = self.unwritable(record).map(|unwritable| unwritable.size).unwrap_or_default();
        let is_too_large = record.bytes() + MARGIN > MAX_MESSAGE_BYTES;
        let size = if is_too_large { refused.max(Size::WithoutValue) } else { refused };
        let omitted_value = record.value.as_ref().filter(|_| size >= Size::WithoutValue);
        let mut headers = if size >= Size::WithoutHeaders { Headers::default() } else { record.headers.clone() };
        DeadLetter {
            code: rejection.code,
            detail: shortened(&rejection.detail),
            source: record.coordinates.clone(),
            worker: self.worker.clone(),
            time: now,
            value_omitted: omitted_value.is_some(),
            trace_id: Some(context.trace_id_hex()),
            timestamp_ms: record.timestamp_ms,
            value_bytes: omitted_value.map(|value| value.len() as u64),
            value_sha256: omitted_value.map(|value| DeadLetter::sha256_of(value)),
            omitted: match size {
                Size::Whole | Size::WithoutValue => None,
                Size::WithoutHeaders => Some(OmittedParts::Headers),
                Size::WithoutKey => Some(OmittedParts::HeadersAndKey),
            },
        }
        .append_to(&mut headers);
        OutputRecord {
            topic: DEAD_LETTERS.to_owned(),
            partition: record.coordinates.partition,
            key: record.key.clone().filter(|_| size < Size::WithoutKey),
            value: record.value.clone().filter(|_| size < Size::WithoutValue),
            headers,
            timestamp_ms: None,
            source_offset: Some(record.coordinates.offset),
        }
    }
}

/// The beginning of a text, with a mark if something is omitted.
pub(crate) fn shortened(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let mut end = LONGEST_TEXT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}… ({} bytes in all)", &text[..end], text.len())
}
