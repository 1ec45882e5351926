//! The log on Kafka: the ports of [`crate::ports`] over librdkafka, topics, a plain producer and a plain reader.
//!
//! ```text
//!  connect ─► producer: init_transactions (fences the previous owner of the transactional id)
//!          ─► consumer: subscribe         (only now, so that no partition is assigned to a worker that cannot commit)
//!
//!  consumer, log thread                            producer, transaction thread
//!    assign from the group ──► Assigned              begin
//!      (answered at once with nothing)               send each output to its partition
//!    start(positions)                                poll until every delivery is reported
//!      first time:  incremental_assign at offset     send_offsets_to_transaction(offsets, membership)
//!      again:       seek, which drops what is queued  commit
//!    revoke from the group ──► Revoked or Lost          retriable ─► the same call again
//!    release ──► incremental_unassign, the answer       abortable ─► abort ─► Failure::Aborted
//!                                                       no answer ─► fenced off; of a commit: Failure::Fatal
//!                                                       else      ─► Failure::Fatal, never used again
//!  restorer, restore thread
//!    committed offset (stable) ─► changelog: wait until no transaction is open in it ─► read to end of partition
//! ```
//!
//! The answer to a revoke may be delayed: librdkafka keeps sending heartbeats meanwhile, and gives nothing away before
//! `incremental_unassign`. For the same reason, only [`KafkaConsumer`]'s `release` may call that function: at any other
//! time, the call would count as the answer to a revoke that is still in the queue. Therefore a rewind uses seek.
//!
//! One limit is Kafka's own: before KIP-890, a delayed `EndTxn` can end a later transaction, and librdkafka 2.12 does
//! not support KIP-890's second part yet. Therefore a producer that has lost a connection, or whose call has timed out,
//! is not used for another transaction (`KafkaProducer::renew_if_in_doubt`, `fence_off`); because of its successor's
//! epoch, late requests are rejected.

mod clients;
mod consumer;
mod context;
mod error;
mod gateway;
mod identity;
mod membership;
mod places;
mod plain_reader;
mod positions;
mod producer;
mod reader;
mod record;
mod restorer;
mod settings;
pub mod survey;
mod token;
pub mod topics;
mod transactional_calls;

pub use clients::KafkaClients;
pub use consumer::KafkaConsumer;
pub use error::KafkaAccessError;
pub use gateway::{GatewayProducer, GatewayRecord};
pub use identity::WorkerIdentity;
pub use membership::KafkaMembership;
pub use places::{chunk_partitions, machine_places, recent_partitions};
pub use positions::{GroupPositions, Positions};
pub use producer::KafkaProducer;
pub use reader::{ReadFrom, TopicReader};
pub use restorer::KafkaRestorer;
