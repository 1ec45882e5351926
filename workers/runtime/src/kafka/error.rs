//! Kafka errors with messages that say what to do next, and librdkafka's errors by the required reaction.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::ports::Failure;

/// Errors of Kafka access outside the worker's own loop.
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

/// Whether the log will never take such a record, whoever sends it and how often: it is too large, or not valid to the
/// broker. The topic and the right to write to it are sound.
pub(super) fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code(error),
        Some(
            Code::MessageSizeTooLarge
                | Code::InvalidMessageSize
                | Code::MessageBatchTooLarge
                | Code::InvalidTimestamp
                | Code::InvalidRecord
                | Code::PolicyViolation
        )
    )
}

/// What a call was about, for the remedy of its error.
#[derive(Debug, Clone, Copy)]
pub(super) enum ErrorContext<'a> {
    /// Nothing in particular.
    Cluster,
    /// A topic, and what was being done to it: an operation of Kafka's access control lists.
    Topic(&'a str, &'static str),
    /// The worker's group and its input, which it reads.
    Input { group: &'a str, topic: &'a str },
    /// The transactions of this id, for that group.
    Transactions { id: &'a str, group: &'a str },
}

/// The error's words, with the remedy where there is one that the user can take.
pub(super) fn explain(error: &KafkaError, about: ErrorContext<'_>) -> String {
    let words = match error {
        KafkaError::Transaction(error) => format!("{} ({})", error.string(), error.name()),
        other => other.to_string(),
    };
    match code(error).and_then(|code| remedy(code, about)) {
        Some(remedy) => format!("{words}; {remedy}"),
        None => words,
    }
}

/// A right that is missing, and the command that grants it.
fn missing(operation: &str, kind: &str, name: &str) -> String {
    let flag = match kind {
        "topic" => "--topic",
        "group" => "--group",
        _ => "--transactional-id",
    };
    format!(
        "this worker's principal lacks the right to {operation} {kind} {name}: \
         `kafka-acls.sh --bootstrap-server … --add --allow-principal User:… --operation {operation} {flag} {name}`"
    )
}

/// The remedy that the user can take, where there is one.
pub(super) fn remedy(code: RDKafkaErrorCode, about: ErrorContext<'_>) -> Option<String> {
    use RDKafkaErrorCode as Code;
    let text = match (code, about) {
        (Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch, ErrorContext::Transactions { id, .. }) => {
            return Some(format!(
                "another worker uses transactional.id {id} (give each worker its own kafka.instance_id), \
                 or the broker ended the transaction because it took longer than kafka.transaction_timeout_ms"
            ));
        }
        (Code::TopicAuthorizationFailed, ErrorContext::Topic(topic, operation)) => {
            return Some(missing(operation, "topic", topic));
        }
        (Code::TopicAuthorizationFailed, ErrorContext::Input { topic, .. }) => {
            return Some(missing("Read", "topic", topic));
        }
        (
            Code::GroupAuthorizationFailed,
            ErrorContext::Input { group, .. } | ErrorContext::Transactions { group, .. },
        ) => {
            return Some(missing("Read", "group", group));
        }
        (Code::TransactionalIdAuthorizationFailed, ErrorContext::Transactions { id, .. }) => {
            return Some(missing("Write", "transactional id", id));
        }
        (Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition, _) => {
            "`auscult topics check` tells which topic is missing or has too few partitions, `auscult topics grow` adds them"
        }
        (Code::InvalidTimestamp, _) => {
            "its time is further from the broker's than the topic's message.timestamp.before.max.ms or message.timestamp.after.max.ms allows: \
             is this machine's clock right?"
        }
        (Code::InvalidRecord, _) => {
            "the broker does not take such a record: its time may be beyond the topic's message.timestamp.*.max.ms (is this machine's clock right?), or \
             the topic is compacted and the record has no key"
        }
        (Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge, _) => {
            "`auscult topics check` tells which topic takes less than 8 MiB"
        }
        (Code::TopicAuthorizationFailed, _) => "the principal lacks Read or Write on a topic",
        (Code::GroupAuthorizationFailed, _) => "the principal lacks Read on its group, kafka.group_id",
        (Code::TransactionalIdAuthorizationFailed, _) => "the principal lacks Write on its transactional id",
        (Code::ClusterAuthorizationFailed, _) => {
            "this worker's principal lacks the right to IdempotentWrite cluster: `kafka-acls.sh --bootstrap-server … --add \
             --allow-principal User:… --operation IdempotentWrite --cluster`"
        }
        (Code::Authentication | Code::SaslAuthenticationFailed, _) => {
            "the broker does not accept the credentials in kafka.security.sasl"
        }
        (Code::SSL, _) => {
            "see kafka.security.tls: is the broker's authority in ca_file, and its name the one connected to?"
        }
        (Code::InvalidTransactionTimeout, _) => {
            "kafka.transaction_timeout_ms is above the broker's transaction.max.timeout.ms"
        }
        (Code::UnsupportedFeature, _) => "the broker is too old, or is none",
        _ => return None,
    };
    Some(text.to_owned())
}

/// What to look at when a connection could not be made, by what librdkafka and OpenSSL say of it; empty where they say
/// it all.
pub(super) fn connection_advice(trouble: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|words| trouble.contains(words));
    if says(&["certificate verify failed"]) {
        "; see kafka.security.tls: is the broker's authority in ca_file, and its name the one connected to?"
    } else if says(&["alert bad certificate", "alert certificate required", "alert unknown ca"]) {
        "; the broker wants a client certificate that it trusts: see kafka.security.tls.cert_file and key_file"
    } else if says(&["Authentication failed", "authentication failure", "invalid credentials"]) {
        "; the broker does not accept the credentials in kafka.security.sasl"
    } else {
        ""
    }
}

pub(super) fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    }
}

/// A client that could not be made.
pub(super) fn cannot_create(error: KafkaError) -> Failure {
    Failure::Fatal(format!("cannot make a kafka client: {error}; see kafka.properties"))
}
