//! What is known of a partition when it is taken over.

use std::time::{Duration, Instant};

use auscult_runtime::config::KafkaConfig;
use auscult_runtime::ports::{LogConsumer, LogProducer, LogRestorer, Transaction};
use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::{SOON, Worker, broker, each_protocol, make_topic, output, positions, unique, write_numbers};

/// A producer that is no worker, with a transaction open: two records in the changelog.
fn open_transaction(config: &KafkaConfig, changelog: &str, partition: i32) -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &config.brokers)
        .set("transactional.id", unique("stranger"))
        .set("transaction.timeout.ms", "5000")
        .create()
        .unwrap();
    producer.init_transactions(Duration::from_secs(10)).unwrap();
    producer.begin_transaction().unwrap();
    for key in ["m1", "m2"] {
        producer.send(BaseRecord::to(changelog).partition(partition).key(key).payload("of a stranger")).unwrap();
    }
    // Twice, since a flush tells only of what it saw.
    producer.flush(Duration::from_secs(10)).unwrap();
    producer
}

#[test]
fn the_changelog_gives_each_key_its_latest_value_and_forgets_tombstones() {
    each_protocol(|config| {
        let input = make_topic(&config, "input", 2, false);
        let changelog = make_topic(&config, "state", 2, true);
        write_numbers(&config, &input, 1, 0..5);
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        worker.await_assigned();
        let mut commit = |outputs, offset| {
            let membership = worker.consumer.membership().unwrap();
            worker.producer.commit(Transaction { outputs, offsets: positions(&[(1, offset)]), membership }).unwrap();
        };
        commit(vec![output(&changelog, 1, "m1", Some("old")), output(&changelog, 1, "m2", Some("gone"))], 2);
        commit(vec![output(&changelog, 1, "m1", Some("new")), output(&changelog, 1, "m2", None)], 4);
        commit(vec![output(&changelog, 0, "other", Some("partition"))], 5);

        let restored = worker.restorer.restore(1, Some(&changelog)).unwrap();
        assert_eq!(restored.position, 5);
        assert_eq!(restored.entries, [(Bytes::from_static(b"m1"), Bytes::from_static(b"new"))].into());
        assert_eq!(restored.bytes_read, (5 + 6 + 5 + 2) as u64);
        // Again and again, and another partition between: the reader starts afresh each time.
        for _ in 0..5 {
            let other = worker.restorer.restore(0, Some(&changelog)).unwrap();
            assert_eq!((other.position, other.entries.len()), (0, 1));
            assert_eq!(worker.restorer.restore(1, Some(&changelog)).unwrap().entries.len(), 1);
        }
    });
}

#[test]
fn an_empty_changelog_ends_at_once_and_so_does_one_of_nothing_but_aborted_records() {
    let Some(config) = broker() else { return };
    let input = make_topic(&config, "input", 2, false);
    let changelog = make_topic(&config, "state", 2, true);
    let mut worker = Worker::join(&config, &unique("group"), "a", &input);
    assert!(worker.restorer.restore(0, Some(&changelog)).unwrap().entries.is_empty());
    let stranger = open_transaction(&config, &changelog, 1);
    stranger.abort_transaction(Duration::from_secs(10)).unwrap();
    let started = Instant::now();
    let restored = worker.restorer.restore(1, Some(&changelog)).unwrap();
    assert!(restored.entries.is_empty() && restored.bytes_read == 0, "{restored:?}");
    // The restorer's own patience is two minutes.
    assert!(started.elapsed() < SOON, "took {:?}", started.elapsed());
}

#[test]
fn a_position_behind_the_end_of_the_input_is_refused_and_nothing_is_passed_over() {
    let Some(config) = broker() else { return };
    let input = make_topic(&config, "input", 1, false);
    write_numbers(&config, &input, 0, 0..3);
    let mut worker = Worker::join(&config, &unique("group"), "a", &input);
    worker.await_assigned();
    let membership = worker.consumer.membership().unwrap();
    // As if the topic had been made anew since.
    worker.producer.commit(Transaction { outputs: Vec::new(), offsets: positions(&[(0, 2029)]), membership }).unwrap();
    let refused = worker.restorer.restore(0, None).unwrap_err().to_string();
    assert!(refused.contains("ends at offset 3") && refused.contains("2029") && refused.contains("Reset"), "{refused}");
}

#[test]
fn a_restore_waits_for_a_transaction_that_is_open_in_the_changelog() {
    let Some(config) = broker() else { return };
    let input = make_topic(&config, "input", 1, false);
    let changelog = make_topic(&config, "state", 1, true);
    write_numbers(&config, &input, 0, 0..5);
    let mut worker = Worker::join(&config, &unique("group"), "a", &input);
    worker.await_assigned();
    // Somebody who was taken for dead has a transaction open, and behind it ours is committed.
    let stranger = open_transaction(&config, &changelog, 0);
    let membership = worker.consumer.membership().unwrap();
    let outputs = vec![output(&changelog, 0, "m1", Some("ours"))];
    worker.producer.commit(Transaction { outputs, offsets: positions(&[(0, 5)]), membership }).unwrap();
    let started = Instant::now();
    let restored = worker.restorer.restore(0, Some(&changelog)).unwrap();
    println!("waited {:?} for the broker to abort the stranger's transaction", started.elapsed());
    assert_eq!(restored.entries, [(Bytes::from_static(b"m1"), Bytes::from_static(b"ours"))].into());
    assert_eq!(restored.position, 5);
    drop(stranger);
}

#[test]
fn a_restore_waits_until_no_transaction_holds_offsets_of_the_partition() {
    each_protocol(|config| {
        let input = make_topic(&config, "input", 1, false);
        write_numbers(&config, &input, 0, 0..5);
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        worker.await_assigned();
        let membership = worker.consumer.membership().unwrap();
        let holder: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &config.brokers)
            .set("transactional.id", unique("holder"))
            .create()
            .unwrap();
        holder.init_transactions(Duration::from_secs(10)).unwrap();
        holder.begin_transaction().unwrap();
        let mut offsets = rdkafka::TopicPartitionList::new();
        offsets.add_partition_offset(&input, 0, rdkafka::Offset::Offset(4)).unwrap();
        holder.send_offsets_to_transaction(&offsets, &membership, Duration::from_secs(10)).unwrap();
        std::thread::scope(|scope| {
            let restoring = scope.spawn(|| worker.restorer.restore(0, None).unwrap().position);
            std::thread::sleep(Duration::from_secs(2));
            assert!(!restoring.is_finished(), "the position was told while a transaction was open");
            holder.commit_transaction(Duration::from_secs(10)).unwrap();
            assert_eq!(restoring.join().unwrap(), 4);
        });
    });
}
