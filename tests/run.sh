#!/usr/bin/env bash
# Everything that CI checks: formatting, lints, every test on real Kafka and Prometheus, and this revision's part of the long suites. Gets what it
# needs first (tests/setup.sh). docs/testing.md says what runs when.
#
#   tests/run.sh                    what `make test` runs
#   tests/run.sh --rotation 7       part 7 of the long suites instead of this revision's
#   tests/run.sh --all              every case of every suite, what `make test-all` runs
#   tests/run.sh --list             the steps
#   tests/run.sh --only faults      steps whose name contains this, and what they need
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v python3 >/dev/null || { echo "run.sh: python3 is missing (3.11 or later)" >&2; exit 1; }
exec python3 -B tests/runner/run.py "$@"
