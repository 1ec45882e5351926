//! Tests whether a topic may be written to, with a record that the broker must reject: it checks permissions before
//! sizes.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::config::KafkaConfig;
use crate::kafka::KafkaAccessError;
use crate::kafka::context::DeliveryContext;
use crate::kafka::error::{ErrorContext, explain};
use crate::kafka::producer::serve_or_pause;
use crate::kafka::settings;

/// The result of the test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    /// The record was refused for its size: with another size it would have been taken.
    May,
    /// The right is missing; in words.
    MayNot(String),
    /// It was refused or lost for another reason.
    Unclear(String),
}

/// Sends a topic a record of zeros that exceeds `max_message_bytes`, its size limit. The broker checks the sender's
/// permissions first, then the size, and appends nothing.
///
/// # Errors
/// [`KafkaAccessError::Client`].
pub fn write(
    config: &KafkaConfig,
    topic: &str,
    max_message_bytes: usize,
    give_up_after: Duration,
) -> Result<Trial, KafkaAccessError> {
    let mut client = settings::common(config, "auscult-doctor");
    client
        .set("enable.idempotence", "false")
        .set("compression.type", "none")
        .set("message.send.max.retries", "0")
        .set("message.max.bytes", (2 * max_message_bytes + 1_000_000).min(1_000_000_000).to_string())
        .set("message.timeout.ms", give_up_after.as_millis().to_string());
    let producer: BaseProducer<DeliveryContext> = client
        .create_with_context(DeliveryContext::default())
        .map_err(|error| KafkaAccessError::Client(error.to_string()))?;
    let value = vec![0_u8; max_message_bytes + 1];
    let record: BaseRecord<'_, [u8], [u8], usize> =
        BaseRecord::with_opaque_to(topic, 0).partition(0).key(&b"auscult-doctor"[..]).payload(&value[..]);
    if let Err((error, _)) = producer.send(record) {
        return Ok(judged(&error, topic));
    }
    producer.context().sent();
    let deadline = Instant::now() + give_up_after + Duration::from_secs(1);
    while producer.context().outstanding() > 0 && Instant::now() < deadline {
        serve_or_pause(&producer);
    }
    Ok(match producer.context().take_failed() {
        Some((error, _)) => judged(&error, topic),
        None if producer.context().delivered() > 0 => Trial::Unclear(format!(
            "the broker took a record that is larger than its topic's max.message.bytes, {max_message_bytes}"
        )),
        None => Trial::Unclear(format!("no answer within {} s", give_up_after.as_secs())),
    })
}

fn judged(error: &KafkaError, topic: &str) -> Trial {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize) => Trial::May,
        Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
            Trial::MayNot(explain(error, ErrorContext::Topic(topic, "Write")))
        }
        _ => Trial::Unclear(explain(error, ErrorContext::Topic(topic, "Write"))),
    }
}
