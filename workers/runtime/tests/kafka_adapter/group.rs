//! Membership: assignments, starts, rewinds, pauses, revokes, losses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use auscult_runtime::ports::{ConsumerEvent, Failure, LogConsumer, LogProducer, LogRestorer, Transaction};

use crate::support::{
    Dice, PARTITIONS, SOON, Worker, each_protocol, make_topic, number, output, positions, read_committed,
    thrown_out_after, unique, write_numbers,
};

#[test]
fn nothing_is_delivered_before_start_and_then_everything_from_there() {
    each_protocol(|config| {
        let input = make_topic(&config, "input", 1, false);
        write_numbers(&config, &input, 0, 0..500);
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        assert_eq!(worker.await_assigned(), [0]);
        let early = worker.events_within(Duration::from_secs(2));
        assert!(early.is_empty(), "{early:?}");
        worker.consumer.start(&positions(&[(0, 100)])).unwrap();
        let numbers: Vec<u64> = worker.records(400).iter().map(number).collect();
        assert_eq!(numbers, (100..500).collect::<Vec<_>>());
        assert!(worker.events_within(Duration::from_millis(500)).is_empty());
    });
}

#[test]
fn after_a_rewind_nothing_is_lost_and_nothing_queued_comes_through() {
    each_protocol(|config| {
        let input = make_topic(&config, "input", 2, false);
        write_numbers(&config, &input, 0, 0..3000);
        write_numbers(&config, &input, 1, 0..3000);
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        assert_eq!(worker.await_assigned(), [0, 1]);
        let mut next = [0_i64, 0];
        worker.consumer.start(&positions(&[(0, 0), (1, 0)])).unwrap();
        let mut dice = Dice(7);
        for _ in 0..200 {
            let taken = usize::try_from(dice.below(300)).unwrap();
            let left = usize::try_from(6000 - next[0] - next[1]).unwrap();
            for record in worker.records(taken.min(left)) {
                let partition = usize::try_from(record.coordinates.partition).unwrap();
                assert_eq!(record.coordinates.offset, next[partition], "partition {partition}");
                next[partition] += 1;
            }
            let partition = usize::try_from(dice.below(2)).unwrap();
            let back_to = i64::try_from(dice.below(3000)).unwrap();
            if dice.below(3) == 0 {
                worker.consumer.pause(&[i32::try_from(partition).unwrap()]).unwrap();
            }
            worker.consumer.start(&positions(&[(i32::try_from(partition).unwrap(), back_to)])).unwrap();
            next[partition] = back_to;
        }
    });
}

#[test]
fn a_paused_partition_goes_on_where_it_stopped() {
    each_protocol(|config| {
        let input = make_topic(&config, "input", 1, false);
        write_numbers(&config, &input, 0, 0..2000);
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        worker.await_assigned();
        worker.consumer.start(&positions(&[(0, 0)])).unwrap();
        let mut next = 0;
        for _ in 0..20 {
            for record in worker.records(50) {
                assert_eq!(record.coordinates.offset, next);
                next += 1;
            }
            worker.consumer.pause(&[0]).unwrap();
            // What was in the caller's hands already may still come; after that, silence.
            let late = worker.events_within(Duration::from_millis(100)).len();
            assert_eq!(late, 0, "records came while paused");
            worker.consumer.resume(&[0]).unwrap();
        }
    });
}

#[test]
fn a_second_member_gets_half_only_after_the_first_released_it() {
    each_protocol(|config| {
        let input = make_topic(&config, "input", PARTITIONS, false);
        let results = make_topic(&config, "output", PARTITIONS, false);
        for partition in 0..PARTITIONS {
            write_numbers(&config, &input, partition, 0..10);
        }
        let group = unique("group");
        let mut first = Worker::join(&config, &group, "a", &input);
        let all = first.await_assigned();
        assert_eq!(all, [0, 1, 2, 3]);
        first.consumer.start(&all.iter().map(|partition| (*partition, 0)).collect()).unwrap();
        first.records(40);

        let mut second = Worker::join(&config, &group, "b", &input);
        // Both have to be polled for the group to come to terms.
        let is_answered = AtomicBool::new(false);
        let revoked = std::thread::scope(|scope| {
            let polled = scope.spawn(|| second.events_until(|_| is_answered.load(Ordering::SeqCst)));
            let revoked = first.await_revoked();
            // The revoke waits for its answer, however long that takes, and nothing is handed over meanwhile. A rewind
            // of what stays, and a commit, go on as ever.
            let stays = all.iter().copied().find(|partition| !revoked.contains(partition)).unwrap();
            first.consumer.start(&positions(&[(stays, 5)])).unwrap();
            let transaction = Transaction {
                outputs: vec![output(&results, revoked[0], "m", Some("drained"))],
                offsets: revoked.iter().map(|partition| (*partition, 10)).collect(),
                membership: first.consumer.membership().unwrap(),
            };
            first.producer.commit(transaction).unwrap();
            let meanwhile = first.events_within(Duration::from_secs(2));
            is_answered.store(true, Ordering::SeqCst);
            assert!(!meanwhile.iter().any(|event| matches!(event, ConsumerEvent::Assigned(_))), "{meanwhile:?}");
            let early = polled.join().unwrap();
            assert!(early.is_empty(), "the second member got {early:?} before the first had let go");
            revoked
        });
        first.consumer.release(&revoked).unwrap();
        let (after, taken) = std::thread::scope(|scope| {
            let polled = scope.spawn(|| second.await_assigned());
            let is_record = |event: &&ConsumerEvent| matches!(event, ConsumerEvent::Record(_));
            let mut after =
                first.events_until(|events| events.iter().filter(is_record).count() >= 5 && polled.is_finished());
            after.extend(first.events_within(Duration::from_secs(1)));
            (after, polled.join().unwrap())
        });
        assert_eq!(taken, revoked);
        // The rewound partition, and nothing else, is delivered to the first.
        let redelivered: Vec<i64> = after
            .iter()
            .filter_map(|event| match event {
                ConsumerEvent::Record(record) => Some(record.coordinates.offset),
                _ => None,
            })
            .collect();
        assert_eq!(redelivered, [5, 6, 7, 8, 9]);
        for partition in &taken {
            assert_eq!(second.restorer.restore(*partition, None).unwrap().position, 10);
        }
        assert_eq!(read_committed(&config, &results, 1).len(), 1);
    });
}

#[test]
fn a_member_that_leaves_frees_its_partitions_at_once_even_with_a_revoke_unanswered() {
    each_protocol(|mut config| {
        // A classic group that had to wait for the session would wait longer than anything here does.
        config.session_timeout_ms = 300_000;
        let input = make_topic(&config, "input", PARTITIONS, false);
        let group = unique("group");
        let mut first = Worker::join(&config, &group, "a", &input);
        let all = first.await_assigned();
        first.consumer.start(&all.iter().map(|partition| (*partition, 0)).collect()).unwrap();
        let mut second = Worker::join(&config, &group, "b", &input);
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| {
                let mut taken = Vec::new();
                while taken.len() < 4 {
                    taken.extend(second.await_assigned());
                }
                taken
            });
            first.await_revoked();
            first.consumer.close();
            let mut taken = taken.join().unwrap();
            taken.sort_unstable();
            assert_eq!(taken, [0, 1, 2, 3]);
        });
        second.consumer.close();
    });
}

#[test]
fn a_member_that_was_thrown_out_hears_of_it_and_cannot_commit_before_it_does() {
    each_protocol(|mut config| {
        let give_up_after = thrown_out_after(&mut config);
        let input = make_topic(&config, "input", 2, false);
        let results = make_topic(&config, "output", 2, false);
        write_numbers(&config, &input, 0, 0..10);
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        assert_eq!(worker.await_assigned(), [0, 1]);
        worker.consumer.start(&positions(&[(0, 0), (1, 0)])).unwrap();
        worker.records(10);
        // Not polled for longer than the group waits.
        std::thread::sleep(give_up_after);
        worker.consumer.start(&positions(&[(0, 3)])).unwrap();
        let transaction = Transaction {
            outputs: vec![output(&results, 0, "m", Some("a zombie's"))],
            offsets: positions(&[(0, 10)]),
            membership: worker.consumer.membership().unwrap(),
        };
        match worker.producer.commit(transaction) {
            Err(Failure::Aborted(_)) => {}
            other => panic!("a zombie's commit: {other:?}"),
        }
        match worker.group_event() {
            ConsumerEvent::Lost(partitions) => assert_eq!(partitions, [0, 1]),
            other => panic!("expected a loss, got {other:?}"),
        }
        worker.consumer.release(&[0, 1]).unwrap();
        // And it comes back as a new member, to where it had committed: nowhere.
        assert_eq!(worker.await_assigned(), [0, 1]);
        let restored = worker.restorer.restore(0, None).unwrap();
        assert_eq!(restored.position, 0);
        worker.consumer.start(&positions(&[(0, 0), (1, 0)])).unwrap();
        assert_eq!(worker.records(10).len(), 10);
        let transaction = Transaction {
            outputs: vec![output(&results, 0, "m", Some("a member's"))],
            offsets: positions(&[(0, 10)]),
            membership: worker.consumer.membership().unwrap(),
        };
        worker.producer.commit(transaction).unwrap();
        let values: Vec<_> =
            read_committed(&config, &results, 1).into_iter().map(|record| record.value.unwrap()).collect();
        assert_eq!(values, ["a member's"]);
    });
}

#[test]
fn lag_counts_records_and_not_the_markers_of_transactions() {
    each_protocol(|config| {
        let source = make_topic(&config, "source", 1, false);
        let input = make_topic(&config, "input", 1, false);
        write_numbers(&config, &source, 0, 0..3);
        // Ten records in ten transactions: twenty offsets.
        let mut writer = Worker::join(&config, &unique("writers"), "w", &source);
        writer.await_assigned();
        for _ in 0..10 {
            let transaction = Transaction {
                outputs: vec![output(&input, 0, "m", Some("1"))],
                offsets: positions(&[(0, 1)]),
                membership: writer.consumer.membership().unwrap(),
            };
            writer.producer.commit(transaction).unwrap();
        }
        let mut worker = Worker::join(&config, &unique("group"), "a", &input);
        worker.await_assigned();
        worker.consumer.start(&positions(&[(0, 0)])).unwrap();
        assert_eq!(worker.records(10).last().unwrap().coordinates.offset, 18);
        let deadline = Instant::now() + SOON;
        while worker.consumer.lag() != [(0, 0)].into() {
            assert!(Instant::now() < deadline, "lag is {:?}", worker.consumer.lag());
            worker.events_within(Duration::from_millis(100));
        }
    });
}
