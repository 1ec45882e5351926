//! Creates the topics, and reports problems with them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use auscult_schemas::topics::{MAX_MESSAGE_BYTES, Topic};
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
    TopicResult,
};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::context::PlainContext;
use super::error::{ErrorContext, KafkaAccessError, connection_advice, explain, remedy};
use super::plain_reader::plain_reader;
use super::settings;
use crate::config::{KafkaConfig, SaslMechanism};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
const CLIENT_ID: &str = "auscult-topics";

/// The result of creating one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It was made.
    Made,
    /// It existed; [`check`] reports whether its settings are correct.
    Existed,
    /// It could not be made, and why.
    Refused(String),
}

/// The result of adding partitions to one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grown {
    /// It had this many, and has the requested number now.
    From(usize),
    /// It had as many, or more.
    Enough(usize),
}

/// The result of examining the topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The problems found.
    pub problems: Vec<TopicProblem>,
    /// What could not be checked, and why. It is not necessarily wrong.
    pub unchecked: Vec<String>,
}

/// A problem of a topic, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicProblem {
    /// Topic.
    pub topic: String,
    /// The problem.
    pub problem: String,
    /// How to fix it.
    pub remedy: String,
}

impl std::fmt::Display for TopicProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "topic {}: {}; {}", self.topic, self.problem, self.remedy)
    }
}

/// Creates the missing topics, each with the same number of partitions. `replication` is -1 for the broker's default.
///
/// # Errors
/// [`KafkaAccessError::Client`], [`KafkaAccessError::Unreachable`]. A topic that cannot be created is reported in its
/// own result.
pub fn create(
    config: &KafkaConfig,
    topics: &[Topic],
    partitions: i32,
    replication: i32,
) -> Result<Vec<(String, Created)>, KafkaAccessError> {
    let admin = admin(config)?;
    let max_message_bytes = MAX_MESSAGE_BYTES.to_string();
    let retentions: Vec<String> = topics.iter().map(|topic| topic.retention_ms.to_string()).collect();
    let wanted: Vec<NewTopic<'_>> = topics
        .iter()
        .zip(&retentions)
        .map(|(topic, retention_ms)| {
            let wanted = NewTopic::new(topic.name, partitions, TopicReplication::Fixed(replication))
                .set("max.message.bytes", &max_message_bytes)
                .set("cleanup.policy", cleanup_policy(topic));
            let wanted =
                if topic.has_broker_time() { wanted.set("message.timestamp.type", "LogAppendTime") } else { wanted };
            if topic.compacted { wanted } else { wanted.set("retention.ms", retention_ms) }
        })
        .collect();
    let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT));
    let answers = answered(config, "create topics", admin.create_topics(&wanted, &options))?;
    let told = |answer: TopicResult| match answer {
        Ok(name) => (name, Created::Made),
        Err((name, RDKafkaErrorCode::TopicAlreadyExists)) => (name, Created::Existed),
        Err((name, code)) => {
            let reason = refusal(code, &name, "Create");
            (name, Created::Refused(reason))
        }
    };
    Ok(answers.into_iter().map(told).collect())
}

/// Adds partitions, topic by topic in the given order, so that each has at least this many; each result is reported as
/// it arrives. It stops at the first failure, because a later topic in the order must never have more partitions than
/// an earlier one.
///
/// # Errors
/// [`KafkaAccessError::Client`], [`KafkaAccessError::Unreachable`], [`KafkaAccessError::NoSuchTopic`],
/// [`KafkaAccessError::NotGrown`].
pub fn grow(
    config: &KafkaConfig,
    topics: &[Topic],
    partitions: usize,
    mut report: impl FnMut(&str, Grown),
) -> Result<(), KafkaAccessError> {
    let admin = admin(config)?;
    let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT));
    for topic in topics {
        let metadata = admin
            .inner()
            .fetch_metadata(Some(topic.name), REQUEST_TIMEOUT)
            .map_err(unreachable(config, "ask for a topic"))?;
        let found = metadata.topics().first();
        let error = found.and_then(|found| found.error()).map(RDKafkaErrorCode::from);
        if let Some(code @ RDKafkaErrorCode::TopicAuthorizationFailed) = error {
            let reason = refusal(code, topic.name, "Describe");
            return Err(KafkaAccessError::NotGrown { topic: topic.name.to_owned(), reason });
        }
        let present = found.map_or(0, |found| found.partitions().len());
        if present == 0 {
            return Err(KafkaAccessError::NoSuchTopic(topic.name.to_owned()));
        }
        if present >= partitions {
            report(topic.name, Grown::Enough(present));
            continue;
        }
        let wanted = [NewPartitions::new(topic.name, partitions)];
        let answers = answered(config, "add partitions", admin.create_partitions(&wanted, &options))?;
        for answer in answers {
            answer.map_err(|(topic, code)| {
                let reason = refusal(code, &topic, "Alter");
                KafkaAccessError::NotGrown { topic, reason }
            })?;
        }
        await_partitions(config, &admin, topic.name, partitions)?;
        report(topic.name, Grown::From(present));
    }
    Ok(())
}

/// The controller has added them; other brokers learn of it a moment later.
fn await_partitions(
    config: &KafkaConfig,
    admin: &AdminClient<PlainContext>,
    topic: &str,
    partitions: usize,
) -> Result<(), KafkaAccessError> {
    const PAUSE: Duration = Duration::from_millis(50);
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    loop {
        let metadata = admin
            .inner()
            .fetch_metadata(Some(topic), REQUEST_TIMEOUT)
            .map_err(unreachable(config, "ask for a topic"))?;
        let is_there = metadata.topics().first().is_some_and(|found| found.partitions().len() >= partitions);
        if is_there || Instant::now() >= deadline {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
}

/// All problems of the topics: missing topics, different partition counts, a maximum message size that is too small, a
/// changelog that is not compacted. Empty if there are none; logs a warning for everything that could not be checked.
///
/// # Errors
/// As [`examine`].
pub fn check(config: &KafkaConfig, topics: &[Topic]) -> Result<Vec<TopicProblem>, KafkaAccessError> {
    let Examined { problems, unchecked } = examine(config, topics)?;
    for reason in unchecked {
        tracing::warn!(reason, "a topic's settings are not checked");
    }
    Ok(problems)
}

/// Examines the topics.
///
/// # Errors
/// [`KafkaAccessError::Client`], [`KafkaAccessError::Unreachable`].
pub fn examine(config: &KafkaConfig, topics: &[Topic]) -> Result<Examined, KafkaAccessError> {
    let reader =
        plain_reader(config, CLIENT_ID, CLIENT_ID).map_err(|error| KafkaAccessError::Client(error.to_string()))?;
    let mut partitions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    for topic in topics {
        // One by one and by name: in a list of all, a topic that may not be seen is missing like one that does not
        // exist.
        let metadata = reader.fetch_metadata(Some(topic.name), REQUEST_TIMEOUT).map_err(|error| {
            // Errors are reported when the client is polled.
            while reader.poll(Duration::from_millis(50)).is_some() {}
            let words = explain(&error, ErrorContext::Cluster);
            let reason = match reader.context().connection_error() {
                Some(connection_error) => {
                    format!("{words}: {connection_error}{}", connection_advice(&connection_error))
                }
                None => words,
            };
            KafkaAccessError::Unreachable { doing: "ask for the topics", brokers: config.brokers.clone(), reason }
        })?;
        let Some(found) = metadata.topics().first() else { continue };
        let error = found.error().map(RDKafkaErrorCode::from);
        if error == Some(RDKafkaErrorCode::TopicAuthorizationFailed) {
            let remedy =
                remedy(RDKafkaErrorCode::TopicAuthorizationFailed, ErrorContext::Topic(topic.name, "Describe"));
            problems.push(problem(topic.name, "it cannot be seen", remedy.unwrap_or_default()));
        } else if !found.partitions().is_empty() {
            partitions.insert(topic.name, found.partitions().len());
        }
    }
    let unseen: Vec<String> = problems.iter().map(|problem: &TopicProblem| problem.topic.clone()).collect();
    let seen: Vec<Topic> =
        topics.iter().filter(|topic| !unseen.iter().any(|name| name == topic.name)).copied().collect();
    problems.extend(missing(&seen, &partitions));
    problems.extend(uneven(&seen, &partitions));
    if config.security.protocol.has_sasl() && config.security.sasl.mechanism == SaslMechanism::Oauthbearer {
        // rdkafka's admin client never asks for a token.
        let unchecked = vec!["any topic: rdkafka's admin client cannot use a token".to_owned()];
        return Ok(Examined { problems, unchecked });
    }

    let existing: Vec<&Topic> = topics.iter().filter(|topic| partitions.contains_key(topic.name)).collect();
    let asked: Vec<ResourceSpecifier<'_>> = existing.iter().map(|topic| ResourceSpecifier::Topic(topic.name)).collect();
    let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT));
    let answers = if asked.is_empty() {
        Vec::new()
    } else {
        answered(config, "ask for the topics' settings", admin(config)?.describe_configs(&asked, &options))?
    };
    let mut unchecked = Vec::new();
    for (topic, answer) in existing.iter().zip(answers) {
        let code = match answer {
            // Refusals come from rdkafka as settings that are none.
            Ok(settings) if settings.entries.is_empty() => RDKafkaErrorCode::TopicAuthorizationFailed,
            Ok(settings) => {
                problems.extend(unfit(topic, &settings));
                continue;
            }
            Err(code) => code,
        };
        // A client may read and write a topic without permission to read its settings.
        unchecked.push(format!("topic {}: {}", topic.name, refusal(code, topic.name, "DescribeConfigs")));
    }
    Ok(Examined { problems, unchecked })
}

fn missing(topics: &[Topic], partitions: &BTreeMap<&str, usize>) -> Vec<TopicProblem> {
    let missing = topics.iter().filter(|topic| !partitions.contains_key(topic.name));
    missing.map(|topic| problem(topic.name, "it does not exist", "run `auscult topics create`")).collect()
}

/// A worker writes to the partition number it read from: all counts must be equal, and partitions can only be added.
fn uneven(topics: &[Topic], partitions: &BTreeMap<&str, usize>) -> Vec<TopicProblem> {
    let counts = topics.iter().filter_map(|topic| partitions.get(topic.name).map(|count| (topic.name, *count)));
    let counts: Vec<(&str, usize)> = counts.collect();
    let Some(largest) = counts.iter().map(|(_, count)| *count).max() else { return Vec::new() };
    let short = counts.into_iter().filter(|(_, count)| *count < largest);
    short
        .map(|(name, count)| {
            problem(
                name,
                format!("it has {count} partitions where another of the topics has {largest}"),
                format!("add partitions: `auscult topics grow --partitions {largest}`"),
            )
        })
        .collect()
}

fn unfit(topic: &Topic, settings: &ConfigResource) -> Vec<TopicProblem> {
    let value = |name: &str| settings.get(name).and_then(|entry| entry.value.as_deref());
    let alter = |setting: &str| format!("`kafka-configs.sh --alter --topic {} --add-config {setting}`", topic.name);
    let mut problems = Vec::new();

    let largest = value("max.message.bytes").and_then(|text| text.parse::<usize>().ok());
    if let Some(largest) = largest.filter(|largest| *largest < MAX_MESSAGE_BYTES) {
        problems.push(problem(
            topic.name,
            format!("its largest message is {largest} bytes, eight microphones for ten seconds need more"),
            alter(&format!("max.message.bytes={MAX_MESSAGE_BYTES}")),
        ));
    }
    let policy = value("cleanup.policy").unwrap_or_default();
    let wanted = cleanup_policy(topic);
    let is_right = if topic.compacted { policy == "compact" } else { !policy.contains("compact") };
    if !is_right {
        let harm = if topic.compacted {
            "what a worker knows of its machines would be deleted with time"
        } else {
            "all but a machine's latest record would be deleted"
        };
        problems.push(problem(
            topic.name,
            format!("its cleanup.policy is {policy:?}: {harm}"),
            alter(&format!("cleanup.policy={wanted}")),
        ));
    }
    problems
}

fn problem(topic: &str, problem: impl Into<String>, remedy: impl Into<String>) -> TopicProblem {
    TopicProblem { topic: topic.to_owned(), problem: problem.into(), remedy: remedy.into() }
}

fn cleanup_policy(topic: &Topic) -> &'static str {
    if topic.compacted { "compact" } else { "delete" }
}

pub(super) fn admin(config: &KafkaConfig) -> Result<AdminClient<PlainContext>, KafkaAccessError> {
    if config.security.protocol.has_sasl() && config.security.sasl.mechanism == SaslMechanism::Oauthbearer {
        return Err(KafkaAccessError::Client(
            "topics cannot be made with a token (rdkafka's admin client never asks for one): use kafka-topics.sh, or another sasl.mechanism"
                .to_owned(),
        ));
    }
    let created = settings::common(config, CLIENT_ID).create_with_context(PlainContext::default());
    created.map_err(|error| KafkaAccessError::Client(error.to_string()))
}

/// Why a topic was not created or changed, with the missing permission if that was the cause.
pub(super) fn refusal(code: RDKafkaErrorCode, topic: &str, operation: &'static str) -> String {
    match remedy(code, ErrorContext::Topic(topic, operation)) {
        Some(remedy) => format!("{code}; {remedy}"),
        None => code.to_string(),
    }
}

fn unreachable(config: &KafkaConfig, doing: &'static str) -> impl Fn(KafkaError) -> KafkaAccessError {
    let brokers = config.brokers.clone();
    move |error| KafkaAccessError::Unreachable {
        doing,
        brokers: brokers.clone(),
        reason: explain(&error, ErrorContext::Cluster),
    }
}

/// Waits for an answer of the admin client, which has threads of its own and needs none of ours.
pub(super) fn answered<T>(
    config: &KafkaConfig,
    doing: &'static str,
    question: impl Future<Output = Result<T, KafkaError>>,
) -> Result<T, KafkaAccessError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| KafkaAccessError::Client(error.to_string()))?;
    runtime.block_on(question).map_err(unreachable(config, doing))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Topic = Topic { name: "a", purpose: "", compacted: false, retention_ms: 1 };
    const B: Topic = Topic { name: "b", purpose: "", compacted: true, retention_ms: 1 };

    #[test]
    fn a_missing_topic_is_told_with_the_command_that_makes_it() {
        let problems = missing(&[A, B], &BTreeMap::from([("a", 2)]));
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].to_string(), "topic b: it does not exist; run `auscult topics create`");
    }

    #[test]
    fn the_topic_with_fewer_partitions_is_the_wrong_one() {
        let problems = uneven(&[A, B], &BTreeMap::from([("a", 2), ("b", 4), ("other", 9)]));
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].topic, "a");
        assert!(problems[0].remedy.contains("--partitions 4"));
    }
}
