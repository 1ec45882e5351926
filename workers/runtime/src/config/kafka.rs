//! How a worker reaches Kafka.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{Problems, SecurityConfig, Validate};

/// How a worker reaches Kafka, and what it promises.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Addresses of some of the brokers, `host:port` separated by commas; the others are found through them.
    /// Default: `localhost:9092`.
    pub brokers: String,
    /// The consumer group that shares the work. Default: the worker's own name, such as `auscult-feature-worker`.
    pub group_id: Option<String>,
    /// Tells this worker from its siblings; with the group it makes the transactional id, so two workers must never
    /// have the same, and a worker that comes back should have its old one. Default: host name and HTTP port.
    pub instance_id: Option<String>,
    /// `exactly_once`: one transaction covers results, state and offsets. `at_least_once`: a crash may repeat results
    /// (their ids are the same again). Default: `exactly_once`.
    pub delivery: Delivery,
    /// How the group shares partitions out: `classic` (cooperative-sticky) or `consumer` (KIP-848, brokers from 4.0
    /// on). Default: `classic`.
    pub group_protocol: GroupProtocol,
    /// After how long without a heartbeat a worker counts as dead. With `group_protocol: consumer` the broker's own
    /// setting (`group.consumer.session.timeout.ms`) counts instead. Unit: milliseconds. Default: 30000.
    pub session_timeout_ms: u32,
    /// After how long the broker aborts a dead worker's transaction; until then readers wait.
    /// Unit: milliseconds. Default: 15000.
    pub transaction_timeout_ms: u32,
    /// How outputs are compressed. Default: `none`, since sound and features hardly shrink.
    pub compression: Compression,
    /// How many bytes of input librdkafka fetches ahead, of all partitions together.
    /// Unit: bytes. Default: 16777216 (16 MiB).
    pub prefetch_bytes: usize,
    /// Who the client is, and that nobody listens in.
    pub security: SecurityConfig,
    /// Any other property of librdkafka, such as `client.rack`. In environment variables `_`
    /// stands for the dot: `AUSCULT__KAFKA__PROPERTIES__CLIENT_RACK`. What the worker's promises depend on cannot
    /// be set here. Default: none.
    #[serde(deserialize_with = "properties", serialize_with = "without_secrets")]
    pub properties: BTreeMap<String, String>,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".to_owned(),
            group_id: None,
            instance_id: None,
            delivery: Delivery::ExactlyOnce,
            group_protocol: GroupProtocol::Classic,
            session_timeout_ms: 30_000,
            transaction_timeout_ms: 15_000,
            compression: Compression::None,
            prefetch_bytes: 16 * 1024 * 1024,
            security: SecurityConfig::default(),
            properties: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for KafkaConfig {
    /// As JSON, in which secrets are hidden.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

/// How often a chunk's results may appear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Once, for readers of committed records.
    #[default]
    ExactlyOnce,
    /// At least once.
    AtLeastOnce,
}

/// How a group shares partitions out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupProtocol {
    /// Members agree among themselves, cooperative-sticky.
    #[default]
    Classic,
    /// The broker decides (KIP-848).
    Consumer,
}

/// How records are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Fast.
    Lz4,
    /// Small.
    Zstd,
    /// As every client knows.
    Gzip,
}

impl Compression {
    /// librdkafka's name of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}

/// librdkafka's properties that the worker sets itself, each with the setting to use, or `None` where there is none
/// because a promise depends on the value.
const OWNED: &[(&str, Option<&str>)] = &[
    ("bootstrap.servers", Some("kafka.brokers")),
    ("metadata.broker.list", Some("kafka.brokers")),
    ("group.id", Some("kafka.group_id")),
    ("group.instance.id", None),
    ("group.protocol", Some("kafka.group_protocol")),
    ("partition.assignment.strategy", Some("kafka.group_protocol")),
    ("session.timeout.ms", Some("kafka.session_timeout_ms")),
    ("transaction.timeout.ms", Some("kafka.transaction_timeout_ms")),
    ("transactional.id", Some("kafka.instance_id")),
    ("compression.type", Some("kafka.compression")),
    ("compression.codec", Some("kafka.compression")),
    ("queued.max.messages.kbytes", Some("kafka.prefetch_bytes")),
    ("security.protocol", Some("kafka.security.protocol")),
    ("sasl.mechanism", Some("kafka.security.sasl.mechanism")),
    ("sasl.mechanisms", Some("kafka.security.sasl.mechanism")),
    ("sasl.username", Some("kafka.security.sasl.username")),
    ("sasl.password", Some("kafka.security.sasl.password_file")),
    ("sasl.oauthbearer.config", Some("kafka.security.sasl.token_file")),
    ("ssl.ca.location", Some("kafka.security.tls.ca_file")),
    ("ssl.certificate.location", Some("kafka.security.tls.cert_file")),
    ("ssl.key.location", Some("kafka.security.tls.key_file")),
    ("ssl.key.password", Some("kafka.security.tls.key_password_file")),
    ("ssl.endpoint.identification.algorithm", Some("kafka.security.tls.verify_hostname")),
    ("enable.auto.commit", None),
    ("enable.auto.offset.store", None),
    ("enable.idempotence", None),
    ("enable.partition.eof", None),
    ("isolation.level", None),
    ("auto.offset.reset", None),
    ("message.max.bytes", None),
    ("receive.message.max.bytes", None),
];

impl Validate for KafkaConfig {
    fn validate(&self, problems: &mut Problems) {
        let addresses: Vec<&str> = self.brokers.split(',').map(str::trim).collect();
        problems.require(
            addresses.iter().all(|address| !address.is_empty() && !address.contains(char::is_whitespace)),
            "brokers",
            format!("is {:?}, must be addresses such as `kafka-0:9092,kafka-1:9092`", self.brokers),
        );
        for (field, value) in [("group_id", &self.group_id), ("instance_id", &self.instance_id)] {
            problems.require(
                value.as_deref() != Some(""),
                field,
                "is empty: leave it out for the default, or give it a name",
            );
        }
        let session = 6_000..=300_000;
        problems.require(
            session.contains(&self.session_timeout_ms),
            "session_timeout_ms",
            format!("is {}, must be from 6000 to 300000", self.session_timeout_ms),
        );
        let transaction = 1_000..=900_000;
        problems.require(
            transaction.contains(&self.transaction_timeout_ms),
            "transaction_timeout_ms",
            format!("is {}, must be from 1000 to 900000, the broker's usual bound", self.transaction_timeout_ms),
        );
        problems.require(
            self.prefetch_bytes >= 1024 * 1024,
            "prefetch_bytes",
            format!("is {}, must be at least 1048576", self.prefetch_bytes),
        );
        problems.section("security", &self.security);
        for (name, own) in OWNED {
            if self.properties.contains_key(*name) {
                let path = format!("properties.{name}");
                match own {
                    Some(field) => problems.add(&path, format!("is set by `{field}`: use that")),
                    None => problems.add(&path, "cannot be changed: the delivery guarantee depends on it"),
                }
            }
        }
    }
}

fn is_secret(property: &str) -> bool {
    const SECRET: [&str; 3] = ["password", "secret", "key.pem"];
    SECRET.iter().any(|part| property.contains(part)) || property == "sasl.oauthbearer.config"
}

fn without_secrets<S: Serializer>(properties: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(
        properties.iter().map(|(name, value)| (name, if is_secret(name) { "***" } else { value.as_str() })),
    )
}

/// Properties as [`super::load`] leaves them: tables in tables, a dot being a step down.
fn properties<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let mut flat = BTreeMap::new();
    if let PropertyTree::Inner(entries) = PropertyTree::deserialize(deserializer)? {
        flatten("", entries, &mut flat);
    }
    Ok(flat)
}

fn flatten(prefix: &str, entries: Vec<(String, PropertyTree)>, flat: &mut BTreeMap<String, String>) {
    for (name, value) in entries {
        let path = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            PropertyTree::Leaf(text) => {
                flat.insert(path, text);
            }
            PropertyTree::Inner(entries) => flatten(&path, entries, flat),
        }
    }
}

enum PropertyTree {
    Leaf(String),
    Inner(Vec<(String, PropertyTree)>),
}

impl<'de> Deserialize<'de> for PropertyTree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeVisitor;
        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = PropertyTree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names and values of librdkafka properties")
            }

            fn visit_bool<E>(self, value: bool) -> Result<PropertyTree, E> {
                Ok(PropertyTree::Leaf(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<PropertyTree, E> {
                Ok(PropertyTree::Leaf(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<PropertyTree, E> {
                Ok(PropertyTree::Leaf(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<PropertyTree, E> {
                Ok(PropertyTree::Leaf(value.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<PropertyTree, E> {
                Ok(PropertyTree::Leaf(value.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PropertyTree, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<String, PropertyTree>()? {
                    entries.push(entry);
                }
                Ok(PropertyTree::Inner(entries))
            }
        }
        deserializer.deserialize_any(TreeVisitor)
    }
}
