//! One partition: records, markers, and which of them are visible to a `read_committed` reader.

use std::collections::{BTreeMap, VecDeque};

use auscult_schemas::RecordCoordinates;

use super::{Outcome, TransactionNumber};
use crate::record::{OutputRecord, Record};

#[derive(Debug)]
enum Entry {
    Data { record: OutputRecord, transaction: Option<TransactionNumber> },
    Marker,
}

#[derive(Debug, Default)]
pub(crate) struct PartitionLog {
    /// Offset of the first entry kept.
    first: i64,
    entries: VecDeque<Entry>,
    /// First offset of each transaction that has written here and is open.
    open: BTreeMap<TransactionNumber, i64>,
}

impl PartitionLog {
    pub fn append(&mut self, record: OutputRecord, transaction: Option<TransactionNumber>) -> i64 {
        let offset = self.end_offset();
        if let Some(transaction) = transaction {
            self.open.entry(transaction).or_insert(offset);
        }
        self.entries.push_back(Entry::Data { record, transaction });
        offset
    }

    /// Writes the marker of a transaction that wrote here.
    pub fn end(&mut self, transaction: TransactionNumber) {
        if self.open.remove(&transaction).is_some() {
            self.entries.push_back(Entry::Marker);
        }
    }

    pub fn first_offset(&self) -> i64 {
        self.first
    }

    pub fn end_offset(&self) -> i64 {
        self.first + offset_of(self.entries.len())
    }

    /// Where a `read_committed` reader stops: at the first record of the first open transaction, or at the end.
    pub fn last_stable_offset(&self) -> i64 {
        self.open.values().min().copied().unwrap_or_else(|| self.end_offset())
    }

    /// The first record at or after `from` that a `read_committed` reader sees.
    pub fn next_committed(&self, from: i64, transactions: &[Outcome]) -> Option<(i64, &OutputRecord)> {
        let start = from.max(self.first);
        (start..self.last_stable_offset()).find_map(|offset| match self.entry(offset)? {
            Entry::Data { record, transaction } if is_visible(*transaction, transactions) => Some((offset, record)),
            Entry::Data { .. } | Entry::Marker => None,
        })
    }

    /// Number of records that a `read_committed` reader at `from` has not read yet, without those of open transactions.
    pub fn unread(&self, from: i64, transactions: &[Outcome]) -> i64 {
        let start = from.max(self.first);
        let visible = (start..self.last_stable_offset()).filter(|offset| {
            matches!(self.entry(*offset), Some(Entry::Data { transaction, .. }) if is_visible(*transaction, transactions))
        });
        offset_of(visible.count())
    }

    pub fn trim(&mut self, before: i64) {
        let keep_from = before.min(self.last_stable_offset());
        while self.first < keep_from && self.entries.pop_front().is_some() {
            self.first += 1;
        }
    }

    fn entry(&self, offset: i64) -> Option<&Entry> {
        usize::try_from(offset - self.first).ok().and_then(|index| self.entries.get(index))
    }
}

fn is_visible(transaction: Option<TransactionNumber>, transactions: &[Outcome]) -> bool {
    let Some(transaction) = transaction else { return true };
    let index = usize::try_from(transaction).ok();
    index.and_then(|index| transactions.get(index)).is_some_and(|outcome| *outcome == Outcome::Committed)
}

fn offset_of(len: usize) -> i64 {
    i64::try_from(len).expect("a log in memory has fewer than 2^63 entries")
}

/// The record as a consumer gets it.
pub(crate) fn delivered(topic: &str, partition: i32, offset: i64, record: &OutputRecord) -> Record {
    Record {
        coordinates: RecordCoordinates { topic: topic.to_owned(), partition, offset },
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.clone(),
        timestamp_ms: record.timestamp_ms,
    }
}
