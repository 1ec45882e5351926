//! What a worker puts behind the runner: records in, outputs or rejections out, and what it remembers of each machine.

use std::borrow::Cow;
use std::collections::HashMap;

use auscult_schemas::{DeadLetterCode, Envelope, Headers, open_structured};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::record::Record;

/// A worker's own work. It runs on the compute thread, one batch at a time, and may block there.
pub trait Processor: Send + 'static {
    /// What is remembered of each machine between its chunks; `()` where nothing is.
    type State: Clone + Serialize + DeserializeOwned + Send + 'static;

    /// Turns each record into its outputs or into the reason why there are none.
    ///
    /// Returns one result per record, in the records' order. Records of one machine stand in their own order. A panic
    /// is caught by the runner, which then offers the records one by one and dead-letters the one that panics.
    fn process(
        &mut self,
        records: &[Record],
        memory: &mut Memory<'_, Self::State>,
    ) -> Vec<Result<Vec<Output>, Rejection>>;

    /// Between batches the states have changed: partitions came with theirs, or went. For what is derived of them and
    /// shown, such as how many machines are in which state; nothing can be written here.
    fn states_changed(&mut self, _memory: &Memory<'_, Self::State>) {}
}

/// One record to be sent because of an input; the runner adds the partition.
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

/// Why a record has no outputs. The runner makes a dead letter of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why, as a code.
    pub code: DeadLetterCode,
    /// Why, in words, with the remedy.
    pub detail: String,
}

/// What a record's headers and key say of it; `event_type` is taken where they name none.
///
/// # Errors
/// [`DeadLetterCode::InvalidEnvelope`] with what is wrong.
pub fn envelope_of(record: &Record, event_type: &str) -> Result<Envelope, Rejection> {
    let Record { coordinates, key, headers, timestamp_ms, .. } = record;
    Envelope::read(headers, key.as_deref(), coordinates, *timestamp_ms, event_type)
        .map_err(|error| Rejection { code: DeadLetterCode::InvalidEnvelope, detail: error.to_string() })
}

/// The record with a CloudEvent in structured mode taken apart: headers as binary mode has them, and the data as the
/// value. Any other record is as it came.
///
/// # Errors
/// [`DeadLetterCode::InvalidEnvelope`] when it is such an event and cannot be read.
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

/// The states a batch may read and write: what is committed, under what earlier batches staged, under what this one
/// writes.
pub struct Memory<'a, S> {
    /// From the newest layer to the oldest.
    pub(crate) layers: Vec<&'a HashMap<StateKey, S>>,
    /// What this batch has written.
    pub(crate) written: HashMap<StateKey, S>,
    /// See [`Memory::generation`].
    pub(crate) generation: u64,
}

impl<'a, S: Clone> Memory<'a, S> {
    /// A memory over one layer of states; what tests of a processor need.
    #[must_use]
    pub fn over(states: &'a HashMap<StateKey, S>) -> Self {
        Self { layers: vec![states], written: HashMap::new(), generation: 0 }
    }

    /// What is remembered of this machine.
    #[must_use]
    pub fn get(&self, partition: i32, key: &Bytes) -> Option<&S> {
        let state_key = (partition, key.clone());
        self.written.get(&state_key).or_else(|| self.layers.iter().find_map(|layer| layer.get(&state_key)))
    }

    /// Everything that is remembered, in no order: each machine once, as [`Memory::get`] gives it.
    pub fn iter(&self) -> impl Iterator<Item = (&StateKey, &S)> {
        let beneath = self.layers.iter().enumerate().flat_map(move |(depth, layer)| {
            let is_overlaid = move |key: &StateKey| {
                self.written.contains_key(key) || self.layers[..depth].iter().any(|newer| newer.contains_key(key))
            };
            layer.iter().filter(move |(key, _)| !is_overlaid(key))
        });
        self.written.iter().chain(beneath)
    }

    /// A number that is another one whenever states have changed by anything but what the processor put: a partition
    /// was restored or given away, a batch was taken back. What a processor has derived from the states holds as long
    /// as it finds the number that it was derived under, and no batch has panicked on the way.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Remembers this of the machine, from the commit of this batch on.
    pub fn put(&mut self, partition: i32, key: Bytes, state: S) {
        self.written.insert((partition, key), state);
    }

    /// What this batch has written so far.
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
