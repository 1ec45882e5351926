//! Creates new producers. A transactional one fences the previous owner of its id: requests of an earlier producer that
//! are still in flight are rejected from then on.

use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, Producer};

use crate::config::{Delivery, KafkaConfig};
use crate::kafka::context::DeliveryContext;
use crate::kafka::error::{ErrorContext, Verdict, cannot_create, explain, verdict};
use crate::kafka::identity::WorkerIdentity;
use crate::kafka::settings;
use crate::ports::Failure;

/// How long the brokers may take to answer a worker that starts.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A producer that can be used at once. One that is careful sends each record by itself, so that a refusal is of that
/// record and no other.
pub(in crate::kafka) fn new_producer(
    config: &KafkaConfig,
    identity: &WorkerIdentity,
    sends_single_records: bool,
) -> Result<BaseProducer<DeliveryContext>, Failure> {
    let mut client = settings::worker_producer(config, identity);
    if sends_single_records {
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
    let about = ErrorContext::Transactions { id: &transactional_id, group: &identity.group_id };
    // The token of `oauthbearer` is asked for where the client is polled.
    producer.poll(Duration::from_millis(10));
    let deadline = Instant::now() + CONNECT_TIMEOUT;
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
