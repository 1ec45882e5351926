//! Groups that cannot be described: which of them may be share groups.

use std::time::{Duration, Instant};

use auscult_runtime::kafka::survey::Survey;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};

use crate::support::{SOON, broker, make_topic, tried_again, unique, write_numbers};

/// A member of a KIP-848 group that has read a record.
fn member(brokers: &str, group: &str, topic: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", group).set("group.protocol", "consumer");
    config.set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let began = Instant::now();
    while consumer.poll(Duration::from_millis(100)).is_none_or(|record| record.is_err()) {
        assert!(began.elapsed() < SOON, "{group} got no record");
    }
    consumer
}

#[test]
fn a_group_with_a_committed_offset_is_no_share_group() {
    let Some(config) = broker() else { return };
    let topic = make_topic(&config, "results", 3, false);
    write_numbers(&config, &topic, 2, 0..10);
    let (commits, never) = (unique("commits"), unique("never-commits"));
    let first = member(&config.brokers, &commits, &topic);
    let _second = member(&config.brokers, &never, &topic);
    let (survey, _) = Survey::connect(&config, SOON, SOON).unwrap();
    let suspected = |group: &String| survey.share_groups(&[(&topic, 3)]).unwrap().contains(group);
    assert!(suspected(&commits) && suspected(&never));
    // The group's coordinator may still be looked for.
    tried_again(|| first.commit_consumer_state(CommitMode::Sync));
    assert!(!suspected(&commits), "only a consumer group has offsets");
    assert!(suspected(&never));
    let of_others = survey.share_groups(&[]).unwrap();
    assert!(of_others.contains(&commits), "what it reads is another topic");
}
