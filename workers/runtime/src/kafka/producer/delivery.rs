//! Sends records and waits for all delivery reports. Records rejected by a broker are distinguished from others of the
//! same batch.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};

use super::{KafkaProducer, OffsetCommit};
use crate::kafka::context::{DeliveryContext, Undelivered};
use crate::kafka::error::{ErrorContext, code, explain, is_refusal};
use crate::kafka::record::sent;
use crate::ports::{Failure, RefusedOutput};
use crate::record::OutputRecord;

/// How late a delivery may be noticed. `BaseProducer::poll` always takes the whole of its time, and of the last
/// millisecond it spends every microsecond asking for the time: so it is polled without waiting, with a pause between.
const PAUSE: Duration = Duration::from_micros(200);

/// After a refusal so many commits are sent with care, each record by itself.
const SINGLE_RECORD_COMMITS: u32 = 100;

/// Serves one event of a producer, or waits a little where no delivery was reported.
pub(in crate::kafka) fn serve_or_pause(producer: &BaseProducer<DeliveryContext>) {
    let before = producer.context().outstanding();
    producer.poll(Duration::ZERO);
    if producer.context().outstanding() == before {
        std::thread::sleep(PAUSE);
    }
}

impl KafkaProducer {
    /// Sends all and awaits every report.
    pub(super) fn deliver(&mut self, outputs: &[OutputRecord]) -> Result<(), Failure> {
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
            return Err(self.retry_one_by_one(words));
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
        self.single_record_commits > 0 || is_named || is_alone
    }

    fn words(&self, error: &KafkaError, topic: &str) -> String {
        format!("a record for topic {topic} was not taken: {}", explain(error, ErrorContext::Topic(topic, "Write")))
    }

    /// These will never be taken. Aborts, and says so.
    pub(super) fn refused(&mut self, outputs: Vec<RefusedOutput>) -> Failure {
        let reason = outputs.first().map(|output| output.reason.clone()).unwrap_or_default();
        if self.single_record_commits > 0 {
            // Such records may well come again.
            self.single_record_commits = SINGLE_RECORD_COMMITS;
        }
        match self.give_up(reason) {
            // With a new producer: after a refusal librdkafka was seen to purge records of the next transaction, too.
            Failure::Aborted(reason) => match self.renew() {
                Ok(()) => Failure::Refused { reason, outputs },
                Err(failure) => failure,
            },
            outcome => outcome,
        }
    }

    /// One of several was refused, and it is not known which: the next try sends each by itself.
    pub(super) fn retry_one_by_one(&mut self, reason: String) -> Failure {
        let outcome = self.give_up(format!("{reason}; sending the records of this batch one by one"));
        if !matches!(outcome, Failure::Aborted(_)) {
            return outcome;
        }
        self.single_record_commits = SINGLE_RECORD_COMMITS;
        match self.renew() {
            Ok(()) => outcome,
            Err(failure) => failure,
        }
    }

    /// Aborts the transaction, or lets what was sent beside it arrive where there is none.
    pub(super) fn give_up(&mut self, words: String) -> Failure {
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
    pub(super) fn resume_batching(&mut self) -> Result<(), Failure> {
        if self.single_record_commits == 0 {
            return Ok(());
        }
        self.single_record_commits -= 1;
        if self.single_record_commits == 0 { self.renew() } else { Ok(()) }
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
                    serve_or_pause(&self.producer);
                    record = unsent;
                }
                _ => return Err(error),
            }
        }
    }

    pub(super) fn await_deliveries(&self) {
        while self.producer.context().outstanding() > 0 {
            serve_or_pause(&self.producer);
        }
    }

    /// A record was not taken. What would be the same the next time is fatal; everything else is worth another try.
    fn undelivered(&mut self, error: &KafkaError, topic: &str) -> Failure {
        use RDKafkaErrorCode as Code;
        // Log lines are called back where the producer is polled.
        self.producer.poll(Duration::from_millis(1));
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
        match self.give_up(words) {
            Failure::Aborted(words) if is_hopeless => Failure::Fatal(words),
            outcome => outcome,
        }
    }
}
