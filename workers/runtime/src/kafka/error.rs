//! What Kafka could not do, in words that say what to do next; and librdkafka's errors by what has to follow.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What could not be done with Kafka outside the worker's own loop.
#[derive(Debug, thiserror::Error)]
pub enum KafkaAccessError {
    /// The client cannot be made: a property is not understood.
    #[error("cannot make a Kafka client: {0}; see kafka.properties")]
    Client(String),
    /// No answer.
    #[error("cannot {doing} at {brokers}: {reason}; is kafka.brokers right, and can it be reached from here?")]
    Unreachable {
        /// What was being done.
        doing: &'static str,
        /// The configured addresses.
        brokers: String,
        /// librdkafka's words.
        reason: String,
    },
    /// The topic is not there.
    #[error("topic {0} does not exist; `auscult topics create` makes all topics")]
    NoSuchTopic(String),
    /// A topic got no more partitions.
    #[error("topic {topic} cannot be given more partitions: {reason}")]
    NotGrown {
        /// Topic.
        topic: String,
        /// Why, with the remedy.
        reason: String,
    },
    /// A record was not taken.
    #[error("a record for topic {topic} was not taken: {reason}")]
    NotSent {
        /// Topic.
        topic: String,
        /// Why, with the remedy.
        reason: String,
    },
    /// Reading failed for good.
    #[error("cannot read: {0}")]
    Read(String),
}

/// What has to follow an error of a transactional call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same call again.
    Retry,
    /// Abort the transaction; the producer is sound.
    Abort,
    /// Never use the producer again.
    Fatal,
}

/// librdkafka's own three properties of an error, in the order its introduction gives; what has none of them is fatal.
pub(super) fn verdict(error: &KafkaError) -> Verdict {
    match error {
        KafkaError::Transaction(error) if error.is_fatal() => Verdict::Fatal,
        KafkaError::Transaction(error) if error.txn_requires_abort() => Verdict::Abort,
        KafkaError::Transaction(error) if error.is_retriable() => Verdict::Retry,
        // `commit_transaction` flushes first, and nothing was committed when that failed.
        KafkaError::Flush(_) => Verdict::Abort,
        _ => Verdict::Fatal,
    }
}

/// The error's words, with the remedy where there is one that the user can take.
pub(super) fn explain(error: &KafkaError, transactional_id: &str) -> String {
    let words = match error {
        KafkaError::Transaction(error) => format!("{} ({})", error.string(), error.name()),
        other => other.to_string(),
    };
    match code(error).and_then(|code| remedy(code, transactional_id)) {
        Some(remedy) => format!("{words}; {remedy}"),
        None => words,
    }
}

/// The remedy that the user can take, where there is one.
pub(super) fn remedy(code: RDKafkaErrorCode, transactional_id: &str) -> Option<String> {
    use RDKafkaErrorCode as Code;
    let text = match code {
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => {
            return Some(format!(
                "another worker uses transactional.id {transactional_id} (give each worker its own kafka.instance_id), \
                 or the broker ended the transaction because it took longer than kafka.transaction_timeout_ms"
            ));
        }
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            "`auscult topics check` tells which topic is missing or has too few partitions, `auscult topics grow` adds them"
        }
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => {
            "`auscult topics check` tells which topic takes less than 8 MiB"
        }
        Code::TopicAuthorizationFailed => "the principal may not use the topic: it needs Read or Write on it",
        Code::GroupAuthorizationFailed => "the principal may not use the group: it needs Read on kafka.group_id",
        Code::TransactionalIdAuthorizationFailed => {
            "the principal may not use the transactional id: it needs Write on the prefix kafka.group_id"
        }
        Code::ClusterAuthorizationFailed => "the principal needs IdempotentWrite on the cluster",
        Code::Authentication | Code::SaslAuthenticationFailed => {
            "the broker does not accept the credentials in kafka.properties"
        }
        Code::InvalidTransactionTimeout => {
            "kafka.transaction_timeout_ms is above the broker's transaction.max.timeout.ms"
        }
        Code::UnsupportedFeature => "the broker is too old, or is none",
        _ => return None,
    };
    Some(text.to_owned())
}

pub(super) fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    }
}
