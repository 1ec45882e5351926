#!/usr/bin/env bash
# A hundred simulated machines' week through both workers on Apache Kafka, judged against the truth: alarms before failures and their lead times,
# false alarms, dead microphones, the change of the hall. Run tests/setup.sh once before.
#
#   tests/fleet.sh                                          about a quarter of an hour on two cores
#   tests/fleet.sh --seed 7
#   tests/fleet.sh --machines 30                            a third of it; CI runs this now and then (docs/testing.md)
#   tests/fleet.sh --scenario mine.toml --partitions 4
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# With the tests, as tests/run.sh builds it: nothing is built twice.
cargo build --locked --release --workspace --bins --tests
target=${CARGO_TARGET_DIR:-$root/target}
export AUSCULT_BIN=${AUSCULT_BIN:-$target/release/auscult}
exec "$target/release/fleet" "$@"
