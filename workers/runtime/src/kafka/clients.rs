//! Makes a worker's clients.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use super::consumer::{KafkaConsumer, KafkaMembership};
use super::context::{MemberContext, PlainContext};
use super::fencing::new_producer;
use super::producer::KafkaProducer;
use super::restorer::KafkaRestorer;
use super::settings;
use crate::config::{Delivery, KafkaConfig};
use crate::ports::{Clients, Failure, LogClients, LogProbe};

/// Who a worker is to Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerIdentity {
    /// The consumer group.
    pub group_id: String,
    /// This worker among the group's.
    pub instance_id: String,
    /// The topic it consumes.
    pub input_topic: String,
}

impl WorkerIdentity {
    /// As configured, or by default the worker's own group and the host's name with the port of its HTTP server: two
    /// workers on one host cannot share that, and a pod that comes back has both again.
    #[must_use]
    pub fn of(config: &KafkaConfig, default_group: &str, input_topic: &str, http_port: u16) -> Self {
        let default_instance = || format!("{}-{http_port}", host_name());
        Self {
            group_id: config.group_id.clone().unwrap_or_else(|| default_group.to_owned()),
            instance_id: config.instance_id.clone().unwrap_or_else(default_instance),
            input_topic: input_topic.to_owned(),
        }
    }

    /// Whoever has the same fences this worker, and whoever had it is fenced by this worker.
    #[must_use]
    pub fn transactional_id(&self) -> String {
        format!("{}-{}", self.group_id, self.instance_id)
    }
}

fn host_name() -> String {
    let from_kernel = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = std::env::var("HOSTNAME").ok().or_else(from_kernel).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "worker".to_owned() } else { name.to_owned() }
}

/// Makes a worker's Kafka clients, at the start and whenever they have to be replaced.
#[derive(Debug, Clone)]
pub struct KafkaClients {
    config: KafkaConfig,
    identity: WorkerIdentity,
}

impl KafkaClients {
    /// Nothing is contacted before [`LogClients::connect`].
    #[must_use]
    pub fn new(config: KafkaConfig, identity: WorkerIdentity) -> Self {
        Self { config, identity }
    }

    /// Who the worker is.
    #[must_use]
    pub fn identity(&self) -> &WorkerIdentity {
        &self.identity
    }
}

pub(super) fn cannot_create(error: KafkaError) -> Failure {
    Failure::Fatal(format!("cannot make a kafka client: {error}; see kafka.properties"))
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
        const ASKING: Duration = Duration::from_secs(5);
        fetch_token(&self.reader);
        let mut ends = BTreeMap::new();
        for &partition in partitions {
            let (_, end) = self
                .reader
                .fetch_watermarks(&self.topic, partition, ASKING)
                .map_err(|error| Failure::Aborted(error.to_string()))?;
            ends.insert(partition, end);
        }
        Ok(ends)
    }
}

/// A client asks for its token where it is polled, and one that is only asked questions never is.
pub(super) fn fetch_token(reader: &BaseConsumer<PlainContext>) {
    // Nothing is assigned: what could come are records of nobody's.
    let _ = reader.poll(Duration::ZERO);
}

/// A reader that is handed its partitions.
pub(super) fn plain_reader(
    config: &KafkaConfig,
    group_id: &str,
    client_id: &str,
) -> Result<BaseConsumer<PlainContext>, KafkaError> {
    let reader: BaseConsumer<PlainContext> =
        settings::reader(config, group_id, client_id).create_with_context(PlainContext::default())?;
    fetch_token(&reader);
    Ok(reader)
}
