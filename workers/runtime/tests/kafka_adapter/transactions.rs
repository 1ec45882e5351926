//! What a commit promises.

use std::time::Instant;

use auscult_runtime::config::Delivery;
use auscult_runtime::ports::{Failure, LogConsumer, LogProducer, LogRestorer, Transaction};
use auscult_schemas::Headers;
use bytes::Bytes;

use crate::support::{
    Worker, broker, each_protocol, make_topic, output, positions, read_all, read_committed, thrown_out_after,
    tried_again, unique, write_numbers,
};

#[test]
fn outputs_and_offsets_are_committed_together_and_read_back_as_they_were() {
    each_protocol(|config| {
        let input = make_topic(&config, "input", 2, false);
        let results = make_topic(&config, "output", 2, false);
        write_numbers(&config, &input, 1, 0..5);
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        worker.await_assigned();
        worker.consumer.start(&positions(&[(0, 0), (1, 0)])).unwrap();
        worker.records(5);
        let sent = output(&results, 1, "machine", Some("value"));
        let empty = output(&results, 1, "machine", Some(""));
        let tombstone = output(&results, 1, "machine", None);
        let transaction = Transaction {
            outputs: vec![sent.clone(), empty, tombstone],
            offsets: positions(&[(1, 5)]),
            membership: worker.consumer.membership().unwrap(),
        };
        worker.producer.commit(transaction).unwrap();
        let read = read_committed(&config, &results, 3);
        let values: Vec<Option<&[u8]>> = read.iter().map(|record| record.value.as_deref()).collect();
        assert_eq!(values, [Some(b"value".as_slice()), Some(b"".as_slice()), None]);
        let first = &read[0];
        assert_eq!((first.coordinates.partition, &first.key, &first.headers), (1, &sent.key, &sent.headers));
        assert_eq!(first.timestamp_ms, sent.timestamp_ms);
        assert_eq!(worker.restorer.restore(1, None).unwrap().position, 5);
        assert_eq!(worker.restorer.restore(0, None).unwrap().position, 0);
    });
}

#[test]
fn a_commit_of_many_small_records_is_not_held_up_by_librdkafka_s_flush() {
    let Some(config) = broker() else { return };
    let input = make_topic(&config, "input", 1, false);
    let results = make_topic(&config, "output", 1, false);
    write_numbers(&config, &input, 0, 0..1);
    let mut worker = Worker::join(&config, &unique("group"), "a", &input);
    worker.await_assigned();
    let mut took = Vec::new();
    for _ in 0..50 {
        let outputs = (0..100).map(|number| output(&results, 0, "m", Some(&format!("{number}")))).collect();
        let membership = worker.consumer.membership().unwrap();
        let started = Instant::now();
        worker.producer.commit(Transaction { outputs, offsets: positions(&[(0, 1)]), membership }).unwrap();
        took.push(started.elapsed());
    }
    took.sort();
    println!("a transaction of 100 records: median {:?}, slowest {:?}", took[25], took[49]);
    assert_eq!(read_committed(&config, &results, 5000).len(), 5000);
}

#[test]
fn a_worker_whose_transactional_id_is_taken_over_fails_and_is_told_what_to_change() {
    let Some(config) = broker() else { return };
    let input = make_topic(&config, "input", 1, false);
    let results = make_topic(&config, "output", 1, false);
    write_numbers(&config, &input, 0, 0..1);
    let group = unique("group");
    let mut first = Worker::join(&config, &group, "same", &input);
    first.await_assigned();
    let membership = first.consumer.membership().unwrap();
    let _second = Worker::join(&config, &group, "same", &input);
    let outputs = vec![output(&results, 0, "m", Some("a zombie's"))];
    let failure =
        first.producer.commit(Transaction { outputs, offsets: positions(&[(0, 1)]), membership }).unwrap_err();
    let Failure::Fatal(reason) = &failure else { panic!("{failure:?}") };
    assert!(reason.contains(&format!("{group}-same")) && reason.contains("kafka.instance_id"), "{reason}");
    assert!(read_all(&config, &results).is_empty());
}

#[test]
fn a_record_that_can_never_be_taken_is_fatal_with_the_remedy_and_leaves_nothing_behind() {
    let Some(config) = broker() else { return };
    let input = make_topic(&config, "input", 1, false);
    let results = make_topic(&config, "output", 1, false);
    write_numbers(&config, &input, 0, 0..1);
    for (bad, remedy) in [
        (output("no-such-topic", 0, "m", Some("x")), "topics check"),
        (output(&results, 7, "m", Some("x")), "topics check"),
    ] {
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        worker.await_assigned();
        let outputs = vec![output(&results, 0, "m", Some("good")), bad];
        let membership = worker.consumer.membership().unwrap();
        let commit = worker.producer.commit(Transaction { outputs, offsets: positions(&[(0, 1)]), membership });
        let Err(Failure::Fatal(reason)) = commit else { panic!("{commit:?}") };
        assert!(reason.contains(remedy), "{reason}");
        assert_eq!(worker.restorer.restore(0, None).unwrap().position, 0);
    }
    assert!(read_all(&config, &results).is_empty());
}

#[test]
fn the_largest_chunk_fits_through_every_client() {
    let Some(config) = broker() else { return };
    let input = make_topic(&config, "input", 1, false);
    let results = make_topic(&config, "output", 1, false);
    write_numbers(&config, &input, 0, 0..1);
    let mut worker = Worker::join(&config, &unique("group"), "a", &input);
    worker.await_assigned();
    let mut large = output(&results, 0, "m", None);
    large.headers = Headers::default();
    large.value = Some(Bytes::from(vec![7_u8; 8 * 1024 * 1024 - 2048]));
    for count in 1..=4 {
        let membership = worker.consumer.membership().unwrap();
        let outputs = vec![large.clone(); count];
        worker.producer.commit(Transaction { outputs, offsets: positions(&[(0, 1)]), membership }).unwrap();
    }
    let read = read_committed(&config, &results, 10);
    assert_eq!(read.len(), 10);
    assert!(read.iter().all(|record| record.value == large.value));
}

#[test]
fn at_least_once_commits_offsets_after_delivery_and_a_stranger_s_are_refused() {
    each_protocol(|mut config| {
        config.delivery = Delivery::AtLeastOnce;
        let give_up_after = thrown_out_after(&mut config);
        let input = make_topic(&config, "input", 1, false);
        let results = make_topic(&config, "output", 1, false);
        write_numbers(&config, &input, 0, 0..5);
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        worker.await_assigned();
        worker.consumer.start(&positions(&[(0, 0)])).unwrap();
        worker.records(5);
        let commit = |worker: &mut Worker, offset: i64| {
            let membership = worker.consumer.membership().unwrap();
            let outputs = vec![output(&results, 0, "m", Some("x"))];
            worker.producer.commit(Transaction { outputs, offsets: positions(&[(0, offset)]), membership })
        };
        // A member whose epoch has just changed learns of it by its next heartbeat.
        tried_again(|| commit(&mut worker, 3));
        assert_eq!(worker.restorer.restore(0, None).unwrap().position, 3);
        let delivered = read_all(&config, &results).len();
        assert!(delivered >= 1);
        // Thrown out for not polling.
        std::thread::sleep(give_up_after);
        let late = commit(&mut worker, 5);
        assert!(matches!(late, Err(Failure::Aborted(_))), "{late:?}");
        assert_eq!(worker.restorer.restore(0, None).unwrap().position, 3);
    });
}
