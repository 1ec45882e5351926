//! The compute side: runs the processor on batches, keeps the machines' states, and makes dead letters of rejected
//! records.
//!
//! It is synchronous and has no threads; the runner runs it on one.
//!
//! A dead letter can always be written, if necessary in a smaller form (`dead_letters`): outputs that the log refuses
//! permanently are reported here, and their record becomes a dead letter when it is processed again. Implausible times
//! are replaced by the time of arrival before a processor sees them (`times`).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use auscult_schemas::{DeadLetterCode, Headers, RecordCoordinates};
use bytes::Bytes;
use jiff::Timestamp;

use crate::core::{Batch, BatchId};
use crate::dead_letters::{DeadLetters, Unwritable};
use crate::ports::RefusedOutput;
use crate::processor::{Memory, Output, Processor, Rejection, StateKey};
use crate::record::{NEXT_OFFSET_HEADER, OutputRecord, Record};
use crate::rejected_record::RejectedRecord;
use crate::states::States;
use crate::times::{DoubtfulTime, Times};
use crate::traces::TraceRule;

/// Settings of the compute side.
#[derive(Debug, Clone)]
pub struct ComputeConfig {
    /// Name of the worker, as dead letters carry it.
    pub worker: String,
    /// Topic that keeps the machines' states; `None`: nothing is kept.
    pub changelog: Option<&'static str>,
    /// A record with a larger value is rejected without processing, bytes.
    pub max_value_bytes: usize,
    /// How far a record's time may be ahead of its arrival; one that is further is judged under the time of its
    /// arrival.
    pub max_time_ahead: Duration,
    /// How traces go on from records to results.
    pub traces: TraceRule,
}

/// The result of a batch.
#[derive(Debug, Default)]
pub struct Computed {
    /// Results, dead letters and changelog records, by partition.
    pub outputs: BTreeMap<i32, Vec<OutputRecord>>,
    /// Their size, bytes.
    pub bytes: usize,
    /// Which records were refused, and why.
    pub rejections: Vec<RejectedRecord>,
    /// Records with implausible times.
    pub doubtful_times: Vec<DoubtfulTime>,
}

/// Processor and states.
pub struct Compute<P: Processor> {
    config: ComputeConfig,
    processor: P,
    states: States<P::State>,
    dead_letters: DeadLetters,
    times: Times,
    /// The wall clock, for the time in dead letters and for times that cannot be.
    clock: fn() -> Timestamp,
}

impl<P: Processor> Compute<P> {
    /// A compute side without states.
    #[must_use]
    pub fn new(config: ComputeConfig, processor: P) -> Self {
        let dead_letters = DeadLetters::new(&config.worker);
        let times = Times { max_ahead: config.max_time_ahead };
        Self { config, processor, states: States::default(), dead_letters, times, clock: Timestamp::now }
    }

    /// Registers outputs that the log will never accept: their record becomes a dead letter when it is processed again.
    /// A refused dead letter is replaced by a smaller one.
    pub fn refuse(&mut self, outputs: &[RefusedOutput]) {
        for output in outputs {
            let is_state = self.config.changelog.is_some_and(|changelog| changelog == output.topic);
            self.dead_letters.refuse(output, is_state);
        }
    }

    /// Applies a committed batch: its staged states become the committed states, and its refused outputs are done.
    pub fn swap(&mut self, batch: BatchId) {
        self.states.swap(batch);
        self.dead_letters.committed(batch);
    }

    /// The machines' states.
    pub fn states(&mut self) -> &mut States<P::State> {
        &mut self.states
    }

    /// Installs the content of a changelog as the committed states of a partition. Returns the number of unreadable
    /// states.
    pub fn install(&mut self, partition: i32, entries: HashMap<Bytes, Bytes>) -> usize {
        let mut unreadable = 0;
        for (key, value) in entries {
            match serde_json::from_slice(&value) {
                Ok(state) => self.states.install([((partition, key), state)]),
                Err(error) => {
                    unreadable += 1;
                    let machine = String::from_utf8_lossy(&key).into_owned();
                    tracing::error!(partition, machine, %error, "state in the changelog is unreadable; this machine starts anew");
                }
            }
        }
        self.tell_processor();
        unreadable
    }

    /// Removes the machines of a revoked partition.
    pub fn forget(&mut self, partition: i32) {
        self.states.forget(partition);
        self.dead_letters.forget(partition);
        self.tell_processor();
    }

    /// Discards everything not committed.
    pub fn discard(&mut self) {
        self.states.discard();
        self.tell_processor();
    }

    fn tell_processor(&mut self) {
        self.processor.states_changed(&self.states.memory());
    }

    /// Processes a batch on the committed and staged states, and stages its writes.
    pub fn process(&mut self, batch: &Batch<Record>) -> Computed {
        let arrival = (self.clock)();
        let doubts: Vec<Option<DoubtfulTime>> =
            batch.records.iter().map(|record| self.times.doubt(record, arrival)).collect();
        let mut refused: Vec<Option<Rejection>> =
            batch.records.iter().map(|record| self.refuse_unseen(record)).collect();
        let is_as_it_came = refused.iter().all(Option::is_none) && doubts.iter().all(Option::is_none);
        let accepted = if is_as_it_came {
            Cow::Borrowed(&batch.records)
        } else {
            let kept = batch.records.iter().zip(&doubts).zip(&refused).filter(|(_, refusal)| refusal.is_none());
            let judged = kept.map(|((record, doubt), _)| match doubt {
                Some(_) => self.times.arrived(record, arrival),
                None => record.clone(),
            });
            Cow::Owned(judged.collect())
        };
        let mut memory = self.states.memory();
        let results = process_guarded(&mut self.processor, &accepted, &mut memory);
        let written = memory.into_written();

        let mut computed = Computed::default();
        let mut results = results.into_iter();
        for (record, refusal) in batch.records.iter().zip(&mut refused) {
            let result = match refusal.take() {
                Some(rejection) => Err(rejection),
                None => results.next().expect("process_guarded gives one result a record"),
            };
            let partition = record.coordinates.partition;
            let sent = computed.outputs.entry(partition).or_default();
            match result {
                Ok(mut outputs) => {
                    self.config.traces.carry(record, outputs.iter_mut().map(|output| &mut output.headers));
                    sent.extend(outputs.into_iter().map(|output| routed(output, &record.coordinates)));
                }
                Err(rejection) => {
                    let context = self.config.traces.context(record);
                    computed.rejections.push(RejectedRecord::of(record, &rejection, &context));
                    sent.push(self.dead_letters.dead_letter(record, rejection, &context, arrival));
                }
            }
        }
        if let Some(changelog) = self.config.changelog {
            append_changelog(&mut computed.outputs, changelog, &written, &batch.records);
        }
        computed.doubtful_times = doubts.into_iter().flatten().collect();
        computed.bytes = computed.outputs.values().flatten().map(OutputRecord::bytes).sum();
        self.states.stage(batch.id, written);
        self.dead_letters.processed(batch.id, &next_offsets(&batch.records));
        computed
    }

    fn refuse_unseen(&self, record: &Record) -> Option<Rejection> {
        if let Some(Unwritable { rejection: Some(rejection), .. }) = self.dead_letters.unwritable(record) {
            return Some(rejection.clone());
        }
        let len = record.value.as_ref().map_or(0, Bytes::len);
        if len == 0 {
            let detail = "the record has no value; send the sound itself as the value".to_owned();
            return Some(Rejection { code: DeadLetterCode::Empty, detail });
        }
        let bound = self.config.max_value_bytes;
        (len > bound).then(|| Rejection {
            code: DeadLetterCode::TooLarge,
            detail: format!(
                "the value has {len} bytes, the bound is {bound}; send shorter chunks, fewer channels or FLAC"
            ),
        })
    }
}

fn process_guarded<P: Processor>(
    processor: &mut P,
    records: &[Record],
    memory: &mut Memory<'_, P::State>,
) -> Vec<Result<Vec<Output>, Rejection>> {
    if records.is_empty() {
        return Vec::new();
    }
    let mut attempt = Memory { layers: memory.layers.clone(), written: HashMap::new(), generation: memory.generation };
    let outcome = catch_unwind(AssertUnwindSafe(|| processor.process(records, &mut attempt)));
    match outcome {
        Ok(results) if results.len() == records.len() => {
            memory.written.extend(attempt.written);
            results
        }
        _ => process_singly(processor, records, memory),
    }
}

/// After a panic in a batch: each record by itself, so that only the one at fault is refused.
fn process_singly<P: Processor>(
    processor: &mut P,
    records: &[Record],
    memory: &mut Memory<'_, P::State>,
) -> Vec<Result<Vec<Output>, Rejection>> {
    let mut results = Vec::with_capacity(records.len());
    for record in records {
        let mut layers = vec![&memory.written];
        layers.extend(memory.layers.iter().copied());
        let mut attempt = Memory { layers, written: HashMap::new(), generation: memory.generation };
        let outcome = catch_unwind(AssertUnwindSafe(|| processor.process(std::slice::from_ref(record), &mut attempt)));
        let written = attempt.written;
        match outcome {
            Ok(mut single) if single.len() == 1 => {
                results.push(single.pop().expect("its length was just seen"));
                memory.written.extend(written);
            }
            Ok(other) => {
                results.push(Err(internal(format!("the processor gave {} results for one record", other.len()))))
            }
            Err(panic) => {
                let reason = panic_message(panic.as_ref());
                tracing::error!(record = %record.coordinates, reason, "processor panicked; the record becomes a dead letter");
                results.push(Err(internal(reason)));
            }
        }
    }
    results
}

fn internal(reason: String) -> Rejection {
    let detail = format!("the worker failed on this record, please report it together with the record: {reason}");
    Rejection { code: DeadLetterCode::Internal, detail }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic without a message".to_owned())
}

fn routed(output: Output, source: &RecordCoordinates) -> OutputRecord {
    OutputRecord {
        topic: output.topic.to_owned(),
        partition: source.partition,
        key: Some(output.key),
        value: Some(output.value),
        headers: output.headers,
        timestamp_ms: None,
        source_offset: Some(source.offset),
    }
}

/// The offset to go on from in each partition, after a batch.
fn next_offsets(records: &[Record]) -> BTreeMap<i32, i64> {
    // Those of one partition are in order: the last one counts.
    records.iter().map(|record| (record.coordinates.partition, record.coordinates.offset + 1)).collect()
}

fn append_changelog<S: serde::Serialize>(
    outputs: &mut BTreeMap<i32, Vec<OutputRecord>>,
    changelog: &str,
    written: &HashMap<StateKey, S>,
    records: &[Record],
) {
    let next_offsets = next_offsets(records);
    // Sorted, so that the same batch always gives the same records.
    let mut keys: Vec<&StateKey> = written.keys().collect();
    keys.sort();
    for state_key in keys {
        let value =
            serde_json::to_vec(&written[state_key]).expect("a state serialises: its fields are numbers and names");
        let mut headers = Headers::default();
        if let Some(next_offset) = next_offsets.get(&state_key.0) {
            headers.push(NEXT_OFFSET_HEADER, next_offset.to_string());
        }
        let is_source =
            |record: &&Record| record.coordinates.partition == state_key.0 && record.key.as_ref() == Some(&state_key.1);
        let last_of_batch = next_offsets.get(&state_key.0).map(|next| next - 1);
        let source_offset =
            records.iter().rev().find(is_source).map(|record| record.coordinates.offset).or(last_of_batch);
        outputs.entry(state_key.0).or_default().push(OutputRecord {
            topic: changelog.to_owned(),
            partition: state_key.0,
            key: Some(state_key.1.clone()),
            value: Some(Bytes::from(value)),
            headers,
            timestamp_ms: None,
            source_offset,
        });
    }
}
