//! New producers. A transactional one has fenced whoever had its id before: requests of an earlier producer that still
//! are under way somewhere are refused from here on.

use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, Producer};

use super::WorkerIdentity;
use super::clients::cannot_create;
use super::context::DeliveryContext;
use super::error::{About, Verdict, explain, verdict};
use super::settings;
use crate::config::{Delivery, KafkaConfig};
use crate::ports::Failure;

/// How long the brokers may take to answer a worker that starts.
const CONNECTING: Duration = Duration::from_secs(30);

/// A producer that can be used at once. One that is careful sends each record by itself, so that a refusal is of that
/// record and no other.
pub(super) fn new_producer(
    config: &KafkaConfig,
    identity: &WorkerIdentity,
    is_careful: bool,
) -> Result<BaseProducer<DeliveryContext>, Failure> {
    let mut client = settings::worker_producer(config, identity);
    if is_careful {
        client.set("batch.num.messages", "1");
    }
    let producer: BaseProducer<DeliveryContext> =
        client.create_with_context(DeliveryContext::default()).map_err(cannot_create)?;
    if config.delivery == Delivery::ExactlyOnce {
        fence(&producer, config, identity)?;
    }
    Ok(producer)
}

fn fence(
    producer: &BaseProducer<DeliveryContext>,
    config: &KafkaConfig,
    identity: &WorkerIdentity,
) -> Result<(), Failure> {
    let transactional_id = identity.transactional_id();
    let about = About::Transactions { id: &transactional_id, group: &identity.group_id };
    // The token of `oauthbearer` is asked for where the client is polled.
    producer.poll(Duration::from_millis(10));
    let deadline = Instant::now() + CONNECTING;
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        let Err(error) = producer.init_transactions(left) else { return Ok(()) };
        let words = explain(&error, about);
        if verdict(&error) != Verdict::Retry {
            return Err(Failure::Fatal(format!("cannot begin as {transactional_id}: {words}")));
        }
        if Instant::now() >= deadline {
            let brokers = &config.brokers;
            return Err(Failure::Fatal(format!(
                "cannot reach the transaction coordinator through {brokers}: {words}; is kafka.brokers right?"
            )));
        }
        tracing::warn!(reason = words, "the transaction coordinator is not ready, asking again");
        producer.poll(Duration::from_millis(200));
    }
}
