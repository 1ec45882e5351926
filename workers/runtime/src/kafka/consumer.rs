//! The member of the worker's group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::context::{GroupEvent, MemberContext, partition_list};
use super::error::{ErrorContext, explain, remedy};
use super::membership::KafkaMembership;
use super::record::received;
use crate::fault_injection::{self, Injected, Step};
use crate::ports::{ConsumerEvent, Failure, LogConsumer, PartitionProgress};

/// How long librdkafka may take to leave the group before it is left to do so by itself.
const CLOSING: Duration = Duration::from_secs(10);
/// How long a partition may take to be ready for a seek: its fetcher starts when others have stopped. Nothing is polled
/// meanwhile; a consumer that is not ready by then (its partitions may be lost already, without its having told) is
/// replaced.
const SEEKING: Duration = Duration::from_secs(4);

/// The member of the worker's group. Leaves the group when dropped.
pub struct KafkaConsumer {
    topic: String,
    group: String,
    /// `None` only while it is being dropped.
    consumer: Option<Arc<BaseConsumer<MemberContext>>>,
    /// A token for each time at which librdkafka's queue was empty and is no more.
    arrivals: Receiver<()>,
    /// The next offset to be delivered of each started partition.
    positions: BTreeMap<i32, i64>,
    /// What librdkafka fetches: what was started, until it is given back.
    fetched: BTreeSet<i32>,
    paused: BTreeSet<i32>,
    /// What the group wants back and has not got yet.
    asked_back: BTreeSet<i32>,
    /// Positions at which librdkafka said that there is no more.
    caught_up: BTreeMap<i32, i64>,
    /// When each started partition last delivered a record or said that there is no more.
    progress: BTreeMap<i32, Instant>,
    /// A test wants nothing to be delivered any more.
    is_deaf: bool,
}

impl KafkaConsumer {
    pub(super) fn subscribed(
        mut consumer: BaseConsumer<MemberContext>,
        topic: &str,
        group: &str,
    ) -> Result<Self, KafkaError> {
        // One token is enough: whoever takes it polls until nothing is left. A full channel has one.
        let (arrived, arrivals) = crossbeam_channel::bounded(1);
        consumer.set_nonempty_callback(move || _ = arrived.try_send(()));
        consumer.subscribe(&[topic])?;
        Ok(Self {
            topic: topic.to_owned(),
            group: group.to_owned(),
            consumer: Some(Arc::new(consumer)),
            arrivals,
            positions: BTreeMap::new(),
            fetched: BTreeSet::new(),
            paused: BTreeSet::new(),
            asked_back: BTreeSet::new(),
            caught_up: BTreeMap::new(),
            progress: BTreeMap::new(),
            is_deaf: false,
        })
    }

    /// For committing offsets without a transaction; a consumer that is closed meanwhile is not kept alive by it.
    pub(super) fn downgrade(&self) -> Weak<BaseConsumer<MemberContext>> {
        self.consumer.as_ref().map(Arc::downgrade).unwrap_or_default()
    }

    fn client(&self) -> &BaseConsumer<MemberContext> {
        self.consumer.as_ref().expect("it is taken out only by drop")
    }

    fn about(&self) -> ErrorContext<'_> {
        ErrorContext::Input { group: &self.group, topic: &self.topic }
    }

    fn group_event(&mut self) -> Option<ConsumerEvent> {
        let event = match self.client().context().next_event()? {
            GroupEvent::Assigned(partitions) => ConsumerEvent::Assigned(partitions),
            GroupEvent::Revoked(partitions) => {
                self.asked_back.extend(&partitions);
                ConsumerEvent::Revoked(partitions)
            }
            GroupEvent::Lost(partitions) => {
                self.asked_back.extend(&partitions);
                ConsumerEvent::Lost(partitions)
            }
            GroupEvent::Failed(reason) => ConsumerEvent::Failed(Failure::Fatal(reason)),
        };
        Some(event)
    }

    fn note_end(&mut self, partition: i32) {
        if let Some(position) = self.positions.get(&partition) {
            self.caught_up.insert(partition, *position);
            self.progress.insert(partition, Instant::now());
        }
    }

    fn failed(&self, error: &KafkaError) -> Option<ConsumerEvent> {
        use RDKafkaErrorCode as Code;
        if let Some((code, reason)) = self.client().client().fatal_error() {
            let reason = format!("the consumer failed: {reason} ({code})");
            return Some(ConsumerEvent::Failed(Failure::Fatal(reason)));
        }
        let code = error.rdkafka_error_code();
        if code == Some(Code::AutoOffsetReset) {
            let reason = format!(
                "records of {} were deleted by retention before they were read ({error}); the position is read again, and what is gone is counted",
                self.topic
            );
            return Some(ConsumerEvent::Failed(Failure::Fatal(reason)));
        }
        let is_refusal = matches!(
            code,
            Some(
                Code::TopicAuthorizationFailed
                    | Code::GroupAuthorizationFailed
                    | Code::Authentication
                    | Code::SaslAuthenticationFailed
                    | Code::UnsupportedSASLMechanism
                    | Code::UnsupportedFeature
                    | Code::InconsistentGroupProtocol
                    | Code::InvalidSessionTimeout
            )
        );
        if is_refusal || matches!(error, KafkaError::MessageConsumptionFatal(_)) {
            return Some(ConsumerEvent::Failed(Failure::Fatal(explain(error, self.about()))));
        }
        // Everything else librdkafka gets over by itself: brokers away, elections, topics that are not there yet. Lost
        // connections it logs too, and more sparingly.
        let is_connection = matches!(
            code,
            Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut | Code::Resolve)
        );
        if is_connection {
            tracing::debug!(%error, "consuming is held up");
            return None;
        }
        let advice = code.and_then(|code| remedy(code, self.about())).unwrap_or_default();
        tracing::warn!(%error, advice, "consuming is held up");
        None
    }

    fn seek(&self, positions: &BTreeMap<i32, i64>) -> Result<(), Failure> {
        use RDKafkaErrorCode as Code;
        let deadline = Instant::now() + SEEKING;
        let mut left = positions.clone();
        loop {
            let list = partition_list(&self.topic, left.iter().map(|(number, offset)| (*number, Some(*offset))));
            let sought = self.client().seek_partitions(list, SEEKING).map_err(fatal("rewind"))?;
            for element in sought.elements() {
                match element.error() {
                    Ok(()) => {
                        left.remove(&element.partition());
                    }
                    // Its fetcher is only just being started.
                    Err(error)
                        if matches!(
                            error.rdkafka_error_code(),
                            Some(Code::State | Code::PreviousInProgress | Code::InProgress)
                        ) && Instant::now() < deadline => {}
                    Err(error) => return Err(fatal("rewind")(error)),
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn list(&self, partitions: impl IntoIterator<Item = i32>) -> TopicPartitionList {
        partition_list(&self.topic, partitions.into_iter().map(|partition| (partition, None)))
    }

    /// Those of the partitions that librdkafka fetches; the others it does not know.
    fn known(&self, partitions: &[i32]) -> Vec<i32> {
        partitions.iter().copied().filter(|partition| self.fetched.contains(partition)).collect()
    }
}

fn fatal(doing: &'static str) -> impl Fn(KafkaError) -> Failure {
    move |error| Failure::Fatal(format!("cannot {doing} partitions: {error}"))
}

impl LogConsumer for KafkaConsumer {
    type Membership = KafkaMembership;

    fn poll(&mut self, timeout: Duration) -> Option<ConsumerEvent> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(event) = self.group_event() {
                return Some(event);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let consumer = self.consumer.clone()?;
            let served = consumer.context().served();
            let mut is_empty = false;
            match consumer.poll(left) {
                Some(Ok(message)) => {
                    let record = received(&message);
                    let (partition, offset) = (record.coordinates.partition, record.coordinates.offset);
                    // Released, but not yet given back because others of the same revoke still drain.
                    self.is_deaf |= fault_injection::reach(Step::Poll) == Some(Injected::Deaf);
                    if let Some(position) = self.positions.get_mut(&partition).filter(|_| !self.is_deaf) {
                        *position = offset + 1;
                        self.progress.insert(partition, Instant::now());
                        return Some(ConsumerEvent::Record(record));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) if self.is_deaf => {}
                Some(Err(KafkaError::PartitionEOF(partition))) => self.note_end(partition),
                Some(Err(error)) => {
                    if let Some(event) = self.failed(&error) {
                        return Some(event);
                    }
                }
                // The time is over, or an event of librdkafka's own was called back. What is behind that in the queue
                // has left no token.
                None => is_empty = consumer.context().served() == served,
            }
            if left.is_zero() && is_empty {
                return self.group_event();
            }
        }
    }

    fn arrivals(&self) -> Option<&Receiver<()>> {
        Some(&self.arrivals)
    }

    fn start(&mut self, positions: &BTreeMap<i32, i64>) -> Result<(), Failure> {
        // An `incremental_assign` would make librdkafka forget that the assignment is lost, before it has told so.
        if self.client().assignment_lost() {
            return Ok(());
        }
        let (again, first): (BTreeMap<i32, i64>, BTreeMap<i32, i64>) = positions
            .iter()
            .filter(|(partition, _)| !self.asked_back.contains(partition))
            .partition(|(partition, _)| self.fetched.contains(partition));
        if !first.is_empty() {
            let list = partition_list(&self.topic, first.iter().map(|(number, offset)| (*number, Some(*offset))));
            self.client().incremental_assign(&list).map_err(fatal("start"))?;
        }
        if !again.is_empty() {
            self.seek(&again)?;
            let paused: Vec<i32> = again.keys().copied().collect();
            self.resume(&paused)?;
        }
        for (partition, offset) in first.into_iter().chain(again) {
            self.fetched.insert(partition);
            self.positions.insert(partition, offset);
            self.caught_up.remove(&partition);
            self.progress.insert(partition, Instant::now());
        }
        Ok(())
    }

    fn release(&mut self, partitions: &[i32]) -> Result<(), Failure> {
        // The mark outlives the assignment in librdkafka, and would greet us when the partition comes back.
        self.resume(partitions)?;
        let mut was_asked = false;
        for partition in partitions {
            self.positions.remove(partition);
            self.caught_up.remove(partition);
            self.progress.remove(partition);
            was_asked |= self.asked_back.remove(partition);
        }
        let is_answer = was_asked && self.asked_back.is_empty();
        if !is_answer {
            return Ok(());
        }
        let given_back: Vec<i32> =
            self.fetched.iter().copied().filter(|partition| !self.positions.contains_key(partition)).collect();
        self.client().incremental_unassign(&self.list(given_back.iter().copied())).map_err(fatal("give back"))?;
        for partition in given_back {
            self.fetched.remove(&partition);
        }
        Ok(())
    }

    fn pause(&mut self, partitions: &[i32]) -> Result<(), Failure> {
        let known = self.known(partitions);
        if !known.is_empty() {
            self.client().pause(&self.list(known.iter().copied())).map_err(fatal("pause"))?;
            self.paused.extend(known);
        }
        Ok(())
    }

    fn resume(&mut self, partitions: &[i32]) -> Result<(), Failure> {
        let paused: Vec<i32> = partitions.iter().copied().filter(|partition| self.paused.contains(partition)).collect();
        if !paused.is_empty() {
            self.client().resume(&self.list(paused.iter().copied())).map_err(fatal("resume"))?;
            for partition in paused {
                self.paused.remove(&partition);
            }
        }
        Ok(())
    }

    fn membership(&self) -> Result<KafkaMembership, Failure> {
        // When the group has thrown this worker out, librdkafka's member id is empty, and an empty one is *not* checked
        // by the coordinator: the offsets of a zombie would be taken. Then, and while a revoke waits for its answer (in
        // which time librdkafka does not tell that the session is over), the papers of before are shown; if they
        // are outdated they are refused. The metadata is asked for first: librdkafka marks the assignment lost on
        // the same thread and in the same step in which it clears the member id.
        let present = self.client().group_metadata().map(Arc::new);
        let is_in_doubt = !self.asked_back.is_empty() || self.client().assignment_lost();
        let membership_at_rebalance =
            if is_in_doubt { self.client().context().membership_at_rebalance() } else { present };
        membership_at_rebalance.ok_or_else(|| Failure::Fatal("the consumer is no member of its group".to_owned()))
    }

    fn lag(&self) -> BTreeMap<i32, i64> {
        let ends = self.client().context().ends();
        let mut lag = BTreeMap::new();
        for (partition, position) in &self.positions {
            let Some(known) = ends.get(partition) else { continue };
            // Markers of transactions take offsets too: at the end of the partition the position may stay short of it.
            let has_fetched_all = known.fetched >= known.end;
            let is_caught_up = has_fetched_all && self.caught_up.get(partition) == Some(position);
            lag.insert(*partition, if is_caught_up { 0 } else { (known.end - position).max(0) });
        }
        lag
    }

    fn progress(&self) -> BTreeMap<i32, PartitionProgress> {
        let progress = self.progress.iter().filter_map(|(partition, at)| {
            let position = *self.positions.get(partition)?;
            let is_caught_up = self.caught_up.get(partition) == Some(&position);
            Some((*partition, PartitionProgress { position, at: *at, is_caught_up }))
        });
        progress.collect()
    }

    fn close(self) {}
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        let Some(consumer) = self.consumer.take() else { return };
        consumer.context().close();
        let held = self.list(self.fetched.iter().copied());
        if let Err(error) = consumer.incremental_unassign(&held) {
            tracing::debug!(%error, "nothing to give back on closing");
        }
        // Without a broker librdkafka may wait long for an answer to its farewell: on a thread of its own.
        let (left, has_left) = std::sync::mpsc::channel();
        let leave = move || {
            drop(consumer);
            let _ = left.send(());
        };
        let spawned = std::thread::Builder::new().name("leave-group".to_owned()).spawn(leave);
        if spawned.is_ok() && has_left.recv_timeout(CLOSING).is_err() {
            tracing::warn!("the group coordinator does not answer; left without its farewell");
        }
    }
}
