//! Creates a worker's clients.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::consumer::KafkaConsumer;
use super::context::{MemberContext, PlainContext};
use super::error::cannot_create;
use super::identity::WorkerIdentity;
use super::membership::KafkaMembership;
use super::plain_reader::{fetch_token, plain_reader};
use super::producer::{KafkaProducer, new_producer};
use super::restorer::KafkaRestorer;
use super::settings;
use crate::config::{Delivery, KafkaConfig};
use crate::ports::{Clients, Failure, LogClients, LogProbe};

/// Creates a worker's Kafka clients, at start and whenever they must be replaced.
#[derive(Debug, Clone)]
pub struct KafkaClients {
    config: KafkaConfig,
    identity: WorkerIdentity,
}

impl KafkaClients {
    /// Connects only in [`LogClients::connect`].
    #[must_use]
    pub fn new(config: KafkaConfig, identity: WorkerIdentity) -> Self {
        Self { config, identity }
    }

    /// The worker's identity.
    #[must_use]
    pub fn identity(&self) -> &WorkerIdentity {
        &self.identity
    }
}

impl LogClients for KafkaClients {
    type Membership = KafkaMembership;
    type Consumer = KafkaConsumer;
    type Producer = KafkaProducer;
    type Restorer = KafkaRestorer;

    fn connect(&mut self) -> Result<Clients<KafkaConsumer, KafkaProducer, KafkaRestorer>, Failure> {
        // Whoever has to grant a right wants to know to whom.
        let principal = settings::principal(&self.config.security);
        tracing::info!(principal, brokers = self.config.brokers, "connecting");
        let producer = new_producer(&self.config, &self.identity, false)?;
        let restorer = KafkaRestorer::new(&self.config, &self.identity).map_err(cannot_create)?;

        let topic = &self.identity.input_topic;
        let member: BaseConsumer<MemberContext> = settings::member(&self.config, &self.identity)
            .create_with_context(MemberContext::new(topic))
            .map_err(cannot_create)?;
        let consumer = KafkaConsumer::subscribed(member, topic, &self.identity.group_id).map_err(cannot_create)?;
        let producer = match self.config.delivery {
            Delivery::ExactlyOnce => KafkaProducer::transactional(producer, &self.config, &self.identity)?,
            Delivery::AtLeastOnce => {
                KafkaProducer::at_least_once(producer, consumer.downgrade(), &self.config, &self.identity)?
            }
        };
        tracing::info!(
            group = self.identity.group_id,
            instance = self.identity.instance_id,
            topic,
            delivery = ?self.config.delivery,
            "joining the group"
        );
        Ok(Clients { consumer, producer, restorer })
    }

    fn probe(&self) -> Result<Option<Box<dyn LogProbe>>, Failure> {
        let client_id = format!("{}-watchdog", self.identity.instance_id);
        let reader = plain_reader(&self.config, &self.identity.group_id, &client_id).map_err(cannot_create)?;
        Ok(Some(Box::new(KafkaProbe { reader, topic: self.identity.input_topic.clone() })))
    }
}

/// Asks for the ends of the input over a connection of its own.
struct KafkaProbe {
    reader: BaseConsumer<PlainContext>,
    topic: String,
}

impl LogProbe for KafkaProbe {
    fn ends(&mut self, partitions: &[i32]) -> Result<BTreeMap<i32, i64>, Failure> {
        const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
        fetch_token(&self.reader);
        let mut ends = BTreeMap::new();
        for &partition in partitions {
            let (_, end) = self
                .reader
                .fetch_watermarks(&self.topic, partition, REQUEST_TIMEOUT)
                .map_err(|error| Failure::Aborted(error.to_string()))?;
            ends.insert(partition, end);
        }
        Ok(ends)
    }
}
