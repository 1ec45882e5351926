//! Proof that a worker is a member of its group.

use std::sync::Arc;

use rdkafka::consumer::ConsumerGroupMetadata;

/// Member id and generation, as the group coordinator wants to see them.
pub type KafkaMembership = Arc<ConsumerGroupMetadata>;
