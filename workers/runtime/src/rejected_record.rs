//! A record that became a dead letter, for logging.

use auscult_schemas::{DeadLetterCode, RecordCoordinates, TraceContext};

use crate::dead_letters::shortened;
use crate::processor::Rejection;
use crate::record::Record;

/// A record that could not be processed, in the log's format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// Which.
    pub record: RecordCoordinates,
    /// Its key: the machine, if it is one.
    pub machine: String,
    /// Why, as a code.
    pub code: DeadLetterCode,
    /// Why, in words.
    pub detail: String,
    /// The trace that it belongs to.
    pub trace_id: String,
}

impl RejectedRecord {
    pub(crate) fn of(record: &Record, rejection: &Rejection, context: &TraceContext) -> Self {
        Self {
            record: record.coordinates.clone(),
            machine: shortened(&record.key_text()),
            code: rejection.code,
            detail: shortened(&rejection.detail),
            trace_id: context.trace_id_hex(),
        }
    }
}
