//! Read-only queries of a live installation, for `auscult doctor`, which evaluates the results.
//!
//! ```text
//!   Survey::connect ─► brokers, the requests they support
//!     placement     ─► partitions, replicas, leaders of a topic          (Describe topic)
//!     topic_settings, broker_settings                                    (DescribeConfigs)
//!     group         ─► members, and the lag of the group                  (Describe group, Read topic)
//!     newest, states ─► records                                          (Read topic)
//!     open_transactions ─► where readers of committed records are blocked
//!   trial::write    ─► may a topic be written to? Only if requested
//! ```

mod context;
mod group;
mod placement;
mod records;
mod settings_of;
pub mod trial;

use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use self::context::SurveyContext;
use super::context::PlainContext;
use super::error::{ErrorContext, KafkaAccessError, connection_advice, explain};
use super::plain_reader::fetch_token;
use super::settings;
use crate::config::KafkaConfig;

pub use context::ApiVersions;
pub use group::{GroupFacts, Member, Waiting};
pub use placement::{Placement, Replicas};
pub use records::Glimpse;
pub use settings_of::Settings;

/// The name of the group under which nothing is ever committed.
const CLIENT_ID: &str = "auscult-doctor";

/// A client for queries.
pub struct Survey {
    config: KafkaConfig,
    reader: BaseConsumer<SurveyContext>,
    /// How long one question may take.
    request_timeout: Duration,
}

/// The brokers' answers about themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brokers {
    /// Their ids.
    pub ids: Vec<i32>,
    /// How long the first answer took, connecting included.
    pub took: Duration,
    /// Which requests the one that was asked understands; `None` where it did not say.
    pub apis: Option<ApiVersions>,
    /// Whom they take this client for, where that can be told from here.
    pub principal: Option<String>,
}

impl Survey {
    /// Connects to the brokers, or returns within `give_up_after` why it cannot. `request_timeout` is the timeout of
    /// each later request.
    ///
    /// # Errors
    /// [`KafkaAccessError::Client`], [`KafkaAccessError::Unreachable`].
    pub fn connect(
        config: &KafkaConfig,
        give_up_after: Duration,
        request_timeout: Duration,
    ) -> Result<(Self, Brokers), KafkaAccessError> {
        let reader = reader(config, CLIENT_ID)?;
        let started = Instant::now();
        let metadata =
            reader.fetch_metadata(None, give_up_after).map_err(|error| unreachable(config, &reader, &error))?;
        let took = started.elapsed();
        // Its log is told where the client is polled.
        let _ = reader.poll(Duration::from_millis(100));
        let brokers = Brokers {
            ids: metadata.brokers().iter().map(|broker| broker.id()).collect(),
            took,
            apis: reader.context().apis(),
            principal: settings::principal(&config.security),
        };
        Ok((Self { config: config.clone(), reader, request_timeout }, brokers))
    }

    fn unreachable(&self, error: &KafkaError) -> KafkaAccessError {
        unreachable(&self.config, &self.reader, error)
    }
}

/// A reader that is handed its partitions and also tells which requests its broker understands.
fn reader(config: &KafkaConfig, group_id: &str) -> Result<BaseConsumer<SurveyContext>, KafkaAccessError> {
    let mut client = settings::reader(config, group_id, CLIENT_ID);
    // librdkafka tells in its log alone, and only whoever debugs features.
    let debug = config.properties.get("debug").map_or_else(|| "feature".to_owned(), |own| format!("{own},feature"));
    client.set("debug", debug).set_log_level(RDKafkaLogLevel::Debug);
    let reader: BaseConsumer<SurveyContext> = client
        .create_with_context(SurveyContext::default())
        .map_err(|error| KafkaAccessError::Client(error.to_string()))?;
    // A token is asked for where the client is polled; nothing is assigned that could come.
    let _ = reader.poll(Duration::ZERO);
    Ok(reader)
}

/// A reader that sees the very end of a partition, open transactions included.
fn uncommitted(config: &KafkaConfig) -> Result<BaseConsumer<PlainContext>, KafkaAccessError> {
    let created = settings::uncommitted_ends(config, CLIENT_ID).create_with_context(PlainContext::default());
    let reader = created.map_err(|error| KafkaAccessError::Client(error.to_string()))?;
    fetch_token(&reader);
    Ok(reader)
}

fn unreachable(config: &KafkaConfig, reader: &BaseConsumer<SurveyContext>, error: &KafkaError) -> KafkaAccessError {
    // What keeps it is told where the client is polled.
    while reader.poll(Duration::from_millis(20)).is_some() {}
    let words = explain(error, ErrorContext::Cluster);
    let reason = match reader.context().connection_error() {
        Some(connection_error) => format!("{words}: {connection_error}{}", connection_advice(&connection_error)),
        None => words,
    };
    KafkaAccessError::Unreachable { doing: "ask", brokers: config.brokers.clone(), reason }
}
