#!/usr/bin/env bash
# rdkafka 0.39.0 (librdkafka 2.12.1): a producer that is polled with a short timeout takes a whole core.
#
# Guess: `BaseProducer::poll(1 ms)` in a loop sleeps nearly all the time, as librdkafka's own `rd_kafka_poll(rk, 1)` does,
# and `poll(2 ms)` half as often. A consumer's `poll(0.9 ms)` sleeps a little less than a millisecond.
# Seen: librdkafka waits whole milliseconds. rdkafka rounds what is left of the timeout down to them, so below one it asks
# with a timeout of 0, again and again, until its own clock says that the time is over. A producer's `poll(1 ms)` never
# sleeps; of `poll(2 ms)` it sleeps the first millisecond; a consumer's `poll(0.9 ms)` never sleeps, its `poll(1 ms)`
# does. And a producer's `poll` never returns before its time is over, even if it has served an event.
# Hurts: whoever awaits deliveries or shares a thread between polling and other work, and keeps the timeout short for
# latency: a core per client, which looks like load. Poll with 0 and pause, or let librdkafka wake you.
#
# Needs cargo, a C compiler, make. No broker. Fails if the behaviour changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "poll"
version = "0.0.0"
edition = "2021"
[dependencies]
rdkafka = { version = "=0.39.0", default-features = false }
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::BaseProducer;

/// Processor time of this thread, s.
fn processor_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Share of a core that a poll in a loop takes.
fn share(mut poll: impl FnMut()) -> f64 {
    let (started, before) = (Instant::now(), processor_s());
    while started.elapsed() < Duration::from_secs(2) {
        poll();
    }
    (processor_s() - before) / started.elapsed().as_secs_f64()
}

fn main() {
    let producer: BaseProducer = ClientConfig::new().create().unwrap();
    let consumer: BaseConsumer = ClientConfig::new().set("group.id", "g").create().unwrap();
    consumer.subscribe(&["t"]).unwrap();
    for micros in [900, 1_000, 2_000, 10_000] {
        let time = Duration::from_micros(micros);
        let of_producer = share(|| producer.poll(time));
        let of_consumer = share(|| drop(consumer.poll(time)));
        println!("{micros} {of_producer:.2} {of_consumer:.2}");
    }
}
RUST
cargo build --quiet --release --manifest-path "$work/Cargo.toml"
"$work/target/release/poll" >"$work/seen" 2>/dev/null
grep -A1 'name = "rdkafka' "$work/Cargo.lock" | grep version
echo "timeout, µs; share of a core: a producer's poll, a consumer's"
cat "$work/seen"
awk '
    $1 == 900 && ($2 < 0.5 || $3 < 0.5) { bad = 1 }
    $1 == 1000 && ($2 < 0.5 || $3 > 0.2) { bad = 1 }
    $1 == 2000 && ($2 < 0.25 || $3 > 0.2) { bad = 1 }
    $1 == 10000 && $3 > 0.2 { bad = 1 }
    END { exit bad }
' "$work/seen" || { echo "changed: this is no longer what rdkafka does"; exit 1; }
echo "as described"
