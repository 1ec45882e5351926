//! The worker's producer: one transaction a batch, or, under `at_least_once`, delivery and then a commit of offsets.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer, PurgeConfig};
use rdkafka::util::Timeout;

use super::WorkerIdentity;
use super::consumer::KafkaMembership;
use super::context::{DeliveryContext, MemberContext, partition_list};
use super::error::{Verdict, code, explain, verdict};
use super::fencing::new_producer;
use super::record::sent;
use crate::config::KafkaConfig;
use crate::fault_injection::{self, Injected, Mutation, Step, is_mutated};
use crate::ports::{Failure, LogProducer, Transaction};
use crate::record::OutputRecord;

/// `BaseProducer::poll` always takes the whole of its time, so that this is how late a delivery may be noticed.
const GLANCE: Duration = Duration::from_millis(1);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The worker's producer, on the transaction thread.
pub struct KafkaProducer {
    producer: BaseProducer<DeliveryContext>,
    offsets: OffsetCommit,
    config: KafkaConfig,
    identity: WorkerIdentity,
    transactional_id: String,
}

/// How the offsets of a batch are committed.
enum OffsetCommit {
    /// In the transaction.
    Transaction,
    /// By the consumer, once the results are delivered.
    Consumer(Weak<BaseConsumer<MemberContext>>),
}

impl KafkaProducer {
    pub(super) fn transactional(
        producer: BaseProducer<DeliveryContext>,
        config: &KafkaConfig,
        identity: &WorkerIdentity,
    ) -> Self {
        Self::new(producer, OffsetCommit::Transaction, config, identity)
    }

    pub(super) fn at_least_once(
        producer: BaseProducer<DeliveryContext>,
        consumer: Weak<BaseConsumer<MemberContext>>,
        config: &KafkaConfig,
        identity: &WorkerIdentity,
    ) -> Self {
        Self::new(producer, OffsetCommit::Consumer(consumer), config, identity)
    }

    fn new(
        producer: BaseProducer<DeliveryContext>,
        offsets: OffsetCommit,
        config: &KafkaConfig,
        identity: &WorkerIdentity,
    ) -> Self {
        let transactional_id = identity.transactional_id();
        Self { producer, offsets, config: config.clone(), identity: identity.clone(), transactional_id }
    }

    /// One transaction, as [`LogProducer::commit`] describes it.
    fn commit_transaction(
        &self,
        outputs: &[OutputRecord],
        offsets: Option<(&TopicPartitionList, &KafkaMembership)>,
    ) -> Result<(), Failure> {
        self.call("begin a transaction", || self.producer.begin_transaction())?;
        self.abort_if_injected(Step::BeforeSend)?;
        self.deliver(outputs)?;
        self.abort_if_injected(Step::AfterSend)?;
        if let Some((offsets, membership)) = offsets {
            let send = || self.producer.send_offsets_to_transaction(offsets, membership, Timeout::Never);
            self.call("send offsets", send)?;
        }
        self.abort_if_injected(Step::AfterOffsets)?;
        // All deliveries are known, so that the flush within finds nothing to wait for.
        self.call("commit", || self.producer.commit_transaction(Timeout::Never))?;
        fault_injection::reach(Step::AfterCommit);
        Ok(())
    }

    fn abort_if_injected(&self, step: Step) -> Result<(), Failure> {
        match fault_injection::reach(step) {
            Some(Injected::Abort) => Err(self.abort("a test wants it".to_owned())),
            _ => Ok(()),
        }
    }

    /// When a connection is lost, librdkafka repeats the requests that were under way, and the first copy of one
    /// may reach the broker much later. Of an `EndTxn` that would commit or abort the *next* transaction of the same producer (KIP-890 ends
    /// that, and librdkafka does not speak it yet). A new producer has a new epoch, under which the late copy is refused.
    fn renew_if_in_doubt(&mut self) -> Result<(), Failure> {
        if !matches!(self.offsets, OffsetCommit::Transaction) || is_mutated(Mutation::NoRenewal) {
            return Ok(());
        }
        // Whatever has happened to the connections since is told by this.
        self.producer.poll(Duration::ZERO);
        if self.producer.context().lost_connections() == 0 {
            return Ok(());
        }
        tracing::info!(
            "a connection was lost: going on with a new producer, so that no late request can touch the next transaction"
        );
        let renewed = new_producer(&self.config, &self.identity)?;
        let retired = std::mem::replace(&mut self.producer, renewed);
        // librdkafka takes its time for a farewell, which nobody has to wait for.
        let spawned = std::thread::Builder::new().name("retire-producer".to_owned()).spawn(move || drop(retired));
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread to close the old producer on");
        }
        Ok(())
    }

    /// Calls until the answer is not "again"; what asks for an abort is aborted.
    fn call(&self, doing: &'static str, call: impl Fn() -> Result<(), KafkaError>) -> Result<(), Failure> {
        match self.retried(doing, call) {
            Ok(()) => Ok(()),
            Err((Verdict::Abort, words)) => Err(self.abort(words)),
            Err((_, words)) => Err(Failure::Fatal(words)),
        }
    }

    fn retried(&self, doing: &'static str, call: impl Fn() -> Result<(), KafkaError>) -> Result<(), (Verdict, String)> {
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(error) = call() else { return Ok(()) };
            let words = format!("cannot {doing}: {}", explain(&error, &self.transactional_id));
            match verdict(&error) {
                Verdict::Retry => {
                    tracing::warn!(reason = words, "trying the same again");
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                verdict => return Err((verdict, words)),
            }
        }
    }

    /// Aborts, and says what the outcome is for the worker.
    fn abort(&self, reason: String) -> Failure {
        // librdkafka's abort waits until every delivery report is taken, which only this thread does.
        self.producer.purge(PurgeConfig::default().queue());
        self.await_deliveries();
        self.producer.context().take_failed();
        match self.retried("abort a transaction", || self.producer.abort_transaction(Timeout::Never)) {
            Ok(()) => Failure::Aborted(reason),
            Err((_, words)) => Failure::Fatal(format!("{words}; it was to be aborted because: {reason}")),
        }
    }

    /// Sends all and awaits every report.
    fn deliver(&self, outputs: &[OutputRecord]) -> Result<(), Failure> {
        for output in outputs {
            self.enqueue(output)?;
        }
        self.await_deliveries();
        match self.producer.context().take_failed() {
            Some((error, topic)) => Err(self.undelivered(&error, &topic)),
            None => Ok(()),
        }
    }

    fn enqueue(&self, output: &OutputRecord) -> Result<(), Failure> {
        let mut record = sent(output);
        loop {
            let Err((error, unsent)) = self.producer.send(record) else {
                self.producer.context().sent();
                return Ok(());
            };
            match error.rdkafka_error_code() {
                // Room comes with the next report; every record gets one, if only after `message.timeout.ms`.
                Some(RDKafkaErrorCode::QueueFull) => {
                    self.producer.poll(GLANCE);
                    record = unsent;
                }
                _ => return Err(self.undelivered(&error, &output.topic)),
            }
        }
    }

    fn await_deliveries(&self) {
        while self.producer.context().outstanding() > 0 {
            self.producer.poll(GLANCE);
        }
    }

    /// A record was not taken. What would be the same the next time is fatal; everything else is worth another try.
    fn undelivered(&self, error: &KafkaError, topic: &str) -> Failure {
        use RDKafkaErrorCode as Code;
        let words = format!("a record for topic {topic} was not taken: {}", explain(error, &self.transactional_id));
        if let Some((fatal, reason)) = self.producer.client().fatal_error() {
            let cause = explain(&KafkaError::Global(fatal), &self.transactional_id);
            return Failure::Fatal(format!("{words}: {reason} ({cause})"));
        }
        let is_hopeless = matches!(
            code(error),
            Some(
                Code::MessageSizeTooLarge
                    | Code::InvalidMessageSize
                    | Code::UnknownTopic
                    | Code::UnknownPartition
                    | Code::UnknownTopicOrPartition
                    | Code::TopicAuthorizationFailed
                    | Code::ClusterAuthorizationFailed
                    | Code::InvalidTopic
                    | Code::InvalidRecord
            )
        );
        let aborted = match self.offsets {
            OffsetCommit::Transaction => self.abort(words),
            OffsetCommit::Consumer(_) => {
                self.await_deliveries();
                self.producer.context().take_failed();
                Failure::Aborted(words)
            }
        };
        match aborted {
            Failure::Aborted(words) if is_hopeless => Failure::Fatal(words),
            outcome => outcome,
        }
    }

    /// Commits the offsets of a batch whose results are delivered already.
    fn commit_offsets(
        consumer: &Weak<BaseConsumer<MemberContext>>,
        offsets: &TopicPartitionList,
    ) -> Result<(), Failure> {
        use RDKafkaErrorCode as Code;
        let mut pause = FIRST_PAUSE;
        loop {
            let Some(consumer) = consumer.upgrade() else {
                return Err(Failure::Fatal("the consumer is closed".to_owned()));
            };
            let Err(error) = consumer.commit(offsets, CommitMode::Sync) else { return Ok(()) };
            let words = format!("cannot commit offsets: {}", explain(&error, ""));
            match code(&error) {
                Some(
                    Code::CoordinatorLoadInProgress
                    | Code::CoordinatorNotAvailable
                    | Code::NotCoordinator
                    | Code::RequestTimedOut
                    | Code::BrokerTransportFailure
                    | Code::AllBrokersDown
                    | Code::WaitingForCoordinator
                    | Code::OperationTimedOut
                    | Code::TimedOutQueue,
                ) => {
                    tracing::warn!(reason = words, "trying the same again");
                    drop(consumer);
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Some(
                    Code::IllegalGeneration
                    | Code::UnknownMemberId
                    | Code::RebalanceInProgress
                    | Code::StaleMemberEpoch
                    | Code::FencedMemberEpoch,
                ) => return Err(Failure::Aborted(words)),
                _ => return Err(Failure::Fatal(words)),
            }
        }
    }
}

impl LogProducer for KafkaProducer {
    type Membership = KafkaMembership;

    fn commit(&mut self, transaction: Transaction<KafkaMembership>) -> Result<(), Failure> {
        self.renew_if_in_doubt()?;
        let Transaction { outputs, offsets, membership } = transaction;
        let offsets: BTreeMap<i32, i64> = offsets;
        let input_topic = &self.identity.input_topic;
        let list = partition_list(input_topic, offsets.iter().map(|(number, offset)| (*number, Some(*offset))));
        match &self.offsets {
            OffsetCommit::Transaction if is_mutated(Mutation::StateApart) => {
                let (state, results): (Vec<_>, Vec<_>) =
                    outputs.into_iter().partition(|output| output.topic == auscult_schemas::topics::SCORER_STATE);
                self.commit_transaction(&results, Some((&list, &membership)))?;
                self.commit_transaction(&state, None)
            }
            OffsetCommit::Transaction => self.commit_transaction(&outputs, Some((&list, &membership))),
            OffsetCommit::Consumer(consumer) => {
                self.deliver(&outputs)?;
                Self::commit_offsets(consumer, &list)
            }
        }
    }
}
