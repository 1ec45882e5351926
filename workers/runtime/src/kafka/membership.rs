//! Proof that a worker is a member of its group.

use std::sync::Arc;

use rdkafka::consumer::ConsumerGroupMetadata;

/// Member id and generation, as required by the group coordinator.
pub type KafkaMembership = Arc<ConsumerGroupMetadata>;
