#!/usr/bin/env bash
# Runs KEDA itself against a real control plane and a real Kafka (tests/kubernetes/keda.py). Builds what it needs first: half an hour on one core, once.
# AUSCULT names the workers' program; default: target/release/auscult.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$root/.work/kubernetes
for part in helm control-plane keda; do
    "$root/tests/kubernetes/tools/build.sh" "$part"
done
crds=$("$root/tests/helm/crds.sh")
run=$work/run-keda
rm -rf "$run"
exec "$root/.work/venv/bin/python" "$root/tests/kubernetes/keda.py" "$work/bin" "$crds" "$root/helm/auscult" \
    "${AUSCULT:-$root/target/release/auscult}" "$run"
