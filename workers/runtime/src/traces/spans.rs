//! Records committed batches as spans.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use auscult_schemas::{DeadLetterCode, Headers, TraceContext};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor};

use super::otlp;
use super::{TraceError, TraceRule};
use crate::config::TracesConfig;
use crate::record::Record;
use crate::telemetry::Metrics;

/// A record of a batch whose trace is recorded.
#[derive(Debug)]
pub(crate) struct TracedRecord {
    context: TraceContext,
    /// That of this stage's span.
    span: TraceContext,
    /// Whether the trace starts here, and not at the sender of the record.
    is_root: bool,
    partition: i32,
    offset: i64,
    machine: String,
    pub(crate) rejected: Option<DeadLetterCode>,
}

impl TracedRecord {
    pub(crate) fn is_at(&self, partition: i32, offset: i64) -> bool {
        (self.partition, self.offset) == (partition, offset)
    }
}

/// Times of the processing steps of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchTimes {
    pub(crate) started: SystemTime,
    pub(crate) computed: SystemTime,
    pub(crate) committing: SystemTime,
    pub(crate) committed: SystemTime,
}

/// Records spans and exports them to the collector from its own thread. Clones share the recorder.
#[derive(Debug, Clone)]
pub struct SpanRecorder {
    rule: TraceRule,
    topic: Arc<str>,
    group: Arc<str>,
    scope: InstrumentationScope,
    processor: Arc<BatchSpanProcessor>,
}

impl SpanRecorder {
    /// A recorder for a worker of this kind that reads this topic as a member of this group; `None` if no collector is
    /// configured.
    ///
    /// # Errors
    /// [`TraceError`].
    pub fn start(
        config: &TracesConfig,
        kind: &str,
        worker: &str,
        topic: &str,
        group: &str,
        metrics: &Arc<Metrics>,
    ) -> Result<Option<Self>, TraceError> {
        let Some(processor) = otlp::processor(config, kind, worker, metrics)? else { return Ok(None) };
        Ok(Some(Self {
            rule: TraceRule::recording(kind, config.sample_ratio),
            topic: topic.into(),
            group: group.into(),
            scope: InstrumentationScope::builder("auscult").with_version(env!("CARGO_PKG_VERSION")).build(),
            processor: Arc::new(processor),
        }))
    }

    /// How the worker continues traces.
    #[must_use]
    pub fn rule(&self) -> &TraceRule {
        &self.rule
    }

    /// Starts the trace of a record that a gateway is about to send.
    pub(crate) fn begin(&self, headers: &mut Headers) -> Option<TraceContext> {
        self.rule.begin(headers)
    }

    /// Records the sending by a gateway: the root of its trace.
    pub(crate) fn record_sending(&self, root: &TraceContext, machine: &str, times: (SystemTime, SystemTime)) {
        let mut span = self.span(format!("send {}", self.topic), root, SpanId::INVALID, times);
        span.span_kind = SpanKind::Producer;
        span.attributes = self.operation("send", machine);
        self.processor.on_end(span);
    }

    /// The records whose traces are recorded.
    pub(crate) fn trace(&self, records: &[Record]) -> Vec<TracedRecord> {
        let traced = |record: &Record| {
            self.rule.span(record).map(|(context, span)| TracedRecord {
                context,
                span,
                is_root: TraceContext::of(&record.headers).is_none(),
                partition: record.coordinates.partition,
                offset: record.coordinates.offset,
                machine: record.key_text(),
                rejected: None,
            })
        };
        records.iter().filter_map(traced).collect()
    }

    /// Records the spans of a committed batch.
    pub(crate) fn record(&self, batch: &[TracedRecord], times: BatchTimes) {
        for traced in batch {
            let span = traced.span;
            let parent = if traced.is_root { SpanId::INVALID } else { SpanId::from_bytes(traced.context.span_id) };
            let whole = (times.started, times.committed);
            let mut whole = self.span(format!("process {}", self.topic), &span, parent, whole);
            whole.span_kind = SpanKind::Consumer;
            whole.parent_span_is_remote = !traced.is_root;
            whole.attributes = self.operation("process", &traced.machine);
            whole.attributes.extend([
                KeyValue::new("messaging.destination.partition.id", traced.partition.to_string()),
                KeyValue::new("messaging.consumer.group.name", Arc::clone(&self.group)),
                KeyValue::new("messaging.kafka.offset", traced.offset),
            ]);
            if let Some(code) = traced.rejected {
                whole.attributes.push(KeyValue::new("error.type", code.as_str()));
                whole.status = Status::error("dead letter");
            }
            self.processor.on_end(whole);
            let id = SpanId::from_bytes(span.span_id);
            for (name, from, until) in
                [("compute", times.started, times.computed), ("commit", times.committing, times.committed)]
            {
                self.processor.on_end(self.span(name.to_owned(), &span.child(name), id, (from, until)));
            }
        }
    }

    /// Exports the remaining spans, waiting at most this long.
    pub fn shut_down(&self, limit: Duration) {
        if let Err(error) = self.processor.shutdown_with_timeout(limit) {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }

    fn span(
        &self,
        name: String,
        context: &TraceContext,
        parent_span_id: SpanId,
        (start_time, end_time): (SystemTime, SystemTime),
    ) -> SpanData {
        SpanData {
            span_context: SpanContext::new(
                TraceId::from_bytes(context.trace_id),
                SpanId::from_bytes(context.span_id),
                TraceFlags::new(context.flags),
                false,
                TraceState::default(),
            ),
            parent_span_id,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time,
            end_time: end_time.max(start_time),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        }
    }

    /// By the semantic conventions for messaging. <https://opentelemetry.io/docs/specs/semconv/messaging/kafka/>
    fn operation(&self, operation: &'static str, machine: &str) -> Vec<KeyValue> {
        vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.name", operation),
            KeyValue::new("messaging.operation.type", operation),
            KeyValue::new("messaging.destination.name", Arc::clone(&self.topic)),
            KeyValue::new("messaging.kafka.message.key", machine.to_owned()),
            KeyValue::new("auscult.machine", machine.to_owned()),
        ]
    }
}
