#!/usr/bin/env bash
# Builds an OpenTelemetry collector that takes OTLP and tells of each span it gets, for tests/tests/observability.rs: two minutes on one core, once.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=$here/../../.work/collector/otel-collector
command -v go >/dev/null || { echo "tests/collector/build.sh: go is missing (1.25 or later)" >&2; exit 1; }
if [[ $binary -nt $here/main.go && $binary -nt $here/go.sum ]]; then exit; fi
mkdir -p "$(dirname "$binary")"
cd "$here"
go build -mod=readonly -trimpath -ldflags='-s -w' -o "$binary" .
