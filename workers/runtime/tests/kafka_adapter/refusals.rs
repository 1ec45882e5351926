//! What a broker refuses for good, where partitions end beyond their last record, and what retention takes from under a
//! reader.

use std::time::{Duration, Instant};

use auscult_runtime::config::{Delivery, KafkaConfig};
use auscult_runtime::ports::{ConsumerEvent, Failure, LogConsumer, LogProducer, LogRestorer, Transaction};
use auscult_runtime::record::OutputRecord;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::support::{
    SOON, Worker, broker, each_protocol, make_topic, output, positions, read_all, read_committed, unique, write_numbers,
};

fn admin(config: &KafkaConfig) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", &config.brokers).create().unwrap()
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A topic that takes less than ours do.
fn narrow_topic(config: &KafkaConfig, setting: &str, value: &str) -> String {
    let name = unique("narrow");
    let topic = NewTopic::new(&name, 1, TopicReplication::Fixed(1)).set(setting, value).set("retention.ms", "-1");
    let made = now(admin(config).create_topics([&topic], &AdminOptions::new())).unwrap();
    assert!(made[0].is_ok(), "{made:?}");
    name
}

/// What no compression makes smaller.
fn noise(bytes: usize) -> String {
    let mut dice = crate::support::Dice(7);
    (0..bytes).map(|_| char::from(b'!' + u8::try_from(dice.below(90)).unwrap())).collect()
}

/// Commits until the refused records are named, as a runner does, which leaves the offsets where they are after an
/// abort.
fn refused_of(worker: &mut Worker, outputs: &[OutputRecord]) -> Vec<(String, Option<i64>, String)> {
    let deadline = Instant::now() + SOON;
    loop {
        assert!(Instant::now() < deadline, "nothing was refused");
        let membership = worker.consumer.membership().unwrap();
        let outputs = outputs.to_vec();
        match worker.producer.commit(Transaction { outputs, offsets: positions(&[(0, 1)]), membership }) {
            Err(Failure::Refused { outputs, .. }) => {
                return outputs.into_iter().map(|output| (output.topic, output.source_offset, output.reason)).collect();
            }
            Err(Failure::Aborted(reason)) => println!("aborted: {reason}"),
            other => panic!("{other:?}"),
        }
    }
}

fn of(offset: i64, output: OutputRecord) -> OutputRecord {
    OutputRecord { source_offset: Some(offset), timestamp_ms: None, ..output }
}

#[test]
fn a_record_that_is_too_large_for_its_topic_is_named_and_the_others_are_committed_without_it() {
    let Some(config) = broker() else { return };
    for delivery in [Delivery::ExactlyOnce, Delivery::AtLeastOnce] {
        let config = KafkaConfig { delivery, ..config.clone() };
        let input = make_topic(&config, "input", 1, false);
        let results = narrow_topic(&config, "max.message.bytes", "20000");
        write_numbers(&config, &input, 0, 0..9);
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        worker.await_assigned();
        let large = noise(30_000);
        let mut outputs: Vec<OutputRecord> =
            (0..9).map(|number| of(number, output(&results, 0, "m", Some(&number.to_string())))).collect();
        outputs[4].value = Some(large.into());
        let refused = refused_of(&mut worker, &outputs);
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert_eq!((refused[0].0.as_str(), refused[0].1), (results.as_str(), Some(4)));
        assert!(refused[0].2.contains("topics check"), "{}", refused[0].2);
        if delivery == Delivery::ExactlyOnce {
            assert!(read_all(&config, &results).is_empty(), "an aborted result is seen");
        }
        outputs.remove(4);
        let membership = worker.consumer.membership().unwrap();
        worker.producer.commit(Transaction { outputs, offsets: positions(&[(0, 9)]), membership }).unwrap();
        let mut values: Vec<_> =
            read_committed(&config, &results, 8).into_iter().map(|record| record.value.unwrap()).collect();
        values.dedup();
        if delivery == Delivery::ExactlyOnce {
            assert_eq!(values, ["0", "1", "2", "3", "5", "6", "7", "8"]);
        }
        assert_eq!(worker.restorer.restore(0, None).unwrap().position, 9);
    }
}

#[test]
fn a_record_that_librdkafka_itself_finds_too_large_is_named() {
    let Some(config) = broker() else { return };
    let input = make_topic(&config, "input", 1, false);
    let results = make_topic(&config, "output", 1, false);
    let mut worker = Worker::join(&config, &unique("group"), "a", &input);
    worker.await_assigned();
    let huge = "x".repeat(9 * 1024 * 1024);
    let outputs = [of(0, output(&results, 0, "m", Some("0"))), of(1, output(&results, 0, "m", Some(&huge)))];
    let refused = refused_of(&mut worker, &outputs);
    assert_eq!(refused.iter().map(|refused| refused.1).collect::<Vec<_>>(), [Some(1)]);
}

#[test]
fn a_record_whose_time_the_broker_refuses_is_named() {
    let Some(config) = broker() else { return };
    let input = make_topic(&config, "input", 1, false);
    let results = narrow_topic(&config, "message.timestamp.before.max.ms", "60000");
    let mut worker = Worker::join(&config, &unique("group"), "a", &input);
    worker.await_assigned();
    let mut outputs: Vec<OutputRecord> =
        (0..5).map(|number| of(number, output(&results, 0, "m", Some(&number.to_string())))).collect();
    outputs[2].timestamp_ms = Some(1);
    outputs[3].timestamp_ms = Some(1_700_000);
    let mut found = Vec::new();
    while found.len() < 2 {
        for (_, offset, reason) in refused_of(&mut worker, &outputs) {
            assert!(reason.contains("clock right"), "{reason}");
            found.push(offset.unwrap());
            outputs.retain(|output| output.source_offset != offset);
        }
    }
    found.sort_unstable();
    assert_eq!(found, [2, 3]);
    let membership = worker.consumer.membership().unwrap();
    worker.producer.commit(Transaction { outputs, offsets: positions(&[(0, 1)]), membership }).unwrap();
    assert_eq!(read_committed(&config, &results, 3).len(), 3);
}

#[test]
fn a_partition_that_ends_in_markers_is_passed_and_one_that_ends_in_a_record_is_not() {
    each_protocol(|config| {
        let upstream = make_topic(&config, "upstream", 1, false);
        let input = make_topic(&config, "input", 1, false);
        let mut writer = Worker::join(&config, &unique("group"), "w", &upstream);
        writer.await_assigned();
        let mut write = |value: &str| {
            let membership = writer.consumer.membership().unwrap();
            let outputs = vec![output(&input, 0, "m", Some(value))];
            writer.producer.commit(Transaction { outputs, offsets: positions(&[(0, 0)]), membership }).unwrap();
        };
        write("1");
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        worker.await_assigned();
        worker.consumer.start(&positions(&[(0, 0)])).unwrap();
        worker.records(1);
        // Record 0, its marker at 1.
        assert_eq!(worker.restorer.undelivered_end(0, 0).unwrap(), None, "a record lies there");
        assert_eq!(worker.restorer.undelivered_end(0, 1).unwrap(), Some(2));
        assert_eq!(worker.restorer.undelivered_end(0, 2).unwrap(), None, "nothing to pass");
        write("2");
        assert_eq!(worker.restorer.undelivered_end(0, 1).unwrap(), None, "another record has come");

        // The marker expires before anybody takes over: no loss where its offset was passed, and one where a record
        // was.
        let group = unique("group");
        let mut first = Worker::join(&config, &group, "a", &input);
        first.await_assigned();
        let membership = first.consumer.membership().unwrap();
        let passed = Transaction { outputs: Vec::new(), offsets: positions(&[(0, 4)]), membership };
        first.producer.commit(passed).unwrap();
        delete_before(&config, &input, 4);
        let restored = first.restorer.restore(0, None).unwrap();
        assert_eq!((restored.position, restored.expired_offsets), (4, 0));
        write_numbers(&config, &input, 0, 0..3);
        delete_before(&config, &input, 7);
        assert_eq!(first.restorer.restore(0, None).unwrap().expired_offsets, 3);
    });
}

#[test]
fn a_reader_that_retention_overtakes_does_not_go_on_without_a_word() {
    each_protocol(|config| {
        let input = make_topic(&config, "input", 1, false);
        write_numbers(&config, &input, 0, 0..10);
        delete_before(&config, &input, 6);
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        worker.await_assigned();
        worker.consumer.start(&positions(&[(0, 2)])).unwrap();
        let deadline = Instant::now() + SOON;
        loop {
            assert!(Instant::now() < deadline, "nothing is said");
            match worker.consumer.poll(Duration::from_millis(50)) {
                Some(ConsumerEvent::Failed(Failure::Fatal(reason))) => {
                    assert!(reason.contains("deleted by retention"), "{reason}");
                    break;
                }
                Some(ConsumerEvent::Record(record)) => panic!("it went on at {}", record.coordinates),
                Some(other) => panic!("{other:?}"),
                None => {}
            }
        }
    });
}

/// As retention does.
fn delete_before(config: &KafkaConfig, topic: &str, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
    now(admin(config).delete_records(&list, &AdminOptions::new())).unwrap();
}

#[test]
fn a_lone_record_that_is_refused_again_and_again_costs_no_time_beyond_its_aborts() {
    let Some(config) = broker() else { return };
    let input = make_topic(&config, "input", 1, false);
    // Not less: a topic that takes fewer bytes than a transaction's marker has keeps its transactions open for ever.
    let results = narrow_topic(&config, "max.message.bytes", "200");
    let mut worker = Worker::join(&config, &unique("group"), "a", &input);
    worker.await_assigned();
    // librdkafka's own patience with a record is minutes.
    let started = Instant::now();
    for _ in 0..6 {
        let refused = refused_of(&mut worker, &[of(0, output(&results, 0, "m", Some(&noise(600))))]);
        assert_eq!(refused.len(), 1);
    }
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}
