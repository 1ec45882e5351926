//! Transactional calls, each on a thread that can be abandoned.
//!
//! librdkafka's calls block, and some of them exceed their timeout: `send_offsets_to_transaction` was observed to wait
//! forever when a coordinating broker died during the call (tests/faults.sh, "3 brokers: …"; librdkafka 2.12.1). Such a
//! call cannot be cancelled. It is abandoned together with its producer, which the next producer fences.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use rdkafka::TopicPartitionList;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::util::Timeout;

use super::context::DeliveryContext;
use super::membership::KafkaMembership;
use crate::ports::Failure;

/// How much a call may exceed its own timeout before it is abandoned.
const MARGIN: Duration = Duration::from_secs(1);

/// One call.
#[derive(Clone)]
pub(super) enum Call {
    Begin,
    SendOffsets(TopicPartitionList, KafkaMembership),
    Commit,
    Abort,
}

impl Call {
    /// The call's name in errors.
    pub fn doing(&self) -> &'static str {
        match self {
            Self::Begin => "begin a transaction",
            Self::SendOffsets(..) => "send offsets",
            Self::Commit => "commit",
            Self::Abort => "abort a transaction",
        }
    }

    fn make(&self, producer: &BaseProducer<DeliveryContext>, limit: Timeout) -> Result<(), KafkaError> {
        match self {
            Self::Begin => producer.begin_transaction(),
            Self::SendOffsets(offsets, membership) => producer.send_offsets_to_transaction(offsets, membership, limit),
            Self::Commit => producer.commit_transaction(limit),
            Self::Abort => producer.abort_transaction(limit),
        }
    }
}

struct Request {
    call: Call,
    limit: Duration,
    answer: Sender<Result<(), KafkaError>>,
}

/// A producer, and the thread that makes its transactional calls. The thread ends when this is dropped, or when a
/// hanging call returns later.
pub(super) struct TransactionalCalls {
    requests: Sender<Request>,
}

impl TransactionalCalls {
    pub fn of(producer: &Arc<BaseProducer<DeliveryContext>>) -> Result<Self, Failure> {
        let (requests, received) = crossbeam_channel::unbounded::<Request>();
        let producer = Arc::clone(producer);
        let serve = move || {
            for Request { call, limit, answer } in received {
                // The caller may have given up meanwhile.
                let _ = answer.send(call.make(&producer, Timeout::After(limit)));
            }
        };
        let spawned = std::thread::Builder::new().name("transactional".to_owned()).spawn(serve);
        spawned.map_err(|error| Failure::Fatal(format!("cannot start a thread for transactions: {error}")))?;
        Ok(Self { requests })
    }

    /// Makes the call; `None` if there is no answer in time.
    pub fn make(&self, call: Call, limit: Duration) -> Option<Result<(), KafkaError>> {
        let (answer, answered) = crossbeam_channel::bounded(1);
        self.requests.send(Request { call, limit, answer }).ok()?;
        answered.recv_timeout(limit + MARGIN).ok()
    }
}
