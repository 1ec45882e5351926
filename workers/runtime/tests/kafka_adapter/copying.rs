//! The whole port at work: members come, go, abort and rewind, and every record is copied once and in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use auscult_runtime::config::{Delivery, KafkaConfig};
use auscult_runtime::ports::{ConsumerEvent, Failure, LogConsumer, LogProducer, LogRestorer, Transaction};
use auscult_runtime::record::{OutputRecord, Record};

use crate::support::{Dice, PARTITIONS, Worker, each_protocol, make_topic, number, read_all, unique, write_numbers};

const RECORDS: u64 = 1200;

struct Copier<'a> {
    worker: Worker,
    results: &'a str,
    dice: Dice,
    batch: Vec<Record>,
    /// Where to go on, by partition: committed.
    committed: BTreeMap<i32, i64>,
}

impl Copier<'_> {
    /// Copies until told to stop, then leaves the group.
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::SeqCst) {
            match self.worker.consumer.poll(Duration::from_millis(20)) {
                Some(ConsumerEvent::Record(record)) => self.batch.push(record),
                Some(ConsumerEvent::Assigned(partitions)) => self.take(&partitions),
                Some(ConsumerEvent::Revoked(partitions)) => {
                    if self.dice.below(2) == 0 {
                        self.commit();
                    }
                    self.let_go(&partitions);
                }
                Some(ConsumerEvent::Lost(partitions)) => self.let_go(&partitions),
                Some(ConsumerEvent::Failed(failure)) => panic!("{failure}"),
                None => self.commit(),
            }
            if self.batch.len() >= 40 {
                self.commit();
            }
        }
        self.worker.consumer.close();
    }

    fn take(&mut self, partitions: &[i32]) {
        for partition in partitions {
            let restored = self.worker.restorer.restore(*partition, None).unwrap();
            self.committed.insert(*partition, restored.position);
        }
        let positions = partitions.iter().map(|partition| (*partition, self.committed[partition])).collect();
        self.worker.consumer.start(&positions).unwrap();
    }

    fn let_go(&mut self, partitions: &[i32]) {
        self.batch.retain(|record| !partitions.contains(&record.coordinates.partition));
        for partition in partitions {
            self.committed.remove(partition);
        }
        self.worker.consumer.release(partitions).unwrap();
    }

    fn commit(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        // Now and then the work is thrown away and done again.
        if self.dice.below(8) == 0 {
            return self.rewind();
        }
        let batch = std::mem::take(&mut self.batch);
        let mut offsets = BTreeMap::new();
        for record in &batch {
            offsets.insert(record.coordinates.partition, record.coordinates.offset + 1);
        }
        let outputs = batch.iter().map(|record| self.copy_of(record)).collect();
        let membership = self.worker.consumer.membership().unwrap();
        match self.worker.producer.commit(Transaction { outputs, offsets: offsets.clone(), membership }) {
            Ok(()) => self.committed.extend(offsets),
            Err(Failure::Aborted(_)) => self.rewind(),
            Err(failure) => panic!("{failure}"),
        }
    }

    fn rewind(&mut self) {
        self.batch.clear();
        self.worker.consumer.start(&self.committed).unwrap();
    }

    fn copy_of(&self, record: &Record) -> OutputRecord {
        OutputRecord {
            topic: self.results.to_owned(),
            partition: record.coordinates.partition,
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
            timestamp_ms: record.timestamp_ms,
            source_offset: Some(record.coordinates.offset),
        }
    }
}

fn copied_by_members_that_come_and_go(config: &KafkaConfig, seed: u64) -> Vec<Record> {
    let input = make_topic(config, "input", PARTITIONS, false);
    let results = make_topic(config, "output", PARTITIONS, false);
    let group = unique("group");
    let mut dice = Dice(seed);
    let is_written = AtomicBool::new(false);
    let is_copied = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for step in 0..RECORDS / 100 {
                for partition in 0..PARTITIONS {
                    write_numbers(config, &input, partition, step * 100..step * 100 + 100);
                }
                std::thread::sleep(Duration::from_millis(400));
            }
            is_written.store(true, Ordering::SeqCst);
        });
        let copier = |name: String, seed: u64| {
            let worker = Worker::join(config, &group, &name, &input);
            Copier { worker, results: &results, dice: Dice(seed), batch: Vec::new(), committed: BTreeMap::new() }
        };
        // One stays; others come for a few seconds, two at a time.
        let lasting = copier("lasting".to_owned(), seed);
        scope.spawn(|| lasting.run(&is_copied));
        let mut visits = 0;
        while !is_written.load(Ordering::SeqCst) {
            let gone: Vec<AtomicBool> = vec![AtomicBool::new(false), AtomicBool::new(false)];
            std::thread::scope(|visit| {
                for gone in &gone {
                    visits += 1;
                    // Names come back, as pods do.
                    let visitor = copier(format!("visitor-{}", visits % 4), dice.below(u64::MAX >> 34));
                    visit.spawn(move || visitor.run(gone));
                    std::thread::sleep(Duration::from_millis(dice.below(1500)));
                }
                std::thread::sleep(Duration::from_millis(500 + dice.below(3000)));
                for gone in &gone {
                    gone.store(true, Ordering::SeqCst);
                }
            });
        }
        println!("{visits} members came and went");
        let expected = usize::try_from(RECORDS).unwrap() * usize::try_from(PARTITIONS).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let found = read_all(config, &results);
            let distinct: BTreeSet<(i32, u64)> =
                found.iter().map(|record| (record.coordinates.partition, number(record))).collect();
            if distinct.len() == expected || Instant::now() > deadline {
                is_copied.store(true, Ordering::SeqCst);
                return found;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    })
}

#[test]
fn exactly_once_copies_every_record_once_and_in_order_while_members_come_and_go() {
    each_protocol(|config| {
        let copies = copied_by_members_that_come_and_go(&config, 11);
        for partition in 0..PARTITIONS {
            let numbers: Vec<u64> =
                copies.iter().filter(|copy| copy.coordinates.partition == partition).map(number).collect();
            let expected: Vec<u64> = (0..RECORDS).collect();
            assert!(numbers == expected, "partition {partition}: {}", difference(&numbers));
        }
    });
}

#[test]
fn at_least_once_copies_every_record_while_members_come_and_go() {
    each_protocol(|config| {
        let config = KafkaConfig { delivery: Delivery::AtLeastOnce, ..config };
        let copies = copied_by_members_that_come_and_go(&config, 12);
        for partition in 0..PARTITIONS {
            let numbers: BTreeSet<u64> =
                copies.iter().filter(|copy| copy.coordinates.partition == partition).map(number).collect();
            assert_eq!(numbers.len() as u64, RECORDS, "partition {partition}");
        }
    });
}

fn difference(numbers: &[u64]) -> String {
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    let missing: Vec<u64> = (0..RECORDS).filter(|number| !distinct.contains(number)).collect();
    let disorder = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect::<Vec<_>>();
    format!("{} copies, missing {missing:?}, breaks {disorder:?}", numbers.len())
}
