//! librdkafka properties of each kind of client.

use auscult_schemas::topics::MAX_MESSAGE_BYTES;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::identity::WorkerIdentity;
use super::token;
use crate::config::{Delivery, GroupProtocol, KafkaConfig, SaslMechanism, Secret, SecurityConfig, SecurityProtocol};

/// How a key chooses its partition where nobody says otherwise: CRC-32.
const DEFAULT_PARTITIONER: &str = "consistent_random";
/// What is left of the largest message for the framing of a record batch.
const FRAMING: usize = 512;
/// One answer to a fetch: the largest record and then some.
const FETCH_BYTES: usize = 2 * MAX_MESSAGE_BYTES;
/// How often librdkafka tells where the ends of partitions are.
const STATISTICS_MS: u32 = 1_000;

/// What all clients have in common, the user's own properties among it.
pub(super) fn common(config: &KafkaConfig, client_id: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    for (name, value) in &config.properties {
        client.set(name, value);
    }
    let wants_debug = config.properties.contains_key("debug");
    client.set_log_level(if wants_debug { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
    set_default(&mut client, config, "client.id", client_id);
    // A broker that is back after a second should be used after another, not after ten.
    set_default(&mut client, config, "reconnect.backoff.max.ms", "1000");
    set_default(&mut client, config, "socket.nagle.disable", "true");
    // How soon partitions that were added are seen; the default is five minutes.
    set_default(&mut client, config, "topic.metadata.refresh.interval.ms", "30000");
    client.set("bootstrap.servers", &config.brokers);
    secure(&mut client, &config.security);
    client
}

/// Passwords are read here, whenever clients are made: one that was changed meanwhile is found by those that come next.
fn secure(client: &mut ClientConfig, security: &SecurityConfig) {
    let SecurityConfig { protocol, tls, sasl } = security;
    client.set("security.protocol", protocol.as_str());
    let files = [
        ("ssl.ca.location", &tls.ca_file),
        ("ssl.certificate.location", &tls.cert_file),
        ("ssl.key.location", &tls.key_file),
    ];
    if matches!(protocol, SecurityProtocol::Tls | SecurityProtocol::SaslTls) {
        for (name, file) in files {
            if let Some(file) = file {
                client.set(name, file.display().to_string());
            }
        }
        set_secret(client, "ssl.key.password", tls.key_password());
        client.set("ssl.endpoint.identification.algorithm", if tls.verify_hostname { "https" } else { "none" });
    }
    if protocol.has_sasl() {
        client.set("sasl.mechanisms", sasl.mechanism.as_str());
        match (sasl.mechanism, &sasl.token_file) {
            (SaslMechanism::Oauthbearer, Some(file)) => {
                client.set("sasl.oauthbearer.config", file.display().to_string());
            }
            _ => {
                client.set("sasl.username", sasl.username.clone().unwrap_or_default());
                set_secret(client, "sasl.password", sasl.password());
            }
        }
    }
}

/// Whom the broker takes the client for, where that can be told from here: of a certificate it makes a name by rules of
/// its own.
pub(super) fn principal(security: &SecurityConfig) -> Option<String> {
    let SecurityConfig { protocol, sasl, .. } = security;
    let name = match (protocol, sasl.mechanism) {
        (SecurityProtocol::Plaintext, _) => "ANONYMOUS".to_owned(),
        (SecurityProtocol::Tls, _) => return None,
        (_, SaslMechanism::Oauthbearer) => token::read(sasl.token_file.as_deref()?).ok()?.principal_name,
        (_, _) => sasl.username.clone()?,
    };
    Some(format!("User:{name}"))
}

fn set_secret(client: &mut ClientConfig, name: &str, secret: Result<Option<Secret>, String>) {
    match secret {
        Ok(Some(secret)) => {
            client.set(name, secret.reveal());
        }
        Ok(None) => {}
        // It could be read at the start. The broker will refuse the client, which is tried again later.
        Err(reason) => tracing::error!(property = name, reason, "a secret cannot be read"),
    }
}

fn set_default(client: &mut ClientConfig, config: &KafkaConfig, name: &str, value: &str) {
    if !config.properties.contains_key(name) {
        client.set(name, value);
    }
}

fn reading(config: &KafkaConfig, client_id: &str) -> ClientConfig {
    let mut client = common(config, client_id);
    client
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("fetch.message.max.bytes", MAX_MESSAGE_BYTES.to_string())
        .set("fetch.max.bytes", FETCH_BYTES.to_string())
        .set("receive.message.max.bytes", (FETCH_BYTES + MAX_MESSAGE_BYTES).to_string())
        .set("queued.max.messages.kbytes", (config.prefetch_bytes / 1024).to_string());
    // A full queue is looked at again after this; the default of a second would stall the worker.
    set_default(&mut client, config, "fetch.queue.backoff.ms", "50");
    client
}

/// The group's member.
pub(super) fn member(config: &KafkaConfig, identity: &WorkerIdentity) -> ClientConfig {
    let mut client = reading(config, &identity.instance_id);
    client
        .set("group.id", &identity.group_id)
        .set("statistics.interval.ms", STATISTICS_MS.to_string())
        // Where retention has overtaken a reader, going on at the beginning without a word would pass over what was
        // lost.
        .set("auto.offset.reset", "error");
    match config.group_protocol {
        GroupProtocol::Classic => client
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", config.session_timeout_ms.to_string())
            // How soon a member hears of a rebalance, which takes two rounds.
            .set("heartbeat.interval.ms", (config.session_timeout_ms / 10).clamp(100, 1_000).to_string()),
        GroupProtocol::Consumer => client.set("group.protocol", "consumer"),
    };
    client
}

/// A reader that is handed its partitions. The group is only asked for its offsets; nothing joins it.
pub(super) fn reader(config: &KafkaConfig, group_id: &str, client_id: &str) -> ClientConfig {
    let mut client = reading(config, client_id);
    client.set("group.id", group_id);
    // How long a broker waits for more before it says that there is no more: each restored partition waits as long.
    set_default(&mut client, config, "fetch.wait.max.ms", "10");
    without_session(&mut client, config);
    client
}

/// Asks for the very end of a partition, open transactions included.
pub(super) fn uncommitted_ends(config: &KafkaConfig, client_id: &str) -> ClientConfig {
    let mut client = common(config, client_id);
    client.set("isolation.level", "read_uncommitted");
    without_session(&mut client, config);
    client
}

/// Of no effect to one who does not join, but librdkafka compares it with a user's own `max.poll.interval.ms`.
fn without_session(client: &mut ClientConfig, config: &KafkaConfig) {
    client.set("session.timeout.ms", config.session_timeout_ms.to_string());
}

/// An idempotent producer.
pub(super) fn idempotent(config: &KafkaConfig, client_id: &str) -> ClientConfig {
    let mut client = common(config, client_id);
    client
        .set("enable.idempotence", "true")
        .set("message.max.bytes", (MAX_MESSAGE_BYTES - FRAMING).to_string())
        .set("compression.type", config.compression.as_str());
    // librdkafka's own choice of partition for a key, which kcat and confluent-kafka have, too: they are what gateways
    // are written with most.
    set_default(&mut client, config, "partitioner", DEFAULT_PARTITIONER);
    // How long a topic that does not exist is hoped for; the default of 30 s outlasts the transaction.
    set_default(&mut client, config, "topic.metadata.propagation.max.ms", "5000");
    // A batch is sent whole and then waited for: there is nothing to linger for.
    set_default(&mut client, config, "linger.ms", "1");
    client
}

/// The worker's producer.
pub(super) fn worker_producer(config: &KafkaConfig, identity: &WorkerIdentity) -> ClientConfig {
    let mut client = idempotent(config, &identity.instance_id);
    if config.delivery == Delivery::ExactlyOnce {
        client
            .set("transactional.id", identity.transactional_id())
            .set("transaction.timeout.ms", config.transaction_timeout_ms.to_string());
        // A record is given up early enough that its transaction can still be aborted rather than be fenced.
        let message_timeout_ms = config.transaction_timeout_ms / 3 * 2;
        set_default(&mut client, config, "message.timeout.ms", &message_timeout_ms.to_string());
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_takes_every_client_s_properties() {
        let mut config = KafkaConfig::default();
        config.properties.insert("socket.keepalive.enable".to_owned(), "true".to_owned());
        let identity = WorkerIdentity { group_id: "g".into(), instance_id: "i".into(), input_topic: "t".into() };
        for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
            config.group_protocol = protocol;
            let clients = [
                member(&config, &identity),
                reader(&config, "g", "c"),
                uncommitted_ends(&config, "c"),
                idempotent(&config, "c"),
                worker_producer(&config, &identity),
            ];
            for client in clients {
                client.create_native_config().unwrap();
            }
        }
    }

    #[test]
    fn a_user_s_own_property_wins_over_a_mere_default_of_ours() {
        let mut config = KafkaConfig::default();
        config.properties.insert("linger.ms".to_owned(), "7".to_owned());
        assert_eq!(idempotent(&config, "c").get("linger.ms"), Some("7"));
    }
}
