#!/usr/bin/env bash
# Everything that CI checks: formatting, lints, and every test, those on real Kafka and Prometheus included.
# One profile (release) for lints, tests and demo, so that nothing is built twice. Run tests/setup.sh once before.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
started=$SECONDS

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

step "formatting"
cargo fmt --all --check

step "lints"
cargo clippy --locked --release --workspace --all-targets -- -D warnings

step "tests"
# The workers are processes of the release binary: it must be there, and new, before a test starts one.
cargo build --locked --release --package auscult
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --locked --release --workspace 2>&1 | tee "$log"

step "cross-checks"
.work/venv/bin/python schemas/tests/cross-check/read_features.py

step "what the test runner said"
grep -E '^test result' "$log"
awk '/^test result/ { passed += $4; failed += $6; ignored += $8 }
    END { printf "%d passed, %d failed, %d ignored", passed, failed, ignored }' "$log"
echo ", in $((SECONDS - started)) s"
