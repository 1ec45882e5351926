//! Check of brokers: supported API versions and settings.

use auscult_runtime::config::{Delivery, GroupProtocol, KafkaConfig};
use auscult_runtime::kafka::survey::{Brokers, Settings};

use super::{Finding, Findings};

const GROUP: &str = "brokers";

/// API keys from Kafka's protocol guide (<https://kafka.apache.org/protocol#protocol_api_keys>), with the required
/// version.
mod api {
    /// `TxnOffsetCommit` v3 carries the group's membership (KIP-447, Kafka 2.5): a transaction of a former member is
    /// rejected.
    pub const TXN_OFFSET_COMMIT: (i16, i16) = (28, 3);
    /// `InitProducerId` v3 raises a producer's own epoch (KIP-360, Kafka 2.5).
    pub const INIT_PRODUCER_ID: (i16, i16) = (22, 3);
    /// `ConsumerGroupHeartbeat` (KIP-848, Kafka 4.0).
    pub const CONSUMER_GROUP_HEARTBEAT: (i16, i16) = (68, 0);
    /// `EndTxn` v5 (KIP-890's second part, Kafka 4.0).
    pub const END_TXN: (i16, i16) = (26, 5);
}

/// The brokers were reached.
pub(super) fn reached(brokers: &Brokers, addresses: &str) -> Finding {
    let mut findings = Findings::of(GROUP);
    let count = brokers.ids.len();
    let whom = brokers.principal.as_deref().map(|name| format!(", as {name}")).unwrap_or_default();
    let plural = if count == 1 { "broker answers" } else { "brokers answer" };
    let ms = brokers.took.as_millis();
    findings.ok("reachable", format!("{count} {plural} at {addresses} after {ms} ms{whom}"));
    findings.list.remove(0)
}

/// Compares the versions supported by the brokers with those required by the configuration.
pub(super) fn versions(brokers: &Brokers, kafka: &KafkaConfig) -> Vec<Finding> {
    let mut findings = Findings::of(GROUP);
    let Some(apis) = &brokers.apis else {
        findings.unknown("version", "the broker did not tell which requests it understands");
        return findings.list;
    };
    let has = |(key, version)| apis.has(key, version);
    let known = match () {
        () if has(api::END_TXN) => "Kafka 4.0 or later",
        () if has(api::TXN_OFFSET_COMMIT) => "Kafka from 2.5 to 3.9, or something that speaks like it",
        () => "older than Kafka 2.5, or something that speaks like it",
    };
    let can_commit = has(api::TXN_OFFSET_COMMIT) && has(api::INIT_PRODUCER_ID);
    if kafka.delivery == Delivery::ExactlyOnce && !can_commit {
        findings.wrong(
            "version",
            format!("{known}: transactions are not tied to the group's membership (KIP-447)"),
            "use brokers from Kafka 2.5 on, or kafka.delivery: at_least_once",
        );
    }
    if kafka.group_protocol == GroupProtocol::Consumer && !has(api::CONSUMER_GROUP_HEARTBEAT) {
        findings.wrong(
            "version",
            format!("{known}: kafka.group_protocol is `consumer`, which it does not speak (KIP-848)"),
            "use brokers from Kafka 4.0 on, or kafka.group_protocol: classic",
        );
    }
    let speaks = if has(api::CONSUMER_GROUP_HEARTBEAT) { ", speaks both group protocols" } else { "" };
    findings.ok_if_sound("version", format!("{known} by the requests that it understands{speaks}"));
    findings.list
}

/// Checks the settings of one broker; `id` is the lowest.
pub(super) fn settings(settings: &Settings, kafka: &KafkaConfig, brokers: usize) -> Vec<Finding> {
    let mut findings = Findings::of(GROUP);
    let alter = |setting: &str| format!("set it in the brokers' server.properties: {setting}");

    let wanted = i64::from(kafka.transaction_timeout_ms);
    match settings.number("transaction.max.timeout.ms") {
        None => findings.unknown("transactions", "the broker does not tell transaction.max.timeout.ms"),
        Some(most) if most < wanted => findings.wrong(
            "transactions",
            format!("transaction.max.timeout.ms is {most}, less than kafka.transaction_timeout_ms, {wanted}: workers are refused"),
            format!("lower kafka.transaction_timeout_ms, or {}", alter(&format!("transaction.max.timeout.ms={wanted}"))),
        ),
        Some(_) => findings.ok("transactions", format!("transactions may take kafka.transaction_timeout_ms, {wanted} ms")),
    }

    if kafka.group_protocol == GroupProtocol::Classic {
        let wanted = i64::from(kafka.session_timeout_ms);
        let least = settings.number("group.min.session.timeout.ms").unwrap_or(0);
        let most = settings.number("group.max.session.timeout.ms").unwrap_or(i64::MAX);
        if (least..=most).contains(&wanted) {
            findings.ok("sessions", format!("sessions may take kafka.session_timeout_ms, {wanted} ms"));
        } else {
            findings.wrong(
                "sessions",
                format!(
                    "kafka.session_timeout_ms is {wanted}, and the brokers allow {least} to {most}: workers cannot join"
                ),
                "set kafka.session_timeout_ms within that",
            );
        }
    }

    match settings.number("offsets.retention.minutes") {
        None => findings.unknown("offsets", "the broker does not tell offsets.retention.minutes"),
        Some(minutes) if minutes < 24 * 60 => findings.warning(
            "offsets",
            format!(
                "a group that is away for {} is forgotten (offsets.retention.minutes={minutes})",
                minutes_in_words(minutes)
            ),
            format!("as long as workers may be away at most: {}", alter("offsets.retention.minutes=10080")),
        ),
        Some(minutes) => {
            findings.ok("offsets", format!("groups that are away are remembered for {}", minutes_in_words(minutes)))
        }
    }

    if settings.text("unclean.leader.election.enable") == Some("true") {
        findings.warning(
            "elections",
            "unclean.leader.election.enable is true: a replica that lags may lead, and what it lacks is gone",
            alter("unclean.leader.election.enable=false"),
        );
    }

    let least = if brokers < 3 { 1 } else { 3 };
    for (name, what) in [
        ("transaction.state.log.replication.factor", "the outcomes of transactions"),
        ("offsets.topic.replication.factor", "the groups' offsets"),
    ] {
        if let Some(factor) = settings.number(name).filter(|factor| *factor < least) {
            findings.warning(
                "internal topics",
                format!(
                    "{name} is {factor}: {what} are lost with {} of {brokers} brokers",
                    if factor == 1 { "one" } else { "two" }
                ),
                format!("{} before these topics exist; later, reassign their partitions", alter(&format!("{name}=3"))),
            );
        }
    }
    findings.list
}

fn minutes_in_words(minutes: i64) -> String {
    match minutes {
        _ if minutes % 1440 == 0 => format!("{} days", minutes / 1440),
        _ if minutes % 60 == 0 => format!("{} hours", minutes / 60),
        _ => format!("{minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use auscult_runtime::kafka::survey::ApiVersions;

    use super::super::Outcome;
    use super::*;

    fn brokers(apis: &[(i16, i16)]) -> Brokers {
        let apis = Some(ApiVersions(BTreeMap::from_iter(apis.iter().copied())));
        Brokers { ids: vec![1], took: Duration::ZERO, apis, principal: None }
    }

    fn outcomes(findings: &[Finding], check: &str) -> Vec<Outcome> {
        findings.iter().filter(|finding| finding.check == check).map(|finding| finding.outcome).collect()
    }

    #[test]
    fn a_broker_is_judged_by_what_the_configuration_asks_of_it() {
        let mut kafka = KafkaConfig::default();
        let old = brokers(&[(28, 2), (22, 1)]);
        let three = brokers(&[(28, 3), (22, 4), (26, 3)]);
        let four = brokers(&[(28, 5), (22, 5), (26, 5), (68, 1)]);
        assert_eq!(outcomes(&versions(&old, &kafka), "version"), [Outcome::Wrong]);
        assert_eq!(outcomes(&versions(&three, &kafka), "version"), [Outcome::Ok]);
        kafka.group_protocol = GroupProtocol::Consumer;
        assert_eq!(outcomes(&versions(&three, &kafka), "version"), [Outcome::Wrong]);
        assert_eq!(outcomes(&versions(&four, &kafka), "version"), [Outcome::Ok]);
        kafka.group_protocol = GroupProtocol::Classic;
        kafka.delivery = Delivery::AtLeastOnce;
        assert_eq!(outcomes(&versions(&old, &kafka), "version"), [Outcome::Ok]);
    }

    #[test]
    fn timeouts_that_the_brokers_do_not_allow_are_wrong() {
        let kafka = KafkaConfig::default();
        let set = |pairs: &[(&str, &str)]| {
            Settings(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let short = set(&[("transaction.max.timeout.ms", "14999"), ("group.max.session.timeout.ms", "29999")]);
        let found = settings(&short, &kafka, 3);
        assert_eq!(outcomes(&found, "transactions"), [Outcome::Wrong]);
        assert_eq!(outcomes(&found, "sessions"), [Outcome::Wrong]);
        assert_eq!(outcomes(&found, "offsets"), [Outcome::Unknown]);
        let long = set(&[
            ("transaction.max.timeout.ms", "15000"),
            ("group.min.session.timeout.ms", "30000"),
            ("offsets.retention.minutes", "60"),
            ("unclean.leader.election.enable", "true"),
            ("offsets.topic.replication.factor", "1"),
        ]);
        let found = settings(&long, &kafka, 3);
        assert_eq!(outcomes(&found, "transactions"), [Outcome::Ok]);
        assert_eq!(outcomes(&found, "sessions"), [Outcome::Ok]);
        for check in ["offsets", "elections", "internal topics"] {
            assert_eq!(outcomes(&found, check), [Outcome::Warning], "{check}");
        }
    }
}
