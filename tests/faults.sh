#!/usr/bin/env bash
# Faults under load on Apache Kafka, and a table of what was lost, doubled, reordered or wrong. Run tests/setup.sh once before.
#
#   tests/faults.sh                         every fault once (about ten minutes): what CI runs
#   tests/faults.sh --long                  every fault ten times in each group protocol (hours)
#   tests/faults.sh --only 'broker slow' --runs 5 --seed 7
#   tests/faults.sh --list                  the names
#   tests/faults.sh mutations               switches rules of delivery off; the suite must notice each
#   tests/faults.sh cost | memory | restore what is measured rather than counted
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# The workers that the suite kills are a binary of their own, with steps at which they can be killed.
cargo build --locked --release --package auscult --package auscult-tests --features auscult/fault-injection \
    --bin auscult-with-faults --bin faults
target=${CARGO_TARGET_DIR:-$root/target}
export AUSCULT_BIN=${AUSCULT_BIN:-$target/release/auscult-with-faults}

case ${1:-} in
    mutations | cost | memory | restore | help | --help | -h) exec "$target/release/faults" "$@" ;;
    *) exec "$target/release/faults" run "$@" ;;
esac
