//! The interface of a worker's processor: records in, outputs or rejections out, and a state per machine.

use std::borrow::Cow;
use std::collections::HashMap;

use auscult_schemas::{DeadLetterCode, Envelope, Headers, open_structured};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::record::Record;

/// A worker's own processing. It runs on the compute thread, one batch at a time, and may block there.
pub trait Processor: Send + 'static {
    /// The state of each machine between its chunks; `()` if there is none.
    type State: Clone + Serialize + DeserializeOwned + Send + 'static;

    /// Converts each record to its outputs, or to the reason why there are none.
    ///
    /// Returns one result per record, in the records' order. Records of one machine are in order. A panic is caught by
    /// the runner, which then passes the records one by one and makes a dead letter of the one that panics.
    fn process(
        &mut self,
        records: &[Record],
        memory: &mut Memory<'_, Self::State>,
    ) -> Vec<Result<Vec<Output>, Rejection>>;

    /// Called if the states have changed between batches: partitions were assigned or revoked. For data derived from
    /// states, such as the number of machines in each state; nothing can be written here.
    fn states_changed(&mut self, _memory: &Memory<'_, Self::State>) {}
}

/// One output record of an input record; the runner adds the partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Topic.
    pub topic: &'static str,
    /// Key: the machine's id.
    pub key: Bytes,
    /// Value.
    pub value: Bytes,
    /// Headers.
    pub headers: Headers,
}

/// Why a record has no outputs. The runner turns it into a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why, as a code.
    pub code: DeadLetterCode,
    /// Why, in words, with the remedy.
    pub detail: String,
}

/// The envelope from a record's headers and key; `event_type` is the default if they name none.
///
/// # Errors
/// [`DeadLetterCode::InvalidEnvelope`] with what is wrong.
pub fn envelope_of(record: &Record, event_type: &str) -> Result<Envelope, Rejection> {
    let Record { coordinates, key, headers, timestamp_ms, .. } = record;
    Envelope::read(headers, key.as_deref(), coordinates, *timestamp_ms, event_type)
        .map_err(|error| Rejection { code: DeadLetterCode::InvalidEnvelope, detail: error.to_string() })
}

/// Converts a CloudEvent in structured mode to binary mode: headers, and the data as the value. Any other record is
/// returned unchanged.
///
/// # Errors
/// [`DeadLetterCode::InvalidEnvelope`] if it is a structured event that cannot be read.
pub fn opened(record: &Record) -> Result<Cow<'_, Record>, Rejection> {
    let value = record.value.as_deref().unwrap_or_default();
    match open_structured(&record.headers, value) {
        Ok(None) => Ok(Cow::Borrowed(record)),
        Ok(Some((headers, data))) => {
            let Record { coordinates, key, timestamp_ms, .. } = record;
            let (coordinates, key, timestamp_ms) = (coordinates.clone(), key.clone(), *timestamp_ms);
            Ok(Cow::Owned(Record { coordinates, key, value: Some(data), headers, timestamp_ms }))
        }
        Err(error) => Err(Rejection { code: DeadLetterCode::InvalidEnvelope, detail: error.to_string() }),
    }
}

/// Key of a machine's state: its partition and the record key.
pub type StateKey = (i32, Bytes);

/// The states that a batch may read and write: the committed ones, those staged by earlier batches, and those written
/// by this batch, in layers.
pub struct Memory<'a, S> {
    /// From the newest layer to the oldest.
    pub(crate) layers: Vec<&'a HashMap<StateKey, S>>,
    /// What this batch has written.
    pub(crate) written: HashMap<StateKey, S>,
    /// See [`Memory::generation`].
    pub(crate) generation: u64,
}

impl<'a, S: Clone> Memory<'a, S> {
    /// A memory with one layer of states, for tests of a processor.
    #[must_use]
    pub fn over(states: &'a HashMap<StateKey, S>) -> Self {
        Self { layers: vec![states], written: HashMap::new(), generation: 0 }
    }

    /// The state of this machine.
    #[must_use]
    pub fn get(&self, partition: i32, key: &Bytes) -> Option<&S> {
        let state_key = (partition, key.clone());
        self.written.get(&state_key).or_else(|| self.layers.iter().find_map(|layer| layer.get(&state_key)))
    }

    /// All states, in no order: each machine once, as from [`Memory::get`].
    pub fn iter(&self) -> impl Iterator<Item = (&StateKey, &S)> {
        let beneath = self.layers.iter().enumerate().flat_map(move |(depth, layer)| {
            let is_overlaid = move |key: &StateKey| {
                self.written.contains_key(key) || self.layers[..depth].iter().any(|newer| newer.contains_key(key))
            };
            layer.iter().filter(move |(key, _)| !is_overlaid(key))
        });
        self.written.iter().chain(beneath)
    }

    /// A number that changes whenever states change other than by the processor's `put`: a partition was restored or
    /// revoked, or a batch was rolled back. Data that a processor has derived from the states is valid while the number
    /// stays the same and no batch has panicked.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Sets the machine's state, effective with the commit of this batch.
    pub fn put(&mut self, partition: i32, key: Bytes, state: S) {
        self.written.insert((partition, key), state);
    }

    /// The states written by this batch so far.
    #[must_use]
    pub fn written(&self) -> &HashMap<StateKey, S> {
        &self.written
    }

    /// The same, at the end.
    #[must_use]
    pub fn into_written(self) -> HashMap<StateKey, S> {
        self.written
    }
}
