//! Exactly one committed result for every record, in order, with a state that equals a serial replay, whatever happens
//! in between: random interleavings of polls, computations, commits, restores, joins, crashes, expiries and injected
//! errors.
//!
//! `PROPTEST_CASES=100000` runs it longer.

#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the report")]

mod chain;
mod world;

use std::time::Duration;

use auscult_runtime::memory_log::{Fault, Step};
use auscult_schemas::{DeadLetter, DeadLetterCode};
use proptest::prelude::*;

use chain::{BOMB, HUGE, POISON, SWOLLEN, verify};
use world::World;

const WORKERS: usize = 3;

#[derive(Debug, Clone)]
enum Happening {
    Append { partition: i32, machine: u8, value: Vec<u8> },
    Poll(usize),
    Compute(usize),
    Commit(usize),
    Restore(usize),
    CheckEnd(usize),
    PassTime(u64),
    Inject(Step, Fault),
    ExpireMember(usize),
    ExpireTransaction(usize),
    Crash(usize),
    Stop(usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    let worker = 0..WORKERS;
    let value = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 1..12),
        1 => Just(POISON.to_vec()),
        1 => Just(BOMB.to_vec()),
        1 => Just(Vec::new()),
        1 => Just(vec![7; 1_200]),
        1 => Just(HUGE.to_vec()),
    ];
    let step = prop_oneof![
        Just(Step::Begin),
        Just(Step::Send),
        Just(Step::SendOffsets),
        Just(Step::Commit),
        Just(Step::Committed),
        Just(Step::Restore)
    ];
    let fault = prop_oneof![Just(Fault::Abort), Just(Fault::Fatal)];
    prop_oneof![
        12 => (0..3_i32, 0..4_u8, value).prop_map(|(partition, machine, value)| Happening::Append { partition, machine, value }),
        24 => worker.clone().prop_map(Happening::Poll),
        16 => worker.clone().prop_map(Happening::Compute),
        12 => worker.clone().prop_map(Happening::Commit),
        12 => worker.clone().prop_map(Happening::Restore),
        4 => worker.clone().prop_map(Happening::CheckEnd),
        10 => (1..40_u64).prop_map(Happening::PassTime),
        3 => (step, fault).prop_map(|(step, fault)| Happening::Inject(step, fault)),
        2 => worker.clone().prop_map(Happening::ExpireMember),
        2 => worker.clone().prop_map(Happening::ExpireTransaction),
        2 => worker.clone().prop_map(Happening::Crash),
        1 => worker.prop_map(Happening::Stop),
    ]
}

fn apply(world: &mut World, happening: Happening) {
    match happening {
        Happening::Append { partition, machine, value } => world.append(partition, machine, &value),
        Happening::Poll(worker) => drop(world.poll(worker)),
        Happening::Compute(worker) => drop(world.compute(worker)),
        Happening::Commit(worker) => drop(world.commit(worker)),
        Happening::Restore(worker) => drop(world.restore(worker)),
        Happening::CheckEnd(worker) => drop(world.sound(worker)),
        Happening::PassTime(ms) => world.pass_time(Duration::from_millis(ms)),
        Happening::Inject(step, fault) => world.log.inject(step, fault),
        Happening::ExpireMember(worker) => world.expire_member(worker),
        Happening::ExpireTransaction(worker) => world.expire_transaction(worker),
        Happening::Crash(worker) => world.crash(worker),
        Happening::Stop(worker) => world.stop(worker),
    }
}

/// The bombs panic on purpose; their messages would drown the report.
fn silence_panics_of_bombs() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.payload_as_str().is_some_and(|text| text.contains("the bomb went off")) {
                default(panic);
            }
        }));
    });
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn every_record_has_exactly_one_result_whatever_happens(happenings in prop::collection::vec(happening(), 10..140)) {
        silence_panics_of_bombs();
        let mut world = World::new(3, WORKERS);
        for happening in happenings {
            apply(&mut world, happening);
        }
        world.settle();
        if let Err(report) = verify(&world) {
            return Err(TestCaseError::fail(report));
        }
    }
}

#[test]
fn what_a_topic_refuses_becomes_a_letter_that_can_be_written_and_its_partition_goes_on() {
    let mut world = World::new(1, 1);
    for value in [b"a".to_vec(), HUGE.to_vec(), b"b".to_vec(), vec![7; 1_200], b"c".to_vec()] {
        world.append(0, 1, &value);
    }
    world.settle();
    verify(&world).unwrap();
    let (letters, _) = world.log.read(auscult_schemas::topics::DEAD_LETTERS, 0, 0, 9);
    let read: Vec<DeadLetter> = letters.iter().map(|letter| DeadLetter::read(&letter.headers).unwrap()).collect();
    assert_eq!(read[0].code, DeadLetterCode::OutputRefused);
    assert!(read[0].detail.contains("cannot be written to output"), "{}", read[0].detail);
    assert_eq!((read[1].code, read[1].value_omitted), (DeadLetterCode::TooLarge, true));
}

#[test]
fn a_state_that_cannot_be_written_takes_its_machine_s_records_of_the_batch_with_it_and_no_others() {
    let mut world = World::new(1, 1);
    for (machine, value) in [(0, &b"a"[..]), (1, SWOLLEN), (2, b"b"), (0, b"c")] {
        world.append(0, machine, value);
    }
    world.settle();
    verify(&world).unwrap();
}

#[test]
fn aborts_in_a_row_are_done_again_later_and_later_and_a_commit_forgets_them() {
    let mut world = World::new(1, 1);
    world.append(0, 0, b"a");
    for _ in 0..12 {
        world.log.inject(Step::Commit, Fault::Abort);
    }
    let mut aborts = Vec::new();
    while aborts.len() < 12 {
        let before = world.waits_until(0);
        let is_busy = world.poll(0) | world.compute(0) | world.restore(0);
        if world.commit(0) {
            aborts.push(world.waits_until(0));
        } else if !is_busy {
            let next = before.expect("something is due");
            world.pass_time(next);
        }
    }
    let waits: Vec<u64> =
        aborts.iter().map(|wait| wait.map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap())).collect();
    assert_eq!(waits[..6], [0, 5, 10, 20, 40, 40], "{waits:?}");
    world.settle();
    verify(&world).unwrap();
}

#[test]
fn a_partition_whose_transactions_fail_goes_alone_and_the_others_go_on() {
    let mut world = World::new(2, 1);
    world.append(0, 0, b"stuck");
    world.log.refuse_whole_transactions_with(chain::OUTPUT, 0);
    for _ in 0..400 {
        world.append(1, 1, b"a");
        for _ in 0..8 {
            let _ = world.poll(0) | world.compute(0) | world.commit(0) | world.restore(0);
        }
        world.pass_time(Duration::from_millis(3));
    }
    let (results, _) = world.log.read(chain::OUTPUT, 1, 0, usize::MAX);
    assert!(results.len() > 300, "{} of 400 in the partition that is sound", results.len());
    assert_eq!(world.log.read(chain::OUTPUT, 0, 0, 9).0.len(), 0);
    world.log.take_transactions_again();
    world.settle();
    verify(&world).unwrap();
}

#[test]
fn the_verifier_sees_a_doubled_and_a_lost_result() {
    let mut world = World::new(1, 1);
    world.append(0, 1, b"a");
    assert!(verify(&world).is_err(), "nothing has been processed: the result is missing");
    world.settle();
    verify(&world).unwrap();
    let (results, _) = world.log.read(chain::OUTPUT, 0, 0, 1);
    world.log.append(auscult_runtime::record::OutputRecord {
        topic: chain::OUTPUT.to_owned(),
        partition: 0,
        key: results[0].key.clone(),
        value: results[0].value.clone(),
        headers: auscult_schemas::Headers::default(),
        timestamp_ms: None,
        source_offset: None,
    });
    assert!(verify(&world).is_err(), "the result is there twice");
}
