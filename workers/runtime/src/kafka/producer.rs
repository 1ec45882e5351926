//! The worker's producer: one transaction a batch, or, under `at_least_once`, delivery and then a commit of offsets.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer, PurgeConfig};

use super::WorkerIdentity;
use super::consumer::KafkaMembership;
use super::context::{DeliveryContext, MemberContext, Undelivered, partition_list};
use super::error::{About, Verdict, code, explain, is_refusal, verdict};
use super::fencing::new_producer;
use super::record::sent;
use super::transactional_calls::{Call, TransactionalCalls};
use crate::config::KafkaConfig;
use crate::fault_injection::{self, Injected, Mutation, Step, is_mutated};
use crate::ports::{Failure, LogProducer, RefusedOutput, Transaction};
use crate::record::OutputRecord;

/// `BaseProducer::poll` always takes the whole of its time, so that this is how late a delivery may be noticed.
const GLANCE: Duration = Duration::from_millis(1);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// After a refusal so many commits are sent with care, each record by itself.
const CAREFUL_COMMITS: u32 = 100;

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
    careful_commits: u32,
}

/// Why a transactional call did not do what it was to do.
enum Trouble {
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
            careful_commits: 0,
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
            Err(Trouble::Abort(words)) => return Err(self.abort(words)),
            Err(Trouble::Unanswered(words) | Trouble::Fatal(words)) => return Err(Failure::Fatal(words)),
        }
        self.abort_if_injected(Step::BeforeSend)?;
        self.deliver(outputs)?;
        self.abort_if_injected(Step::AfterSend)?;
        if let Some((offsets, membership)) = offsets {
            match self.retried(Call::SendOffsets(offsets.clone(), Arc::clone(membership)), limit) {
                Ok(()) => {}
                Err(Trouble::Abort(words)) => return Err(self.abort(words)),
                // Nothing is committed yet: whoever fences this producer aborts its transaction.
                Err(Trouble::Unanswered(words)) => return Err(self.fence_off(words)),
                Err(Trouble::Fatal(words)) => return Err(Failure::Fatal(words)),
            }
        }
        self.abort_if_injected(Step::AfterOffsets)?;
        // All deliveries are known, so that the flush within finds nothing to wait for.
        match self.retried(Call::Commit, self.commit_limit()) {
            Ok(()) => {}
            Err(Trouble::Abort(words)) => return Err(self.abort(words)),
            // It may be committed or not. Only the broker knows, and is asked by the clients that come next.
            Err(Trouble::Unanswered(words) | Trouble::Fatal(words)) => return Err(Failure::Fatal(words)),
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

    fn about(&self) -> About<'_> {
        About::Transactions { id: &self.transactional_id, group: &self.identity.group_id }
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
        const EVENTS_A_GLANCE: usize = 256;
        // Whatever has happened to the connections since is told by this.
        for _ in 0..EVENTS_A_GLANCE {
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
        let renewed = Arc::new(new_producer(&self.config, &self.identity, self.careful_commits > 0)?);
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
    fn retried(&self, call: Call, limit: Duration) -> Result<(), Trouble> {
        let doing = call.doing();
        let deadline = Instant::now() + limit;
        let mut pause = FIRST_PAUSE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(LONGEST_PAUSE);
            let error = match self.calls.make(call.clone(), left) {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => error,
                None => return Err(Trouble::Unanswered(format!("cannot {doing}: no answer within {left:?}"))),
            };
            let words = format!("cannot {doing}: {}", explain(&error, self.about()));
            match verdict(&error) {
                Verdict::Retry if Instant::now() < deadline => {
                    tracing::warn!(reason = words, "trying the same again");
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Verdict::Retry => return Err(Trouble::Unanswered(words)),
                Verdict::Abort => return Err(Trouble::Abort(words)),
                Verdict::Fatal => return Err(Trouble::Fatal(words)),
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
            Err(Trouble::Fatal(words)) if self.is_fenced() => {
                Failure::Fatal(format!("{words}; it was to be aborted because: {reason}"))
            }
            Err(Trouble::Unanswered(words) | Trouble::Abort(words) | Trouble::Fatal(words)) => {
                self.fence_off(format!("{reason}; {words}"))
            }
        }
    }

    fn is_fenced(&self) -> bool {
        use RDKafkaErrorCode as Code;
        let fatal = self.producer.client().fatal_error().map(|(code, _)| code);
        matches!(fatal, Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch))
    }

    /// Sends all and awaits every report.
    fn deliver(&mut self, outputs: &[OutputRecord]) -> Result<(), Failure> {
        for (number, output) in outputs.iter().enumerate() {
            let Err(error) = self.enqueue(number, output) else { continue };
            if !is_refusal(&error) {
                return Err(self.undelivered(&error, &output.topic));
            }
            // librdkafka itself has found it too large; so are those that follow and are no smaller.
            let too_large = outputs[number..].iter().filter(|other| other.bytes() >= output.bytes());
            let refused =
                too_large.map(|output| RefusedOutput::of(output, self.words(&error, &output.topic))).collect();
            return Err(self.refused(refused));
        }
        self.await_deliveries();
        let failed = self.producer.context().take_all_failed();
        let Some(Undelivered { error, topic, .. }) = failed.first() else { return Ok(()) };
        let refusals: Vec<&Undelivered> = failed.iter().filter(|undelivered| is_refusal(&undelivered.error)).collect();
        if refusals.is_empty() || self.producer.client().fatal_error().is_some() {
            return Err(self.undelivered(error, topic));
        }
        let known: Vec<&Undelivered> =
            refusals.iter().copied().filter(|refusal| self.is_known(refusal, &failed, outputs)).collect();
        if known.is_empty() {
            let words = self.words(&refusals[0].error, &refusals[0].topic);
            return Err(self.try_with_care(words));
        }
        let refused = known.into_iter().filter_map(|refusal| {
            let output = outputs.get(refusal.number)?;
            Some(RefusedOutput::of(output, self.words(&refusal.error, &output.topic)))
        });
        let refused = refused.collect();
        Err(self.refused(refused))
    }

    /// Whether the record itself was refused, and not just one of those that went to the broker together with it.
    fn is_known(&self, refusal: &Undelivered, failed: &[Undelivered], outputs: &[OutputRecord]) -> bool {
        let is_beside = |topic: &str, partition: i32| topic == refusal.topic && partition == refusal.partition;
        // The broker has named the one (KIP-467): the others say so.
        let is_named = failed.iter().any(|other| {
            code(&other.error) == Some(RDKafkaErrorCode::InvalidDifferentRecord)
                && is_beside(&other.topic, other.partition)
        });
        let is_alone = outputs.iter().filter(|output| is_beside(&output.topic, output.partition)).take(2).count() == 1;
        self.careful_commits > 0 || is_named || is_alone
    }

    fn words(&self, error: &KafkaError, topic: &str) -> String {
        format!("a record for topic {topic} was not taken: {}", explain(error, About::Topic(topic, "Write")))
    }

    /// These will never be taken. Aborts, and says so.
    fn refused(&mut self, outputs: Vec<RefusedOutput>) -> Failure {
        let reason = outputs.first().map(|output| output.reason.clone()).unwrap_or_default();
        if self.careful_commits > 0 {
            // Such records may well come again.
            self.careful_commits = CAREFUL_COMMITS;
        }
        match self.given_up(reason) {
            // With a new producer: after a refusal librdkafka was seen to purge records of the next transaction, too.
            Failure::Aborted(reason) => match self.renew() {
                Ok(()) => Failure::Refused { reason, outputs },
                Err(failure) => failure,
            },
            outcome => outcome,
        }
    }

    /// One of several was refused, and it is not known which: the next try sends each by itself.
    fn try_with_care(&mut self, reason: String) -> Failure {
        let outcome = self.given_up(format!("{reason}; sending the records of this batch one by one"));
        if !matches!(outcome, Failure::Aborted(_)) {
            return outcome;
        }
        self.careful_commits = CAREFUL_COMMITS;
        match self.renew() {
            Ok(()) => outcome,
            Err(failure) => failure,
        }
    }

    /// Aborts the transaction, or lets what was sent beside it arrive where there is none.
    fn given_up(&mut self, words: String) -> Failure {
        match self.offsets {
            OffsetCommit::Transaction => self.abort(words),
            OffsetCommit::Consumer(_) => {
                self.await_deliveries();
                self.producer.context().take_all_failed();
                Failure::Aborted(words)
            }
        }
    }

    /// Before the next commit. After enough of them records are sent together again.
    fn relax(&mut self) -> Result<(), Failure> {
        if self.careful_commits == 0 {
            return Ok(());
        }
        self.careful_commits -= 1;
        if self.careful_commits == 0 { self.renew() } else { Ok(()) }
    }

    fn enqueue(&mut self, number: usize, output: &OutputRecord) -> Result<(), KafkaError> {
        let mut record = sent(output, number);
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
                _ => return Err(error),
            }
        }
    }

    fn await_deliveries(&self) {
        while self.producer.context().outstanding() > 0 {
            self.producer.poll(GLANCE);
        }
    }

    /// A record was not taken. What would be the same the next time is fatal; everything else is worth another try.
    fn undelivered(&mut self, error: &KafkaError, topic: &str) -> Failure {
        use RDKafkaErrorCode as Code;
        // Log lines are called back where the producer is polled.
        self.producer.poll(GLANCE);
        let refused = self.producer.context().take_refused_topic();
        let denied = KafkaError::MessageProduction(Code::TopicAuthorizationFailed);
        let (error, topic) = refused.as_deref().map_or((error, topic), |refused| (&denied, refused));
        let words = self.words(error, topic);
        if let Some((fatal, reason)) = self.producer.client().fatal_error() {
            let cause = explain(&KafkaError::Global(fatal), self.about());
            return Failure::Fatal(format!("{words}: {reason} ({cause})"));
        }
        let is_hopeless = matches!(
            code(error),
            Some(
                Code::UnknownTopic
                    | Code::UnknownPartition
                    | Code::UnknownTopicOrPartition
                    | Code::TopicAuthorizationFailed
                    | Code::ClusterAuthorizationFailed
                    | Code::InvalidTopic
            )
        );
        match self.given_up(words) {
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
            let words = format!("cannot commit offsets: {}", explain(&error, About::Cluster));
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
        self.relax()?;
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
