//! A consumer without a group: partitions are assigned manually, or it is used for queries only.

use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;

use super::context::PlainContext;
use super::settings;
use crate::config::KafkaConfig;

/// A client asks for its token where it is polled, and one that is only asked questions never is.
pub(super) fn fetch_token(reader: &BaseConsumer<PlainContext>) {
    // Nothing is assigned: what could come are records of nobody's.
    let _ = reader.poll(Duration::ZERO);
}

/// A reader that is handed its partitions.
pub(super) fn plain_reader(
    config: &KafkaConfig,
    group_id: &str,
    client_id: &str,
) -> Result<BaseConsumer<PlainContext>, KafkaError> {
    let reader: BaseConsumer<PlainContext> =
        settings::reader(config, group_id, client_id).create_with_context(PlainContext::default())?;
    fetch_token(&reader);
    Ok(reader)
}
