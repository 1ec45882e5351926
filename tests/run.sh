#!/usr/bin/env bash
# Everything that CI checks: formatting, lints, and every test, those on real Kafka and Prometheus included.
# One profile (release) for lints, tests and demo, so that nothing is built twice. Run tests/setup.sh once before.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
started=$SECONDS

step() { printf '\n\033[1m== %s\033[0m (after %s s)\n' "$*" "$((SECONDS - started))"; }

step "formatting"
cargo fmt --all --check

step "lints"
cargo clippy --locked --release --workspace --all-targets -- -D warnings

step "dependencies: licences, bans, sources"
.work/cargo-deny/bin/cargo-deny check licenses bans sources

step "tests"
# The workers are processes of the release binary: it must be there, and new, before a test starts one. Built together with the tests, so
# that both have the same features (TLS) and nothing is built twice.
cargo build --locked --release --workspace --bins --tests
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --locked --release --workspace --no-fail-fast 2>&1 | tee "$log"

step "the Kafka adapter's own suite, on one broker for all of it"
# The end-to-end suites above start brokers of their own.
read -r KAFKA_PORT KAFKA_CONTROLLER_PORT < <(python3 -c 'import socket
sockets = [socket.socket() for _ in range(2)]
for each in sockets: each.bind(("127.0.0.1", 0))
print(*[each.getsockname()[1] for each in sockets])')
export KAFKA_PORT KAFKA_CONTROLLER_PORT
tests/kafka/start.sh --fresh >.work/kafka/broker.log 2>&1 &
broker=$!
trap 'kill "$broker" 2>/dev/null || true; rm -f "$log"' EXIT
export AUSCULT_TEST_KAFKA=127.0.0.1:$KAFKA_PORT
for _ in $(seq 60); do
    kcat -L -b "$AUSCULT_TEST_KAFKA" -m 1 >/dev/null 2>&1 && break
    kill -0 "$broker" || { cat .work/kafka/broker.log >&2; exit 1; }
    sleep 1
done
adapter() { cargo test --locked --release --workspace --test kafka_adapter; }
# What a group and a coordinator do takes its time, and on a busy machine more than a test waits for: a second try is
# allowed, and said so. What fails twice has failed.
if ! adapter 2>&1 | tee "$log.adapter"; then
    echo "the adapter's suite failed once (see above); trying once more"
    adapter 2>&1 | tee "$log.adapter"
fi
cat "$log.adapter" >>"$log"
rm -f "$log.adapter"

step "faults under load on Kafka: every one of them once"
# Builds the workers once more, with steps at which they can be killed.
tests/faults.sh

step "can the fault suite fail? each rule of delivery switched off in turn"
tests/faults.sh mutations

step "the Helm chart: schemas, lint, unit tests, and what it would start, started"
tests/helm.sh

step "cross-checks"
.work/venv/bin/python schemas/tests/cross-check/read_features.py

step "rules, runbooks, dashboards, compose: on paper, and every expression asked on a real run"
kill "$broker" 2>/dev/null && wait "$broker" || true
AUSCULT_BIN=$root/target/release/auscult tests/observe.sh

step "what the test runner said"
grep -E '^test result' "$log"
awk '/^test result/ { passed += $4; failed += $6; ignored += $8 }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, ignored }' "$log"
echo "all of it took $((SECONDS - started)) s"
