//! The worker's producer: one transaction per batch, or, under `at_least_once`, delivery and then a commit of offsets.

mod delivery;
mod fencing;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer, PurgeConfig};

use crate::config::KafkaConfig;
use crate::fault_injection::{self, Injected, Mutation, Step, is_mutated};
use crate::kafka::context::{DeliveryContext, MemberContext, partition_list};
use crate::kafka::error::{ErrorContext, Verdict, code, explain, verdict};
use crate::kafka::identity::WorkerIdentity;
use crate::kafka::membership::KafkaMembership;
use crate::kafka::transactional_calls::{Call, TransactionalCalls};
use crate::ports::{Failure, LogProducer, Transaction};
use crate::record::OutputRecord;

pub(super) use delivery::serve_or_pause;
pub(super) use fencing::new_producer;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The worker's producer, on the transaction thread.
pub struct KafkaProducer {
    producer: Arc<BaseProducer<DeliveryContext>>,
    calls: TransactionalCalls,
    offsets: OffsetCommit,
    config: KafkaConfig,
    identity: WorkerIdentity,
    transactional_id: String,
    /// How many more commits send each record by itself. A broker refuses a batch as a whole, and often does not say
    /// for which record.
    single_record_commits: u32,
}

/// Why a transactional call did not do what it was to do.
enum CallError {
    /// The transaction must be aborted; the producer is sound.
    Abort(String),
    /// Nobody has answered in time.
    Unanswered(String),
    /// Never use the producer again.
    Fatal(String),
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
    ) -> Result<Self, Failure> {
        Self::new(producer, OffsetCommit::Transaction, config, identity)
    }

    pub(super) fn at_least_once(
        producer: BaseProducer<DeliveryContext>,
        consumer: Weak<BaseConsumer<MemberContext>>,
        config: &KafkaConfig,
        identity: &WorkerIdentity,
    ) -> Result<Self, Failure> {
        Self::new(producer, OffsetCommit::Consumer(consumer), config, identity)
    }

    fn new(
        producer: BaseProducer<DeliveryContext>,
        offsets: OffsetCommit,
        config: &KafkaConfig,
        identity: &WorkerIdentity,
    ) -> Result<Self, Failure> {
        let transactional_id = identity.transactional_id();
        let producer = Arc::new(producer);
        let calls = TransactionalCalls::of(&producer)?;
        Ok(Self {
            producer,
            calls,
            offsets,
            config: config.clone(),
            identity: identity.clone(),
            transactional_id,
            single_record_commits: 0,
        })
    }

    /// One transaction, as [`LogProducer::commit`] describes it.
    fn commit_transaction(
        &mut self,
        outputs: &[OutputRecord],
        offsets: Option<(&TopicPartitionList, &KafkaMembership)>,
    ) -> Result<(), Failure> {
        let limit = self.limit();
        match self.retried(Call::Begin, limit) {
            Ok(()) => {}
            Err(CallError::Abort(words)) => return Err(self.abort(words)),
            Err(CallError::Unanswered(words) | CallError::Fatal(words)) => return Err(Failure::Fatal(words)),
        }
        self.abort_if_injected(Step::BeforeSend)?;
        self.deliver(outputs)?;
        self.abort_if_injected(Step::AfterSend)?;
        if let Some((offsets, membership)) = offsets {
            match self.retried(Call::SendOffsets(offsets.clone(), Arc::clone(membership)), limit) {
                Ok(()) => {}
                Err(CallError::Abort(words)) => return Err(self.abort(words)),
                // Nothing is committed yet: whoever fences this producer aborts its transaction.
                Err(CallError::Unanswered(words)) => return Err(self.fence_off(words)),
                Err(CallError::Fatal(words)) => return Err(Failure::Fatal(words)),
            }
        }
        self.abort_if_injected(Step::AfterOffsets)?;
        // All deliveries are known, so that the flush within finds nothing to wait for.
        match self.retried(Call::Commit, self.commit_limit()) {
            Ok(()) => {}
            Err(CallError::Abort(words)) => return Err(self.abort(words)),
            // It may be committed or not. Only the broker knows, and is asked by the clients that come next.
            Err(CallError::Unanswered(words) | CallError::Fatal(words)) => return Err(Failure::Fatal(words)),
        }
        fault_injection::reach(Step::AfterCommit);
        Ok(())
    }

    /// How long a call may take whose transaction can still be given up: there is time left then to do it again before
    /// the broker aborts the transaction by itself.
    fn limit(&self) -> Duration {
        Duration::from_millis(u64::from(self.config.transaction_timeout_ms / 2))
    }

    /// A commit that is given up costs a new membership, since nobody here knows its outcome. By this time the broker
    /// has decided.
    fn commit_limit(&self) -> Duration {
        Duration::from_millis(u64::from(self.config.transaction_timeout_ms)) * 2
    }

    fn about(&self) -> ErrorContext<'_> {
        ErrorContext::Transactions { id: &self.transactional_id, group: &self.identity.group_id }
    }

    fn abort_if_injected(&mut self, step: Step) -> Result<(), Failure> {
        match fault_injection::reach(step) {
            Some(Injected::Abort) => Err(self.abort("a test wants it".to_owned())),
            _ => Ok(()),
        }
    }

    /// When a connection is lost, librdkafka repeats the requests that were under way, and the first copy of one
    /// may reach the broker much later. Of an `EndTxn` that would commit or abort the *next* transaction of the same
    /// producer (KIP-890 ends that, and librdkafka does not speak it yet). A new producer has a new epoch, under which
    /// the late copy is refused.
    fn renew_if_in_doubt(&mut self) -> Result<(), Failure> {
        if !matches!(self.offsets, OffsetCommit::Transaction) || is_mutated(Mutation::NoRenewal) {
            return Ok(());
        }
        /// `BaseProducer::poll` serves one event at a time when it may not wait.
        const EVENTS_PER_POLL: usize = 256;
        // Whatever has happened to the connections since is told by this.
        for _ in 0..EVENTS_PER_POLL {
            self.producer.poll(Duration::ZERO);
        }
        if self.producer.context().lost_connections() == 0 {
            return Ok(());
        }
        tracing::info!(
            "a connection was lost: going on with a new producer, so that no late request can touch the next transaction"
        );
        self.renew()
    }

    /// Goes on with a new producer. The one before is fenced, and its open transaction aborted by the broker.
    fn renew(&mut self) -> Result<(), Failure> {
        let renewed = Arc::new(new_producer(&self.config, &self.identity, self.single_record_commits > 0)?);
        self.calls = TransactionalCalls::of(&renewed)?;
        let retired = std::mem::replace(&mut self.producer, renewed);
        // librdkafka takes its time for a farewell, which nobody has to wait for; and a call that hangs holds on to its
        // producer.
        let spawned = std::thread::Builder::new().name("retire-producer".to_owned()).spawn(move || drop(retired));
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread to close the old producer on");
        }
        Ok(())
    }

    /// Rule 5: after a transactional call timed out, its producer is never used again. Says what the outcome is for the
    /// worker.
    fn fence_off(&mut self, reason: String) -> Failure {
        tracing::warn!(reason, "fencing this producer off with a new one");
        match self.renew() {
            Ok(()) => Failure::Aborted(reason),
            Err(failure) => failure,
        }
    }

    /// Calls until the answer is not "again", or the time is over.
    fn retried(&self, call: Call, limit: Duration) -> Result<(), CallError> {
        let doing = call.doing();
        let deadline = Instant::now() + limit;
        let mut pause = FIRST_PAUSE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(LONGEST_PAUSE);
            let error = match self.calls.make(call.clone(), left) {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => error,
                None => return Err(CallError::Unanswered(format!("cannot {doing}: no answer within {left:?}"))),
            };
            let words = format!("cannot {doing}: {}", explain(&error, self.about()));
            match verdict(&error) {
                Verdict::Retry if Instant::now() < deadline => {
                    tracing::warn!(reason = words, "trying the same again");
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Verdict::Retry => return Err(CallError::Unanswered(words)),
                Verdict::Abort => return Err(CallError::Abort(words)),
                Verdict::Fatal => return Err(CallError::Fatal(words)),
            }
        }
    }

    /// Aborts, and says what the outcome is for the worker.
    fn abort(&mut self, reason: String) -> Failure {
        // librdkafka's abort waits until every delivery report is taken, which only this thread does.
        self.producer.purge(PurgeConfig::default().queue());
        self.await_deliveries();
        self.producer.context().take_all_failed();
        match self.retried(Call::Abort, self.limit()) {
            Ok(()) => Failure::Aborted(reason),
            // Whoever has fenced this producer has a reason: another worker of the same name, to which the worker's log
            // must point.
            Err(CallError::Fatal(words)) if self.is_fenced() => {
                Failure::Fatal(format!("{words}; it was to be aborted because: {reason}"))
            }
            Err(CallError::Unanswered(words) | CallError::Abort(words) | CallError::Fatal(words)) => {
                self.fence_off(format!("{reason}; {words}"))
            }
        }
    }

    fn is_fenced(&self) -> bool {
        use RDKafkaErrorCode as Code;
        let fatal = self.producer.client().fatal_error().map(|(code, _)| code);
        matches!(fatal, Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch))
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
            let words = format!("cannot commit offsets: {}", explain(&error, ErrorContext::Cluster));
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
        self.resume_batching()?;
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
                let consumer = Weak::clone(consumer);
                self.deliver(&outputs)?;
                Self::commit_offsets(&consumer, &list)
            }
        }
    }
}
