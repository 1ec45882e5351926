#!/usr/bin/env bash
# Faults under load on Apache Kafka, and a table of what was lost, doubled, reordered or wrong. Run tests/setup.sh once before.
#
#   tests/faults.sh                         every fault once (about ten minutes); CI runs some of them each time (docs/testing.md)
#   tests/faults.sh --long                  every fault ten times in each group protocol (hours)
#   tests/faults.sh --only 'broker slow' --runs 5 --seed 7
#   tests/faults.sh --named 'SIGKILL after commit'   the one of exactly this name
#   tests/faults.sh --list                  the names
#   tests/faults.sh mutations               switches rules of delivery off; the suite must notice each
#   tests/faults.sh cost | memory | restore what is measured rather than counted
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# The workers that the suite kills are a binary of their own, `auscult-with-faults`, which obeys what `auscult` ignores. With the tests, as
# tests/run.sh builds them: nothing is built twice.
cargo build --locked --release --workspace --bins --tests
target=${CARGO_TARGET_DIR:-$root/target}
export AUSCULT_BIN=${AUSCULT_BIN:-$target/release/auscult-with-faults}

case ${1:-} in
    mutations | cost | memory | restore | help | --help | -h) exec "$target/release/faults" "$@" ;;
    *) exec "$target/release/faults" run "$@" ;;
esac
