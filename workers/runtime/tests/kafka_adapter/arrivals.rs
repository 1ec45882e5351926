//! Waiting for records without polling for them.

use std::time::Duration;

use auscult_runtime::ports::{ConsumerEvent, LogConsumer};

use crate::support::{SOON, Worker, each_protocol, make_topic, number, positions, unique, write_numbers};

/// What comes of a consumer that is polled only after a token, and then until there is nothing.
fn numbers_after_tokens(worker: &mut Worker, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let token = worker.consumer.arrivals().unwrap().recv_timeout(SOON);
        assert_eq!(token, Ok(()), "{} of {count} records came, and no token for the others", numbers.len());
        while let Some(event) = worker.consumer.poll(Duration::ZERO) {
            match event {
                ConsumerEvent::Record(record) => numbers.push(number(&record)),
                other => panic!("expected records, got {other:?}"),
            }
        }
    }
    numbers
}

#[test]
fn records_leave_a_token_each_time_they_come_to_an_empty_queue() {
    each_protocol(|config| {
        let input = make_topic(&config, "input", 1, false);
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        worker.await_assigned();
        worker.consumer.start(&positions(&[(0, 0)])).unwrap();
        for first in [0, 300, 600] {
            write_numbers(&config, &input, 0, first..first + 300);
            assert_eq!(numbers_after_tokens(&mut worker, 300), (first..first + 300).collect::<Vec<_>>());
        }
    });
}
