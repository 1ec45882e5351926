//! Exactly one committed result for every record, in order, with a state that equals a serial replay, whatever happens in
//! between: random interleavings of polls, computations, commits, restores, joins, crashes, expiries and injected errors.
//!
//! `PROPTEST_CASES=100000` runs it longer.

#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the report")]

mod chain;
mod world;

use std::time::Duration;

use auscult_runtime::memory_log::{Fault, Step};
use proptest::prelude::*;

use chain::{BOMB, POISON, verify};
use world::World;

const WORKERS: usize = 3;

#[derive(Debug, Clone)]
enum Happening {
    Append { partition: i32, machine: u8, value: Vec<u8> },
    Poll(usize),
    Compute(usize),
    Commit(usize),
    Restore(usize),
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
