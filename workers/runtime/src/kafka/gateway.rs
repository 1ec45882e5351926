//! A producer without transactions, for `auscult send` and other gateways.

use std::time::{Duration, Instant, SystemTime};

use auscult_schemas::Headers;
use bytes::Bytes;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::context::DeliveryContext;
use super::error::{ErrorContext, KafkaAccessError, explain};
use super::producer::serve_or_pause;
use super::record::native_headers;
use super::settings;
use crate::config::KafkaConfig;
use crate::traces::SpanRecorder;

/// A record for [`GatewayProducer::send`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRecord {
    /// Topic.
    pub topic: String,
    /// Partition; `None` lets the key choose, by CRC-32 as librdkafka's clients do, or as the property `partitioner`
    /// says.
    pub partition: Option<i32>,
    /// Key: the machine's id.
    pub key: Option<Bytes>,
    /// Value.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Headers,
    /// The record's timestamp, ms since the epoch; `None` is now.
    pub timestamp_ms: Option<i64>,
}

/// An idempotent producer: records of a key arrive once and in order, but not in a transaction.
pub struct GatewayProducer {
    producer: BaseProducer<DeliveryContext>,
    spans: Option<SpanRecorder>,
}

impl GatewayProducer {
    /// Creates a producer without connecting.
    ///
    /// # Errors
    /// [`KafkaAccessError::Client`] if a property is invalid.
    pub fn new(config: &KafkaConfig, client_id: &str) -> Result<Self, KafkaAccessError> {
        let created = settings::idempotent(config, client_id).create_with_context(DeliveryContext::default());
        created
            .map(|producer| Self { producer, spans: None })
            .map_err(|error| KafkaAccessError::Client(error.to_string()))
    }

    /// Starts traces for the recorder's share of the records: their headers contain the trace, and sending is a span.
    #[must_use]
    pub fn traced(mut self, spans: Option<SpanRecorder>) -> Self {
        self.spans = spans;
        self
    }

    /// Queues a record for sending; waits if the queue is full.
    ///
    /// # Errors
    /// [`KafkaAccessError::NotSent`] if it cannot be queued, or an earlier record was not delivered.
    pub fn send(&self, record: &GatewayRecord) -> Result<(), KafkaAccessError> {
        let Some(spans) = &self.spans else { return self.enqueue(record, &record.headers) };
        let started = SystemTime::now();
        let mut headers = record.headers.clone();
        let root = spans.begin(&mut headers);
        let sent = self.enqueue(record, &headers);
        if let Some(root) = root.filter(|_| sent.is_ok()) {
            let machine = record.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            spans.record_sending(&root, &machine, (started, SystemTime::now()));
        }
        sent
    }

    fn enqueue(&self, record: &GatewayRecord, headers: &Headers) -> Result<(), KafkaAccessError> {
        let mut native: BaseRecord<'_, [u8], [u8], usize> = BaseRecord {
            topic: &record.topic,
            partition: record.partition,
            payload: record.value.as_deref(),
            key: record.key.as_deref(),
            timestamp: record.timestamp_ms,
            headers: Some(native_headers(headers)),
            delivery_opaque: 0,
        };
        loop {
            let Err((error, unsent)) = self.producer.send(native) else {
                self.producer.context().sent();
                self.producer.poll(Duration::ZERO);
                return self.report();
            };
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                let reason = explain(&error, ErrorContext::Topic(&record.topic, "Write"));
                return Err(KafkaAccessError::NotSent { topic: record.topic.clone(), reason });
            }
            serve_or_pause(&self.producer);
            native = unsent;
        }
    }

    /// Waits until every queued record is delivered.
    ///
    /// # Errors
    /// [`KafkaAccessError::NotSent`] if one was not delivered, or not in time.
    pub fn flush(&self, timeout: Duration) -> Result<(), KafkaAccessError> {
        let deadline = Instant::now() + timeout;
        while self.producer.context().outstanding() > 0 {
            serve_or_pause(&self.producer);
            self.report()?;
            if Instant::now() >= deadline {
                let outstanding = self.producer.context().outstanding();
                let reason = format!(
                    "{outstanding} records are still under way after {} s; can the brokers be reached?",
                    timeout.as_secs()
                );
                return Err(KafkaAccessError::NotSent { topic: "any".to_owned(), reason });
            }
        }
        self.report()
    }

    /// Exports the remaining spans.
    pub fn finish_traces(&self) {
        /// A collector that is away must not hold up a command that is done.
        const FAREWELL: Duration = Duration::from_secs(5);
        if let Some(spans) = &self.spans {
            spans.shut_down(FAREWELL);
        }
    }

    /// Number of records delivered so far.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.producer.context().delivered()
    }

    fn report(&self) -> Result<(), KafkaAccessError> {
        let Some((error, topic)) = self.producer.context().take_failed() else { return Ok(()) };
        // A producer that cannot go on drops its records; why it cannot, it says itself.
        let reason = match self.producer.client().fatal_error() {
            Some((fatal, words)) => format!("{words}: {}", explain(&KafkaError::Global(fatal), ErrorContext::Cluster)),
            None => explain(&error, ErrorContext::Topic(&topic, "Write")),
        };
        Err(KafkaAccessError::NotSent { topic, reason })
    }
}
