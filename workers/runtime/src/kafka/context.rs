//! Callbacks of librdkafka: logs, rebalances, ends of partitions, delivery reports.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{NoCustomPartitioner, ProducerContext};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::membership::KafkaMembership;
use super::token;

/// What an error of librdkafka's means for the worker is for the adapter to judge and to log; here it warns at most.
fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    // A user's property is given to every client, and each warns of those that are for another kind.
    let level = if facility == "CONFWARN" { RDKafkaLogLevel::Debug } else { level };
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// librdkafka reports here what it has logged already: lost connections, which it makes anew by itself, and ends of
/// partitions, which are no errors.
fn log_error(error: &KafkaError, reason: &str) {
    tracing::debug!(target: "librdkafka", %error, "{reason}");
}

/// Logs, and nothing else.
#[derive(Debug, Default)]
pub(super) struct PlainContext {
    /// Why the connection is not there, as far as it was told.
    connection_error: Mutex<Option<String>>,
}

impl PlainContext {
    /// The connection error, if any; a request without an answer does not contain it.
    pub fn connection_error(&self) -> Option<String> {
        self.connection_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for PlainContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        token::from_file(config).inspect_err(|error| {
            *self.connection_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        })
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        use RDKafkaErrorCode as Code;
        let is_telling = !matches!(error.rdkafka_error_code(), Some(Code::AllBrokersDown));
        if is_telling {
            *self.connection_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
        log_error(&error, reason);
    }
}

impl ConsumerContext for PlainContext {}

/// What the group wants, as it was called back.
#[derive(Debug)]
pub(super) enum GroupEvent {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
    Lost(Vec<i32>),
    Failed(String),
}

/// Where a partition's end is and how far librdkafka has fetched, as last heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownEnd {
    /// Offset after the last committed record (last stable offset).
    pub end: i64,
    /// Offset to be fetched next.
    pub fetched: i64,
}

/// The group member's context. Rebalances are only noted here; the log thread acts on them.
#[derive(Default)]
pub(super) struct MemberContext {
    topic: String,
    /// From now on nobody acts on what is noted: partitions are given back as soon as they are asked for.
    closing: AtomicBool,
    /// Events that a poll served by calling back, for which it returned nothing.
    served: AtomicU64,
    state: Mutex<MemberState>,
}

#[derive(Default)]
struct MemberState {
    events: VecDeque<GroupEvent>,
    /// Membership as it was when the group last spoke.
    membership_at_rebalance: Option<KafkaMembership>,
    ends: BTreeMap<i32, KnownEnd>,
}

impl MemberContext {
    pub fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), ..Self::default() }
    }

    pub fn next_event(&self) -> Option<GroupEvent> {
        self.state().events.pop_front()
    }

    pub fn membership_at_rebalance(&self) -> Option<KafkaMembership> {
        self.state().membership_at_rebalance.clone()
    }

    pub fn ends(&self) -> BTreeMap<i32, KnownEnd> {
        self.state().ends.clone()
    }

    /// How many events were served by calling back: a poll that returned nothing and has moved this count has not found
    /// the queue empty.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    fn count_served(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    pub fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    fn state(&self) -> MutexGuard<'_, MemberState> {
        // Nothing is half done in it when a holder panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, event: GroupEvent) {
        self.state().events.push_back(event);
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<i32> {
        let mut partitions: Vec<i32> =
            list.elements_for_topic(&self.topic).iter().map(|element| element.partition()).collect();
        partitions.sort_unstable();
        partitions
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        // The group is content once it is answered. What is fetched, and from where, is decided when the state is
        // restored.
        if let Err(error) = consumer.incremental_assign(&TopicPartitionList::new()) {
            self.note(GroupEvent::Failed(format!("cannot accept an assignment: {error}")));
            return;
        }
        let partitions = self.partitions(list);
        if !partitions.is_empty() {
            self.note(GroupEvent::Assigned(partitions));
        }
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let partitions = self.partitions(list);
        let is_closing = self.closing.load(Ordering::SeqCst);
        // librdkafka asks for an answer to an empty list as well (rust-rdkafka #681); the runner has none to give.
        if is_closing || partitions.is_empty() {
            let held = if is_closing { consumer.assignment() } else { Ok(TopicPartitionList::new()) };
            if let Err(error) = held.and_then(|held| consumer.incremental_unassign(&held)) {
                self.note(GroupEvent::Failed(format!("cannot give partitions back: {error}")));
            }
            return;
        }
        let is_lost = consumer.assignment_lost();
        self.note(if is_lost { GroupEvent::Lost(partitions) } else { GroupEvent::Revoked(partitions) });
    }
}

impl ClientContext for MemberContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.count_served();
        token::from_file(config)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.count_served();
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.count_served();
        log_error(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.count_served();
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let known = topic.partitions.iter().filter(|(_, partition)| partition.ls_offset >= 0);
        self.state().ends = known
            .map(|(number, partition)| (*number, KnownEnd { end: partition.ls_offset, fetched: partition.next_offset }))
            .collect();
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        self.count_served();
        if !consumer.assignment_lost() {
            self.state().membership_at_rebalance = consumer.group_metadata().map(Arc::new);
        }
        match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, list),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.revoked(consumer, list),
            other => self.note(GroupEvent::Failed(format!("unknown rebalance event {other:?}"))),
        }
    }

    fn commit_callback(&self, _result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        self.count_served();
    }
}

/// A list of the topic's partitions, at their offsets or without any.
pub(super) fn partition_list(topic: &str, offsets: impl IntoIterator<Item = (i32, Option<i64>)>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        let mut element = list.add_partition(topic, partition);
        if let Some(offset) = offset {
            // Only offsets that are none can be refused, and then the element keeps its own, which is invalid too.
            let _ = element.set_offset(Offset::Offset(offset));
        }
    }
    list
}

/// A producer's context: how many records are under way, and which were not taken.
#[derive(Debug, Default)]
pub(super) struct DeliveryContext {
    outstanding: AtomicU64,
    delivered: AtomicU64,
    lost_connections: AtomicU64,
    /// A topic that the broker did not let into the transaction. Its records are reported as purged, without the
    /// reason, which is told in the log alone.
    refused_topic: Mutex<Option<String>>,
    failed: Mutex<Vec<Undelivered>>,
}

/// A record that was not taken.
#[derive(Debug, Clone)]
pub(super) struct Undelivered {
    /// The number that it was sent under.
    pub number: usize,
    /// Why.
    pub error: KafkaError,
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
}

impl DeliveryContext {
    /// Counts a record as sent.
    pub fn sent(&self) {
        self.outstanding.fetch_add(1, Ordering::SeqCst);
    }

    /// Number of records without a delivery report.
    pub fn outstanding(&self) -> u64 {
        self.outstanding.load(Ordering::SeqCst)
    }

    /// Number of delivered records.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::SeqCst)
    }

    /// How often a connection was lost or a request on it timed out.
    pub fn lost_connections(&self) -> u64 {
        self.lost_connections.load(Ordering::SeqCst)
    }

    /// The topic without write permission, if a record was refused since the last call.
    pub fn take_refused_topic(&self) -> Option<String> {
        self.refused_topic.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The first record that failed since the last call: the error and its topic.
    pub fn take_failed(&self) -> Option<(KafkaError, String)> {
        self.take_all_failed().into_iter().next().map(|undelivered| (undelivered.error, undelivered.topic))
    }

    /// The records that failed since the last call, in the order of their reports.
    pub fn take_all_failed(&self) -> Vec<Undelivered> {
        std::mem::take(&mut *self.failed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for DeliveryContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        token::from_file(config)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // librdkafka repeats by itself what was under way on a lost connection or was not answered in time, and raises
        // no error: it says so in its log alone. Where no connection could be made, nothing was under way.
        let is_lost = facility == "REQTMOUT" || (facility == "FAIL" && !message.contains("Connect to"));
        if is_lost {
            self.lost_connections.fetch_add(1, Ordering::SeqCst);
        }
        if facility == "ADDPARTS" && message.contains("Topic authorization failed") {
            let topic = message.split('"').nth(1).map(str::to_owned);
            *self.refused_topic.lock().unwrap_or_else(PoisonError::into_inner) = topic;
        }
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(&error, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for DeliveryContext {
    /// The number of the record among those that are sent together.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        self.outstanding.fetch_sub(1, Ordering::SeqCst);
        match result {
            Ok(_) => {
                self.delivered.fetch_add(1, Ordering::SeqCst);
            }
            Err((error, message)) => {
                let (topic, partition) = (message.topic().to_owned(), message.partition());
                let undelivered = Undelivered { number, error: error.clone(), topic, partition };
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(undelivered);
            }
        }
    }
}
